//! Refresh tokens: `wbr_<family>_<secret>`, of which the database keeps the hash.
//!
//! A secret is a random half and a half that proves, under a key of the server's, that we made it: a token that somebody
//! made up is told from one that was spent before, whose session is in other hands and has to end.
//!
//! A token's successor is computed from it under the same key. A client that lost the answer and asks again, or fifty that
//! ask at once, therefore get the same successor, and nothing has to be kept for them.

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

/// The key under which tokens are proved and successors computed.
pub struct RefreshKey([u8; 64]);

/// Of a secret, in bytes.
const HALF: usize = 16;

impl RefreshToken {
    /// The first token of a new session.
    pub fn first(key: &RefreshKey) -> Self {
        Self::of(Uuid::from_u128(rand::random()), rand::random(), key)
    }

    /// `None` for a text that is no token which we made under this key.
    pub fn parse(text: &str, key: &RefreshKey) -> Option<Self> {
        let (family, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let family = Uuid::try_parse(family).ok()?;
        let secret: [u8; 2 * HALF] = BASE64.decode(secret).ok()?.try_into().ok()?;
        let (random, proof) = secret.split_at(HALF);
        let mac = key.mac(b"proof", family, random);
        mac.verify_truncated_left(proof).ok()?;
        Some(Self { family, secret })
    }

    fn of(family: Uuid, random: [u8; HALF], key: &RefreshKey) -> Self {
        let mut secret = [0; 2 * HALF];
        secret[..HALF].copy_from_slice(&random);
        secret[HALF..].copy_from_slice(&half(key.mac(b"proof", family, &random)));
        Self { family, secret }
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
    pub fn successor(&self, key: &RefreshKey) -> Self {
        let random = half(key.mac(b"successor", self.family, &self.secret));
        Self::of(self.family, random, key)
    }

    /// The text that the client gets, this once.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}_{}", self.family.simple(), BASE64.encode(self.secret))
    }
}

impl RefreshKey {
    pub fn new(key: [u8; 32]) -> Self {
        let mut block = [0; 64]; // as HMAC pads a short key
        block[..32].copy_from_slice(&key);
        Self(block)
    }

    fn mac(&self, purpose: &[u8], family: Uuid, of: &[u8]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&self.0.into());
        mac.update(purpose);
        mac.update(family.as_bytes());
        mac.update(of);
        mac
    }
}

fn half(mac: Hmac<Sha256>) -> [u8; HALF] {
    let whole: [u8; 2 * HALF] = mac.finalize().into_bytes().into();
    std::array::from_fn(|index| whole[index])
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefreshToken(of {})", self.family)
    }
}

impl fmt::Debug for RefreshKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_as_it_went_out() {
        let key = RefreshKey::new([1; 32]);
        let token = RefreshToken::first(&key);
        assert_eq!(RefreshToken::parse(&token.reveal(), &key), Some(token.clone()));
        assert_ne!(token, RefreshToken::first(&key));
        assert!(!format!("{token:?}").contains(&BASE64.encode(token.secret)));
        for wrong in [
            "",
            "wbr_",
            "wbr_x_y",
            "eyJ.a.b",
            &token.reveal()[..60],
            &format!("{}x", token.reveal()),
        ] {
            assert_eq!(RefreshToken::parse(wrong, &key), None, "{wrong}");
        }
    }

    #[test]
    fn a_token_that_somebody_made_up_is_none_of_ours() {
        let key = RefreshKey::new([1; 32]);
        let token = RefreshToken::first(&key);
        let made_up = RefreshToken {
            family: token.family,
            secret: rand::random(),
        };
        assert_eq!(RefreshToken::parse(&made_up.reveal(), &key), None);
        assert_eq!(RefreshToken::parse(&token.reveal(), &RefreshKey::new([2; 32])), None);
    }

    #[test]
    fn a_token_has_one_successor_under_one_key() {
        let (key, other) = (RefreshKey::new([1; 32]), RefreshKey::new([2; 32]));
        let token = RefreshToken::first(&key);
        let successor = token.successor(&key);
        assert_eq!(successor, token.successor(&key));
        assert_ne!(successor, token.successor(&other));
        assert_ne!(successor, token);
        assert_eq!(successor.family(), token.family());
        assert_eq!(RefreshToken::parse(&successor.reveal(), &key), Some(successor));
    }
}
