//! A push that is tried again goes to those devices alone that have not taken it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{PATIENCE, settled, token};
use crate::support::{
    cab::Cab,
    site::Site,
    stand_in::{StandIn, is_send},
};

/// Makes the push that waits due, and waits until it is settled.
async fn hurry(site: &Site) {
    site.execute("UPDATE outbox SET next_attempt_at = now() WHERE kind = 'PUSH_CALLED' AND state = 'PENDING'")
        .await;
    settled(site, "PUSH_CALLED", &["SENT"]).await;
}

async fn failed_once(site: &Site, why: &str) {
    let until = Instant::now() + PATIENCE;
    loop {
        let rows = settled(site, "PUSH_CALLED", &["PENDING"]).await;
        if let (1, Some(said)) = (rows[0].1, &rows[0].2) {
            return assert!(said.contains(why), "{said}");
        }
        assert!(Instant::now() < until, "{rows:?}");
        sleep(Duration::from_millis(20)).await;
    }
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
    failed_once(&site, "no answer in time").await;
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
    failed_once(&site, "not now").await;
    site.execute("DROP FUNCTION keep CASCADE").await;
    hurry(&site).await;
    let sends = fcm.all(|line| is_send(line) && token(line) == "phone-one").await;
    assert_eq!(sends.len(), 1, "{sends:#?}");
}
