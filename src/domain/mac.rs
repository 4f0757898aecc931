//! HMAC-SHA-256 (RFC 2104), by which a text is signed with a secret, and found again by one.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The code of what `parts` are together. A key of any length is one.
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // A longer key is hashed and a shorter one padded with zeros; done here, no error is left to handle.
    let mut block = [0; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(key: &[u8], parts: &[&[u8]], expect: &str) {
        let bytes = (0..expect.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&expect[at..at + 2], 16));
        let expect: Vec<u8> = bytes.collect::<Result<_, _>>().unwrap();
        assert_eq!(hmac_sha256(key, parts).to_vec(), expect);
    }

    #[test]
    fn keys_of_any_length_sign_as_published() {
        // RFC 4231, test cases 2 and 6.
        let expect = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        check(b"Jefe", &[b"what do ya want for nothing?"], expect);
        check(b"Jefe", &[b"what do ya want ", b"for nothing?"], expect);
        check(
            &[0xaa; 131],
            &[b"Test Using Larger Than Block-Size Key - Hash Key First"],
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        );
    }
}
