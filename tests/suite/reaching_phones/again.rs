//! A push that is tried again goes to those devices alone that have not taken it, and to nobody where it has ceased to be true.

use std::time::Duration;

use serde_json::json;
use weighbridge::clients::fcm::{Fcm, answer::Sent};

use super::{of_type, settled, token};
use crate::support::{
    cab::Cab,
    retries::{SLOW, failed_once, make_due},
    site::Site,
    stand_in::{StandIn, is_send},
};

/// Makes the push that waits due, and waits until it is settled.
async fn hurry(site: &Site) {
    make_due(site).await;
    settled(site, "PUSH_CALLED", &["SENT"]).await;
}

#[actix_web::test]
async fn who_has_a_push_does_not_get_it_again_because_fcm_is_silent_on_another_device() {
    let fcm = StandIn::start("fcm", &[]);
    let site = Site::pushing_to(&fcm, &[("delivery.send_timeout", "6s")]).await;
    let cab = Cab::new(&site, 1).await;
    let second = cab.on_second_device().await;
    cab.tell_token("phone-one").await;
    second.tell_token("phone-two").await;
    fcm.told("fail timeout");
    cab.check_in(&site).await;
    site.call_next(site.stations[0]).await.done();
    failed_once(&site, "PUSH_CALLED", "no answer in time").await;
    hurry(&site).await;
    let sends = fcm.all(is_send).await;
    let silent = sends.iter().find(|send| send["status"].is_null()).unwrap();
    let other = sends.iter().filter(|send| token(send) != token(silent)).count();
    assert_eq!((sends.len(), other), (3, 1), "{sends:#?}");
}

#[actix_web::test]
async fn who_has_a_push_does_not_get_it_again_because_a_lost_device_cannot_be_forgotten() {
    let fcm = StandIn::start("fcm", &[]);
    let site = Site::pushing_to(&fcm, &[]).await;
    let cab = Cab::new(&site, 1).await;
    let second = cab.on_second_device().await;
    cab.tell_token("phone-one").await;
    second.tell_token("gone-two").await;
    site.execute(
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$;
         CREATE TRIGGER keep BEFORE UPDATE OF fcm_token ON login_session FOR EACH ROW EXECUTE FUNCTION keep()",
    )
    .await;
    cab.check_in(&site).await;
    site.call_next(site.stations[0]).await.done();
    failed_once(&site, "PUSH_CALLED", "not now").await;
    site.execute("DROP FUNCTION keep CASCADE").await;
    hurry(&site).await;
    let sends = fcm.all(|line| is_send(line) && token(line) == "phone-one").await;
    assert_eq!(sends.len(), 1, "{sends:#?}");
}

#[actix_web::test]
async fn a_call_that_does_not_stand_any_more_is_not_pushed_and_taken_back_where_the_app_lists_it() {
    let fcm = StandIn::start("fcm", &["--fail", "unavailable=always"]);
    let site = Site::pushing_to(&fcm, &SLOW).await;
    let cab = Cab::new(&site, 1).await;
    cab.tell_token("phone").await;
    let entry = cab.check_in(&site).await;
    site.call_next(site.stations[0]).await.done();
    failed_once(&site, "PUSH_CALLED", "503").await;
    cab.cancel(&site, entry).await;
    fcm.told("fail off");
    make_due(&site).await;
    let call = settled(&site, "PUSH_CALLED", &["DISCARDED"]).await;
    assert!(call[0].2.as_ref().unwrap().contains("does not stand"), "{call:?}");
    // The first attempt has put the call on the driver's list.
    settled(&site, "PUSH_WITHDRAWN", &["SENT"]).await;
    let taken = fcm.all(|line| is_send(line) && line["status"] == 200).await;
    let withdrawn = taken.iter().filter(|line| of_type("QUEUE_WITHDRAWN")(line)).count();
    assert_eq!((taken.len(), withdrawn), (1, 1), "{taken:#?}");
}

#[actix_web::test]
async fn who_is_called_again_does_not_hear_that_his_last_call_was_taken_back() {
    let fcm = StandIn::start("fcm", &[]);
    let site = Site::pushing_to(&fcm, &SLOW).await;
    let station = site.stations[0];
    let cab = Cab::new(&site, 1).await;
    cab.tell_token("phone").await;
    cab.check_in(&site).await;
    site.call_next(station).await.done();
    settled(&site, "PUSH_CALLED", &["SENT"]).await;
    fcm.told("fail unavailable");
    site.post(&format!("/stations/{station}/close"), json!({})).await.done();
    failed_once(&site, "PUSH_WITHDRAWN", "503").await;
    site.post(&format!("/stations/{station}/open"), json!({})).await.done();
    site.call_next(station).await.done();
    settled(&site, "PUSH_CALLED", &["SENT", "SENT"]).await;
    make_due(&site).await;
    let back = settled(&site, "PUSH_WITHDRAWN", &["DISCARDED"]).await;
    assert!(back[0].2.as_ref().unwrap().contains("called again"), "{back:?}");
}

#[actix_web::test]
async fn a_device_that_has_signed_out_is_not_told() {
    let fcm = StandIn::start("fcm", &[]);
    let site = Site::pushing_to(&fcm, &[]).await;
    let cab = Cab::new(&site, 1).await;
    let second = cab.on_second_device().await;
    cab.tell_token("phone-one").await;
    second.tell_token("phone-two").await;
    site.execute("UPDATE login_session SET revoked_at = now() WHERE fcm_token = 'phone-two'")
        .await;
    cab.check_in(&site).await;
    site.call_next(site.stations[0]).await.done();
    settled(&site, "PUSH_CALLED", &["SENT"]).await;
    let calls = fcm.all(of_type("QUEUE_CALLED")).await;
    assert_eq!(calls.iter().map(token).collect::<Vec<_>>(), ["phone-one"]);
}

#[actix_web::test]
async fn after_silence_fcm_is_left_alone_for_ten_seconds() {
    let fcm = StandIn::start("fcm", &["--fail", "timeout=always"]);
    let client = Fcm::new(&fcm.url(), &fcm.credentials(), Duration::from_millis(500)).unwrap();
    let message = json!({ "message": { "token": "phone", "data": { "type": "QUEUE_CALLED" } } });
    let sent = client.send(&message).await;
    let Sent::Later { why, after } = sent else {
        panic!("{sent:?}")
    };
    assert!(why.starts_with("no answer in time"), "{why}");
    assert_eq!(after, Some(Duration::from_secs(10)));
}
