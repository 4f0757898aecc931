//! What the server said last of each station's lamp.

use std::collections::BTreeMap;

use tokio::sync::watch;
use weighbridge_protocol::link::messages::Lamp;

/// A word, and the how manieth it is: a call is spent by the weighing that it led to, and the next one is another word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    pub lamp: Lamp,
    pub number: u64,
}

/// Every station's newest word. None from a server that knows no lamps.
#[derive(Debug, Default)]
pub struct ServerWords {
    words: watch::Sender<BTreeMap<i64, Word>>,
}

impl ServerWords {
    pub fn say(&self, station_id: i64, lamp: Option<Lamp>) {
        self.words.send_modify(|words| {
            let number = words.get(&station_id).map_or(0, |word| word.number + 1);
            match lamp {
                Some(lamp) => words.insert(station_id, Word { lamp, number }),
                None => words.remove(&station_id),
            };
        });
    }

    pub fn watch(&self) -> watch::Receiver<BTreeMap<i64, Word>> {
        self.words.subscribe()
    }
}
