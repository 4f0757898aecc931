//! Takes messages to people: a new driver's account by text message, and slips that drivers share, by Kakao, mail or text
//! message. What Kakao does not take goes as a text message.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use futures_util::future::BoxFuture;
use serde_json::json;
use weighbridge_protocol::kilograms::json_number;
use weighbridge_supervision::Handle;

use super::{
    courier::Carrier,
    repository::{Queries, Repository},
};
use crate::{
    clients::{email::Email, sms::Sms},
    db::{
        DbError,
        driver::DriverById,
        outbox::Due,
        weigh_record::{OwnSlip, SlipOf},
        weight::Weight,
    },
    domain::{
        delivery::Outcome,
        outbox::Kind,
        phone::Phone,
        phone_vault::{PhoneVault, VaultError},
        sealed,
        wording::{Language, message},
    },
};

/// See the file's head.
#[derive(Debug)]
pub struct Messenger {
    pub sms: Option<Sms>,
    pub email: Option<Email>,
    pub vault: Arc<PhoneVault>,
    pub repository: Handle<Repository>,
    pub language: Language,
    /// In which times are told.
    pub zone: Tz,
    /// Who speaks, in messages that belong to no slip.
    pub site_name: String,
}

/// Attempts by Kakao before a text message goes in its place. Each lease is one, also where it was no more than a probe of
/// Kakao while that was down.
const KAKAO_TRIES: i64 = 3;

/// What of a slip stands in a message, by the names in the catalogue.
type Values = Vec<(&'static str, String)>;

impl Carrier for Messenger {
    fn deliver(&self, due: Due) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            let carried = match Kind::named(&due.kind) {
                Some(Kind::SmsWelcome) => self.account(&due).await,
                Some(kind @ (Kind::SmsSlip | Kind::KakaoSlip | Kind::EmailSlip)) => self.slip(kind, &due).await,
                _ => Err(dead(format!("{} is no message to a person", due.kind))),
            };
            carried.unwrap_or_else(|outcome| outcome)
        })
    }
}

impl Messenger {
    /// A new driver's login and temporary password.
    async fn account(&self, due: &Due) -> Result<Outcome, Outcome> {
        let until = due.payload["valid_until"]
            .as_str()
            .and_then(|text| text.parse::<DateTime<Utc>>().ok());
        if until.is_none_or(|until| until <= Utc::now()) {
            return Err(no_longer_true("its temporary password does not work any more"));
        }
        let driver_id = due.payload["driver_id"].as_i64().unwrap_or_default();
        let driver = self
            .repository
            .run(DriverById(driver_id))
            .await
            .map_err(database)?
            .driver;
        let phone = driver.phone(&self.vault).map_err(|error| unreadable(&error))?;
        let password =
            sealed::open(&self.vault, due.idempotency_key, &due.payload).map_err(|error| unreadable(&error))?;
        let login = due.payload["login_id"].as_str().unwrap_or_default();
        let values = [
            ("site", self.site_name.as_str()),
            ("login", login),
            ("password", password.as_str()),
        ];
        let text = message(self.language, "account_sms", &values);
        self.text(&phone, &text).await
    }

    async fn slip(&self, kind: Kind, due: &Due) -> Result<Outcome, Outcome> {
        let number = |name: &str| due.payload[name].as_i64().unwrap_or_default();
        let wanted = SlipOf {
            record_id: number("record_id"),
            driver_id: number("driver_id"),
        };
        let slip = match self.repository.run(wanted).await {
            Err(DbError::NotFound) => return Err(no_longer_true("the slip is not this driver's any more")),
            found => found.map_err(database)?,
        };
        if slip.item.voided {
            return Err(no_longer_true("the record was voided"));
        }
        let recipient =
            sealed::open(&self.vault, due.idempotency_key, &due.payload).map_err(|error| unreadable(&error))?;
        let values = self.values(&slip);
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let text = message(self.language, "slip_text", &values);
        if kind == Kind::EmailSlip {
            let email = self.email.as_ref().ok_or_else(|| unconfigured("mail server"))?;
            let subject = message(self.language, "slip_subject", &values);
            return Ok(email.send(&recipient, &subject, text, due.idempotency_key).await);
        }
        let phone = Phone::parse(&recipient).map_err(|error| dead(error.to_string()))?;
        if kind == Kind::KakaoSlip
            && let Some(kakao) = self.sms.as_ref().and_then(Sms::kakao)
        {
            match kakao.kakao(&phone, &values).await {
                Outcome::Dead { .. } => {}
                Outcome::Retry { .. } if due.lease_term >= KAKAO_TRIES => {}
                carried => return Ok(carried),
            }
        }
        self.text(&phone, &text).await
    }

    async fn text(&self, to: &Phone, text: &str) -> Result<Outcome, Outcome> {
        let sms = self.sms.as_ref().ok_or_else(|| unconfigured("SMS service"))?;
        Ok(match sms.send(to, text).await {
            Outcome::Sent { response } => Outcome::Sent {
                response: json!({ "id": response["id"], "as": "SMS" }),
            },
            other => other,
        })
    }

    fn values(&self, slip: &OwnSlip) -> Values {
        let item = &slip.item;
        let kg = |weight: Option<Weight>| {
            weight
                .map(|weight| json_number::number(weight.into()))
                .unwrap_or_default()
        };
        let zone = item.time_zone.parse().unwrap_or(self.zone);
        let or_site = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        vec![
            (
                "issuer",
                or_site(&slip.issuer.issuer_name).unwrap_or_else(|| slip.issuer.name.clone()),
            ),
            ("phone", or_site(&slip.issuer.issuer_phone).unwrap_or_default()),
            ("slip", item.slip_number.clone().unwrap_or_default()),
            (
                "time",
                item.weighed_at
                    .with_timezone(&zone)
                    .format("%Y-%m-%d %H:%M")
                    .to_string(),
            ),
            ("station", item.station_name.clone()),
            ("plate", item.vehicle_plate.clone()),
            ("gross", kg(item.gross_weight)),
            ("tare", kg(item.tare_weight)),
            ("net", kg(item.net_weight)),
            ("by", item.driver_name.clone().unwrap_or_default()),
        ]
    }
}

fn dead(why: impl Into<String>) -> Outcome {
    Outcome::Dead { why: why.into() }
}

fn no_longer_true(why: &str) -> Outcome {
    Outcome::NoLongerTrue { why: why.to_owned() }
}

fn unreadable(error: &VaultError) -> Outcome {
    dead(error.to_string())
}

/// It was when the message was written.
fn unconfigured(what: &str) -> Outcome {
    Outcome::Retry {
        why: format!("no {what} is configured any more"),
        after: Some(std::time::Duration::from_hours(1)),
    }
}

fn database(error: DbError) -> Outcome {
    match error {
        DbError::NotFound => no_longer_true("whom it is about is not there any more"),
        error => Outcome::Retry {
            why: format!("the database is away: {error}"),
            after: None,
        },
    }
}
