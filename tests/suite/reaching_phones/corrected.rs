//! Drivers hear of a correction: whose slip is another by now, who has one that he did not have, and who has lost his.

use serde_json::{Value, json};

use super::{of_type, settled};
use crate::support::{
    cab::Cab,
    screen::Screen,
    site::{Clock, Site},
    stand_in::StandIn,
};

#[actix_web::test]
async fn a_correction_reaches_whoever_has_the_slip_and_whoever_had_it() {
    let fcm = StandIn::start("fcm", &[]);
    // Nobody looks by himself what is owed: it is announced.
    let site = Site::pushing_to(&fcm, &[("delivery.look_every", "1h")]).await;
    site.execute("INSERT INTO product (code, name) VALUES ('P1', '쇄석')")
        .await;
    let (kim, lee) = (Cab::new(&site, 1).await, Cab::new(&site, 2).await);
    kim.tell_token("phone-kim").await;
    lee.tell_token("phone-lee").await;
    let record = kim.be_weighed(&site, &mut Clock::now()).await;
    let correct = async |record: &Value, body: Value| {
        site.post(&format!("/weigh-records/{record}/correct"), body)
            .await
            .done()
    };
    let told = async |kind: &'static str, count: usize| {
        let pushed = fcm.got(count, of_type(kind)).await.remove(count - 1);
        let message = pushed["body"]["message"].clone();
        assert_eq!(
            message["android"]["collapse_key"],
            format!("slip-{record}"),
            "one place on the screen for all of them"
        );
        message
    };
    let first = told("WEIGHING_COMPLETED", 1).await;
    let second = correct(&json!(record), json!({ "reason": "품목 정정", "product_id": 1 })).await;
    let message = told("WEIGHING_CORRECTED", 1).await;
    assert_eq!(
        (
            &message["token"],
            &message["data"]["replaces"],
            &message["data"]["slip_number"],
            &message["data"]["net_weight"]
        ),
        (
            &json!("phone-kim"),
            &first["data"]["slip_number"],
            &second["slip_number"],
            &json!("15000")
        )
    );
    let words = message["notification"]["body"].as_str().unwrap();
    for said in [&first["data"]["slip_number"], &second["slip_number"]] {
        assert!(words.contains(said.as_str().unwrap()), "{words}");
    }
    // It was another driver's, whose app is open.
    let mut app = Screen::open_by(&lee.app, &site, "driver").await;
    app.hears("the snapshot", |frame| frame["type"] == "snapshot").await;
    let third = correct(&second["id"], json!({ "reason": "기사 정정", "driver_id": lee.driver })).await;
    app.hears("the slip", |frame| frame["data"]["slip"]["id"] == third["id"])
        .await;
    let lost = told("WEIGHING_REVOKED", 1).await;
    assert_eq!(
        (&lost["token"], &lost["data"]["slip_number"], &lost["data"]["record_id"]),
        (
            &json!("phone-kim"),
            &second["slip_number"],
            &json!(second["id"].to_string())
        )
    );
    let got = told("WEIGHING_COMPLETED", 2).await;
    assert_eq!(
        (&got["token"], &got["data"]["slip_number"]),
        (&json!("phone-lee"), &third["slip_number"])
    );
    // It is nobody's.
    correct(&third["id"], json!({ "reason": "기사 없음", "driver_id": null })).await;
    assert_eq!(told("WEIGHING_REVOKED", 2).await["token"], "phone-lee");
    for (kind, states) in [("PUSH_COMPLETED", 2), ("PUSH_CORRECTED", 1), ("PUSH_REVOKED", 2)] {
        settled(&site, kind, &vec!["SENT"; states]).await;
    }
    for (cab, kinds) in [
        (
            &kim,
            ["WEIGHING_REVOKED", "WEIGHING_CORRECTED", "WEIGHING_COMPLETED"].as_slice(),
        ),
        (&lee, &["WEIGHING_REVOKED", "WEIGHING_COMPLETED"]),
    ] {
        let listed = cab.get("/notifications").await.done();
        let listed = listed["items"].as_array().unwrap().iter();
        let listed: Vec<&str> = listed
            .filter_map(|item| item["type"].as_str().filter(|kind| kind.starts_with("WEIGHING")))
            .collect();
        assert_eq!(listed, kinds);
        assert_eq!(
            cab.get("/records/today").await.done()["pagination"]["total"],
            0,
            "it is not his any more"
        );
    }
    let old = kim.get(&format!("/slip/{record}")).await.done();
    assert_eq!(old["voided"], true);
    assert_eq!(
        kim.get(&format!("/slip/{}", third["id"])).await.outcome(),
        "404 NOT_FOUND"
    );
}
