//! The nightly close: each day once, by the leader alone, and sums that agree with what was sent one by one.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use weighbridge::db::{
    Runner,
    day_close::{CloseDays, Closed},
    leader_lease::TakeLease,
};
use weighbridge_protocol::Kilograms;
use weighbridge_sim::http::client;

use super::stand_in::{ErpProcess, Office};
use crate::support::{
    database::Database,
    owed::{row, slip, void_row},
    site::Site,
};

const LEASE: Duration = Duration::from_secs(15);

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

async fn lead(runner: &Runner, node: &str, lease: Duration) -> Option<i64> {
    runner
        .run(TakeLease {
            holder: node.to_owned(),
            lease,
        })
        .await
        .unwrap()
}

fn closing(term: i64, now: &str) -> CloseDays {
    CloseDays {
        term,
        now: at(now),
        after_midnight: TimeDelta::minutes(30),
    }
}

async fn closed(runner: &Runner, term: i64, now: &str) -> Vec<String> {
    let closing = runner.run(closing(term, now)).await.unwrap().expect("it leads");
    assert!(closing.failed.is_empty(), "{:?}", closing.failed);
    closing
        .closed
        .iter()
        .map(|Closed { day, .. }| day.to_string())
        .collect()
}

/// The net of all closes, and of what they are made of.
const SUMS: &str = "\
    SELECT (SELECT coalesce(sum((line->>'net_kg')::numeric), 0) FROM day_close, jsonb_array_elements(totals || late) AS line)::text \
      || ' ' || (SELECT coalesce(sum((payload->>'net_kg')::numeric * CASE kind WHEN 'ERP_VOID' THEN -1 ELSE 1 END), 0) \
        FROM outbox WHERE close_id IS NOT NULL)::text";

#[tokio::test]
async fn days_are_closed_in_order_once_and_what_comes_later_is_in_the_next_close() {
    let database = Database::new();
    let (client, runner) = (database.connect().await, Runner::new(database.pool(), LEASE).unwrap());
    let term = lead(&runner, "a", LEASE).await.unwrap();
    assert_eq!(
        closed(&runner, term, "2026-01-26T01:00:00Z").await,
        [""; 0],
        "nothing was weighed yet"
    );
    let owe = |number: usize| row(&slip(number), 1, None, &slip(number));
    client
        .batch_execute(&(owe(1) + &owe(2) + &owe(3) + &void_row(&slip(3), 1, &slip(3))))
        .await
        .unwrap();
    // 00:20 in Seoul: not yet.
    assert_eq!(closed(&runner, term, "2026-01-25T15:20:00Z").await, [""; 0]);
    assert_eq!(closed(&runner, term, "2026-01-25T15:40:00Z").await, ["2026-01-25"]);
    assert_eq!(closed(&runner, term, "2026-01-25T15:41:00Z").await, [""; 0], "once");
    let told: String = client
        .query_one("SELECT aggregate_key || ' ' || (payload->>'totals') || ' ' || (payload->>'late') FROM outbox WHERE kind = 'ERP_CLOSE'", &[])
        .await
        .unwrap()
        .get(0);
    assert!(
        told.starts_with("close:1 ")
            && told.contains("\"count\": 2")
            && told.contains("\"net_kg\": \"11981\"")
            && told.ends_with(" []"),
        "{told}"
    );
    // A backlog of that day, and a void of one that was counted; the server was off for two nights.
    client
        .batch_execute(&(owe(4) + &void_row(&slip(1), 1, &slip(1))))
        .await
        .unwrap();
    assert_eq!(
        closed(&runner, term, "2026-01-28T15:40:00Z").await,
        ["2026-01-26", "2026-01-27", "2026-01-28"]
    );
    let late: String = client
        .query_one("SELECT late::text FROM day_close WHERE day = '2026-01-26'", &[])
        .await
        .unwrap()
        .get(0);
    assert!(
        late.contains("\"day\": \"2026-01-25\"") && late.contains("\"count\": 0"),
        "one more, one less: {late}"
    );
    let sums: String = client.query_one(SUMS, &[]).await.unwrap().get(0);
    let (closes, items) = sums.split_once(' ').unwrap();
    assert_eq!(
        closes.parse::<Kilograms>().unwrap(),
        items.parse::<Kilograms>().unwrap()
    );
    assert_eq!(
        client
            .query_one("SELECT count(*) FROM outbox WHERE kind = 'ERP_CLOSE'", &[])
            .await
            .unwrap()
            .get::<_, i64>(0),
        4
    );
}

