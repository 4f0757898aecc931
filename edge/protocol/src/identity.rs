//! The random names of the link: epochs, cycles and sessions, 128 bits each, written as 32 lower-case hex digits.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that is not 32 lower-case hex digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 32 lower-case hex digits")]
pub struct NotAnIdentity;

macro_rules! identity {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// Takes bits that the caller drew at random: this crate has no source of chance.
            pub const fn from_bits(bits: u128) -> Self {
                Self(bits)
            }

            pub const fn bits(self) -> u128 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:032x})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = NotAnIdentity;

            fn from_str(text: &str) -> Result<Self, NotAnIdentity> {
                let lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                if text.len() != 32 || !text.bytes().all(lower_hex) {
                    return Err(NotAnIdentity);
                }
                u128::from_str_radix(text, 16).map(Self).map_err(|_| NotAnIdentity)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

identity! {
    /// One life of an edge's buffer file; with a sequence number it names an event for ever.
    Epoch
}
identity! {
    /// One stay on the deck, from zero to zero; made at vehicle-on and kept through rebirth and restart.
    CycleId
}
identity! {
    /// The newest connection of an edge; an older one that still writes is fenced by it.
    LinkSession
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_32_lower_case_hex_digits() {
        let epoch = Epoch::from_bits(0xab);
        assert_eq!(epoch.to_string(), "000000000000000000000000000000ab");
        assert_eq!(epoch.to_string().parse(), Ok(epoch));
        for wrong in [
            "",
            "ab",
            "000000000000000000000000000000AB",
            "+00000000000000000000000000000ab",
        ] {
            assert_eq!(wrong.parse::<Epoch>(), Err(NotAnIdentity), "{wrong}");
        }
    }
}
