//! A message to a person is looked at once more before it is sent; and Kakao is given its time.

use serde_json::{Value, json};

use super::{KAKAO, settled, text, yard};
use crate::support::{
    cab::Cab,
    retries::{SLOW, failed_once, make_due},
    site::{Clock, Site},
    stand_in::StandIn,
};

/// Waits until the message has failed, has this done, and makes it due at a service that is well.
async fn meanwhile(site: &Site, sms: &StandIn, kind: &str, change: impl AsyncFnOnce()) {
    failed_once(site, kind, "503").await;
    change().await;
    sms.told("fail off");
    make_due(site).await;
}

async fn taken(sms: &StandIn) -> Vec<Value> {
    sms.all(|line| line["status"] == 200).await
}

#[actix_web::test]
async fn a_password_that_does_not_work_any_more_is_not_sent() {
    let sms = StandIn::start("sms", &["--fail", "unavailable=always"]);
    let site = yard(&sms, &[&SLOW]).await;
    let form = json!({ "name": "홍길동", "phone": "010-9876-5432" });
    site.post("/drivers", form).await.done();
    meanwhile(&site, &sms, "SMS_WELCOME", async || {
        let past = "UPDATE outbox SET payload = payload || '{\"valid_until\": \"2026-01-25T00:00:00Z\"}'";
        site.execute(past).await;
    })
    .await;
    let (state, payload) = settled(&site, "SMS_WELCOME").await;
    assert_eq!((state.as_str(), payload.get("sealed")), ("DISCARDED", None));
    assert!(taken(&sms).await.is_empty());
}

#[actix_web::test]
async fn a_slip_that_counts_no_more_or_is_anothers_by_now_goes_to_nobody() {
    for deed in ["void", "correct"] {
        let sms = StandIn::start("sms", &[]);
        let site = yard(&sms, &[&SLOW]).await;
        let cab = Cab::new(&site, 1).await;
        let record = cab.be_weighed(&site, &mut Clock::now()).await;
        settled(&site, "SMS_WELCOME").await;
        let before = taken(&sms).await.len();
        sms.told("fail unavailable always");
        let share = json!({ "method": "sms", "recipient": "010-1234-5678" });
        cab.post(&format!("/slip/{record}/share"), share.clone()).await.done();
        meanwhile(&site, &sms, "SMS_SLIP", async || {
            let body = match deed {
                "void" => json!({ "reason": "시험" }),
                _ => json!({ "reason": "시험", "driver_id": null }),
            };
            site.post(&format!("/weigh-records/{record}/{deed}"), body).await.done();
        })
        .await;
        assert_eq!(settled(&site, "SMS_SLIP").await.0, "DISCARDED", "{deed}");
        assert_eq!(taken(&sms).await.len(), before, "{deed}");
        let again = cab.post(&format!("/slip/{record}/share"), share).await;
        assert_eq!(again.outcome(), "409 INVALID_STATE", "{deed}");
    }
}

#[actix_web::test]
async fn no_text_message_goes_out_where_kakao_fails_once() {
    let sms = StandIn::start("sms", &[]);
    let site = yard(&sms, &[&KAKAO]).await;
    let cab = Cab::new(&site, 1).await;
    let record = cab.be_weighed(&site, &mut Clock::now()).await;
    sms.told("fail kakao-down");
    let share = json!({ "method": "kakao", "recipient": "010-1234-5678" });
    cab.post(&format!("/slip/{record}/share"), share).await.done();
    assert_eq!(settled(&site, "KAKAO_SLIP").await.0, "SENT");
    let of_slips = sms
        .all(|line| text(line).contains("15000") || line["body"]["message"]["kakaoOptions"].is_object())
        .await;
    let ways: Vec<bool> = of_slips
        .iter()
        .map(|line| line["body"]["message"]["kakaoOptions"].is_object())
        .collect();
    assert_eq!(ways, [true, true], "{of_slips:#?}");
}
