//! The ERP has every completed weighing once, in order, whatever fails on the way. It is a process of its own, and strict.

mod corrections;
mod days;
mod nodes;
mod stand_in;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use self::stand_in::{ErpProcess, Office, owe_slips};
use crate::support::{owed::slip, site::Clock, tls};

#[actix_rt::test]
async fn a_weighing_reaches_the_erp_with_all_that_it_needs_and_its_answer_is_on_the_record() {
    let erp = ErpProcess::start(&[]);
    // Nobody looks by himself what is owed: it is announced.
    let office = Office::start(&erp, &[("delivery.look_every", "1h")]).await;
    let site = &office.site;
    let truck = site.truck("12가3456").await;
    site.execute(
        "INSERT INTO product (code, name) VALUES ('P1', '쇄석 25mm'); INSERT INTO customer (code, name) VALUES ('C7', '대한건설');
         INSERT INTO company (name) VALUES ('한빛운수'); UPDATE vehicle SET company_id = 1",
    )
    .await;
    let station = site.stations[0];
    let body = serde_json::json!({
        "driver_id": truck.driver, "vehicle_id": truck.vehicle, "product_id": 1, "customer_id": 1, "direction": "OUT",
    });
    site.post("/queue", body).await.done();
    site.call_next(station).await.done();
    // It drives on after it was called, also where calling takes long.
    site.weigh(station, 15_990, &mut Clock::now()).await;
    let applied = erp.applied(1).await;
    let told = &applied[0]["body"];
    for (name, expected) in [
        ("slip_number", slip_of_today(site).await),
        ("vehicle_plate", "12가3456".to_owned()),
        ("company_name", "한빛운수".to_owned()),
        ("driver_name", "기사0".to_owned()),
        ("product_code", "P1".to_owned()),
        ("product_name", "쇄석 25mm".to_owned()),
        ("customer_name", "대한건설".to_owned()),
        ("station_name", "1번 계량대".to_owned()),
        ("direction", "OUT".to_owned()),
        ("gross_kg", "15990".to_owned()),
        ("tare_kg", "10000".to_owned()),
        ("net_kg", "5990".to_owned()),
        ("revision", "1".to_owned()),
        ("manual", "false".to_owned()),
    ] {
        assert_eq!(
            told[name]
                .as_str()
                .map_or_else(|| told[name].to_string(), str::to_owned),
            expected,
            "{name}"
        );
    }
    assert!(!told.to_string().contains("010"), "no telephone number");
    office.until("SELECT count(*) FROM weigh_record WHERE erp_sent AND erp_sent_at IS NOT NULL AND erp_response->>'receipt' = 'E-00000001'", 1)
        .await;
}

async fn slip_of_today(site: &crate::support::site::Site) -> String {
    site.connect()
        .await
        .query_one("SELECT slip_number FROM slip", &[])
        .await
        .unwrap()
        .get(0)
}

/// OB-02: a third of the answers is lost after the ERP has committed.
#[actix_rt::test]
async fn an_answer_that_is_lost_costs_a_repetition_and_nothing_else() {
    let erp = ErpProcess::start(&["--fail", "lost-answer=0.3"]);
    let office = Office::start(&erp, &[]).await;
    owe_slips(&office.site, 1..=150).await;
    office
        .until("SELECT count(*) FROM outbox WHERE state = 'SENT'", 150)
        .await;
    let book = erp.book().await;
    assert_eq!(effects(&book, "applied"), 150);
    assert!(effects(&book, "repeated") >= 20, "the fault was there");
    assert_eq!(effects(&book, "mismatch") + effects(&book, "out of order"), 0);
    assert_eq!(
        office
            .site
            .count("SELECT count(*) FROM outbox WHERE state = 'DEAD'")
            .await,
        0
    );
}

/// The same with an ERP that knows no keys: what may have arrived is asked for first.
#[actix_rt::test]
async fn an_erp_without_keys_is_asked_before_a_message_is_repeated() {
    let erp = ErpProcess::start(&["--fail", "lost-answer=0.3"]);
    let office = Office::start(
        &erp,
        &[
            ("erp.kind", "douzone"),
            ("erp.hash_key", "stand-in-hash-key"),
            ("erp.caller_name", "API_w"),
            ("erp.group_seq", "G1"),
        ],
    )
    .await;
    owe_slips(&office.site, 1..=60).await;
    office
        .until("SELECT count(*) FROM outbox WHERE state = 'SENT'", 60)
        .await;
    let book = erp.book().await;
    assert_eq!(effects(&book, "applied"), 60);
    assert_eq!(effects(&book, "twice"), 0);
    assert!(
        book.iter()
            .any(|line| line["what"] == "POST /apiproxy/weighbridge/find"),
        "the fault was there"
    );
}

