//! How phone numbers rest in the database: encrypted under a key that the ciphertext names, bound to their row, and
//! found again by a keyed hash.
//!
//! A sealed number is `01 | key id (2 bytes) | nonce (12) | ciphertext | tag (16)`, AES-256-GCM. The authenticated
//! data are table, column, row and key, so a ciphertext that is moved to another row no longer opens.

use std::{collections::BTreeMap, fmt};

use super::{mac::hmac_sha256, phone::Phone};
use aes_gcm::{
    Aes256Gcm, Key, Nonce,
    aead::{Aead, KeyInit, Payload},
};

const VERSION: u8 = 1;
pub const NONCE: usize = 12;

/// Seals and opens phone numbers. Old keys open; the one with the greatest id seals.
pub struct PhoneVault {
    ciphers: BTreeMap<u16, Aes256Gcm>,
    index_key: [u8; 32],
}

/// The place in the database that a sealed number belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub table: &'static str,
    pub column: &'static str,
    pub row: i64,
}

/// Why a number cannot be sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    #[error("there is no phone key, expected at least one")]
    NoKey,
    #[error("phone key {0} is not among the keys; restore it from the backup of data_dir/keys")]
    UnknownKey(u16),
    #[error("a sealed text was altered, or stands in a row that is not its own")]
    Altered,
}

impl PhoneVault {
    /// A vault with `keys` by their id, and the key of the blind index.
    pub fn new(keys: impl IntoIterator<Item = (u16, [u8; 32])>, index_key: [u8; 32]) -> Result<Self, VaultError> {
        let ciphers: BTreeMap<u16, Aes256Gcm> = keys
            .into_iter()
            .map(|(id, key)| (id, Aes256Gcm::new(&Key::<Aes256Gcm>::from(key))))
            .collect();
        if ciphers.is_empty() {
            return Err(VaultError::NoKey);
        }
        Ok(Self { ciphers, index_key })
    }

    /// Encrypts `phone` for its `place`. `nonce` is drawn at random by the caller, anew for each call.
    pub fn seal(&self, phone: &Phone, place: Place, nonce: [u8; NONCE]) -> Result<Vec<u8>, VaultError> {
        self.seal_text(phone.digits(), place, nonce)
    }

    /// The same for another text that must not be read where it rests.
    pub fn seal_text(&self, text: &str, place: Place, nonce: [u8; NONCE]) -> Result<Vec<u8>, VaultError> {
        let (id, cipher) = self.ciphers.last_key_value().ok_or(VaultError::NoKey)?;
        let bound = place.bound_to(*id);
        let message = Payload {
            msg: text.as_bytes(),
            aad: bound.as_bytes(),
        };
        let ciphertext = cipher
            .encrypt(&Nonce::from(nonce), message)
            .map_err(|_| VaultError::Altered)?;
        Ok([&[VERSION][..], &id.to_be_bytes(), &nonce, &ciphertext].concat())
    }

    /// Decrypts what [`Self::seal`] made for the same `place`.
    pub fn open(&self, sealed: &[u8], place: Place) -> Result<Phone, VaultError> {
        let digits = self.open_text(sealed, place)?;
        Phone::parse(&digits).map_err(|_| VaultError::Altered)
    }

    /// Decrypts what [`Self::seal_text`] made for the same `place`.
    pub fn open_text(&self, sealed: &[u8], place: Place) -> Result<String, VaultError> {
        let [VERSION, high, low, rest @ ..] = sealed else {
            return Err(VaultError::Altered);
        };
        let id = u16::from_be_bytes([*high, *low]);
        let cipher = self.ciphers.get(&id).ok_or(VaultError::UnknownKey(id))?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE>().ok_or(VaultError::Altered)?;
        let bound = place.bound_to(id);
        let message = Payload {
            msg: ciphertext,
            aad: bound.as_bytes(),
        };
        let text = cipher
            .decrypt(&Nonce::from(*nonce), message)
            .map_err(|_| VaultError::Altered)?;
        String::from_utf8(text).map_err(|_| VaultError::Altered)
    }

    /// The keyed hash by which a number is found without being decrypted.
    pub fn index(&self, phone: &Phone) -> [u8; 32] {
        self.index_text(&phone.e164())
    }

    /// The same of another text.
    pub fn index_text(&self, text: &str) -> [u8; 32] {
        hmac_sha256(&self.index_key, &[text.as_bytes()])
    }
}

impl fmt::Debug for PhoneVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhoneVault(keys {:?})", self.ciphers.keys())
    }
}

impl Place {
    fn bound_to(self, key: u16) -> String {
        format!("{}|{}|{}|{key}", self.table, self.column, self.row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: Place = Place {
        table: "driver",
        column: "phone",
        row: 7,
    };

    fn vault(ids: &[u8]) -> PhoneVault {
        PhoneVault::new(ids.iter().map(|id| (u16::from(*id), [*id; 32])), [9; 32]).unwrap()
    }

    fn phone() -> Phone {
        Phone::parse("010-1234-5678").unwrap()
    }

    #[test]
    fn the_same_number_sealed_twice_looks_different_and_opens_the_same() {
        let vault = vault(&[1]);
        let (first, second) = (
            vault.seal(&phone(), ROW, rand::random()).unwrap(),
            vault.seal(&phone(), ROW, rand::random()).unwrap(),
        );
        assert_ne!(first, second);
        assert_eq!(vault.open(&first, ROW), Ok(phone()));
        assert_eq!(vault.open(&second, ROW), Ok(phone()));
    }

    #[test]
    fn a_single_flipped_bit_is_an_error() {
        let vault = vault(&[1]);
        let sealed = vault.seal(&phone(), ROW, rand::random()).unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut altered = sealed.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(vault.open(&altered, ROW).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_number_that_was_moved_to_another_row_does_not_open() {
        let vault = vault(&[1]);
        let sealed = vault.seal(&phone(), ROW, rand::random()).unwrap();
        assert_eq!(vault.open(&sealed, Place { row: 8, ..ROW }), Err(VaultError::Altered));
    }

    #[test]
    fn old_keys_open_and_the_newest_seals() {
        let sealed = vault(&[1]).seal(&phone(), ROW, rand::random()).unwrap();
        let rotated = vault(&[1, 2]);
        assert_eq!(rotated.open(&sealed, ROW), Ok(phone()));
        let anew = rotated.seal(&phone(), ROW, rand::random()).unwrap();
        assert_eq!(vault(&[1]).open(&anew, ROW), Err(VaultError::UnknownKey(2)));
    }

    #[test]
    fn a_number_is_found_by_its_keyed_hash() {
        let written_otherwise = Phone::parse("+82 10 1234 5678").unwrap();
        assert_eq!(vault(&[1]).index(&phone()), vault(&[2]).index(&written_otherwise));
        let other = PhoneVault::new([(1, [1; 32])], [8; 32]).unwrap();
        assert_ne!(vault(&[1]).index(&phone()), other.index(&phone()));
    }
}
