//! The schema: every step forward can be taken back, says what it made, and is what the code believes.

use std::time::Duration;

use diesel::pg::Pg;
use diesel_async::{AsyncConnection, AsyncMigrationHarness, AsyncPgConnection};
use diesel_migrations::MigrationHarness;
use expect_test::expect_file;
use secrecy::ExposeSecret;
use weighbridge::db::migrate::{self, MIGRATIONS, MigrateError, Migrated};

use crate::support::database::Database;

const EPOCH: &str = "00000000-0000-0000-0000-000000000001";
const SOON: Duration = Duration::from_secs(10);

/// Everything that a migration could leave behind or forget.
const CATALOGUE: &str = "
    SELECT string_agg(line, E'\n' ORDER BY line) FROM (
        SELECT format('relation %s %s', relname, relkind) AS line FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relname !~ '^__diesel'
        UNION ALL SELECT format('column %s.%s %s %s', attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull)
            FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped AND relname !~ '^__diesel'
        UNION ALL SELECT format('constraint %s.%s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
            FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text !~ '^__diesel'
        UNION ALL SELECT format('trigger %s.%s', tgrelid::regclass, tgname) FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT format('function %s', oid::regprocedure) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    ) AS catalogue";

async fn catalogue(database: &Database) -> String {
    let client = database.connect().await;
    let row = client.query_one(CATALOGUE, &[]).await.unwrap();
    row.get::<_, Option<String>>(0).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_migration_goes_up_down_and_up_again() {
    let database = Database::empty();
    let connection = AsyncPgConnection::establish(database.url().expose_secret())
        .await
        .unwrap();
    let mut harness = AsyncMigrationHarness::new(connection);
    loop {
        let before = catalogue(&database).await;
        let Ok(version) = MigrationHarness::<Pg>::run_next_migration(&mut harness, MIGRATIONS) else {
            break;
        };
        let version = version.to_string();
        let after = catalogue(&database).await;
        assert_ne!(before, after, "{version} does something");
        harness.revert_last_migration(MIGRATIONS).unwrap();
        assert_eq!(catalogue(&database).await, before, "{version} can be undone");
        harness.run_next_migration(MIGRATIONS).unwrap();
        assert_eq!(catalogue(&database).await, after, "{version} can be done again");
    }
    assert_eq!(catalogue(&database).await, catalogue(&Database::new()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_schema_can_be_taken_back() {
    let database = Database::new();
    let connection = AsyncPgConnection::establish(database.url().expose_secret())
        .await
        .unwrap();
    AsyncMigrationHarness::new(connection)
        .revert_all_migrations(MIGRATIONS)
        .unwrap();
    assert_eq!(catalogue(&database).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn curves_become_differences_and_points_again_and_a_server_of_the_version_before_may_write_on() {
    const POINTS: &str = r#"[[0, "600.00"], [100, "-0.05"], [100, "18340.50"], [250, "18340.00"]]"#;
    const STEPS: &str = "[[0, 60000], [100, -60005], [0, 1834055], [150, -50]]";
    let database = Database::new();
    let connection = AsyncPgConnection::establish(database.url().expose_secret())
        .await
        .unwrap();
    let mut harness = AsyncMigrationHarness::new(connection);
    let reverted = |harness: &mut AsyncMigrationHarness<_>| {
        while MigrationHarness::<Pg>::revert_last_migration(harness, MIGRATIONS)
            .unwrap()
            .to_string()
            != "20261129030000"
        {}
    };
    reverted(&mut harness);
    let client = database.connect().await;
    let kept = async || -> Vec<Option<String>> {
        let rows = client
            .query("SELECT curve::text FROM capture ORDER BY id", &[])
            .await
            .unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    let insert = |curve: &str| {
        format!(
            "INSERT INTO edge_event (epoch, seq, edge_id, status) SELECT '{EPOCH}', count(*) + 1, 1, 'LOST' FROM edge_event;
             INSERT INTO capture (station_id, cycle, epoch, seq, weight, captured_at, curve)
             SELECT 1, gen_random_uuid(), '{EPOCH}', count(*), 18340, now(), {curve} FROM edge_event"
        )
    };
    let yard = format!(
        "INSERT INTO edge_gateway (id, name, site_id) VALUES (1, 'edge', 1);
         INSERT INTO weigh_station (id, name, site_id, edge_id, indicator_type) VALUES (1, '1번', 1, 1, 'A');
         INSERT INTO edge_epoch (epoch, edge_id) VALUES ('{EPOCH}', 1)"
    );
    client.batch_execute(&yard).await.unwrap();
    for curve in [&format!("'{POINTS}'"), "'[]'", "NULL"] {
        client.batch_execute(&insert(curve)).await.unwrap();
    }
    let before = kept().await;
    assert_eq!(before[0].as_deref(), Some(POINTS));
    harness.run_pending_migrations(MIGRATIONS).unwrap();
    let mut expected = vec![Some(STEPS.to_owned()), Some("[]".to_owned()), None];
    assert_eq!(kept().await, expected);
    for curve in [POINTS, STEPS] {
        client.batch_execute(&insert(&format!("'{curve}'"))).await.unwrap();
        expected.push(Some(STEPS.to_owned()));
    }
    assert_eq!(kept().await, expected);
    let changed = client
        .batch_execute("UPDATE capture SET curve = '[[0, 1]]' WHERE id = 1")
        .await;
    assert!(changed.is_err(), "a curve is still only erased");
    reverted(&mut harness);
    let points = Some(POINTS.to_owned());
    assert_eq!(kept().await, [&before[..], &[points.clone(), points]].concat());
}

#[tokio::test]
async fn schema_rs_equals_the_migrated_database() {
    let database = Database::new();
    let client = database.connect().await;
    let rows = client
        .query(include_str!("support/print_schema.sql"), &[])
        .await
        .unwrap();
    let head = "//! The tables as Diesel knows them. Written from the migrated database by a test, which fails where the two differ:\n\
        //! `UPDATE_EXPECT=1 cargo test schema_rs_equals_the_migrated_database` writes it anew.\n";
    let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    expect_file!["../../src/db/schema.rs"].assert_eq(&format!("{head}{}\n", lines.join("\n")));
}

#[tokio::test]
async fn every_table_column_view_and_function_says_what_it_is_for() {
    let database = Database::new();
    let client = database.connect().await;
    let silent = "
        SELECT relname::text FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition
              AND relname !~ '^__diesel' AND obj_description(oid, 'pg_class') IS NULL
        UNION ALL SELECT format('%s.%s', relname, attname) FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
              AND relname !~ '^__diesel' AND attnum > 0 AND NOT attisdropped AND col_description(attrelid, attnum) IS NULL
        UNION ALL SELECT oid::regprocedure::text FROM pg_proc
            WHERE pronamespace = 'public'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL";
    let silent: Vec<String> = client
        .query(silent, &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn servers_that_start_at_once_migrate_once() {
    let database = Database::empty();
    let url = database.url();
    let outcomes: Vec<Migrated> = std::thread::scope(|scope| {
        let servers: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| migrate::run(&url, SOON).unwrap()))
            .collect();
        servers.into_iter().map(|server| server.join().unwrap()).collect()
    });
    let fresh: Vec<&Migrated> = outcomes.iter().filter(|outcome| outcome.fresh).collect();
    assert_eq!(fresh.len(), 1);
    assert!(!fresh[0].applied.is_empty());
    assert!(
        outcomes
            .iter()
            .filter(|outcome| !outcome.fresh)
            .all(|outcome| outcome.applied.is_empty())
    );
    migrate::check(&url, SOON).unwrap();
}

#[test]
fn a_database_that_lacks_a_migration_is_not_served() {
    let database = Database::empty();
    let error = migrate::check(&database.url(), SOON).unwrap_err();
    assert!(matches!(error, MigrateError::Pending { .. }), "{error}");
}

#[tokio::test]
async fn a_schema_newer_than_this_version_is_refused() {
    let database = Database::new();
    let client = database.connect().await;
    client
        .batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')")
        .await
        .unwrap();
    let error = migrate::run(&database.url(), SOON).unwrap_err();
    assert!(
        matches!(&error, MigrateError::NewerSchema { version, .. } if version == "99990101000000"),
        "{error}"
    );
}

#[test]
fn a_database_that_is_not_there_is_waited_for_and_then_named() {
    let nowhere = "postgres://nobody@127.0.0.1:1/nothing".to_owned().into();
    let wait = Duration::from_millis(300);
    let began = std::time::Instant::now();
    let error = migrate::run(&nowhere, wait).unwrap_err();
    assert!(matches!(error, MigrateError::Unreachable { .. }), "{error}");
    assert!(began.elapsed() >= Duration::from_millis(200), "it waited");
}
