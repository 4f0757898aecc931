//! What a yard weighs before its database is restored from a backup, and how that comes again.

use std::sync::Arc;

use chrono::Utc;
use weighbridge::db::{
    capture::list::{CaptureItem, CapturesIn, State},
    edge_event::Outcome,
    page::Slice,
    wait_queue::Entry,
};
use weighbridge_protocol::link::{Event, FromServer};

use super::{
    super::database::{Backup, Database},
    Yard,
};

impl Yard {
    /// The yards go on with what was in the backup. Each says hello, and has its edge's file to send again.
    pub async fn restore(yards: &mut [Self], backup: &Backup) {
        let database = Arc::new(Database::restored(backup));
        for yard in yards {
            (yard.database, yard.pool) = (database.clone(), database.pool());
            yard.say_hello().await;
        }
    }

    /// Its edge knows by which name the database was born.
    pub async fn learn_the_databases_name(yards: &mut [Self]) {
        let served = "INSERT INTO database_identity (system_identifier, timeline) VALUES (1, 1)";
        yards[0].execute(served).await;
        for yard in yards {
            yard.say_hello().await;
        }
    }

    /// Its edge is pointed at the server of another yard, where everything has the same ids.
    pub async fn go_over_to(&mut self, other: &Self) {
        (self.database, self.pool) = (other.database.clone(), other.database.pool());
        self.say_hello().await;
    }

    pub async fn unassigned(&self) -> Vec<CaptureItem> {
        let slice = Slice { limit: 10, offset: 0 };
        let listed = self.run(CapturesIn {
            state: State::Unassigned,
            station_id: None,
            slice,
        });
        listed.await.items
    }

    /// Its truck waits, and is called to the station of another yard.
    pub async fn check_in_and_be_called_to(&self, other: &Self) -> Entry {
        self.run(self.check_in(Utc::now())).await.unwrap();
        other.call().await.unwrap()
    }

    /// Stores a stay; answers its events as their edge keeps them, with what it was told.
    pub async fn weigh(&mut self, kg: i32) -> Vec<Event> {
        let mut events = self.stay(kg);
        let Outcome::Taken(taken) = self.store(events.clone()).await else {
            panic!("fenced")
        };
        for answer in taken.answers {
            let FromServer::Ack(ack) = answer else {
                panic!("{answer:?}")
            };
            for numbered in ack.receipts {
                let event = events.iter_mut().find(|event| event.seq == numbered.seq).unwrap();
                event.receipt = Some(numbered.receipt);
            }
        }
        events
    }

    /// The text that a query answers; empty for null.
    pub async fn text(&self, query: &str) -> String {
        let row = self.database.connect().await.query_one(query, &[]).await.unwrap();
        row.get::<_, Option<String>>(0).unwrap_or_default()
    }
}