#[tokio::test]
async fn one_weighing_of_a_clock_that_stood_years_ago_closes_no_years_and_many_days_are_closed_round_by_round() {
    let database = Database::new();
    let (client, runner) = (database.connect().await, Runner::new(database.pool(), LEASE).unwrap());
    let term = lead(&runner, "a", LEASE).await.unwrap();
    let old = row(&slip(1), 1, None, &slip(1)).replace("2026-01-25", "2020-01-15");
    assert!(old.contains("2020-01-15"), "{old}");
    client
        .batch_execute(&(old + &row(&slip(2), 1, None, &slip(2))))
        .await
        .unwrap();
    let days = closed(&runner, term, "2026-01-26T15:40:00Z").await;
    assert_eq!(
        (days.len(), days[0].as_str(), days[30].as_str()),
        (31, "2025-12-27", "2026-01-26")
    );
    let late = "SELECT count(*) FROM day_close WHERE day = '2025-12-27' AND late->0->>'day' = '2020-01-15'";
    assert_eq!(database.count(late).await, 1, "it is in the first close");
    let sums: String = client.query_one(SUMS, &[]).await.unwrap().get(0);
    let (closes, items) = sums.split_once(' ').unwrap();
    assert_eq!(
        closes.parse::<Kilograms>().unwrap(),
        items.parse::<Kilograms>().unwrap()
    );

    // A server that was off for a winter.
    assert_eq!(closed(&runner, term, "2026-03-31T15:40:00Z").await.len(), 31);
    assert_eq!(closed(&runner, term, "2026-03-31T15:41:00Z").await.len(), 31);
    let last = closed(&runner, term, "2026-03-31T15:42:00Z").await;
    assert_eq!(last, ["2026-03-30", "2026-03-31"]);
}

/// OB-08: a leader that slept through its lease writes nothing.
#[tokio::test]
async fn only_the_leader_closes_and_never_under_a_term_that_has_ended() {
    let database = Database::new();
    let (client, runner) = (
        database.connect().await,
        Arc::new(Runner::new(database.pool(), LEASE).unwrap()),
    );
    client.batch_execute(&row(&slip(1), 1, None, &slip(1))).await.unwrap();
    let short = Duration::from_millis(200);
    let mut terms = Vec::new();
    for round in 0..14 {
        let (leader, other) = if round % 2 == 0 { ("a", "b") } else { ("b", "a") };
        let term = loop {
            if let Some(term) = lead(&runner, leader, short).await {
                break term;
            }
        };
        assert_eq!(
            lead(&runner, leader, short).await,
            Some(term),
            "it goes on with its term"
        );
        // It sleeps now, and the other takes over.
        let next = loop {
            if let Some(next) = lead(&runner, other, LEASE).await {
                break next;
            }
        };
        assert!(next > term);
        let now = format!("2026-02-{:02}T15:40:00Z", round + 1);
        assert!(
            runner.run(closing(term, &now)).await.unwrap().is_none(),
            "its term has ended"
        );
        assert!(lead(&runner, leader, short).await.is_none(), "and it is not led twice");
        assert!(runner.run(closing(next, &now)).await.unwrap().is_some());
        client
            .batch_execute("UPDATE leader_lease SET lease_until = now()")
            .await
            .unwrap();
        terms.push(next);
    }
    let days: i64 = client
        .query_one("SELECT count(*) FROM day_close", &[])
        .await
        .unwrap()
        .get(0);
    let distinct: i64 = client
        .query_one("SELECT count(DISTINCT (site_id, day)) FROM day_close", &[])
        .await
        .unwrap()
        .get(0);
    assert!(days > 14 && days == distinct, "{days}");
    let strangers = "SELECT count(*) FROM day_close WHERE NOT term = ANY ($1)";
    assert_eq!(
        client.query_one(strangers, &[&terms]).await.unwrap().get::<_, i64>(0),
        0,
        "each under a term that led"
    );
}

#[tokio::test]
async fn a_term_does_not_end_while_something_is_written_under_it() {
    let database = Database::new();
    let (client, runner) = (database.connect().await, Runner::new(database.pool(), LEASE).unwrap());
    let term = lead(&runner, "a", LEASE).await.unwrap();
    client.batch_execute(&row(&slip(1), 1, None, &slip(1))).await.unwrap();
    // The close has begun, and cannot write.
    client
        .batch_execute("BEGIN; LOCK TABLE day_close IN SHARE MODE")
        .await
        .unwrap();
    let usurping = async {
        database.until_locked_out(1).await;
        let usurper = database.connect().await;
        usurper.batch_execute("SET lock_timeout = '100ms'").await.unwrap();
        let taken = usurper.execute("UPDATE leader_lease SET term = term + 1", &[]).await;
        client.batch_execute("COMMIT").await.unwrap();
        taken.unwrap_err()
    };
    let (closed, taken) = tokio::join!(closed(&runner, term, "2026-01-25T15:40:00Z"), usurping);
    assert!(
        taken.as_db_error().unwrap().message().contains("lock timeout"),
        "{taken}"
    );
    assert_eq!(closed, ["2026-01-25"]);
    assert_eq!(lead(&runner, "a", LEASE).await, Some(term));
}

