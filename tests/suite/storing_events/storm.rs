//! Slips are numbered while transactions fail at their end, connections are cut and the day turns: each day's numbers run
//! from 1 without a gap.

use std::time::Duration;

use chrono::{DateTime, Days, TimeDelta, Utc};
use chrono_tz::Asia::Seoul;
use futures_util::future::join_all;
use tokio::time::sleep;

use super::yard::Yard;
use crate::support::database::CUT_ONE;

const CLIENTS: i64 = 16;
const WEIGHINGS: i64 = 12;

/// The last midnight in Korea.
fn midnight() -> DateTime<Utc> {
    let today = Utc::now().with_timezone(&Seoul).date_naive();
    let midnight = today.and_hms_opt(0, 0, 0).unwrap();
    midnight.and_local_timezone(Seoul).unwrap().to_utc()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn slip_numbers_have_no_gap_whatever_breaks_off_at_midnight() {
    let midnight = midnight();
    let yards = Yard::several(CLIENTS).await;
    let database = yards[0].database();
    let day_before = midnight.checked_sub_days(Days::new(1)).unwrap();
    let setup = format!(
        "SELECT ensure_weigh_record_partition('{day_before}');
         CREATE FUNCTION fail_at_times() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN IF random() < 0.1 THEN RAISE EXCEPTION 'rolled back by the test'; END IF; RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER fails AFTER INSERT ON slip DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
         EXECUTE FUNCTION fail_at_times();"
    );
    yards[0].execute(&setup).await;
    let weighing = yards.into_iter().map(|mut yard| {
        tokio::spawn(async move {
            let mut broken_off = 0;
            for n in 0..WEIGHINGS {
                // The last of the day before and the first of the day, mixed.
                let moment = midnight + TimeDelta::seconds(if n % 2 == 0 { -30 } else { 0 });
                broken_off += yard.weigh_through_failures(moment).await;
            }
            (yard, broken_off)
        })
    });
    let cutting = tokio::spawn(async move {
        let client = database.connect().await;
        for _ in 0..50 {
            sleep(Duration::from_millis(20)).await;
            client.execute(CUT_ONE, &[]).await.unwrap();
        }
    });
    let mut broken_off = 0;
    let mut yards = Vec::new();
    for weighed in join_all(weighing).await {
        let (yard, times) = weighed.unwrap();
        broken_off += times;
        yards.push(yard);
    }
    cutting.await.unwrap();
    assert!(broken_off > 10, "too little went wrong: {broken_off}");
    let yard = &yards[0];
    assert_eq!(yard.broken_promises().await, Vec::<&str>::new());
    let each = i32::try_from(CLIENTS * WEIGHINGS / 2).unwrap();
    for day in [day_before, midnight] {
        let day = day.with_timezone(&Seoul).date_naive();
        let numbers = yard
            .numbers(&format!("SELECT number FROM slip WHERE day = '{day}' ORDER BY number"))
            .await;
        assert_eq!(numbers, (1..=each).collect::<Vec<_>>(), "{day}");
    }
}
