//! A line in a database, changed by queries as the actors of two nodes ask them.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use weighbridge::db::{
    DbError, Pool, Query,
    audit_log::Author,
    wait_queue::{CallNext, Cancel, CheckIn, ExpireCalls},
};

use super::database::Database;

/// A line in a database of its own, and two nodes' connections to it.
pub struct Line {
    database: Database,
    nodes: [Pool; 2],
}

impl Line {
    /// With so many stations and trucks; the trucks have not checked in.
    pub async fn new(stations: i64, trucks: i64) -> Self {
        let database = Database::new();
        let client = database.connect().await;
        let setup = format!(
            "INSERT INTO edge_gateway (id, name, site_id) VALUES (1, 'edge', 1);
             INSERT INTO app_user (id, login_id, password_hash, name, role) VALUES (1, 'clerk', 'x', 'clerk', 'STAFF');
             INSERT INTO weigh_station (id, name, site_id, edge_id, indicator_type)
               SELECT n, n || '번', 1, 1, 'A' FROM generate_series(1, {stations}) AS n;
             INSERT INTO vehicle (id, plate_number) SELECT n, '80바' || n FROM generate_series(1, {trucks}) AS n;
             INSERT INTO driver (id, name, phone, phone_index)
               SELECT n, '기사 ' || n, '', decode(lpad(to_hex(n), 8, '0'), 'hex') FROM generate_series(1, {trucks}) AS n;"
        );
        client.batch_execute(&setup).await.unwrap();
        let nodes = [database.pool(), database.pool()];
        Self { database, nodes }
    }

    /// As actors ask: what was overtaken is asked again.
    pub async fn run<Q: Query + Clone>(&self, node: usize, query: Q) -> Result<Q::Output, DbError> {
        let mut conn = self.nodes[node % 2].get().await.unwrap();
        loop {
            match query.clone().run(&mut conn).await {
                Err(DbError::Overtaken) => {}
                outcome => return outcome,
            }
        }
    }

    pub async fn count(&self, query: &str) -> i64 {
        self.database.count(query).await
    }

    /// One text of the database.
    pub async fn text(&self, query: &str) -> String {
        let row = self.database.connect().await.query_one(query, &[]).await.unwrap();
        row.get(0)
    }

