//! Which passwords are good enough, and the random ones that drivers start with.

use rand::{Rng, RngExt};
use secrecy::SecretString;

/// The longest password that bcrypt reads to its end.
pub const MOST_BYTES: usize = 72;
const LEAST_CHARACTERS: usize = 8;
/// Without letters and digits that look alike: `O0`, `Il1`.
const TEMPORARY: &[u8; 60] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789#%@";
const TEMPORARY_LENGTH: usize = 14;

/// A password that keeps the rules; it never shows itself.
#[derive(Clone, Debug)]
pub struct Password(SecretString);

/// Which rule a password breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("the password is shorter than 8 characters")]
    TooShort,
    #[error("the password is longer than 72 bytes (24 Hangul syllables)")]
    TooLong,
    #[error("the password lacks a letter, a digit or a special character")]
    TooSimple,
    #[error("the password contains a control character")]
    Unprintable,
}

impl Password {
    /// Takes a new password exactly as it was typed: at least 8 characters with a Latin letter, a digit and a special
    /// character, at most 72 bytes. Nothing is ever cut off.
    pub fn parse(text: &str) -> Result<Self, PasswordError> {
        if text.len() > MOST_BYTES {
            return Err(PasswordError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(PasswordError::Unprintable);
        }
        if text.chars().count() < LEAST_CHARACTERS {
            return Err(PasswordError::TooShort);
        }
        let has = |of_kind: fn(char) -> bool| text.chars().any(of_kind);
        let mixed = has(|character| character.is_ascii_alphabetic())
            && has(|character| character.is_ascii_digit())
            && has(|character| !character.is_alphanumeric());
        if mixed {
            Ok(Self(text.into()))
        } else {
            Err(PasswordError::TooSimple)
        }
    }

    /// A random password that keeps the rules, of more than 80 bits.
    pub fn temporary(rng: &mut impl Rng) -> Self {
        loop {
            let text: String = (0..TEMPORARY_LENGTH)
                .map(|_| char::from(TEMPORARY[rng.random_range(0..TEMPORARY.len())]))
                .collect();
            if let Ok(password) = Self::parse(&text) {
                return password;
            }
        }
    }

    /// The text, to be hashed or shown this once.
    pub fn secret(&self) -> &SecretString {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Option<PasswordError>) {
        assert_eq!(Password::parse(text).err(), expect, "{text}");
    }

    #[test]
    fn a_password_mixes_letters_digits_and_special_characters() {
        check("abcd123!", None);
        check("비밀번호a1 !", None);
        check("abc12!", Some(PasswordError::TooShort));
        check("abcdefgh!", Some(PasswordError::TooSimple));
        check("12345678!", Some(PasswordError::TooSimple));
        check("abcd12345", Some(PasswordError::TooSimple));
        check("abcd123!\0", Some(PasswordError::Unprintable));
    }

    #[test]
    fn the_limit_is_72_bytes_and_nothing_is_cut_off() {
        check(&format!("{}a1!", "x".repeat(69)), None);
        check(&format!("{}a1!", "x".repeat(70)), Some(PasswordError::TooLong));
        check(&format!("{}a1!", "가".repeat(23)), None);
        check(&format!("{}a1!", "가".repeat(24)), Some(PasswordError::TooLong));
    }

    #[test]
    fn temporary_passwords_keep_the_rules_and_differ() {
        let first = Password::temporary(&mut rand::rng());
        let second = Password::temporary(&mut rand::rng());
        assert_eq!(first.secret().expose_secret().len(), TEMPORARY_LENGTH);
        assert_ne!(first.secret().expose_secret(), second.secret().expose_secret());
        assert!(!format!("{first:?}").contains(first.secret().expose_secret()));
    }
}