/// OB-03: each failure is what it is, and the next attempt arrives.
#[actix_rt::test]
async fn every_way_to_fail_is_survived_and_tried_again() {
    let erp = ErpProcess::start(&[]);
    let office = Office::start(&erp, &[("erp.timeout", "500ms"), ("delivery.send_timeout", "800ms")]).await;
    let ways = [
        "down",
        "internal",
        "unavailable",
        "timeout",
        "slow",
        "garbage",
        "huge",
        "redirect",
        "lost-answer",
        "expired-tokens",
    ];
    for (number, how) in ways.iter().enumerate() {
        erp.told(&format!("fail {how}"));
        owe_slips(&office.site, number + 1..=number + 1).await;
        office
            .until(
                "SELECT count(*) FROM outbox WHERE state = 'SENT'",
                i64::try_from(number).unwrap() + 1,
            )
            .await;
    }
    let book = erp.book().await;
    assert_eq!(effects(&book, "applied"), ways.len());
    assert_eq!(
        book.iter().filter(|line| !line["failed"].is_null()).count(),
        ways.len(),
        "each failed once"
    );
    assert_eq!(
        book.iter().filter(|line| line["what"] == "POST /oauth/token").count(),
        2,
        "one token, and one after it ended"
    );
    // 422 is the message's own fault.
    erp.told("fail refused");
    owe_slips(&office.site, 50..=50).await;
    office
        .until(
            "SELECT count(*) FROM outbox WHERE state = 'DEAD' AND attempts = 1 AND last_error LIKE '422: %REFUSED%'",
            1,
        )
        .await;
    // OB-05: and sent again by staff it arrives.
    let dead = office.site.get("/admin/outbox?state=DEAD").await.done()["items"][0]["id"].clone();
    office
        .site
        .post(&format!("/admin/outbox/{dead}/retry"), serde_json::json!({}))
        .await
        .done();
    office
        .until(
            "SELECT count(*) FROM outbox WHERE state = 'SENT'",
            i64::try_from(ways.len()).unwrap() + 1,
        )
        .await;
}

/// OB-03: PostgreSQL keeps no NUL in JSON, and nobody a hundred kilobytes of remarks.
#[actix_rt::test]
async fn an_answer_that_cannot_be_kept_as_it_is_settles_its_message_all_the_same() {
    let erp = ErpProcess::start(&[]);
    let office = Office::start(&erp, &[]).await;
    let site = &office.site;
    let truck = site.truck("12가3456").await;
    site.check_in(truck).await.done();
    site.call_next(site.stations[0]).await.done();
    erp.told("fail odd-answer");
    site.weigh(site.stations[0], 15_990, &mut Clock::now()).await;
    office
        .until(
            "SELECT count(*) FROM weigh_record WHERE erp_sent AND erp_response->>'receipt' = 'E-00000001' \
             AND length(erp_response->>'remark') = 500",
            1,
        )
        .await;
    assert_eq!(effects(&erp.book().await, "repeated"), 0);
}

/// OB-03: whoever shows another's certificate is told nothing, not even our secret.
#[actix_rt::test]
async fn an_erp_whose_certificate_is_for_another_name_is_told_nothing_until_it_shows_its_own() {
    let erp = ErpProcess::start(&[]);
    let front = tls::Front::before(erp.address()).await;
    let settings = front.settings();
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let office = Office::start(&erp, &settings).await;
    owe_slips(&office.site, 1..=1).await;
    let why = "SELECT count(*) FROM outbox WHERE state IN ('PENDING', 'LEASED') AND attempts > 0 AND last_error LIKE '%certificate not valid for name%'";
    office.until(why, 1).await;
    assert!(erp.book().await.is_empty(), "the stranger got nothing");
    front.shows_its_own();
    office
        .until("SELECT count(*) FROM outbox WHERE state = 'SENT'", 1)
        .await;
    assert_eq!(effects(&erp.book().await, "applied"), 1);
}

/// OB-04, with rests of half a second for those of half a minute. How much a second it gets is measured at full size,
/// `tests/torture`.
#[actix_rt::test]
async fn an_erp_that_was_down_gets_all_that_waited_and_is_not_run_over() {
    const REST: TimeDelta = TimeDelta::milliseconds(500);
    const AT_ONCE: usize = 8;
    let erp = ErpProcess::start(&["--fail", "unavailable=always", "--delay", "20"]);
    let office = Office::start(&erp, &[("delivery.breaker_rest", "500ms")]).await;
    owe_slips(&office.site, 1..=300).await;
    let refused = erp.lines(AT_ONCE + 4, |line| line["status"] == 503).await;
    let asked: Vec<DateTime<Utc>> = refused
        .iter()
        .map(|line| line["at"].as_str().unwrap().parse().unwrap())
        .collect();
    // A rest begins with the answer, and so after the question.
    for (number, pair) in asked.windows(2).enumerate().skip(AT_ONCE) {
        let gap = pair[1] - pair[0];
        assert!(
            gap >= REST,
            "what was on its way at first, then one a rest; {}: {gap}",
            number + 2
        );
    }
    assert_eq!(
        office
            .site
            .count("SELECT count(*) FROM outbox WHERE state = 'DEAD' OR attempts > 2")
            .await,
        0
    );
    erp.told("fail off");
    office
        .until("SELECT count(*) FROM outbox WHERE state = 'SENT'", 300)
        .await;
    let book = erp.book().await;
    assert_eq!(effects(&book, "applied"), 300);
}

#[actix_rt::test]
async fn a_csv_folder_gets_a_file_a_message_in_order() {
    let erp = ErpProcess::start(&[]);
    let folder = crate::support::folder::Folder::new();
    let path = folder.path().display().to_string();
    let office = Office::start(
        &erp,
        &[("erp.kind", "csv"), ("erp.base_url", ""), ("erp.folder", &path)],
    )
    .await;
    owe_slips(&office.site, 1..=20).await;
    office
        .until("SELECT count(*) FROM outbox WHERE state = 'SENT'", 20)
        .await;
    let mut names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    names.sort();
    assert_eq!(names.len(), 20, "{names:?}");
    for (path, number) in names.iter().zip(1..) {
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.lines().nth(1).unwrap().contains(&slip(number)), "{text}");
    }
}

/// How many messages ended so at the ERP.
fn effects(book: &[Value], effect: &str) -> usize {
    book.iter().filter(|line| line["note"]["effect"] == effect).count()
}
