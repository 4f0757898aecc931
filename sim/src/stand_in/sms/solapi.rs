//! SOLAPI: `Authorization: HMAC-SHA256 apiKey=…, date=…, salt=…, signature=…`, the signature in hex over date and salt.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Customer, hmac, is_number, text};
use crate::stand_in::http::{Answer, Request};

const SKEW: TimeDelta = TimeDelta::minutes(15);

/// See the file's head.
#[derive(Debug)]
pub struct Solapi {
    customer: Customer,
    /// A signature counts once.
    spent: Mutex<HashSet<String>>,
}

type Refusal = (u16, &'static str, &'static str);

impl Solapi {
    pub fn new(customer: Customer) -> Self {
        Self {
            customer,
            spent: Mutex::default(),
        }
    }

    pub fn send(&self, request: &Request) -> Answer {
        let taken = self.authorise(request).and_then(|()| self.take(request));
        match taken {
            Ok(message) => message,
            Err((status, code, why)) => Answer::new(status, json!({ "errorCode": code, "errorMessage": why })),
        }
    }

    fn authorise(&self, request: &Request) -> Result<(), Refusal> {
        let missing = (
            401,
            "Unauthorized",
            "the Authorization header is missing or not as described",
        );
        let parts = request
            .header("authorization")
            .and_then(|value| value.strip_prefix("HMAC-SHA256 "));
        let parts = parts.ok_or(missing)?;
        let part = |name: &str| {
            let mut pairs = parts.split(',').filter_map(|pair| pair.trim().split_once('='));
            pairs
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value)
                .ok_or(missing)
        };
        let (key, date, salt, signature) = (part("apiKey")?, part("date")?, part("salt")?, part("signature")?);
        if key != self.customer.key {
            return Err((403, "InvalidAPIKey", "the key is not known"));
        }
        if !(12..=64).contains(&salt.len()) {
            return Err((400, "ValidationError", "salt has 12 to 64 characters"));
        }
        let at = DateTime::parse_from_rfc3339(date).map_err(|_| (400, "ValidationError", "date is not ISO 8601"))?;
        if (Utc::now() - at.to_utc()).abs() > SKEW {
            return Err((403, "RequestTimeTooSkewed", "date is more than 15 minutes off"));
        }
        let expected = hmac(&self.customer.secret, &format!("{date}{salt}")).map(|bytes| hex(&bytes));
        if expected.as_deref() != Some(signature) {
            return Err((403, "SignatureDoesNotMatch", "the signature does not match"));
        }
        if !self.spent.lock().insert(signature.to_owned()) {
            return Err((403, "DuplicatedSignature", "the signature was used before"));
        }
        Ok(())
    }

    fn take(&self, request: &Request) -> Result<Answer, Refusal> {
        let invalid = |why| (400, "ValidationError", why);
        let body = request
            .json()
            .filter(|_| request.is_json())
            .ok_or(invalid("the body is no JSON"))?;
        let message = &body["message"];
        let word = |name: &str| message[name].as_str();
        let to = word("to")
            .filter(|to| is_number(to))
            .ok_or(invalid("to is no number of digits"))?;
        let from = word("from").filter(|from| *from == self.customer.sender);
        let from = from.ok_or(invalid("from is not registered for sending"))?;
        let kind = if message["kakaoOptions"].is_object() {
            self.alimtalk(&message["kakaoOptions"])?;
            "ATA"
        } else {
            let said = word("text").ok_or(invalid("text is missing"))?;
            if let Some(why) = text::misfit(word("type"), said) {
                return Err(invalid(why));
            }
            word("type").unwrap_or_else(|| text::kind(said))
        };
        let answer = json!({
            "groupId": format!("G4V{}", Uuid::new_v4().simple()), "messageId": format!("M4V{}", Uuid::new_v4().simple()),
            "to": to, "from": from, "type": kind, "country": "82",
            "statusCode": "2000", "statusMessage": "정상 접수(이통사로 접수 예정) ",
        });
        Ok(Answer::new(200, answer).noting(json!({ "sent": kind })))
    }

    fn alimtalk(&self, options: &Value) -> Result<(), Refusal> {
        if options["pfId"] != self.customer.channel {
            return Err((400, "PfIdNotFound", "the channel is not known"));
        }
        if options["templateId"] != self.customer.template {
            return Err((400, "TemplateNotFound", "the template is not approved"));
        }
        let variables = options["variables"].as_object().cloned().unwrap_or_default();
        let well_formed =
            |(name, value): (&String, &Value)| name.starts_with("#{") && name.ends_with('}') && value.is_string();
        if !variables.iter().all(well_formed) {
            return Err((400, "ValidationError", "variables are texts named #{…}"));
        }
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|half| char::from_digit(half.into(), 16))
        .collect()
}
