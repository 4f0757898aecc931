//! How many requests one client may make: a sliding window that is exact, so that no window ever holds more.

use std::{
    collections::{HashMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    net::IpAddr,
    time::{Duration, Instant},
};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::Mutex;

const SHARDS: usize = 16;
/// Clients remembered in one shard before those that fell silent are forgotten.
const CLIENTS: usize = 4096;

/// Who is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    User(i64),
    /// Where nobody is signed in; see [`super::rules::client_network`].
    Address(IpAddr),
}

/// The limit of all clients.
#[derive(Debug)]
pub struct RateLimit {
    /// 0 means none.
    requests: usize,
    window: Duration,
    shards: [Mutex<HashMap<Client, VecDeque<Instant>>>; SHARDS],
}

/// What a client has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Requests left now; `None` where this one was too many.
    pub left: Option<usize>,
    /// Until one more is allowed.
    pub wait: Duration,
}

impl RateLimit {
    /// At most `requests` in any `window`; 0 means no limit.
    pub fn new(requests: usize, window: Duration) -> Self {
        Self {
            requests,
            window,
            shards: Default::default(),
        }
    }

    /// Counts a request of `client` at `now`, unless it is too many: what was refused does not count. `None` without a
    /// limit.
    pub fn take(&self, client: Client, now: Instant) -> Option<Allowance> {
        if self.requests == 0 {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        client.hash(&mut hasher);
        let shard = usize::try_from(hasher.finish() % SHARDS as u64).unwrap_or_default();
        let mut clients = self.shards[shard].lock();
        if clients.len() >= CLIENTS && !clients.contains_key(&client) {
            clients.retain(|_, times| times.back().is_some_and(|last| now.duration_since(*last) < self.window));
        }
        let times = clients.entry(client).or_default();
        while times
            .front()
            .is_some_and(|first| now.duration_since(*first) >= self.window)
        {
            times.pop_front();
        }
        let wait = |times: &VecDeque<Instant>| {
            times.front().map_or(Duration::ZERO, |first| {
                self.window.saturating_sub(now.duration_since(*first))
            })
        };
        if times.len() >= self.requests {
            return Some(Allowance {
                left: None,
                wait: wait(times),
            });
        }
        times.push_back(now);
        Some(Allowance {
            left: Some(self.requests - times.len()),
            wait: wait(times),
        })
    }

    /// Says in `headers` what the client has left, as draft-ietf-httpapi-ratelimit-headers has it.
    pub fn tell(&self, allowance: Allowance, headers: &mut HeaderMap) {
        let window = self.window.as_secs().max(1);
        let policy = format!("\"default\";q={};w={window}", self.requests);
        let left = allowance.left.unwrap_or(0);
        let rest = format!("\"default\";r={left};t={}", allowance.wait.as_secs_f64().ceil());
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", rest)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOW: Duration = Duration::from_mins(1);
    const CLIENT: Client = Client::User(1);

    #[test]
    fn the_hundred_and_first_request_waits_and_then_succeeds() {
        let limit = RateLimit::new(100, WINDOW);
        let start = Instant::now();
        for number in 0..100 {
            let allowed = limit.take(CLIENT, start + Duration::from_millis(number)).unwrap();
            assert!(allowed.left.is_some(), "{number}");
        }
        let now = start + Duration::from_secs(1);
        let refused = limit.take(CLIENT, now).unwrap();
        assert_eq!(refused.left, None);
        assert_eq!(limit.take(CLIENT, now + refused.wait).unwrap().left, Some(0));
        assert!(
            limit.take(Client::User(2), now).unwrap().left.is_some(),
            "others are not affected"
        );
    }

    #[test]
    fn headers_tell_what_is_left() {
        let limit = RateLimit::new(100, WINDOW);
        let mut headers = HeaderMap::new();
        let allowance = limit.take(CLIENT, Instant::now()).unwrap();
        limit.tell(allowance, &mut headers);
        assert_eq!(headers.get("ratelimit-policy").unwrap(), "\"default\";q=100;w=60");
        assert_eq!(headers.get("ratelimit").unwrap(), "\"default\";r=99;t=60");
    }

    proptest! {
        #[test]
        fn no_window_ever_holds_more_than_the_limit(pauses in prop::collection::vec(0_u64..900, 1..200)) {
            let limit = RateLimit::new(5, Duration::from_secs(1));
            let mut now = Instant::now();
            let mut allowed = Vec::new();
            for pause in pauses {
                now += Duration::from_millis(pause);
                if limit.take(CLIENT, now).is_some_and(|allowance| allowance.left.is_some()) {
                    allowed.push(now);
                }
            }
            for six in allowed.windows(6) {
                prop_assert!(six[5] - six[0] >= Duration::from_secs(1));
            }
        }
    }
}
