//! A database with an outbox, couriers on it, and carriers that do as a test says.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;
use uuid::Uuid;
use weighbridge::{
    actors::{
        courier::{Carrier, Couriers, Route},
        repository::Repository,
    },
    config::{self, DeliverySettings},
    db::{Runner, outbox::Due},
    domain::delivery::Outcome,
};
use weighbridge_supervision::{Handle, Policy, Spec, Tree};

use crate::support::database::Database;

const WITHIN: Duration = Duration::from_secs(20);

/// An outbox and who works on it.
pub struct Post {
    client: tokio_postgres::Client,
    runner: Arc<Runner>,
    settings: DeliverySettings,
    trees: Mutex<Vec<Tree>>,
    _database: Database,
}

impl Post {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// Pauses are of milliseconds, and the breaker stays out of the way unless told otherwise.
    pub async fn with(change: impl FnOnce(&mut DeliverySettings)) -> Self {
        let database = Database::new();
        let mut settings = config::load(None, []).unwrap().delivery;
        settings.look_every = Duration::from_millis(50);
        settings.first_pause = Duration::from_millis(5);
        settings.longest_pause = Duration::from_millis(20);
        settings.breaker_rest = Duration::from_millis(10);
        change(&mut settings);
        Self {
            client: database.connect().await,
            runner: Arc::new(Runner::new(database.pool(), WITHIN).unwrap()),
            settings,
            trees: Mutex::default(),
            _database: database,
        }
    }

    pub fn runner(&self) -> &Runner {
        &self.runner
    }

    pub async fn owe(&self, kind: &str, aggregate: &str, payload: Value) {
        let insert = "INSERT INTO outbox (kind, idempotency_key, aggregate_key, payload) VALUES ($1, $2::text::uuid, $3, $4::text::jsonb)";
        let key = Uuid::new_v4().to_string();
        let payload = payload.to_string();
        self.client
            .execute(insert, &[&kind, &key, &aggregate, &payload])
            .await
            .unwrap();
    }

    /// Starts the ERP's courier of one more server.
    pub fn courier(&self, carrier: &Porter) {
        self.start(Some(Arc::new(carrier.clone())));
    }

    /// The same where nothing is configured.
    pub fn idle_courier(&self) {
        self.start(None);
    }

    fn start(&self, carrier: Option<Arc<dyn Carrier>>) {
        let tree = Tree::new(Policy::default(), |why| panic!("{why}")).unwrap();
        tree.supervisor("delivery").unwrap();
        let runner = Arc::clone(&self.runner);
        let repository: Handle<Repository> = tree
            .start(Spec::new("repository", "repository"), move || {
                Repository::new(Arc::clone(&runner))
            })
            .unwrap();
        let couriers = Couriers {
            repository,
            settings: self.settings.clone(),
            owner: "test".to_owned(),
        };
        couriers.start(&tree, Route::Erp, carrier).unwrap();
        self.trees.lock().push(tree);
    }

    pub async fn execute(&self, statements: &str) {
        self.client.batch_execute(statements).await.unwrap();
    }

    pub async fn text(&self, query: &str) -> String {
        self.client.query_one(query, &[]).await.unwrap().get(0)
    }

    /// The states of all messages in the order they were owed.
    pub async fn states(&self) -> Vec<String> {
        let rows = self
            .client
            .query("SELECT state FROM outbox ORDER BY id", &[])
            .await
            .unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Asks until the query's number is this.
    pub async fn until(&self, query: &str, expected: i64) {
        let deadline = Instant::now() + WITHIN;
        loop {
            let found: i64 = self.client.query_one(query, &[]).await.unwrap().get(0);
            if found == expected {
                return;
            }
            assert!(Instant::now() < deadline, "{found}, expected {expected}: {query}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn all_settled(&self) {
        self.until("SELECT count(*) FROM outbox WHERE state IN ('PENDING', 'LEASED')", 0)
            .await;
    }

    /// Lets couriers look again: time enough for what must not happen.
    pub async fn look_twice(&self) {
        tokio::time::sleep(self.settings.look_every * 3).await;
    }
}

type Answer = dyn Fn(&Due, usize) -> Outcome + Send + Sync;

/// A carrier that answers as a test says, and remembers what was brought. Clones are the same.
#[derive(Clone)]
pub struct Porter {
    answer: Arc<Answer>,
    calls: watch::Sender<Vec<Call>>,
    arrived: watch::Sender<Vec<(String, u64)>>,
    open: watch::Sender<bool>,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    at: Instant,
}

impl Porter {
    /// Answers by the message and how many came before it.
    pub fn that(answer: impl Fn(&Due, usize) -> Outcome + Send + Sync + 'static) -> Self {
        Self {
            answer: Arc::new(answer),
            calls: watch::Sender::default(),
            arrived: watch::Sender::default(),
            open: watch::Sender::new(true),
        }
    }

    pub fn sent(_: &Due) -> Outcome {
        Outcome::Sent {
            response: json!({ "accepted": true }),
        }
    }

    /// Keeps everyone waiting until [`Porter::release`].
    pub fn held(self) -> Self {
        self.open.send_replace(false);
        self
    }

    pub fn release(&self) {
        self.open.send_replace(true);
    }

    pub fn calls(&self) -> usize {
        self.calls.borrow().len()
    }

    pub fn moments(&self) -> Vec<Instant> {
        self.calls.borrow().iter().map(|call| call.at).collect()
    }

    /// The numbers of what arrived of an aggregate, as they came.
    pub fn arrived(&self, aggregate: &str) -> Vec<u64> {
        let arrived = self.arrived.borrow();
        arrived
            .iter()
            .filter(|(of, _)| of == aggregate)
            .map(|(_, number)| *number)
            .collect()
    }

    pub async fn until_called(&self, times: usize) {
        let mut calls = self.calls.subscribe();
        let called = calls.wait_for(|calls| calls.len() >= times);
        tokio::time::timeout(WITHIN, called).await.unwrap().unwrap();
    }

    pub async fn until_arrived(&self, count: usize) {
        let mut arrived = self.arrived.subscribe();
        let come = arrived.wait_for(|arrived| arrived.len() >= count);
        tokio::time::timeout(WITHIN, come).await.unwrap().unwrap();
    }
}

impl Carrier for Porter {
    fn deliver(&self, due: Due) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            let mut nth = 0;
            self.calls.send_modify(|calls| {
                nth = calls.len();
                calls.push(Call { at: Instant::now() });
            });
            self.open.subscribe().wait_for(|open| *open).await.unwrap();
            let outcome = (self.answer)(&due, nth);
            if matches!(outcome, Outcome::Sent { .. }) {
                let number = due.payload["number"].as_u64().unwrap_or_default();
                self.arrived
                    .send_modify(|arrived| arrived.push((due.aggregate_key, number)));
            }
            outcome
        })
    }
}

impl fmt::Debug for Porter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Porter")
            .field("calls", &self.calls())
            .finish_non_exhaustive()
    }
}
