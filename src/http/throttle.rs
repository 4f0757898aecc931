//! Guessing passwords gets slow, without locking out the person whose password it is.
//!
//! Failures count for a login from one address, for an address, and for a login from anywhere. A device that signed in
//! before counts for itself alone, so that an attacker elsewhere does not stand in its way.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

const WINDOW: Duration = Duration::from_mins(15);
/// Failures of one login from one address before it has to wait 1, 2, 4 … seconds.
const FREE: usize = 5;
/// Failures of one address, whatever the logins, in a window.
const PER_ADDRESS: usize = 50;
/// Failures of one login, wherever from, in a window; devices that are known are not counted.
const PER_LOGIN: usize = 30;
/// Attempts of one login from one address that may be under way together.
const AT_ONCE: usize = 24;
/// The wait where only attempts under way are in the way.
const SOON: Duration = Duration::from_secs(1);
/// Keys remembered before those whose window is over are forgotten.
const REMEMBERED: usize = 50_000;

/// Failed attempts to sign in, and those under way.
#[derive(Debug, Default)]
pub struct Throttle {
    known: Mutex<HashMap<Key, History>>,
}

/// Who tries to sign in as whom.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub login: String,
    pub address: IpAddr,
    pub user_agent: String,
}

/// An attempt under way. It has failed when this is dropped without [`Try::succeeded`].
#[derive(Debug)]
pub struct Try<'a> {
    throttle: &'a Throttle,
    keys: Vec<Key>,
    began: Instant,
    succeeded: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Device(String, IpAddr, String),
    Pair(String, IpAddr),
    Address(IpAddr),
    Login(String),
}

#[derive(Debug, Default)]
struct History {
    failures: VecDeque<Instant>,
    under_way: usize,
}

impl Throttle {
    /// Begins an attempt, or answers how long to wait where it is not allowed now.
    pub fn begin(&self, attempt: &Attempt, known_device: bool, now: Instant) -> Result<Try<'_>, Duration> {
        let mut known = self.known.lock();
        if known.len() >= REMEMBERED {
            known.retain(|_, history| history.matters(now));
        }
        let keys = attempt.keys(known_device);
        let wait = keys.iter().filter_map(|key| known.get_mut(key)?.wait(key, now)).max();
        if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
            return Err(wait);
        }
        for key in &keys {
            known.entry(key.clone()).or_default().under_way += 1;
        }
        Ok(Try {
            throttle: self,
            keys,
            began: now,
            succeeded: false,
        })
    }
}

impl Try<'_> {
    /// The password was right: what this login failed at from here is forgotten.
    pub fn succeeded(mut self) {
        self.succeeded = true;
    }
}

impl Drop for Try<'_> {
    fn drop(&mut self) {
        let mut known = self.throttle.known.lock();
        for key in &self.keys {
            let Some(history) = known.get_mut(key) else { continue };
            history.under_way = history.under_way.saturating_sub(1);
            match key {
                _ if !self.succeeded => history.failures.push_back(self.began),
                Key::Pair(..) | Key::Device(..) => history.failures.clear(),
                Key::Address(_) | Key::Login(_) => {}
            }
        }
    }
}

impl Attempt {
    fn keys(&self, known_device: bool) -> Vec<Key> {
        if known_device {
            return vec![Key::Device(self.login.clone(), self.address, self.user_agent.clone())];
        }
        vec![
            Key::Pair(self.login.clone(), self.address),
            Key::Address(self.address),
            Key::Login(self.login.clone()),
        ]
    }
}

impl History {
    fn matters(&self, now: Instant) -> bool {
        let recent = |last: &Instant| now.duration_since(*last) < WINDOW;
        self.under_way > 0 || self.failures.back().is_some_and(recent)
    }

    /// How long the next attempt has to wait. Those under way count as if they would fail, so that a hundred at once
    /// are a hundred; a few at once are a person's devices that all sign in.
    fn wait(&mut self, key: &Key, now: Instant) -> Option<Duration> {
        while self
            .failures
            .front()
            .is_some_and(|first| now.duration_since(*first) >= WINDOW)
        {
            self.failures.pop_front();
        }
        let most = match key {
            Key::Pair(..) | Key::Device(..) => return self.growing_wait(now),
            Key::Address(_) => PER_ADDRESS,
            Key::Login(_) => PER_LOGIN,
        };
        if self.failures.len() + self.under_way < most {
            return None;
        }
        let first = self.failures.front();
        Some(first.map_or(SOON, |first| WINDOW.saturating_sub(now.duration_since(*first))))
    }

    fn growing_wait(&self, now: Instant) -> Option<Duration> {
        if self.under_way >= AT_ONCE {
            return Some(SOON);
        }
        let last = self.failures.back()?;
        let beyond = u32::try_from(self.failures.len().checked_sub(FREE)?).unwrap_or(u32::MAX);
        let pause = Duration::from_secs(1 << beyond.min(10)).min(WINDOW);
        Some(pause.saturating_sub(now.duration_since(*last)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(login: &str, last: u8) -> Attempt {
        Attempt {
            login: login.to_owned(),
            address: [203, 0, 113, last].into(),
            user_agent: "browser".to_owned(),
        }
    }

    /// How many of `tries` a second are let through in ten minutes.
    fn verified_in_ten_minutes(tries: usize, attempt: impl Fn(usize) -> Attempt) -> usize {
        let (throttle, start) = (Throttle::default(), Instant::now());
        (0..600 * tries)
            .filter(|number| {
                let now = start + Duration::from_millis((number * 1000 / tries) as u64);
                throttle.begin(&attempt(*number), false, now).is_ok()
            })
            .count()
    }

    #[test]
    fn guessing_one_login_is_slow_from_one_address_and_from_many() {
        assert!(verified_in_ten_minutes(10, |_| attempt("kim", 1)) <= 20);
        assert!(verified_in_ten_minutes(10, |number| attempt("kim", u8::try_from(number % 250).unwrap())) <= 40);
    }

    #[test]
    fn many_at_once_are_many() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let under_way: Vec<_> = (0..100)
            .filter_map(|_| throttle.begin(&attempt("kim", 1), false, now).ok())
            .collect();
        assert_eq!(under_way.len(), AT_ONCE);
        drop(under_way);
        assert!(throttle.begin(&attempt("kim", 1), false, now).unwrap_err() > Duration::from_secs(500));
    }

    #[test]
    fn one_address_cannot_try_many_logins() {
        assert_eq!(
            verified_in_ten_minutes(2, |number| attempt(&format!("u{number}"), 1)),
            PER_ADDRESS
        );
    }

    #[test]
    fn the_owner_signs_in_from_a_known_device_while_others_guess() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..100 {
            drop(throttle.begin(&attempt("kim", number), false, now));
        }
        assert!(throttle.begin(&attempt("kim", 200), false, now).is_err());
        assert!(throttle.begin(&attempt("kim", 1), true, now).is_ok());
    }

    #[test]
    fn waits_double_and_end_with_the_right_password() {
        let (throttle, mut now) = (Throttle::default(), Instant::now());
        let kim = attempt("kim", 1);
        for _ in 0..FREE {
            drop(throttle.begin(&kim, false, now).unwrap());
        }
        for seconds in [1, 2, 4, 8] {
            let wait = throttle.begin(&kim, false, now).unwrap_err();
            assert_eq!(wait, Duration::from_secs(seconds));
            now += wait;
            drop(throttle.begin(&kim, false, now).unwrap());
        }
        now += Duration::from_secs(16);
        throttle.begin(&kim, false, now).unwrap().succeeded();
        throttle.begin(&kim, false, now).unwrap().succeeded();
    }
}
