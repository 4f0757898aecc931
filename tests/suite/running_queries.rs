//! Queries on their way: grouped into one commit, kept from hanging, and answered although their actor restarts.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use diesel::{ExpressionMethods, QueryDsl, QueryableByName, sql_types::Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::future::join_all;
use weighbridge::{
    actors::repository::{Queries, Repository},
    db::{
        DbError, GroupedQuery, Pool, Query, Runner,
        embedded::Embedded,
        identity::{OnRestore, Restored},
        pool::PoolSettings,
        schema::{company, vehicle},
        weight::Weight,
    },
};
use weighbridge_protocol::Kilograms;
use weighbridge_supervision::{Mode, Policy, Spec, Tree};

use crate::support::{database::Database, folder::Folder};

const LIMIT: Duration = Duration::from_secs(10);

/// Asks again and again until it is so.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so().await {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::task::yield_now().await;
    }
}

fn runner(database: &Database) -> Runner {
    Runner::new(database.pool(), LIMIT).unwrap()
}

/// Names a company; answers how many shared its commit. A name may be too long for its column, or make us panic.
#[derive(Clone)]
struct Found(String);

impl GroupedQuery for Found {
    type Output = usize;

    async fn run_all(group: Vec<Self>, conn: &mut AsyncPgConnection) -> Result<Vec<usize>, DbError> {
        assert!(group.iter().all(|Self(name)| name != "panic"));
        let names: Vec<_> = group.iter().map(|Self(name)| company::name.eq(name)).collect();
        conn.transaction(async |conn| {
            diesel::insert_into(company::table).values(&names).execute(conn).await?;
            Ok(vec![group.len(); group.len()])
        })
        .await
    }
}

struct Companies;

impl Query for Companies {
    type Output = i64;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<i64, DbError> {
        Ok(company::table.count().get_result(conn).await?)
    }
}

/// Runs SQL in a transaction.
struct Sql(&'static str);

impl Query for Sql {
    type Output = ();

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<(), DbError> {
        Ok(conn.transaction(async |conn| conn.batch_execute(self.0).await).await?)
    }
}

#[tokio::test]
async fn changes_that_wait_together_share_a_commit() {
    let database = Database::new();
    let runner = runner(&database);
    let outcomes = join_all((0..50).map(|number| runner.run_grouped(Found(format!("company {number}"))))).await;
    let shared: Vec<usize> = outcomes.into_iter().map(Result::unwrap).collect();
    assert!(shared.iter().any(|others| *others > 10), "{shared:?}");
    assert_eq!(runner.run(Companies).await.unwrap(), 50);
}

#[tokio::test]
async fn a_change_that_cannot_be_stored_fails_alone() {
    let database = Database::new();
    let runner = runner(&database);
    let names = (0..20).map(|number| {
        if number == 7 {
            "x".repeat(101)
        } else {
            format!("company {number}")
        }
    });
    let outcomes = join_all(names.map(|name| runner.run_grouped(Found(name)))).await;
    for (number, outcome) in outcomes.iter().enumerate() {
        match outcome {
            Err(DbError::Query(_)) => assert_eq!(number, 7),
            other => assert!(other.is_ok() && number != 7, "{number}: {other:?}"),
        }
    }
    assert_eq!(runner.run(Companies).await.unwrap(), 19);
}

#[tokio::test]
async fn a_change_that_panics_panics_alone() {
    let database = Database::new();
    let runner = runner(&database);
    let names = ["one", "panic", "two"].map(str::to_owned);
    let outcomes = join_all(names.map(|name| runner.run_grouped(Found(name)))).await;
    assert!(
        matches!(outcomes[1], Err(DbError::Panicked { query: "Found" })),
        "{outcomes:?}"
    );
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok());
    assert!(
        runner.run_grouped(Found("three".to_owned())).await.is_ok(),
        "the lane lives on"
    );
    assert_eq!(runner.run(Companies).await.unwrap(), 3);
}

