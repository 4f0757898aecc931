//! Whatever is killed, cut, filled, damaged or turned back while trucks are weighed: nothing is lost, nothing is there
//! twice, nothing is altered, and nothing is made up.
//!
//! Everything is real: processes, ptys, sockets, PostgreSQL. Each case has an id, runs quickly by itself (T1, in `make
//! test`) and at full size by `make torture` (T2), which prints the scorecard. `WEIGHBRIDGE_TEST_SEED=n` draws the same
//! trucks and the same faults.
//!
//! - [`frame`]: a case's size, seed and result, and the scorecard of all results
//! - [`yard`]: the site under fire, its processes, the proxy before its server, and the judge
//!
//! | id | what is done to the yard | where |
//! |---|---|---|
//! | SF-01 | edge, server and PostgreSQL are killed at random | [`killing`] |
//! | SF-02 | acknowledgements are lost | [`killing`] |
//! | SF-03 | the link is cut: in good order, by a reset, in silence | [`network`] |
//! | SF-04 | it flaps | [`network`] |
//! | SF-05 | it hangs: one side believes that it stands | [`network`] |
//! | SF-06 | it crawls | [`network`] |
//! | SF-07 | its bytes are spoiled | [`network`] |
//! | SF-08 | it was gone for long, and a backlog waits | [`backlog`] |
//! | SF-09 | the edge's disk is full | [`disks`] |
//! | SF-10 | its power is cut | [`disks`] |
//! | SF-11 | a system call on its file fails | [`disks`] |
//! | SF-12 | its file is damaged, cut or gone | [`damages`] |
//! | SF-13 | the edge's file is an older image | [`images`] |
//! | SF-14 | the server's database is an older backup | [`restoring`] |
//! | SF-15 | the edge is cloned | [`images`] |
//! | SF-16 | the edge's wall clock jumps | [`clocks`] |
//! | SF-17 | the edge is killed inside a cycle | [`killing`] |
//! | SF-18 | serial lines are pulled, and carry noise | [`lines`] |
//! | SF-19 | the edge's file, or the other end of the link, is of another version | [`versions`] |
//! | DAY | nothing: a whole working day, from check-in to the ERP | [`whole_day`] |
//! | OB-01 | two servers are killed while they tell the ERP | [`outbox`] |
//! | OB-02 | the ERP's answers are lost | [`outbox`] |
//! | OB-03 | it fails in every way, and another shows a certificate in its place | [`outbox`] |
//! | OB-04 | it is down, and thousands wait | [`outbox`] |
//! | OB-05 | it refuses one message | [`outbox`] |
//! | OB-06 | slips are corrected again and again | [`outbox`] |
//! | OB-07 | a server sleeps through its lease | [`outbox`] |
//! | OB-08 | the leader is stopped and cut off while it closes days | [`outbox`] |
//! | OB-09 | drivers cancel in the instant of their call | [`outbox`] |
//! | OB-10 | FCM answers with every error that it has | [`outbox`] |
//! | PG-01 | slips are rolled back, their connections cut, their server killed | [`numbers`] |
//! | PG-02 | the same at midnight | [`numbers`] |
//! | PG-03 | calls, cancellations and no-shows in the same instant | [`numbers`] |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so by panicking"
)]

mod backlog;
mod clocks;
mod damages;
mod disks;
mod frame;
mod images;
mod killing;
mod lines;
mod network;
mod numbers;
mod outbox;
mod restoring;
#[path = "../suite/support/mod.rs"]
#[allow(dead_code, reason = "the suite needs more of it")]
mod support;
mod versions;
mod whole_day;
mod yard;

use support::folder;
