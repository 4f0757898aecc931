//! Weighings that staff correct again and again, as they do over HTTP.

use serde_json::json;

use super::site::{Clock, Site};

/// How many records each weighing has after it: the first, and three corrections.
pub const REVISIONS: usize = 4;

/// Weighs a truck so often, and corrects each weighing three times at once; answers the slips of each, in order.
pub async fn corrected(site: &Site, weighings: usize) -> Vec<Vec<String>> {
    site.execute("INSERT INTO product (code, name) VALUES ('P1', '쇄석'), ('P2', '모래')")
        .await;
    let (station, mut clock) = (site.stations[0], Clock::now());
    let truck = site.truck("12가3456").await;
    let mut all = Vec::new();
    for _ in 0..weighings {
        site.check_in(truck).await.done();
        site.call_next(station).await.done();
        clock.catch_up();
        site.weigh(station, 15_990, &mut clock).await;
        site.leave(station, &mut clock).await;
        let last = site.count("SELECT max(id) FROM weigh_record").await;
        let mut record = site.get(&format!("/weigh-records/{last}")).await.done();
        let mut slips = vec![record["slip_number"].as_str().unwrap().to_owned()];
        for product in [1, 2, 1] {
            let path = format!("/weigh-records/{}/correct", record["id"]);
            let body = json!({ "reason": "품목 정정", "product_id": product });
            record = site.post(&path, body).await.done();
            slips.push(record["slip_number"].as_str().unwrap().to_owned());
        }
        all.push(slips);
    }
    all
}
