//! Who tries keys: after ten wrong ones within a minute an address has to wait with the next wrong one.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

const WRONG: usize = 10;
const WITHIN: Duration = Duration::from_mins(1);
/// How long a key that was found wrong counts as wrong without asking again: its edge may come into use.
const WRONG_FOR: Duration = Duration::from_secs(5);
/// Addresses remembered before those that are quiet are forgotten, and wrong keys before all are.
const REMEMBERED: usize = 10_000;

/// Wrong keys by address.
#[derive(Debug, Default)]
pub struct Guesses {
    tries: Mutex<HashMap<IpAddr, Vec<Instant>>>,
    /// When a key's hash was found wrong, and where it came from.
    wrong: Mutex<HashMap<(IpAddr, [u8; 32]), Instant>>,
}

impl Guesses {
    /// How long this address has to wait yet before it may be wrong again.
    pub fn wait(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let mut guesses = self.tries.lock();
        let tries = guesses.get_mut(&address)?;
        tries.retain(|at| now.duration_since(*at) < WITHIN);
        let oldest = tries.first().filter(|_| tries.len() >= WRONG)?;
        Some(WITHIN.saturating_sub(now.duration_since(*oldest)))
    }

    /// Notes a wrong key. Answers how long the address has to wait, if it has been wrong too often before.
    pub fn wrong(&self, address: IpAddr, key_hash: Option<[u8; 32]>, now: Instant) -> Option<Duration> {
        if let Some(key_hash) = key_hash {
            let mut wrong = self.wrong.lock();
            if wrong.len() >= REMEMBERED {
                wrong.clear();
            }
            wrong.insert((address, key_hash), now);
        }
        // What waits is not counted, or who never stops would never be heard again.
        if let Some(wait) = self.wait(address, now) {
            return Some(wait);
        }
        let mut guesses = self.tries.lock();
        if guesses.len() >= REMEMBERED {
            guesses.retain(|_, tries| tries.last().is_some_and(|at| now.duration_since(*at) < WITHIN));
        }
        guesses.entry(address).or_default().push(now);
        None
    }

    /// Whether this key was wrong a moment ago, so that the database need not be asked.
    pub fn was_wrong_of_late(&self, address: IpAddr, key_hash: [u8; 32], now: Instant) -> bool {
        let wrong = self.wrong.lock();
        wrong
            .get(&(address, key_hash))
            .is_some_and(|at| now.duration_since(*at) < WRONG_FOR)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn the_eleventh_try_of_a_minute_waits_until_the_first_is_over() {
        let (guesses, address, start) = (Guesses::default(), IpAddr::V4(Ipv4Addr::LOCALHOST), Instant::now());
        for second in 0..10 {
            assert_eq!(guesses.wait(address, start), None);
            let at = start + Duration::from_secs(second);
            assert_eq!(guesses.wrong(address, None, at), None);
        }
        let more = guesses.wrong(address, None, start + Duration::from_secs(9));
        assert_eq!(more, Some(Duration::from_secs(51)), "and is not counted");
        assert_eq!(
            guesses.wait(address, start + Duration::from_secs(10)),
            Some(Duration::from_secs(50))
        );
        assert_eq!(guesses.wait(address, start + Duration::from_secs(61)), None);
        assert_eq!(guesses.wait(IpAddr::V4(Ipv4Addr::BROADCAST), start), None);
    }

    #[test]
    fn a_wrong_key_is_wrong_for_a_moment_where_it_came_from() {
        let (guesses, address, start) = (Guesses::default(), IpAddr::V4(Ipv4Addr::LOCALHOST), Instant::now());
        guesses.wrong(address, Some([1; 32]), start);
        let late =
            |address, key, seconds| guesses.was_wrong_of_late(address, [key; 32], start + Duration::from_secs(seconds));
        assert!(late(address, 1, 4));
        assert!(!late(address, 1, 5));
        assert!(!late(address, 2, 0));
        assert!(!late(IpAddr::V4(Ipv4Addr::BROADCAST), 1, 0));
    }
}
