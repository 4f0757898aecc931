//! Access tokens: who signed them, for whom, until when.

use std::{collections::HashMap, fmt, time::Duration};

use chrono::{DateTime, Utc};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, TokenData, Validation, decode, decode_header, encode,
    errors::ErrorKind, jwk::Jwk,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::role::Role;

/// The kind of token, so that a token made for another purpose is none of ours (RFC 9068).
const KIND: &str = "at+jwt";
/// Clocks of two nodes may differ by this much.
const LEEWAY_SECONDS: u64 = 5;
/// What comes before the 32 bytes of an Ed25519 key in its PKCS #8 form (RFC 8410).
const PKCS8_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// Signs and reads access tokens. The newest key signs, each verifies what names it.
pub struct Tokens {
    issuer: String,
    audience: String,
    lifetime: Duration,
    kid: String,
    signer: EncodingKey,
    verifiers: HashMap<String, DecodingKey>,
}

/// Who names themselves in a token, and what must still be true of them is another question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    pub user: i64,
    /// The login session.
    pub session: Uuid,
    pub role: Role,
    pub expires_at: DateTime<Utc>,
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the access token is not one of ours")]
    Invalid,
    #[error("the access token has expired")]
    Expired,
}

/// Why tokens cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    #[error("there is no token key, expected at least one")]
    NoKey,
    #[error("a token key does not work")]
    Key(#[from] jsonwebtoken::errors::Error),
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: Uuid,
    role: Role,
    iat: i64,
    exp: i64,
}

