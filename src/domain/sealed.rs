//! What of a message in the outbox must not be read where it rests: a temporary password, a stranger's number. It stands
//! encrypted in the payload's member `sealed`, bound to the message's key, and is wiped when the message is settled.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use uuid::Uuid;

use super::phone_vault::{NONCE, PhoneVault, Place, VaultError};

/// Encrypts `text` for the message of `key`. `nonce` is drawn at random by the caller, anew for each call.
pub fn seal(vault: &PhoneVault, key: Uuid, text: &str, nonce: [u8; NONCE]) -> Result<String, VaultError> {
    Ok(STANDARD.encode(vault.seal_text(text, place(key), nonce)?))
}

/// Reads what [`seal`] put into the payload of the message of `key`.
pub fn open(vault: &PhoneVault, key: Uuid, payload: &Value) -> Result<String, VaultError> {
    let sealed = payload["sealed"].as_str().and_then(|text| STANDARD.decode(text).ok());
    vault.open_text(&sealed.ok_or(VaultError::Altered)?, place(key))
}

/// A row has no number before it is written; half of its key is as good.
fn place(key: Uuid) -> Place {
    let (half, _) = key.as_u64_pair();
    Place {
        table: "outbox",
        column: "payload",
        row: half.cast_signed(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_sealed_opens_in_its_own_message_alone() {
        let vault = PhoneVault::new([(1, [1; 32])], [2; 32]).unwrap();
        let (key, other) = (Uuid::from_u128(1 << 70), Uuid::from_u128(2 << 70));
        let payload = json!({ "sealed": seal(&vault, key, "Ab12#456", [3; NONCE]).unwrap() });
        assert_eq!(open(&vault, key, &payload).unwrap(), "Ab12#456");
        assert!(open(&vault, other, &payload).is_err());
        assert!(open(&vault, key, &json!({})).is_err());
        assert!(!payload.to_string().contains("Ab12"));
    }
}
