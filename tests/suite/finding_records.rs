//! Staff find weighings by day, plate, driver, station and status, however many there are.

use serde_json::{Value, json};

use crate::support::site::{Clock, Site};

/// Two trucks' records around one day: of 2026-01-25 the first, second and third are complete, the fifth is open.
const RECORDS: &str = "
    SELECT ensure_weigh_record_partition('2026-01-25');
    WITH made (id, vehicle, driver, at, status) AS (VALUES
        (1, 1, 1, '2026-01-25 00:00+09'::timestamptz, 'COMPLETED'), (2, 1, 1, '2026-01-25 23:59:59+09', 'COMPLETED'),
        (3, 2, 2, '2026-01-25 12:00+09', 'COMPLETED'), (4, 2, 2, '2026-01-26 00:00+09', 'COMPLETED'),
        (5, 1, 1, '2026-01-25 10:00+09', 'WEIGHING')),
    slips AS (INSERT INTO slip (slip_number, site_id, day, number, record_id)
        SELECT 'WR2026012500' || id, 1, '2026-01-25', id, id FROM made WHERE status = 'COMPLETED')
    INSERT INTO weigh_record (id, site_id, station_id, vehicle_id, driver_id, weighed_at, status, slip_number,
        gross_weight, tare_weight, net_weight)
    SELECT id, 1, 1, vehicle, driver, at, status, CASE status WHEN 'COMPLETED' THEN 'WR2026012500' || id END,
        25000.5, 10000, 15000.5 FROM made";

async fn site_with_records() -> Site {
    let site = Site::with_stations(2).await;
    site.truck("12가3456").await;
    site.truck("경기80바1234").await;
    site.execute(RECORDS).await;
    site
}