#[tokio::test]
async fn a_query_that_takes_too_long_is_answered_all_the_same() {
    let database = Database::new();
    let runner = Runner::new(database.pool(), Duration::from_millis(100)).unwrap();
    let began = Instant::now();
    let error = runner.run(Sql("SELECT pg_sleep(3)")).await.unwrap_err();
    assert!(
        matches!(error, DbError::Unavailable(_)) && error.is_passing(),
        "{error}"
    );
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_full_pool_refuses_instead_of_hanging() {
    let database = Database::new();
    let settings = PoolSettings {
        size: 1,
        wait: Duration::from_millis(200),
    };
    let pool = Pool::new(&database.url(), settings, OnRestore::ignore()).unwrap();
    let held = pool.get().await.unwrap();
    let error = pool.get().await.err().unwrap();
    assert!(matches!(error, DbError::Unavailable(_)), "{error}");
    drop(held);
    drop(pool.get().await.unwrap());
}

#[tokio::test]
async fn a_constraint_that_refuses_is_named() {
    let database = Database::new();
    let runner = runner(&database);
    let twice = "INSERT INTO vehicle (plate_number) VALUES ('12가3456'), ('12가3456')";
    let error = runner.run(Sql(twice)).await.unwrap_err();
    assert!(
        matches!(&error, DbError::Conflict { constraint, .. } if constraint == "idx_vehicle_plate"),
        "{error}"
    );
    let locked = "SET LOCAL statement_timeout = 20; SELECT pg_sleep(5)";
    let error = runner.run(Sql(locked)).await.unwrap_err();
    assert!(error.is_passing(), "{error}");
}

#[tokio::test]
async fn a_database_that_is_gone_is_answered_at_once_and_found_again() {
    let folder = Folder::new();
    let fast = ["fsync=off"];
    let embedded = Embedded::start(folder.path(), &fast).unwrap();
    weighbridge::db::migrate::run(embedded.url(), LIMIT).unwrap();
    let pool = Pool::new(embedded.url(), PoolSettings::default(), OnRestore::ignore()).unwrap();
    let runner = Runner::new(pool, LIMIT).unwrap();
    assert_eq!(runner.run(Companies).await.unwrap(), 0);

    embedded.stop().unwrap();
    until("the breaker opens", async || {
        assert!(runner.run(Companies).await.unwrap_err().is_passing());
        !runner.is_available()
    })
    .await;
    let began = Instant::now();
    for _ in 0..100 {
        let error = runner.run(Companies).await.unwrap_err();
        assert!(matches!(error, DbError::Unavailable(_)), "{error}");
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());

    let again = Embedded::start(folder.path(), &fast).unwrap();
    until("it is found again", async || runner.run(Companies).await.is_ok()).await;
    again.stop().unwrap();
}

#[actix_rt::test]
async fn a_restart_of_the_repository_cuts_no_transaction() {
    let database = Database::new();
    let runner = Arc::new(runner(&database));
    let tree = Tree::new(Policy::default(), |why| panic!("{why}")).unwrap();
    let kept = Arc::clone(&runner);
    let repository = tree
        .start(Spec::new("repository", "repository"), move || {
            Repository::new(Arc::clone(&kept))
        })
        .unwrap();
    assert_eq!(repository.run(Companies).await.unwrap(), 0);

    let client = database.connect().await;
    let slow = "INSERT INTO company (name) VALUES ('slow'); SELECT pg_sleep(0.5)";
    let asked = repository.clone();
    let asking = actix_rt::spawn(async move { asked.run(Sql(slow)).await });
    let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'INSERT INTO company%' AND state = 'active'";
    until("it runs", async || {
        let running: i64 = client.query_one(sleeping, &[]).await.unwrap().get(0);
        running > 0 || asking.is_finished()
    })
    .await;
    tree.restart("repository", Mode::Kill).await.unwrap();
    if let Err(error) = asking.await.unwrap() {
        assert!(error.is_passing(), "its caller is told that nobody knows: {error}");
    }
    until("it is stored", async || repository.run(Companies).await.unwrap() == 1).await;
    assert_eq!(repository.run_grouped(Found("next".to_owned())).await.unwrap(), 1);
}

#[tokio::test]
async fn connections_keep_one_stuck_client_from_holding_up_the_others() {
    #[derive(QueryableByName)]
    struct Setting {
        #[diesel(sql_type = Text)]
        value: String,
    }
    let database = Database::new();
    let pool = database.pool();
    let mut connection = pool.get().await.unwrap();
    for (name, expected) in [
        ("statement_timeout", "10s"),
        ("lock_timeout", "3s"),
        ("idle_in_transaction_session_timeout", "15s"),
        ("application_name", "weighbridge"),
    ] {
        let show = format!("SELECT current_setting('{name}') AS value");
        let setting: Setting = diesel::sql_query(show).get_result(&mut connection).await.unwrap();
        assert_eq!(setting.value, expected, "{name}");
    }
}

async fn companies(client: &tokio_postgres::Client) -> Vec<String> {
    let rows = client.query("SELECT name FROM company", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_restored_database_is_dealt_with_once_before_it_serves() {
    struct Note(Restored);

    impl Query for Note {
        type Output = ();

        async fn run(self, conn: &mut AsyncPgConnection) -> Result<(), DbError> {
            let name = format!("from timeline {} to {}", self.0.before.timeline, self.0.now.timeline);
            diesel::insert_into(company::table)
                .values(company::name.eq(name))
                .execute(conn)
                .await?;
            Ok(())
        }
    }
    let database = Database::new();
    let on_restore = || OnRestore::run(Note);
    let connect = |count: usize| {
        let pool = Pool::new(&database.url(), PoolSettings::default(), on_restore()).unwrap();
        async move {
            let connections = join_all((0..count).map(|_| pool.get())).await;
            connections.into_iter().map(Result::unwrap).collect::<Vec<_>>().len()
        }
    };
    let client = database.connect().await;
    connect(3).await;
    client
        .batch_execute("UPDATE database_identity SET timeline = 99")
        .await
        .unwrap();
    let tool = database.pool();
    drop(tool.get().await.unwrap());
    assert_eq!(companies(&client).await, [""; 0], "a tool does not use up the news");
    connect(5).await;
    connect(1).await;
    assert_eq!(companies(&client).await, ["from timeline 99 to 1"]);
}

#[tokio::test]
async fn a_disk_without_room_is_remembered_from_the_change_that_failed() {
    let database = Database::new();
    let runner = runner(&database);
    assert!(runner.run(Sql("SELECT nonsense")).await.is_err());
    assert!(!runner.is_disk_full());
    // As PostgreSQL words it: a disk of our own to fill would need a server of its own.
    let full = "DO $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device'; END $$";
    assert!(runner.run(Sql(full)).await.is_err());
    assert!(runner.is_disk_full());
}

#[tokio::test]
async fn weights_pass_through_numeric_columns_unchanged() {
    let database = Database::new();
    let pool = database.pool();
    let mut connection = pool.get().await.unwrap();
    for hundredths in [1, 99, 100, 1_000_000, 1_834_000, 123_456_789, 9_999_999_999] {
        let tare = Weight(Kilograms::from_hundredths(hundredths));
        let stored: (Option<Weight>, String) = diesel::insert_into(vehicle::table)
            .values((
                vehicle::plate_number.eq(hundredths.to_string()),
                vehicle::tare_weight.eq(tare),
            ))
            .returning((vehicle::tare_weight, diesel::dsl::sql::<Text>("tare_weight::text")))
            .get_result(&mut connection)
            .await
            .unwrap();
        assert_eq!(stored, (Some(tare), tare.0.to_string()));
    }
}
