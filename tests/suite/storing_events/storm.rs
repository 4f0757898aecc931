//! Slips are numbered while transactions fail at their end, connections are cut and the day turns: each day's numbers run
//! from 1 without a gap.

use crate::support::yard::midnight::Midnight;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn slip_numbers_have_no_gap_whatever_breaks_off_at_midnight() {
    let midnight = Midnight {
        clients: 16,
        weighings: 12,
        cuts: 50,
    };
    midnight.under_fire().await;
}
