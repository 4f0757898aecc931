//! Who tries keys: after ten wrong ones within a minute an address has to wait.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

const WRONG: usize = 10;
const WITHIN: Duration = Duration::from_mins(1);
/// Addresses remembered before those that are quiet are forgotten.
const REMEMBERED: usize = 10_000;

/// Wrong keys by address.
#[derive(Debug, Default)]
pub struct Guesses(Mutex<HashMap<IpAddr, Vec<Instant>>>);

impl Guesses {
    /// How long this address has to wait yet.
    pub fn wait(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let mut guesses = self.0.lock();
        let tries = guesses.get_mut(&address)?;
        tries.retain(|at| now.duration_since(*at) < WITHIN);
        let oldest = tries.first().filter(|_| tries.len() >= WRONG)?;
        Some(WITHIN.saturating_sub(now.duration_since(*oldest)))
    }

    /// Notes a wrong key.
    pub fn wrong(&self, address: IpAddr, now: Instant) {
        let mut guesses = self.0.lock();
        if guesses.len() >= REMEMBERED {
            guesses.retain(|_, tries| tries.last().is_some_and(|at| now.duration_since(*at) < WITHIN));
        }
        guesses.entry(address).or_default().push(now);
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
            guesses.wrong(address, start + Duration::from_secs(second));
        }
        assert_eq!(
            guesses.wait(address, start + Duration::from_secs(10)),
            Some(Duration::from_secs(50))
        );
        assert_eq!(guesses.wait(address, start + Duration::from_secs(61)), None);
        assert_eq!(guesses.wait(IpAddr::V4(Ipv4Addr::BROADCAST), start), None);
    }
}