#[actix_rt::test]
async fn the_server_closes_the_days_that_are_over_and_the_erp_hears_of_it() {
    let erp = ErpProcess::start(&[]);
    let office = Office::start(&erp, &[("leader.renew", "100ms")]).await;
    super::owe_slips(&office.site, 1..=5).await;
    // Housekeeping looks for days once a minute; a restart looks at once.
    let restart = office
        .site
        .post("/admin/actors/housekeeping/restart", json!({ "mode": "graceful" }))
        .await;
    restart.done();
    office.until("SELECT count(*) FROM outbox WHERE kind = 'ERP_CLOSE' AND payload->>'day' = '2026-01-25' AND state = 'SENT'", 1).await;
    let close = erp
        .book()
        .await
        .into_iter()
        .find(|line| line["what"] == "POST /v1/closes")
        .unwrap();
    assert_eq!(close["body"]["totals"][0]["count"], 5, "{close}");
    assert_eq!(close["body"]["totals"][0]["net_kg"], "29952.5", "{close}");
}

#[actix_rt::test]
async fn a_chore_that_fails_keeps_no_other_from_being_done() {
    let erp = ErpProcess::start(&[]);
    let office = Office::start(&erp, &[("leader.renew", "100ms")]).await;
    let site = &office.site;
    super::owe_slips(site, 1..=1).await;
    // No partition can be made, nothing old can be removed, and the days of the first site are nonsense.
    site.execute(
        "ALTER FUNCTION ensure_weigh_record_partition RENAME TO gone; \
         CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$; \
         CREATE TRIGGER keep BEFORE DELETE ON slip_share FOR EACH STATEMENT EXECUTE FUNCTION keep(); \
         INSERT INTO site (name, slip_prefix, created_at) VALUES ('2공장', 'BB', '2026-01-01'); \
         UPDATE outbox SET payload = payload || '{\"site_id\": 2}'; \
         INSERT INTO outbox (kind, idempotency_key, aggregate_key, payload) \
           VALUES ('ERP_VOID', gen_random_uuid(), 'x', '{\"site_id\": 1, \"day\": \"a day\"}')",
    )
    .await;
    let restart = site
        .post("/admin/actors/housekeeping/restart", json!({ "mode": "graceful" }))
        .await;
    restart.done();
    office
        .until(
            "SELECT count(*) FROM day_close WHERE site_id = 2 AND day = '2026-01-25'",
            1,
        )
        .await;
    assert_eq!(site.count("SELECT count(*) FROM day_close WHERE site_id = 1").await, 0);
    // Closing goes on for many days before it tells what failed.
    let counted = async || {
        let url = format!("http://{}/metrics", site.address());
        let asked = client().build().unwrap().get(url).send().await.unwrap();
        let metrics = asked.text().await.unwrap();
        ["months", "forgetting", "closing"]
            .into_iter()
            .filter(|chore| metrics.contains(&format!("chores_failed_total{{chore=\"{chore}\"}}")))
            .count()
    };
    let began = Instant::now();
    while counted().await < 3 {
        assert!(began.elapsed() < LEASE * 2, "not all are counted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[actix_rt::test]
async fn the_reconciliation_names_every_difference() {
    let erp = ErpProcess::start(&[]);
    let office = Office::start(&erp, &[]).await;
    let site = &office.site;
    super::owe_slips(site, 1..=3).await;
    office
        .until("SELECT count(*) FROM outbox WHERE state = 'SENT'", 3)
        .await;
    let report = async |site: &Site| {
        site.get("/admin/reconciliation?from=2026-01-25&to=2026-01-25")
            .await
            .done()
    };
    let agreed = report(site).await;
    assert_eq!((&agreed["agrees"], &agreed["differs"]), (&json!(true), &json!(0)));
    assert_eq!(
        (&agreed["days"][0]["confirmed"], &agreed["days"][0]["confirmed_net"]),
        (&json!(3), &json!(17_971.5))
    );
    erp.told("fail refused");
    super::owe_slips(site, 4..=4).await;
    office
        .until("SELECT count(*) FROM outbox WHERE state = 'DEAD'", 1)
        .await;
    site.execute("INSERT INTO slip (slip_number, site_id, day, number, record_id) VALUES ('WR20260125009', 1, '2026-01-25', 9, 77)").await;
    let differing = report(site).await;
    assert_eq!(
        (&differing["agrees"], &differing["differs"]),
        (&json!(false), &json!(2))
    );
    let named: Vec<String> = differing["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|difference| {
            format!(
                "{} {}",
                difference["slip_number"].as_str().unwrap(),
                difference["state"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(named, ["WR20260125004 DEAD", "WR20260125009 MISSING"]);
    for (query, refusal) in [
        ("from=2026-01-25&to=2026-01-24", "400 VALIDATION_FAILED to OUT_OF_RANGE"),
        ("from=2024-01-25&to=2026-01-24", "400 VALIDATION_FAILED to OUT_OF_RANGE"),
    ] {
        assert_eq!(
            site.get(&format!("/admin/reconciliation?{query}")).await.failure(),
            refusal
        );
    }
}
