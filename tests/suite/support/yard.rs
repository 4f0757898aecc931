//! A site with one station, one edge that has said hello, one truck (tare 10 t) and its driver.
//!
//! - [`failures`]: what it does while connections break off and transactions fail
//! - [`midnight`]: many of them while everything breaks off and the day turns
//! - [`restoring`]: what it weighs before its database is restored, and brings again

mod failures;
pub mod midnight;
mod restoring;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;
use weighbridge::{
    db::{
        GroupedQuery, Pool, Query,
        edge_epoch::{Greet, Greeting, Welcomed},
        edge_event::{
            Outcome, StoreEvents,
            set_aside::{SetAside, Why},
        },
        verify::Verify,
        wait_queue::{CallNext, Called, CheckIn, Entry, EntryById},
        weigh_record::{Item, Items},
    },
    domain::{
        edge_time::ClockModel,
        weighing::{Examined, examine},
    },
};
use weighbridge_protocol::{
    CycleId, Epoch, Kilograms, LinkSession,
    link::{
        Event, EventBody, EventKind,
        event::{Capture, sha256_hex},
        messages::{EpochState, Hello, StationState},
    },
};

use super::{
    database::Database,
    link::{BOOT, clock},
};

pub fn epoch() -> Epoch {
    Epoch::from_bits(1)
}

pub struct Yard {
    database: std::sync::Arc<Database>,
    pool: Pool,
    pub session: LinkSession,
    edge: i64,
    station: i64,
    vehicle: i64,
    driver: i64,
    next_seq: i64,
    database_name: Option<Uuid>,
    clock: ClockModel,
}

impl Yard {
    pub async fn new() -> Self {
        Self::several(1).await.remove(0)
    }

    /// Yards with an edge and a station each, on one database.
    pub async fn several(count: i64) -> Vec<Self> {
        let database = std::sync::Arc::new(Database::new());
        let client = database.connect().await;
        let mut yards = Vec::new();
        for n in 1..=count {
            let setup = format!(
                "INSERT INTO edge_gateway (id, name, site_id) VALUES ({n}, 'edge {n}', 1);
                 INSERT INTO weigh_station (id, name, site_id, edge_id, indicator_type) VALUES ({n}, '{n}번', 1, {n}, 'A');
                 INSERT INTO vehicle (id, plate_number, tare_weight) VALUES ({n}, '12가345{n}', 10000);
                 INSERT INTO driver (id, name, phone, phone_index) VALUES ({n}, '기사 {n}', '', '\\x{n:04}');"
            );
            client.batch_execute(&setup).await.unwrap();
            let clock = clock();
            let mut yard = Self {
                database: database.clone(),
                pool: database.pool(),
                session: LinkSession::from_bits(0),
                edge: n,
                station: n,
                vehicle: n,
                driver: n,
                next_seq: 1,
                database_name: None,
                clock: ClockModel::new(&clock, Utc::now()),
            };
            yard.say_hello().await;
            yards.push(yard);
        }
        yards
    }

    fn epoch(&self) -> Epoch {
        Epoch::from_bits(u128::try_from(self.edge).unwrap())
    }

    pub async fn say_hello(&mut self) {
        let state = self.file();
        self.greet(state).await;
    }

    /// The whole of the edge's file, of which nothing was acknowledged.
    pub fn file(&self) -> EpochState {
        EpochState {
            epoch: self.epoch(),
            first_kept: 1,
            next_seq: self.next_seq,
            acked: 0,
            missing: Vec::new(),
        }
    }

    /// Says hello with a file that stands like this; the next event is the next of that file.
    pub async fn greet(&mut self, state: EpochState) -> Welcomed {
        self.session = LinkSession::from_bits(rand::random());
        self.next_seq = state.next_seq;
        let hello = Hello {
            protocol: 1,
            version: "test".into(),
            epochs: vec![state],
            stations: vec![StationState {
                station_id: self.station,
                protocol: "cas22".into(),
            }],
            clock: clock(),
        };
        let greet = Greet {
            edge_id: self.edge,
            hello,
            session: self.session,
            now: Utc::now(),
            jump: 500,
        };
        match self.run(greet).await {
            Greeting::Welcome(welcomed) => {
                self.database_name = welcomed.database;
                *welcomed
            }
            refused @ Greeting::Forbidden { .. } => panic!("{refused:?}"),
        }
    }

    pub async fn check_in_and_call(&self) -> Entry {
        self.run(self.check_in(Utc::now())).await.unwrap();
        self.call().await.unwrap()
    }

    fn check_in(&self, now: DateTime<Utc>) -> CheckIn {
        CheckIn {
            site_id: 1,
            driver_id: self.driver,
            vehicle_id: self.vehicle,
            product_id: None,
            customer_id: None,
            direction: None,
            priority: None,
            own_vehicle: false,
            now,
        }
    }

    pub async fn call(&self) -> Called {
        self.run(self.call_at(Utc::now())).await
    }

    const fn call_at(&self, now: DateTime<Utc>) -> CallNext {
        CallNext {
            by_itself: false,
            station_id: self.station,
            entry_id: None,
            deadline: TimeDelta::minutes(5),
            now,
        }
    }

    /// The database that it shares with others.
    pub fn database(&self) -> std::sync::Arc<Database> {
        self.database.clone()
    }

    pub async fn forget_tare(&self) {
        let client = self.database.connect().await;
        client
            .execute("UPDATE vehicle SET tare_weight = NULL", &[])
            .await
            .unwrap();
    }

