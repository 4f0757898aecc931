//! An access token of somebody else's service: asked for once, kept, and renewed before it ends.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::Mutex;

/// A token without a word about its life counts for so long.
const UNSAID_LIFE: Duration = Duration::from_mins(5);
/// Whatever a service says: a token that it takes back sooner is refused, and asked for anew.
const LIVES: (Duration, Duration) = (Duration::from_secs(30), Duration::from_hours(24));

/// A token as it is given.
#[derive(Debug)]
pub struct Granted {
    pub token: String,
    pub lives: Duration,
}

/// Reads `expires_in` as RFC 6749 has it, in seconds, and as some write it, in quotes. Nonsense is cut to what is sane.
pub fn life(expires_in: Option<&Value>) -> Duration {
    let Some(said) = expires_in.filter(|said| !said.is_null()) else {
        return UNSAID_LIFE;
    };
    let seconds = said.as_f64().or_else(|| said.as_str()?.trim().parse().ok());
    let (shortest, longest) = LIVES;
    match seconds.map(Duration::try_from_secs_f64) {
        Some(Ok(life)) => life.clamp(shortest, longest),
        // Below zero, or beyond all reckoning.
        Some(Err(_)) if seconds.is_some_and(|seconds| seconds > 0.0) => longest,
        Some(Err(_)) => shortest,
        None => UNSAID_LIFE,
    }
}

/// Keeps one. Whoever comes while it is being asked for waits for the same answer.
#[derive(Debug, Default)]
pub struct TokenCache {
    kept: Mutex<Option<Kept>>,
}

#[derive(Debug)]
struct Kept {
    token: String,
    /// At nine tenths of its life.
    renew_at: Instant,
    ends_at: Instant,
}

impl TokenCache {
    /// The token that counts now. `ask` is called where there is none, or where its time is nearly over; if it fails then,
    /// the old one still serves until its end.
    pub async fn get<E>(&self, ask: impl AsyncFnOnce() -> Result<Granted, E>) -> Result<String, E> {
        self.get_at(Instant::now(), ask).await
    }

    async fn get_at<E>(&self, now: Instant, ask: impl AsyncFnOnce() -> Result<Granted, E>) -> Result<String, E> {
        let mut kept = self.kept.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| now < kept.renew_at) {
            return Ok(kept.token.clone());
        }
        match (ask().await, kept.as_ref().filter(|kept| now < kept.ends_at)) {
            (Ok(granted), _) => {
                let fresh = Kept {
                    token: granted.token,
                    renew_at: now + granted.lives.mul_f64(0.9),
                    ends_at: now + granted.lives,
                };
                Ok(kept.insert(fresh).token.clone())
            }
            (Err(_), Some(old)) => Ok(old.token.clone()),
            (Err(error), None) => Err(error),
        }
    }

    /// The service did not take this token: the next caller asks for another, unless one has done so.
    pub async fn forget(&self, refused: &str) {
        self.kept.lock().await.take_if(|kept| kept.token == refused);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        sync::atomic::{AtomicU32, Ordering},
    };

    use futures_util::future::join_all;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    async fn get(cache: &TokenCache, asked: &AtomicU32, now: Instant) -> String {
        let ask = async || {
            let number = asked.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            let token = format!("token {number}");
            Ok::<_, Infallible>(Granted { token, lives: HOUR })
        };
        let Ok(token) = cache.get_at(now, ask).await;
        token
    }

    #[test]
    fn a_life_is_read_in_seconds_and_cut_to_what_is_sane() {
        for (said, seconds) in [
            ("3599", 3599),
            ("\"3599\"", 3599),
            ("3599.5", 3599),
            ("null", 300),
            ("\"soon\"", 300),
            ("0", 30),
            ("-1", 30),
            ("86401", 86400),
            ("18446744073709551615", 86400),
            ("1e300", 86400),
            ("-1e300", 30),
        ] {
            let said: Value = serde_json::from_str(said).unwrap();
            assert_eq!(life(Some(&said)).as_secs(), seconds, "{said}");
        }
        assert_eq!(life(None).as_secs(), 300);
    }

    #[tokio::test]
    async fn many_who_come_at_once_ask_once() {
        let (cache, asked, now) = (TokenCache::default(), AtomicU32::new(0), Instant::now());
        let tokens = join_all((0..50).map(|_| get(&cache, &asked, now))).await;
        assert!(tokens.iter().all(|token| token == "token 0"));
        cache.forget("token 9").await;
        assert_eq!(get(&cache, &asked, now).await, "token 0");
        cache.forget("token 0").await;
        assert_eq!(get(&cache, &asked, now).await, "token 1");
    }

    #[tokio::test]
    async fn it_is_renewed_at_nine_tenths_and_the_old_one_serves_while_that_fails() {
        let (cache, asked, now) = (TokenCache::default(), AtomicU32::new(0), Instant::now());
        assert_eq!(get(&cache, &asked, now).await, "token 0");
        assert_eq!(get(&cache, &asked, now + HOUR.mul_f64(0.89)).await, "token 0");
        let failing = async || Err::<Granted, _>("away");
        let nearly_over = now + HOUR.mul_f64(0.91);
        assert_eq!(cache.get_at(nearly_over, failing).await, Ok("token 0".to_owned()));
        assert_eq!(get(&cache, &asked, nearly_over).await, "token 1");
        assert_eq!(cache.get_at(nearly_over + HOUR, failing).await, Err("away"));
    }
}
