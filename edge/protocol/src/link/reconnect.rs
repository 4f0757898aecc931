//! How long an edge waits before it connects again.

use std::time::Duration;

use super::limits::{CLOSE_FENCED, CLOSE_FORBIDDEN, CLOSE_VERSION, FENCED_WAIT, RECONNECT_FIRST, RECONNECT_LAST};

/// How a connection ended, or why there was none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The network failed, the server fell silent, or the edge itself wants to say hello again.
    Lost,
    /// The server closed with this code.
    Closed(u16),
    /// The server refused the key, before the upgrade.
    Refused,
}

/// The wait after `ending`. `attempts` counts those since the last `welcome`, from 0; `chance` is random in 0..1.
///
/// Full jitter: anything up to a bound that doubles from half a second to thirty, so that a site's edges do not come
/// back all at once. A fenced edge stays away 30 s give or take a third, and what only a person can mend is asked for
/// every 30 s or so.
pub fn wait_before_reconnect(ending: Ending, attempts: u32, chance: f64) -> Duration {
    let chance = chance.clamp(0.0, 1.0);
    match ending {
        Ending::Closed(CLOSE_FENCED | CLOSE_FORBIDDEN | CLOSE_VERSION) | Ending::Refused => {
            FENCED_WAIT.mul_f64(2.0 / 3.0 + chance * 2.0 / 3.0)
        }
        Ending::Lost | Ending::Closed(_) => {
            let doubled = RECONNECT_FIRST.saturating_mul(1 << attempts.min(16));
            doubled.min(RECONNECT_LAST).mul_f64(chance)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::limits::CLOSE_RESTART;

    #[track_caller]
    fn check(ending: Ending, attempts: u32, chance: f64, expected_ms: u64) {
        let wait = wait_before_reconnect(ending, attempts, chance);
        assert_eq!(wait, Duration::from_millis(expected_ms));
    }

    #[test]
    fn the_bound_doubles_from_half_a_second_to_thirty() {
        for (attempts, most_ms) in [
            (0, 500),
            (1, 1_000),
            (2, 2_000),
            (5, 16_000),
            (6, 30_000),
            (u32::MAX, 30_000),
        ] {
            check(Ending::Lost, attempts, 1.0, most_ms);
            check(Ending::Closed(CLOSE_RESTART), attempts, 0.5, most_ms / 2);
            check(Ending::Lost, attempts, 0.0, 0);
        }
    }

    #[test]
    fn a_fenced_edge_stays_away_thirty_seconds_give_or_take_a_third() {
        check(Ending::Closed(CLOSE_FENCED), 0, 0.0, 20_000);
        check(Ending::Closed(CLOSE_FENCED), 9, 0.5, 30_000);
        check(Ending::Closed(CLOSE_FENCED), 0, 1.0, 40_000);
    }

    #[test]
    fn what_only_a_person_can_mend_is_not_asked_for_in_haste() {
        for ending in [
            Ending::Refused,
            Ending::Closed(CLOSE_FORBIDDEN),
            Ending::Closed(CLOSE_VERSION),
        ] {
            check(ending, 0, 0.5, 30_000);
        }
    }
}
