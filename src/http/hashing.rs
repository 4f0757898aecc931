//! bcrypt without starving the rest: a few at once, a short queue, and the same work whether a login exists or not.

use std::sync::Arc;

use actix_web::rt::task::spawn_blocking;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::{code::Code, error::ApiError};
use crate::domain::password::{MOST_BYTES, Password};

/// Attempts that may wait; those beyond are told to come back.
const QUEUE: usize = 32;
/// How long that takes at the usual cost.
const RETRY: std::time::Duration = std::time::Duration::from_secs(2);

/// Hashes and verifies passwords.
#[derive(Debug)]
pub struct Hasher {
    cost: u32,
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
}

impl Hasher {
    /// At bcrypt's `cost`, at most `at_once` at the same time.
    pub fn new(cost: u32, at_once: usize) -> Self {
        Self {
            cost,
            running: Arc::new(Semaphore::new(at_once)),
            admitted: Arc::new(Semaphore::new(at_once + QUEUE)),
        }
    }

    /// The hash of a new password.
    pub async fn hash(&self, password: &Password) -> Result<String, ApiError> {
        let (password, cost) = (password.secret().clone(), self.cost);
        self.on_a_thread(move || bcrypt::hash(password.expose_secret(), cost))
            .await?
            .map_err(ApiError::internal)
    }

    /// Whether `password`, exactly as it was sent, is the one of `hash`. Without a hash the answer is no, after the same
    /// work.
    pub async fn verify(&self, password: SecretString, hash: Option<String>) -> Result<bool, ApiError> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| nobodys_hash(self.cost));
        let matches = self
            .on_a_thread(move || {
                let bytes = password.expose_secret().as_bytes();
                // bcrypt reads 72 bytes: a longer text must not match by its beginning.
                let fits = bytes.len() <= MOST_BYTES;
                bcrypt::verify(&bytes[..bytes.len().min(MOST_BYTES)], &hash).map(|matches| matches && fits)
            })
            .await?
            .map_err(ApiError::internal)?;
        Ok(matches && known)
    }

    async fn on_a_thread<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
        let busy = |_| ApiError::new(Code::Unavailable).retry_after(RETRY);
        let admitted = self.admitted.clone().try_acquire_owned().map_err(busy)?;
        let running = self.running.clone().acquire_owned().await.map_err(ApiError::internal)?;
        let done = spawn_blocking(move || {
            // Held by the work, not by the request: a client that hangs up does not make room for another.
            let _held = (admitted, running);
            work()
        });
        done.await.map_err(ApiError::internal)
    }
}

/// A well-formed hash of the same cost that no password is known for; a malformed one would be refused at once, and so
/// tell that the login does not exist.
fn nobodys_hash(cost: u32) -> String {
    format!("$2b${cost:02}$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01232")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: u32 = 4;

    #[actix_web::test]
    async fn a_password_is_verified_exactly_as_sent() {
        let hasher = Hasher::new(CHEAP, 2);
        let long = format!("{}a1!", "x".repeat(69));
        let hash = hasher.hash(&Password::parse(&long).unwrap()).await.unwrap();
        assert!(hasher.verify(long.clone().into(), Some(hash.clone())).await.unwrap());
        for other in [
            format!("{long}A"),
            format!("{long}B"),
            long[..71].to_owned(),
            String::new(),
        ] {
            assert!(!hasher.verify(other.into(), Some(hash.clone())).await.unwrap());
        }
        assert!(!hasher.verify(long.into(), None).await.unwrap());
    }

    #[actix_web::test]
    async fn what_finds_no_place_in_the_queue_is_told_to_come_back() {
        let hasher = Hasher::new(10, 1);
        let attempts = (0..QUEUE + 5).map(|_| hasher.verify("wrong".into(), None));
        let answers = futures_util::future::join_all(attempts).await;
        let refused = answers.iter().filter(|answer| answer.is_err()).count();
        assert_eq!(refused, 4);
    }

    #[test]
    fn nobodys_hash_is_well_formed_at_every_cost() {
        for cost in [4, 12, 31] {
            assert_eq!(
                nobodys_hash(cost).parse::<bcrypt::HashParts>().unwrap().get_cost(),
                cost
            );
        }
        assert!(!bcrypt::verify("", &nobodys_hash(CHEAP)).unwrap());
    }
}
