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
/// Keys remembered before those whose window is over are forgotten.
const REMEMBERED: usize = 50_000;

/// Failed attempts to sign in.
#[derive(Debug, Default)]
pub struct Throttle {
    failures: Mutex<HashMap<Key, VecDeque<Instant>>>,
}

/// Who tries to sign in as whom.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub login: String,
    pub address: IpAddr,
    pub user_agent: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Device(String, IpAddr, String),
    Pair(String, IpAddr),
    Address(IpAddr),
    Login(String),
}

impl Throttle {
    /// Counts an attempt as failed until [`Self::succeeded`] says otherwise, so that a hundred at once are a hundred.
    /// Answers how long to wait where it is not allowed now.
    pub fn begin(&self, attempt: &Attempt, known_device: bool, now: Instant) -> Result<(), Duration> {
        let mut failures = self.failures.lock();
        if failures.len() >= REMEMBERED {
            failures.retain(|_, times| times.back().is_some_and(|last| now.duration_since(*last) < WINDOW));
        }
        let keys = attempt.keys(known_device);
        let wait = keys
            .iter()
            .filter_map(|key| wait(failures.get_mut(key)?, key, now))
            .max();
        if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
            return Err(wait);
        }
        for key in keys {
            failures.entry(key).or_default().push_back(now);
        }
        Ok(())
    }

    /// The password was right: the login's failures from here are forgotten, and this attempt was none.
    pub fn succeeded(&self, attempt: &Attempt, known_device: bool) {
        let mut failures = self.failures.lock();
        for key in attempt.keys(known_device) {
            match key {
                Key::Pair(..) | Key::Device(..) => drop(failures.remove(&key)),
                Key::Address(_) | Key::Login(_) => drop(failures.get_mut(&key).and_then(VecDeque::pop_back)),
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

fn wait(times: &mut VecDeque<Instant>, key: &Key, now: Instant) -> Option<Duration> {
    while times.front().is_some_and(|first| now.duration_since(*first) >= WINDOW) {
        times.pop_front();
    }
    let (first, last) = (*times.front()?, *times.back()?);
    let most = match key {
        Key::Pair(..) | Key::Device(..) => {
            let beyond = u32::try_from(times.len().checked_sub(FREE)?).unwrap_or(u32::MAX);
            let pause = Duration::from_secs(1 << beyond.min(10)).min(WINDOW);
            return Some(pause.saturating_sub(now.duration_since(last)));
        }
        Key::Address(_) => PER_ADDRESS,
        Key::Login(_) => PER_LOGIN,
    };
    (times.len() >= most).then(|| WINDOW.saturating_sub(now.duration_since(first)))
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
            throttle.begin(&attempt("kim", number), false, now).unwrap_or_default();
        }
        assert!(throttle.begin(&attempt("kim", 200), false, now).is_err());
        assert!(throttle.begin(&attempt("kim", 1), true, now).is_ok());
    }

    #[test]
    fn waits_double_and_end_with_the_right_password() {
        let (throttle, mut now) = (Throttle::default(), Instant::now());
        let kim = attempt("kim", 1);
        for _ in 0..FREE {
            throttle.begin(&kim, false, now).unwrap();
        }
        for seconds in [1, 2, 4, 8] {
            let wait = throttle.begin(&kim, false, now).unwrap_err();
            assert_eq!(wait, Duration::from_secs(seconds));
            now += wait;
            throttle.begin(&kim, false, now).unwrap();
        }
        throttle.succeeded(&kim, false);
        throttle.begin(&kim, false, now).unwrap();
    }
}