impl Tokens {
    /// Tokens of `issuer` for `audience`, with Ed25519 seeds by their id.
    pub fn new<'a>(
        issuer: &str,
        audience: &str,
        lifetime: Duration,
        keys: impl IntoIterator<Item = (&'a u16, &'a [u8; 32])>,
    ) -> Result<Self, SigningError> {
        let mut newest = None;
        let mut verifiers = HashMap::new();
        for (id, seed) in keys {
            let signer = EncodingKey::from_ed_der(&[PKCS8_HEAD.as_slice(), seed].concat());
            let public = Jwk::from_encoding_key(&signer, Algorithm::EdDSA)?;
            verifiers.insert(id.to_string(), DecodingKey::from_jwk(&public)?);
            if newest.as_ref().is_none_or(|(newest, _)| newest < id) {
                newest = Some((*id, signer));
            }
        }
        let (kid, signer) = newest.ok_or(SigningError::NoKey)?;
        Ok(Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            lifetime,
            kid: kid.to_string(),
            signer,
            verifiers,
        })
    }

    /// How long a token made now is good for.
    pub const fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// A token for a session of a user.
    pub fn sign(&self, user: i64, role: Role, session: Uuid, now: DateTime<Utc>) -> Result<String, SigningError> {
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: user.to_string(),
            sid: session,
            role,
            iat: now.timestamp(),
            exp: (now + self.lifetime).timestamp(),
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(KIND.to_owned());
        header.kid = Some(self.kid.clone());
        Ok(encode(&header, &claims, &self.signer)?)
    }

    /// Reads a token: its key must be one of ours, its algorithm that key's, its signature right, its kind, issuer and
    /// audience ours, and its time not over.
    pub fn read(&self, token: &str) -> Result<Bearer, TokenError> {
        let header = decode_header(token).map_err(|_| TokenError::Invalid)?;
        let names_a_key_of_its_own =
            header.jku.is_some() || header.jwk.is_some() || header.x5u.is_some() || header.x5c.is_some();
        let of_our_kind = header.typ.as_deref() == Some(KIND) && header.alg == Algorithm::EdDSA;
        if names_a_key_of_its_own || !of_our_kind {
            return Err(TokenError::Invalid);
        }
        let verifier = header
            .kid
            .and_then(|kid| self.verifiers.get(&kid))
            .ok_or(TokenError::Invalid)?;
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.leeway = LEEWAY_SECONDS;
        rules.set_issuer(&[&self.issuer]);
        rules.set_audience(&[&self.audience]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let TokenData { claims, .. } =
            decode::<Claims>(token, verifier, &rules).map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature => TokenError::Expired,
                _ => TokenError::Invalid,
            })?;
        Ok(Bearer {
            user: claims.sub.parse().map_err(|_| TokenError::Invalid)?,
            session: claims.sid,
            role: claims.role,
            expires_at: DateTime::from_timestamp(claims.exp, 0).ok_or(TokenError::Invalid)?,
        })
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens(signing with key {} of {})", self.kid, self.verifiers.len())
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
    use serde_json::{Value, json};

    use super::*;

    const SESSION: Uuid = Uuid::from_u128(7);

    fn tokens(keys: &[u16]) -> Tokens {
        let seeds: Vec<(u16, [u8; 32])> = keys.iter().map(|id| (*id, [u8::try_from(*id).unwrap(); 32])).collect();
        Tokens::new(
            "weighbridge",
            "api",
            Duration::from_hours(1),
            seeds.iter().map(|(id, seed)| (id, seed)),
        )
        .unwrap()
    }

    fn good() -> String {
        tokens(&[1]).sign(42, Role::Staff, SESSION, Utc::now()).unwrap()
    }

    /// The good token with its header and claims changed, its signature left as it was.
    fn altered(header: impl Fn(&mut Value), claims: impl Fn(&mut Value)) -> String {
        let token = good();
        let parts: Vec<&str> = token.split('.').collect();
        let change = |part: &str, change: &dyn Fn(&mut Value)| {
            let mut value: Value = serde_json::from_slice(&BASE64.decode(part).unwrap()).unwrap();
            change(&mut value);
            BASE64.encode(value.to_string())
        };
        format!(
            "{}.{}.{}",
            change(parts[0], &header),
            change(parts[1], &claims),
            parts[2]
        )
    }

    #[test]
    fn a_token_says_who_bears_it() {
        let bearer = tokens(&[1]).read(&good()).unwrap();
        assert_eq!((bearer.user, bearer.role, bearer.session), (42, Role::Staff, SESSION));
    }

    #[test]
    fn forged_tokens_are_all_refused_alike() {
        let same = |_: &mut Value| ();
        let forged = [
            String::new(),
            "a.b.c".to_owned(),
            altered(|header| header["alg"] = json!("none"), same),
            altered(|header| header["alg"] = json!("None"), same),
            altered(|header| header["alg"] = json!("HS256"), same),
            altered(|header| header["alg"] = json!("RS256"), same),
            altered(|header| header["kid"] = json!("../../dev/null"), same),
            altered(|header| header["kid"] = json!("' OR 1=1"), same),
            altered(|header| header["kid"] = json!("2"), same),
            altered(|header| drop(header.as_object_mut().unwrap().remove("kid")), same),
            altered(|header| header["jku"] = json!("http://127.0.0.1/keys"), same),
            altered(|header| header["typ"] = json!("JWT"), same),
            altered(same, |claims| claims["sub"] = json!("1")),
            altered(same, |claims| claims["role"] = json!("ADMIN")),
            altered(same, |claims| claims["exp"] = json!("9999999999")),
            format!("{}x", good()),
            good().rsplit_once('.').map(|(signed, _)| format!("{signed}.")).unwrap(),
            tokens(&[2]).sign(42, Role::Staff, SESSION, Utc::now()).unwrap(),
        ];
        for token in forged {
            assert_eq!(tokens(&[1]).read(&token), Err(TokenError::Invalid), "{token}");
        }
    }

    #[test]
    fn a_token_ends_and_is_for_one_issuer_and_audience() {
        let long_ago = Utc::now() - Duration::from_hours(2);
        let old = tokens(&[1]).sign(42, Role::Staff, SESSION, long_ago).unwrap();
        assert_eq!(tokens(&[1]).read(&old), Err(TokenError::Expired));
        let key = [(1, [1; 32])];
        for (issuer, audience) in [("other", "api"), ("weighbridge", "other")] {
            let keys = key.iter().map(|(id, seed)| (id, seed));
            let other = Tokens::new(issuer, audience, Duration::from_hours(1), keys).unwrap();
            let token = other.sign(42, Role::Staff, SESSION, Utc::now()).unwrap();
            assert_eq!(
                tokens(&[1]).read(&token),
                Err(TokenError::Invalid),
                "{issuer} {audience}"
            );
        }
    }

    #[test]
    fn a_token_of_the_key_before_still_counts() {
        assert!(tokens(&[1, 2]).read(&good()).is_ok());
        let anew = tokens(&[1, 2]).sign(42, Role::Staff, SESSION, Utc::now()).unwrap();
        assert_eq!(tokens(&[1]).read(&anew), Err(TokenError::Invalid));
    }
}
