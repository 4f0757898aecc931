//! NAVER Cloud SENS: the signature is in base64, over method, path, time and key; the time may be five minutes off.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Customer, hmac, is_number, text};
use crate::stand_in::http::{Answer, Request};

const SKEW: TimeDelta = TimeDelta::minutes(5);
const MOST_RECIPIENTS: usize = 100;

/// See the file's head.
#[derive(Debug)]
pub struct Sens {
    customer: Customer,
}

impl Sens {
    pub const fn new(customer: Customer) -> Self {
        Self { customer }
    }

    pub fn send(&self, request: &Request) -> Answer {
        if let Err(why) = self.authorise(request) {
            let error = json!({ "errorCode": "200", "message": "Authentication Failed", "details": why });
            return Answer::new(401, json!({ "error": error }));
        }
        if request.place() != format!("/sms/v2/services/{}/messages", self.customer.service_id) {
            return Answer::new(
                404,
                json!({ "status": 404, "errorMessage": "the service is not known" }),
            );
        }
        match self.take(request) {
            Ok(()) => {
                let now = Utc::now().format("%Y-%m-%dT%H:%M:%S%.3f").to_string();
                let id = format!("VORSSA-{}", Uuid::new_v4().simple());
                let answer =
                    json!({ "requestId": id, "requestTime": now, "statusCode": "202", "statusName": "success" });
                Answer::new(202, answer).noting(json!({ "sent": "SMS" }))
            }
            Err(why) => Answer::new(400, json!({ "status": 400, "errorMessage": why })),
        }
    }

    fn authorise(&self, request: &Request) -> Result<(), &'static str> {
        let time = request.header("x-ncp-apigw-timestamp").ok_or("no timestamp")?;
        let key = request.header("x-ncp-iam-access-key").ok_or("no access key")?;
        let signature = request.header("x-ncp-apigw-signature-v2").ok_or("no signature")?;
        let at = time
            .parse()
            .ok()
            .and_then(DateTime::from_timestamp_millis)
            .ok_or("the timestamp is no number")?;
        if (Utc::now() - at).abs() > SKEW {
            return Err("the timestamp is more than five minutes off");
        }
        let signed = format!("{} {}\n{time}\n{key}", request.method, request.path);
        let expected = hmac(&self.customer.secret, &signed).map(|bytes| STANDARD.encode(bytes));
        if key != self.customer.key || expected.as_deref() != Some(signature) {
            return Err("the signature does not match");
        }
        Ok(())
    }

    fn take(&self, request: &Request) -> Result<(), &'static str> {
        let body = request
            .json()
            .filter(|_| request.is_json())
            .ok_or("the body is no JSON")?;
        let word = |name: &str| body[name].as_str();
        if !["COMM", "AD"].contains(&word("contentType").unwrap_or("COMM")) {
            return Err("contentType is not COMM or AD");
        }
        if word("from") != Some(&self.customer.sender) {
            return Err("from is not registered for sending");
        }
        let kind = word("type").ok_or("type is missing")?;
        let said = word("content").ok_or("content is missing")?;
        let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
        if !(1..=MOST_RECIPIENTS).contains(&messages.len()) {
            return Err("messages has 1 to 100 recipients");
        }
        for message in messages {
            if !message["to"].as_str().is_some_and(is_number) {
                return Err("to is no number of digits");
            }
            let own = message["content"].as_str().unwrap_or(said);
            if let Some(why) = text::misfit(Some(kind), own) {
                return Err(why);
            }
        }
        if kind == "LMS" && !matches!(body["subject"], Value::Null | Value::String(_)) {
            return Err("subject is no text");
        }
        Ok(())
    }
}
