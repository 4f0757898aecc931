//! Slips are numbered while transactions fail at their end, connections are cut and the day turns.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Days, TimeDelta, Utc};
use chrono_tz::Asia::Seoul;
use futures_util::future::join_all;
use tokio::time::sleep;

use super::{
    super::database::{CUT_ONE, Database, FAIL_AT_TIMES},
    Yard,
};

/// A midnight under fire.
#[derive(Clone, Copy, Debug)]
pub struct Midnight {
    pub clients: i64,
    /// Of each client; half of them before midnight.
    pub weighings: i64,
    /// Of connections.
    pub cuts: usize,
}

impl Midnight {
    /// Lets it go by; answers the database that it leaves, and how often something broke off.
    ///
    /// # Panics
    /// Where the numbers of one of the two days do not run from 1 without a gap, or a promise about the data is broken.
    pub async fn under_fire(self) -> (Arc<Database>, usize) {
        let midnight = last_midnight();
        let yards = Yard::several(self.clients).await;
        let database = yards[0].database();
        let day_before = midnight.checked_sub_days(Days::new(1)).unwrap();
        let month = format!("SELECT ensure_weigh_record_partition('{day_before}');");
        database.execute(&(month + FAIL_AT_TIMES)).await;
        let weighing = yards.into_iter().map(|mut yard| {
            tokio::spawn(async move {
                let mut broken_off = 0;
                for n in 0..self.weighings {
                    // The last of the day before and the first of the day, mixed.
                    let moment = midnight + TimeDelta::seconds(if n % 2 == 0 { -30 } else { 0 });
                    broken_off += yard.weigh_through_failures(moment).await;
                }
                (yard, broken_off)
            })
        });
        let weighing: Vec<_> = weighing.collect();
        let client = database.connect().await;
        for _ in 0..self.cuts {
            sleep(Duration::from_millis(20)).await;
            client.execute(CUT_ONE, &[]).await.unwrap();
        }
        let mut broken_off = 0;
        let mut yards = Vec::new();
        for weighed in join_all(weighing).await {
            let (yard, times) = weighed.unwrap();
            broken_off += times;
            yards.push(yard);
        }
        assert!(broken_off > 10, "too little went wrong: {broken_off}");
        let yard = &yards[0];
        assert_eq!(yard.broken_promises().await, Vec::<&str>::new());
        let each = i32::try_from(self.clients * self.weighings / 2).unwrap();
        for day in [day_before, midnight] {
            let day = day.with_timezone(&Seoul).date_naive();
            let numbers = yard
                .numbers(&format!("SELECT number FROM slip WHERE day = '{day}' ORDER BY number"))
                .await;
            assert_eq!(numbers, (1..=each).collect::<Vec<_>>(), "{day}");
        }
        (database, broken_off)
    }
}

/// The last midnight in Korea.
fn last_midnight() -> DateTime<Utc> {
    let today = Utc::now().with_timezone(&Seoul).date_naive();
    let midnight = today.and_hms_opt(0, 0, 0).unwrap();
    midnight.and_local_timezone(Seoul).unwrap().to_utc()
}