/// The ids that a filter leaves of 2026-01-25, in their order.
async fn ids(site: &Site, filter: &str) -> Vec<i64> {
    let path = format!("/weigh-records?start_date=2026-01-25&end_date=2026-01-25{filter}");
    let page = site.get(&path).await.done();
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn a_day_is_the_sites_and_its_records_come_newest_first() {
    let site = site_with_records().await;
    assert_eq!(ids(&site, "").await, [2, 3, 1]);
    assert_eq!(ids(&site, "&site_id=1").await, [2, 3, 1]);
    site.execute("UPDATE site SET time_zone = 'UTC'").await;
    assert_eq!(
        ids(&site, "&site_id=1").await,
        [4, 2, 3],
        "a day in London begins later"
    );
}

#[tokio::test]
async fn records_are_found_by_plate_driver_station_and_status() {
    let site = site_with_records().await;
    assert_eq!(
        ids(&site, "&vehicle_plate=3456").await,
        [2, 1],
        "by the last four digits"
    );
    assert_eq!(
        ids(&site, "&vehicle_plate=12%20가%203456").await,
        [2, 1],
        "however it is written"
    );
    assert_eq!(ids(&site, "&vehicle_plate=경기80바1234").await, [3]);
    assert_eq!(ids(&site, "&vehicle_plate=345").await, Vec::<i64>::new());
    assert_eq!(ids(&site, "&driver_name=사1").await, [3], "by a part of the name");
    assert_eq!(
        ids(&site, "&driver_name=%25").await,
        Vec::<i64>::new(),
        "a wildcard is a letter"
    );
    assert_eq!(ids(&site, "&station_id=2").await, Vec::<i64>::new());
    assert_eq!(ids(&site, "&status=WEIGHING").await, [5]);
    assert_eq!(
        ids(&site, "&vehicle_plate=&driver_name=").await,
        [2, 3, 1],
        "an empty field filters nothing"
    );
}

#[tokio::test]
async fn a_record_shows_how_its_weights_settled() {
    let site = Site::new().await;
    let truck = site.untared_truck("34나5678").await;
    let mut clock = Clock::now();
    let mut record = Value::Null;
    for kg in [25_000, 9_980] {
        let capture = site.weigh(site.stations[0], kg, &mut clock).await;
        site.leave(site.stations[0], &mut clock).await;
        let assign = format!("/captures/{capture}/assign");
        record = site.post(&assign, json!({ "vehicle_id": truck.vehicle })).await.done()["id"].clone();
    }
    let path = format!("/weigh-records/{record}/curve");
    let curves = site.get(&path).await.done();
    for (curve, kg) in curves.as_array().unwrap().iter().zip([25_000, 9_980]) {
        let points = curve["points"].as_array().unwrap();
        assert_eq!(points[0], json!({ "ms": 0, "weight": kg }));
        assert_eq!(curve["weight"], kg);
        assert!(
            points
                .windows(2)
                .all(|pair| pair[0]["ms"].as_u64() < pair[1]["ms"].as_u64() && pair[1]["weight"] == kg),
            "{curve}"
        );
    }
    assert_eq!(curves.as_array().map(Vec::len), Some(2));
    site.execute("UPDATE capture SET curve = NULL").await;
    assert_eq!(
        site.get(&path).await.done()[0]["points"],
        Value::Null,
        "erased after its time"
    );
    assert_eq!(site.get("/weigh-records/999999/curve").await.failure(), "404 NOT_FOUND");
}

#[tokio::test]
async fn a_list_comes_in_pages() {
    let site = site_with_records().await;
    let path = "/weigh-records?start_date=2026-01-25&end_date=2026-01-26&page=2&limit=3";
    let page = site.get(path).await.done();
    assert_eq!(page["items"].as_array().map(Vec::len), Some(1));
    let expected = serde_json::json!({ "page": 2, "limit": 3, "total": 4, "total_pages": 2 });
    assert_eq!(page["pagination"], expected);
    let record = &page["items"][0];
    assert_eq!(record["weighed_at"], "2026-01-25T00:00:00+09:00");
    assert_eq!(record["gross_weight"].to_string(), "25000.5");
}

#[tokio::test]
async fn a_filter_that_says_nothing_sensible_is_refused() {
    let site = site_with_records().await;
    let day = "start_date=2026-01-25&end_date=2026-01-25";
    let refused = [
        ("end_date=2026-01-25", "VALIDATION_FAILED start_date REQUIRED"),
        ("start_date=2026-01-25", "VALIDATION_FAILED end_date REQUIRED"),
        (
            "start_date=2026-02-30&end_date=2026-03-01",
            "VALIDATION_FAILED start_date INVALID_FORMAT",
        ),
        (
            "start_date=2026-01-26&end_date=2026-01-25",
            "VALIDATION_FAILED end_date OUT_OF_RANGE",
        ),
        (&format!("{day}&limit=101"), "VALIDATION_FAILED limit OUT_OF_RANGE"),
        (&format!("{day}&page=0"), "VALIDATION_FAILED page OUT_OF_RANGE"),
        (&format!("{day}&status=DONE"), "VALIDATION_FAILED status INVALID_FORMAT"),
        (
            &format!("{day}&vehicle_plate=%00"),
            "VALIDATION_FAILED vehicle_plate INVALID_FORMAT",
        ),
        (&format!("{day}&plate=3456"), "UNKNOWN_FIELD plate UNKNOWN_FIELD"),
    ];
    for (query, expected) in refused {
        let answer = site.get(&format!("/weigh-records?{query}")).await;
        assert_eq!(answer.failure(), format!("400 {expected}"));
    }
}

#[tokio::test]
async fn one_record_is_found_whatever_its_status() {
    let site = site_with_records().await;
    let record = site.get("/weigh-records/5").await.done();
    assert_eq!(
        (&record["status"], &record["slip_number"]),
        (&Value::from("WEIGHING"), &Value::Null)
    );
    assert_eq!(site.get("/weigh-records/999").await.failure(), "404 NOT_FOUND");
    assert_eq!(
        site.get("/weigh-records/x").await.failure(),
        "400 VALIDATION_FAILED id INVALID_FORMAT"
    );
}

/// A month of twenty thousand open records of two hundred trucks.
const A_FULL_MONTH: &str = "
    SELECT ensure_weigh_record_partition('2026-02-01 12:00+09'), setval('weigh_record_id_seq', 1000);
    INSERT INTO vehicle (plate_number) SELECT '88가' || n FROM generate_series(2000, 2199) AS n;
    INSERT INTO weigh_record (site_id, station_id, vehicle_id, weighed_at)
    SELECT 1, 1, v.id, '2026-02-01 00:00+09'::timestamptz + n * interval '2 hours' + v.id * interval '1 second'
    FROM vehicle v, generate_series(1, 100) AS n WHERE v.plate_number LIKE '88가%';
    ANALYZE";

#[tokio::test]
async fn no_filter_reads_a_month_from_end_to_end() {
    let site = site_with_records().await;
    site.execute(A_FULL_MONTH).await;
    let scans = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'weigh_record_2026_02'";
    let before = site.count(scans).await;
    for wanted in [
        "start_date=2026-02-05&end_date=2026-02-05&status=PENDING",
        "start_date=2026-01-01&end_date=2026-12-31&status=PENDING&vehicle_plate=2007",
        "start_date=2026-02-01&end_date=2026-02-28&status=PENDING&driver_name=기사1",
    ] {
        site.get(&format!("/weigh-records?{wanted}")).await.done();
    }
    // A connection tells its counts at the latest when it ends.
    let end_others = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    site.count(end_others).await;
    let used = "SELECT idx_scan FROM pg_stat_user_tables WHERE relname = 'weigh_record_2026_02'";
    assert!(site.count(used).await >= 4);
    assert_eq!(site.count(scans).await, before);
}
