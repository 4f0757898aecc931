//! Refresh tokens: `wbr_<family>_<secret>`, of which the database keeps the hash.
//!
//! A token's successor is computed from it under a key of the server's. A client that lost the answer and asks again,
//! or fifty that ask at once, therefore get the same successor, and nothing has to be kept for them.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use uuid::Uuid;

const PREFIX: &str = "wbr_";

/// A refresh token.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    family: Uuid,
    secret: [u8; 32],
}

/// The key under which successors are computed.
pub struct SuccessorKey([u8; 64]);

impl RefreshToken {
    /// The first token of a new session.
    pub fn first() -> Self {
        Self {
            family: Uuid::from_u128(rand::random()),
            secret: rand::random(),
        }
    }

    /// `None` for a text that is no token of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let (family, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        Some(Self {
            family: Uuid::try_parse(family).ok()?,
            secret: BASE64.decode(secret).ok()?.try_into().ok()?,
        })
    }

    /// The session it belongs to.
    pub const fn family(&self) -> Uuid {
        self.family
    }

    /// What the database keeps of it.
    pub fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.secret).to_vec()
    }

    /// The token that takes its place.
    pub fn successor(&self, key: &SuccessorKey) -> Self {
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&key.0.into());
        mac.update(self.family.as_bytes());
        mac.update(&self.secret);
        Self {
            family: self.family,
            secret: mac.finalize().into_bytes().into(),
        }
    }

    /// The text that the client gets, this once.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}_{}", self.family.simple(), BASE64.encode(self.secret))
    }
}

impl SuccessorKey {
    pub fn new(key: [u8; 32]) -> Self {
        let mut block = [0; 64]; // as HMAC pads a short key
        block[..32].copy_from_slice(&key);
        Self(block)
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefreshToken(of {})", self.family)
    }
}

impl fmt::Debug for SuccessorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SuccessorKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_as_it_went_out() {
        let token = RefreshToken::first();
        assert_eq!(RefreshToken::parse(&token.reveal()), Some(token.clone()));
        assert_ne!(token, RefreshToken::first());
        assert!(!format!("{token:?}").contains(&BASE64.encode(token.secret)));
        for wrong in [
            "",
            "wbr_",
            "wbr_x_y",
            "eyJ.a.b",
            &token.reveal()[..60],
            &format!("{}x", token.reveal()),
        ] {
            assert_eq!(RefreshToken::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_token_has_one_successor_under_one_key() {
        let token = RefreshToken::first();
        let key = SuccessorKey::new([1; 32]);
        assert_eq!(token.successor(&key), token.successor(&key));
        assert_ne!(token.successor(&key), token.successor(&SuccessorKey::new([2; 32])));
        assert_ne!(token.successor(&key), token);
        assert_eq!(token.successor(&key).family(), token.family());
    }
}