    /// The next stay on the deck: on, captured, off, all of this moment.
    pub fn stay(&mut self, kg: i32) -> Vec<Event> {
        let cycle = Some(CycleId::from_bits(rand::random()));
        let mono_ms = clock().mono_ms;
        let weight = Kilograms::from_whole(kg);
        let capture = Capture {
            weight,
            gap: false,
            on_mono_ms: mono_ms,
            raw: "0d0a".into(),
            curve: Vec::new(),
            curve_steps: Vec::new(),
        };
        let kinds = [
            EventKind::VehicleOn {},
            EventKind::Capture(capture),
            EventKind::VehicleOff {
                captured: true,
                inferred: false,
            },
        ];
        kinds.into_iter().map(|kind| self.event(cycle, mono_ms, kind)).collect()
    }

    fn event(&mut self, cycle: Option<CycleId>, mono_ms: i64, kind: EventKind) -> Event {
        let (epoch, seq) = (self.epoch(), self.next_seq);
        self.next_seq += 1;
        let at = Utc::now().fixed_offset();
        let body = EventBody {
            epoch,
            seq,
            station_id: self.station,
            cycle,
            at,
            mono_ms,
            boot: BOOT,
            kind,
        };
        let body = serde_json::to_string(&body).unwrap();
        Event {
            epoch,
            seq,
            sha256: sha256_hex(&body),
            body,
            receipt: None,
        }
    }

    /// As an edge would whose file is an older image: the same seqs come again.
    pub fn rewind(&mut self) {
        self.next_seq = 1;
    }

    /// The next event is of this seq.
    pub fn go_on_at(&mut self, seq: i64) {
        self.next_seq = seq;
    }

    pub fn spoil(&self, event: &mut Event) {
        event.body = format!("not json {}", event.seq);
        event.sha256 = sha256_hex(&event.body);
    }

    pub async fn store_stay(&mut self, kg: i32) -> Outcome {
        let events = self.stay(kg);
        self.store(events).await
    }

    pub async fn store(&self, events: Vec<Event>) -> Outcome {
        self.store_as(self.session, events).await
    }

    pub async fn store_as(&self, session: LinkSession, events: Vec<Event>) -> Outcome {
        self.run_group(vec![self.query(session, events)]).await.remove(0)
    }

    pub fn query(&self, session: LinkSession, events: Vec<Event>) -> StoreEvents {
        let received_at = Utc::now();
        let examined = |event: Event| Examined {
            body: examine(&event),
            event,
            received_at,
        };
        StoreEvents {
            edge_id: self.edge,
            session,
            events: events.into_iter().map(examined).collect(),
            clock: self.clock,
            awaited: None,
            min_net: Kilograms::from_whole(100),
            database: self.database_name,
        }
    }

    pub async fn run_group(&self, group: Vec<StoreEvents>) -> Vec<Outcome> {
        let mut conn = self.pool.get().await.unwrap();
        StoreEvents::run_all(group, &mut conn).await.unwrap()
    }

    /// Says whether it was taken.
    pub async fn set_aside(&self, event: &Event) -> bool {
        self.run(SetAside {
            edge_id: self.edge,
            session: self.session,
            event: event.clone(),
            why: Why::Quarantined,
            reason: "its handling panicked".into(),
            received_at: Utc::now(),
        })
        .await
    }

    /// Keeps others from writing to this station until the answer is dropped.
    pub async fn hold_station(&self) -> tokio_postgres::Client {
        let holder = self.database.connect().await;
        let lock = format!(
            "BEGIN; SELECT * FROM weigh_station WHERE id = {} FOR UPDATE",
            self.station
        );
        holder.batch_execute(&lock).await.unwrap();
        holder
    }

    /// Waits until so many transactions wait for a lock.
    pub async fn until_locked_out(&self, count: i64) {
        self.database.until_locked_out(count).await;
    }

    pub async fn record(&self, id: i64) -> Item {
        let mut conn = self.pool.get().await.unwrap();
        let found = Items::run_all(vec![Items { ids: vec![id] }], &mut conn).await.unwrap();
        found.into_iter().flatten().next().unwrap()
    }

    pub async fn entry(&self, id: i64) -> Entry {
        self.run(EntryById { id }).await
    }

    /// The promises about the data that do not hold.
    pub async fn broken_promises(&self) -> Vec<&'static str> {
        let checked = self.run(Verify).await;
        checked
            .iter()
            .filter(|checked| !checked.broken_by.is_empty())
            .map(|checked| checked.promise)
            .collect()
    }

    pub async fn execute(&self, statement: &str) {
        self.database.execute(statement).await;
    }

    pub async fn count(&self, query: &str) -> i64 {
        self.database.count(query).await
    }

    pub async fn numbers(&self, query: &str) -> Vec<i32> {
        let rows = self.database.connect().await.query(query, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// All that a weighing leaves behind, as one text.
    pub async fn fingerprint(&self) -> String {
        let tables = [
            "edge_event",
            "capture",
            "weigh_record",
            "slip",
            "slip_counter",
            "outbox",
            "wait_queue",
        ];
        let parts = tables.map(|table| {
            format!("(SELECT md5(coalesce(string_agg(t::text, '' ORDER BY t::text), '')) FROM {table} t)")
        });
        let query = format!("SELECT concat_ws('/', {})", parts.join(", "));
        self.database
            .connect()
            .await
            .query_one(&query, &[])
            .await
            .unwrap()
            .get(0)
    }

    async fn run<Q: Query>(&self, query: Q) -> Q::Output {
        let mut conn = self.pool.get().await.unwrap();
        query.run(&mut conn).await.unwrap()
    }
}
