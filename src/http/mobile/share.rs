//! `POST /mobile/slip/{id}/share`: a driver has a slip sent to somebody. Whom, rests sealed until it is sent, and then not at
//! all.

use std::time::Duration;

use actix_web::{post, web::Data};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use weighbridge_supervision::Handle;

use crate::{
    actors::{
        directory::Directory,
        repository::{Queries, Repository},
    },
    db::slip_share::{NotShared, ShareSlip},
    domain::{
        mail_address::MailAddress,
        outbox::{Kind, Message},
        phone::Phone,
        phone_vault::PhoneVault,
        sealed,
    },
    http::{
        answer::{Created, Failure, Success},
        auth::Driver,
        code::{Code, FieldCode},
        error::ApiError,
        read::{Body, Id},
        rules::Rules,
    },
};

/// Within which slips are counted.
const WITHIN: Duration = Duration::from_hours(24);

/// To whom, and how.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShareForm {
    method: Method,
    /// A telephone number, or for `email` a mail address.
    #[schema(example = "010-1234-5678")]
    recipient: String,
}

/// How a slip is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Where Kakao cannot deliver it, as a text message.
    Kakao,
    Email,
    Sms,
}

/// A slip on its way.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShareView {
    id: i64,
    method: Method,
    /// The recipient as far as it is shown again.
    #[schema(example = "010-****-5678")]
    recipient: String,
}

/// A recipient as the method needs it.
pub(in crate::http) enum Recipient {
    Phone(Phone),
    Mail(MailAddress),
}

/// `POST /api/v1/mobile/slip/{id}/share` with `{"method":"kakao","recipient":"010-1234-5678"}`; the slip is on its way then.
#[utoipa::path(
    tag = "mobile",
    params(("id" = i64, Path, description = "of the record")),
    responses(
        (status = 201, body = Success<ShareView>),
        (status = 400, body = Failure),
        (status = 404, body = Failure),
        (status = 409, body = Failure, description = "INVALID_STATE: the record was voided; CONFLICT: the recipient refuses slips"),
        (status = 429, body = Failure, description = "RATE_LIMITED: the driver's, or the recipient's, slips of 24 hours"),
        (status = 503, body = Failure, description = "UNAVAILABLE: the server sends none in this way"),
    )
)]
#[post("/mobile/slip/{id}/share")]
pub async fn share_slip(
    driver: Driver,
    Id(record_id): Id,
    Body(form): Body<ShareForm>,
    vault: Data<PhoneVault>,
    rules: Data<Rules>,
    repository: Data<Handle<Repository>>,
    directory: Data<Directory>,
) -> Result<Created<ShareView>, ApiError> {
    let recipient = form.recipient()?;
    if !rules.reach.carries(form.method.kind()) {
        return Err(ApiError::new(Code::Unavailable));
    }
    let share = ShareSlip {
        driver_id: driver.driver_id,
        record_id,
        method: form.method.name(),
        recipient_index: recipient.index(&vault),
        message: message(&driver, record_id, form.method, &recipient, &vault)?,
        limits: rules.reach.limits,
    };
    let id = repository.run(share).await??;
    directory.announce_owed();
    Ok(Success::created(ShareView {
        id,
        method: form.method,
        recipient: recipient.hidden(),
    }))
}

fn message(
    driver: &Driver,
    record_id: i64,
    method: Method,
    recipient: &Recipient,
    vault: &PhoneVault,
) -> Result<Message, ApiError> {
    let key = Uuid::new_v4();
    let sealed = sealed::seal(vault, key, recipient.text(), rand::random()).map_err(ApiError::internal)?;
    Ok(Message {
        kind: method.kind(),
        idempotency_key: key,
        aggregate_key: format!("share:{key}"),
        payload: serde_json::json!({ "driver_id": driver.driver_id, "record_id": record_id, "sealed": sealed }),
    })
}

impl ShareForm {
    fn recipient(&self) -> Result<Recipient, ApiError> {
        let wrong = || ApiError::field("recipient", FieldCode::InvalidFormat);
        match self.method {
            Method::Email => MailAddress::parse(&self.recipient)
                .map(Recipient::Mail)
                .map_err(|_| wrong()),
            Method::Kakao | Method::Sms => {
                let phone = Phone::parse(&self.recipient).map_err(|_| wrong())?;
                // Nobody reads a text message on a land line.
                if phone.is_mobile() {
                    Ok(Recipient::Phone(phone))
                } else {
                    Err(wrong())
                }
            }
        }
    }
}

impl Method {
    const fn name(self) -> &'static str {
        match self {
            Self::Kakao => "kakao",
            Self::Email => "email",
            Self::Sms => "sms",
        }
    }

    const fn kind(self) -> Kind {
        match self {
            Self::Kakao => Kind::KakaoSlip,
            Self::Email => Kind::EmailSlip,
            Self::Sms => Kind::SmsSlip,
        }
    }
}

impl Recipient {
    /// Whichever of the two it is.
    pub(in crate::http) fn either(text: &str) -> Result<Self, ApiError> {
        let phone = Phone::parse(text).map(Self::Phone).ok();
        let recipient = phone.or_else(|| MailAddress::parse(text).map(Self::Mail).ok());
        recipient.ok_or_else(|| ApiError::field("recipient", FieldCode::InvalidFormat))
    }

    fn text(&self) -> &str {
        match self {
            Self::Phone(phone) => phone.digits(),
            Self::Mail(address) => address.as_str(),
        }
    }

    /// The same for all ways to a number.
    pub(in crate::http) fn index(&self, vault: &PhoneVault) -> Vec<u8> {
        match self {
            Self::Phone(phone) => vault.index(phone).to_vec(),
            Self::Mail(address) => vault.index_text(address.as_str()).to_vec(),
        }
    }

    pub(in crate::http) fn hidden(&self) -> String {
        match self {
            Self::Phone(phone) => phone.hidden(),
            Self::Mail(address) => address.hidden(),
        }
    }
}

impl From<NotShared> for ApiError {
    fn from(why: NotShared) -> Self {
        match why {
            NotShared::Refused => Self::new(Code::Conflict),
            NotShared::Voided => Self::new(Code::InvalidState),
            // The window slides: at the latest a day from now there is room again.
            NotShared::DriverLimit | NotShared::RecipientLimit => Self::new(Code::RateLimited).retry_after(WITHIN),
        }
    }
}
