//! The keys by which gateways prove themselves: `wbk_<edge>_<256 random bits>`, of which the database keeps the hash alone.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};

const PREFIX: &str = "wbk_";

/// What is random in a key.
#[derive(Clone, PartialEq, Eq)]
pub struct EdgeSecret([u8; 32]);

impl EdgeSecret {
    /// Takes bits that the caller drew at random; 256 of them need no slow hash.
    pub const fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// The key of a gateway, as it is shown this once.
    pub fn reveal(&self, edge: i64) -> String {
        format!("{PREFIX}{edge}_{}", BASE64.encode(self.0))
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
    fn a_key_names_its_gateway_and_is_never_the_same() {
        let secret = EdgeSecret::new([1; 32]);
        assert!(secret.reveal(7).starts_with("wbk_7_"));
        assert_eq!(secret.reveal(7).len(), "wbk_7_".len() + 43);
        assert_ne!(secret.reveal(7), EdgeSecret::new([2; 32]).reveal(7));
        assert_eq!(format!("{secret:?}"), "EdgeSecret");
    }
}
