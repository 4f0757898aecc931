//! Months of weighings: made when needed, once, and without stopping anybody.

use chrono::{DateTime, Utc};
use weighbridge::db::{
    Query,
    month::{EnsureComingMonths, EnsureMonths},
};

use crate::support::database::Database;

async fn partitions(client: &tokio_postgres::Client) -> Vec<String> {
    let made = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'weigh_record'::regclass ORDER BY 1";
    client
        .query(made, &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect()
}

#[tokio::test]
async fn a_fresh_database_has_this_month_and_the_next() {
    let database = Database::new();
    let client = database.connect().await;
    let months =
        "SELECT 'weigh_record_' || to_char(now() AT TIME ZONE 'Asia/Seoul' + n * interval '1 month', 'YYYY_MM')
        FROM generate_series(0, 1) AS n ORDER BY 1";
    let expected: Vec<String> = client
        .query(months, &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(partitions(&client).await, expected);
}

#[tokio::test]
async fn many_who_need_a_month_at_once_make_it_once() {
    let database = Database::new();
    let callers = (0..5).map(|_| async {
        let client = database.connect().await;
        for month in ["2031-01-15", "2031-02-15"] {
            let ensure = format!("SELECT ensure_weigh_record_partition('{month}')");
            client.batch_execute(&ensure).await.unwrap();
        }
    });
    futures_util::future::join_all(callers).await;
    let client = database.connect().await;
    let made = partitions(&client).await;
    assert_eq!(
        made.iter().filter(|name| name.starts_with("weigh_record_2031")).count(),
        2,
        "{made:?}"
    );
}

#[tokio::test]
async fn a_month_begins_at_midnight_in_korea_whatever_the_session_believes() {
    let database = Database::new();
    let client = database.connect().await;
    client.batch_execute("SET timezone = 'America/New_York'").await.unwrap();
    for (moment, month) in [
        ("2031-03-31T14:59:59.999999Z", "weigh_record_2031_03"),
        ("2031-03-31T15:00:00Z", "weigh_record_2031_04"),
    ] {
        let row = client
            .query_one(&format!("SELECT ensure_weigh_record_partition('{moment}')"), &[])
            .await
            .unwrap();
        assert_eq!(row.get::<_, &str>(0), month);
    }
    client.batch_execute(include_str!("support/yard.sql")).await.unwrap();
    for (moment, month) in [
        ("2031-03-31T14:59:59.999999Z", "weigh_record_2031_03"),
        ("2031-03-31T15:00:00Z", "weigh_record_2031_04"),
    ] {
        let insert = format!(
            "INSERT INTO weigh_record (station_id, vehicle_id, site_id, weighed_at) VALUES (1, 1, 1, '{moment}')
             RETURNING tableoid::regclass::text"
        );
        assert_eq!(client.query_one(&insert, &[]).await.unwrap().get::<_, &str>(0), month);
    }
}

#[tokio::test]
async fn a_month_is_made_while_others_read() {
    let database = Database::new();
    let (reader, maker) = (database.connect().await, database.connect().await);
    reader.batch_execute("BEGIN; SELECT * FROM weigh_record").await.unwrap();
    maker
        .batch_execute("SET lock_timeout = '1s'; SELECT ensure_weigh_record_partition('2031-05-01')")
        .await
        .unwrap();
    reader.batch_execute("COMMIT").await.unwrap();
}

#[tokio::test]
async fn a_new_month_has_every_index_rule_and_reference() {
    let database = Database::new();
    let client = database.connect().await;
    client
        .batch_execute("SELECT ensure_weigh_record_partition('2031-05-01')")
        .await
        .unwrap();
    let counts = "SELECT
        (SELECT count(*) FROM pg_index WHERE indrelid = t) AS indexes,
        (SELECT count(*) FROM pg_constraint WHERE conrelid = t) AS constraints,
        (SELECT count(*) FROM pg_trigger WHERE tgrelid = t AND tgtype & 1 = 1 AND NOT tgisinternal) AS row_triggers
        FROM unnest(ARRAY['weigh_record'::regclass, 'weigh_record_2031_05'::regclass]) AS t";
    let rows = client.query(counts, &[]).await.unwrap();
    for column in ["indexes", "constraints", "row_triggers"] {
        let (parent, month): (i64, i64) = (rows[0].get(column), rows[1].get(column));
        assert!(parent > 0);
        assert_eq!(parent, month, "{column}");
    }
}

#[tokio::test]
async fn coming_months_and_the_months_of_a_backlog_are_made_when_they_are_asked_for() {
    let database = Database::new();
    let mut connection = database.pool().get().await.unwrap();
    let coming = EnsureComingMonths { ahead: 3 }.run(&mut connection).await.unwrap();
    assert_eq!(partitions(&database.connect().await).await, coming);

    let moments = ["2020-06-30T14:59:59Z", "2020-06-30T15:00:00Z"].map(|text| text.parse::<DateTime<Utc>>().unwrap());
    let made = EnsureMonths(moments.to_vec()).run(&mut connection).await.unwrap();
    assert_eq!(made, ["weigh_record_2020_06", "weigh_record_2020_07"]);
}
