//! Settings of what reaches people: pushes, text messages, mail, and slips that drivers share.

use std::{path::PathBuf, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::unset_if_empty;
use crate::domain::wording::Language;

/// Firebase Cloud Messaging; without an address pushes are listed for the app, and not sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FcmSettings {
    #[serde(deserialize_with = "unset_if_empty")]
    pub base_url: Option<String>,
    /// The service account's file, which names the project too.
    #[serde(deserialize_with = "unset_if_empty")]
    pub credentials_file: Option<PathBuf>,
    #[serde(with = "humantime_serde")]
    pub call_life: Duration,
    #[serde(with = "humantime_serde")]
    pub token_age: Duration,
}

/// Text messages; without an address none are sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmsSettings {
    pub provider: SmsProvider,
    #[serde(deserialize_with = "unset_if_empty")]
    pub base_url: Option<String>,
    pub key: String,
    pub secret: SecretString,
    /// The number that is registered for sending.
    pub sender: String,
    /// SENS alone.
    pub service_id: String,
    /// SOLAPI alone: the Kakao channel, and its template for slips.
    #[serde(deserialize_with = "unset_if_empty")]
    pub kakao_channel: Option<String>,
    pub kakao_slip_template: String,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum SmsProvider {
    Solapi,
    Sens,
}

/// Mail; without a host none is sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailSettings {
    #[serde(deserialize_with = "unset_if_empty")]
    pub host: Option<String>,
    pub port: u16,
    pub encryption: MailEncryption,
    #[serde(deserialize_with = "unset_if_empty")]
    pub user: Option<String>,
    pub password: SecretString,
    pub from: String,
}

/// How the way to the mail server is protected.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum MailEncryption {
    /// Inside one's own network alone.
    None,
    Starttls,
    /// From the first byte.
    Tls,
}

/// How many slips may be shared within 24 hours.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareSettings {
    pub per_driver: u32,
    pub per_recipient: u32,
}

/// What drivers and recipients read.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageSettings {
    pub language: Language,
}

impl FcmSettings {
    /// What keeps it from working, if anything does.
    pub(super) fn complaint(&self) -> Option<&'static str> {
        let half = self.base_url.is_some() != self.credentials_file.is_some();
        half.then_some("fcm.base_url and fcm.credentials_file go together, only one is set")
    }
}

impl SmsSettings {
    pub(super) fn complaint(&self) -> Option<&'static str> {
        self.base_url.as_ref()?;
        if self.key.is_empty() || self.secret.expose_secret().is_empty() {
            return Some("sms.base_url is set, expected sms.key and sms.secret beside it");
        }
        if self.sender.is_empty() || !self.sender.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some("sms.sender is not the registered number in digits, such as 0212345678");
        }
        match self.provider {
            SmsProvider::Sens if self.service_id.is_empty() => Some("sms.provider is sens, expected sms.service_id"),
            SmsProvider::Sens if self.kakao_channel.is_some() => {
                Some("sms.kakao_channel is set, expected sms.provider \"solapi\", which carries Kakao messages")
            }
            SmsProvider::Solapi if self.kakao_channel.is_some() && self.kakao_slip_template.is_empty() => {
                Some("sms.kakao_channel is set, expected sms.kakao_slip_template beside it")
            }
            SmsProvider::Solapi | SmsProvider::Sens => None,
        }
    }
}

impl MailSettings {
    pub(super) fn complaint(&self) -> Option<&'static str> {
        self.host.as_ref()?;
        self.from
            .is_empty()
            .then_some("mail.host is set, expected mail.from beside it")
    }
}