    pub async fn ids(&self, query: &str) -> Vec<i64> {
        let rows = self.database.connect().await.query(query, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    pub async fn execute(&self, statement: &str) {
        self.database.execute(statement).await;
    }

    /// Keeps others from what this locks, until the answer commits.
    pub async fn hold(&self, locking: &str) -> tokio_postgres::Client {
        let holder = self.database.connect().await;
        holder.batch_execute(&format!("BEGIN; {locking}")).await.unwrap();
        holder
    }

    /// Waits until so many transactions wait for a lock.
    pub async fn until_locked_out(&self, count: i64) {
        self.database.until_locked_out(count).await;
    }

    /// All of one instant: each station calls, the first once more from the other node; whoever was called is late, one of
    /// them gives up, and so does the next in line. Answers how many gave way in a deadlock.
    async fn round(&self, stations: i64) -> usize {
        let first = async |status: &str| {
            self.count(&format!(
                "SELECT coalesce(min(id), 0) FROM wait_queue WHERE status = '{status}'"
            ))
            .await
        };
        let (next, called) = (first("WAITING").await, first("CALLED").await);
        // However long this machine takes to begin them.
        let now = Utc::now();
        let call = |station| CallNext {
            now,
            ..call_to(station, TimeDelta::seconds(-1))
        };
        let expire = ExpireCalls {
            stations: (1..=stations).collect(),
            now: Utc::now(),
        };
        let calls = join_all((1..=stations).map(|station| self.run(0, call(station))));
        let cancels = async |node, entry| {
            if entry == 0 {
                return Ok(());
            }
            self.run(node, cancel_of(entry, None)).await.map(drop)
        };
        let (calls, others): (_, [_; 4]) = tokio::join!(calls, async {
            tokio::join!(
                async { self.run(1, call(1)).await.map(drop) },
                async { self.run(1, expire).await.map(drop) },
                cancels(0, next),
                cancels(1, called),
            )
            .into()
        });
        let outcomes = calls.into_iter().map(|called| called.map(drop)).chain(others);
        let failed = outcomes.filter_map(Result::err).inspect(|error| {
            assert!(error.is_deadlock(), "{error}");
        });
        failed.count()
    }

    /// Lets all trucks stand in the line, in the order of their numbers.
    pub async fn fill(&self) {
        let fill = "INSERT INTO wait_queue (driver_id, vehicle_id, queue_number, site_id, day, position)
                      SELECT id, id, id, 1, current_date, id FROM driver ORDER BY id;
                    INSERT INTO queue_counter (site_id, day, last_number) SELECT 1, current_date, count(*) FROM driver;";
        self.execute(fill).await;
    }
}

pub fn clerk() -> Author {
    Author {
        user_id: 1,
        login: "clerk".into(),
        address: "127.0.0.1".into(),
        request_id: "r".into(),
    }
}

pub fn call_to(station_id: i64, deadline: TimeDelta) -> CallNext {
    CallNext {
        station_id,
        entry_id: None,
        by_itself: false,
        deadline,
        now: Utc::now(),
    }
}

pub fn cancel_of(entry_id: i64, driver_id: Option<i64>) -> Cancel {
    Cancel {
        entry_id,
        driver_id,
        reason: "race".into(),
        author: clerk(),
    }
}

pub fn check_in(driver_id: i64, vehicle_id: i64, now: DateTime<Utc>) -> CheckIn {
    CheckIn {
        site_id: 1,
        driver_id,
        vehicle_id,
        product_id: None,
        customer_id: None,
        direction: None,
        priority: None,
        own_vehicle: false,
        now,
    }
}

/// Stations call, their trucks do not come, leave or give up, and the next ones give up: all at once on two nodes, until the
/// line is empty. Answers in how many rounds.
///
/// # Panics
/// Where a station has two trucks, locks are not taken in one order, somebody is overtaken, or an end or a call is untold.
pub async fn under_fire(stations: i64, trucks: i64) -> usize {
    let line = Line::new(stations, trucks).await;
    line.fill().await;
    let (mut deadlocks, mut rounds) = (0, 0);
    while line
        .count("SELECT count(*) FROM wait_queue WHERE status IN ('WAITING', 'CALLED')")
        .await
        > 0
    {
        deadlocks += line.round(stations).await;
        rounds += 1;
        let shared = "SELECT count(*) FROM (SELECT station_id FROM wait_queue WHERE status = 'CALLED' GROUP BY 1 HAVING count(*) > 1) s";
        assert_eq!(line.count(shared).await, 0, "a station with two trucks");
    }
    assert_eq!(deadlocks, 0, "locks are taken in one order");
    let ended = "SELECT count(*) FROM wait_queue WHERE status IN ('NO_SHOW', 'CANCELLED')";
    assert_eq!(line.count(ended).await, trucks);
    assert_eq!(
        line.count("SELECT count(*) FROM weigh_record").await,
        0,
        "nothing was weighed"
    );
    // Nobody was overtaken: who was called first came first.
    let overtaken = "SELECT count(*) FROM wait_queue a JOIN wait_queue b ON a.queue_number < b.queue_number
                     AND a.called_at > b.called_at";
    assert_eq!(line.count(overtaken).await, 0);
    // Each call was told, and each that was taken back by others too.
    let told = "SELECT count(*) FROM outbox WHERE kind = 'PUSH_CALLED'";
    assert_eq!(
        line.count(told).await,
        line.count("SELECT sum(calls_made)::bigint FROM wait_queue").await
    );
    let taken_back = "SELECT count(*) FROM outbox WHERE kind = 'PUSH_WITHDRAWN'";
    let ended_calls = "SELECT count(*) FROM wait_queue WHERE calls_made > 0";
    assert_eq!(line.count(taken_back).await, line.count(ended_calls).await);
    rounds
}
