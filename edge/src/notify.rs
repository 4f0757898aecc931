//! What the service manager is told (systemd's `sd_notify`): ready, how it stands, that it lives, stopping. Without a
//! service manager nobody is told.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use tracing::{error, warn};
use weighbridge_supervision::Tree;

use crate::link::{LinkState, LinkStatus};

/// A thread may be silent for so long: an ordinary one was replaced long before, and the one that waits for the disk ends
/// the process itself a little later.
const ALIVE_WITHIN: Duration = Duration::from_secs(10);
/// How often the status line is looked at where no sign of life is wanted.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The service may be counted as started.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// What is in hand is being finished.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("finishing what is in hand")]);
}

/// Gives signs of life for as long as it is polled, on the main thread, and only while every other thread gave its own:
/// a bare timer would also run in an edge that weighs no more.
pub async fn keep_told(tree: Tree, link: watch::Receiver<LinkStatus>, stations: usize) {
    let limit = watchdog_limit();
    let mut ticks = interval(limit.map_or(LOOK_EVERY, |limit| limit / 3));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut said = String::new();
    loop {
        ticks.tick().await;
        let silence = tree.longest_silence();
        if silence >= ALIVE_WITHIN {
            error!(
                silent_s = silence.as_secs(),
                "a thread has given no sign of life for {} s: the service manager is not told that this edge lives",
                silence.as_secs()
            );
        } else if limit.is_some() {
            tell(&[NotifyState::Watchdog]);
        }
        let status = status_line(stations, link.borrow().state);
        if said != status {
            tell(&[NotifyState::Status(&status)]);
            said = status;
        }
    }
}

fn status_line(stations: usize, link: LinkState) -> String {
    let link = match link {
        LinkState::Linked => "linked to the server",
        LinkState::Connecting => "connecting to the server",
        LinkState::Lost => "the server is away, weighing goes on",
        LinkState::Refused => "the server refuses the API key, weighing goes on",
        LinkState::Fenced => "another edge uses the same API key, weighing goes on",
        LinkState::Forbidden => "the server does not allow this edge, weighing goes on",
        LinkState::Version => "the server speaks another version, weighing goes on",
    };
    format!("{stations} station(s); {link}")
}

/// How long the service manager waits for a sign of life; none where it wants none.
fn watchdog_limit() -> Option<Duration> {
    let mut microseconds = 0;
    sd_notify::watchdog_enabled(false, &mut microseconds).then(|| Duration::from_micros(microseconds.max(3)))
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(false, states) {
        warn!("the service manager was not told: {error}");
    }
}
