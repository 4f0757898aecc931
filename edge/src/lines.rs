//! What the lines of the display boards say: the edge's word while something is on the deck, else the server's.

use std::collections::BTreeMap;

use tokio::sync::watch;
use weighbridge_protocol::{Kilograms, link::messages::DeckState};

/// The two who may write a station's line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The edge's text; none while the deck is empty.
    pub edge: Option<String>,
    /// The server's text: who is next.
    pub server: Option<String>,
}

/// Every station's line. Whoever watches sees the newest and never holds up who writes.
#[derive(Debug, Default)]
pub struct Lines {
    lines: watch::Sender<BTreeMap<i64, Line>>,
}

impl Line {
    pub fn text(&self) -> &str {
        self.edge.as_deref().or(self.server.as_deref()).unwrap_or_default()
    }
}

impl Lines {
    pub fn say_for_edge(&self, station_id: i64, text: Option<String>) {
        self.change(station_id, |line| &mut line.edge, text);
    }

    pub fn say_for_server(&self, station_id: i64, text: Option<String>) {
        self.change(station_id, |line| &mut line.server, text);
    }

    pub fn watch(&self) -> watch::Receiver<BTreeMap<i64, Line>> {
        self.lines.subscribe()
    }

    fn change(&self, station_id: i64, who: impl FnOnce(&mut Line) -> &mut Option<String>, text: Option<String>) {
        self.lines.send_if_modified(|lines| {
            let line = who(lines.entry(station_id).or_default());
            let changed = *line != text;
            *line = text;
            changed
        });
    }
}

/// What the edge says of a deck, in the drivers' language; nothing while it is empty.
pub fn deck_text(state: DeckState, saved: Option<Kilograms>, refusing: bool) -> Option<String> {
    let text = match state {
        _ if refusing => "저장불가".to_owned(),
        DeckState::Empty => return None,
        DeckState::Loaded | DeckState::Settling => "계량중".to_owned(),
        DeckState::Captured => match saved {
            Some(weight) => format!("저장 {} kg", whole(weight)),
            None => "저장".to_owned(),
        },
        DeckState::Overload => "과적".to_owned(),
        DeckState::Error => "계량불가".to_owned(),
    };
    Some(text)
}

/// `18340`, and `18340.5` only where there are such parts.
fn whole(weight: Kilograms) -> String {
    let text = weight.to_string();
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_the_edges_while_the_deck_is_loaded_and_the_servers_else() {
        let lines = Lines::default();
        let shown = |lines: &Lines| lines.watch().borrow().get(&1).map(|line| line.text().to_owned());
        lines.say_for_server(1, Some("다음 12가3456".to_owned()));
        lines.say_for_edge(1, deck_text(DeckState::Settling, None, false));
        assert_eq!(shown(&lines).as_deref(), Some("계량중"));
        lines.say_for_edge(
            1,
            deck_text(DeckState::Captured, Some(Kilograms::from_whole(18_340)), false),
        );
        assert_eq!(shown(&lines).as_deref(), Some("저장 18340 kg"));
        lines.say_for_edge(1, deck_text(DeckState::Empty, None, false));
        assert_eq!(shown(&lines).as_deref(), Some("다음 12가3456"));
        lines.say_for_edge(1, deck_text(DeckState::Empty, None, true));
        assert_eq!(shown(&lines).as_deref(), Some("저장불가"));
    }
}
