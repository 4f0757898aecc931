//! The keys by which gateways prove themselves: `wbk_<edge>_<256 random bits>`, of which the database keeps a hash.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use sha2::{Digest, Sha256};

const PREFIX: &str = "wbk_";

/// What is random in a key.
#[derive(Clone, PartialEq, Eq)]
pub struct EdgeSecret([u8; 32]);

/// A key as a gateway presents it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeKey {
    /// The gateway that it claims to be of.
    pub edge: i64,
    pub secret: EdgeSecret,
}

impl EdgeSecret {
    /// A new one; 256 random bits need no slow hash.
    pub fn random() -> Self {
        Self(rand::random())
    }

    /// What the database keeps.
    pub fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.0).to_vec()
    }

    /// The key of a gateway, as it is shown this once.
    pub fn reveal(&self, edge: i64) -> String {
        format!("{PREFIX}{edge}_{}", BASE64.encode(self.0))
    }
}

impl EdgeKey {
    /// `None` for a text that is no key.
    pub fn parse(text: &str) -> Option<Self> {
        let (edge, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let secret = BASE64.decode(secret).ok()?.try_into().ok()?;
        Some(Self {
            edge: edge.parse().ok()?,
            secret: EdgeSecret(secret),
        })
    }
}

impl fmt::Debug for EdgeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EdgeSecret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_gateway_and_comes_back_as_it_went_out() {
        let secret = EdgeSecret::random();
        let text = secret.reveal(7);
        let key = EdgeKey::parse(&text).unwrap();
        assert_eq!((key.edge, key.secret.hash()), (7, secret.hash()));
        assert_ne!(EdgeSecret::random(), secret);
        for wrong in ["", "wbk_", "wbk_7", "wbk_x_y", &text[..20], &format!("{text}x")] {
            assert_eq!(EdgeKey::parse(wrong), None, "{wrong}");
        }
    }
}
