//! The ways to people, made from the settings: FCM, a service for text messages, a mail server.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use secrecy::ExposeSecret;
use weighbridge_supervision::Handle;

use super::StartupError;
use crate::{
    actors::{courier::Carrier, messenger::Messenger, push::Push, repository::Repository},
    clients::{
        email::{self, Email},
        fcm::Fcm,
        sms::{
            self, Sms,
            sens::Sens,
            solapi::{Channel, Solapi},
        },
    },
    config::{MailSettings, Settings, SmsProvider, SmsSettings},
    domain::{phone_vault::PhoneVault, push::Manner},
};

/// How long one request may take. A message may need two, its access token and itself, and what is known of its other
/// devices must be noted before the courier breaks it off.
fn request_timeout(settings: &Settings) -> Duration {
    settings.delivery.send_timeout * 2 / 5
}

/// Who takes pushes to phones.
pub(super) fn push(settings: &Settings, repository: &Handle<Repository>) -> Result<Arc<dyn Carrier>, StartupError> {
    let fcm = match (&settings.fcm.base_url, &settings.fcm.credentials_file) {
        (Some(base_url), Some(file)) => {
            let fcm = Fcm::new(base_url, file, request_timeout(settings));
            Some(Arc::new(fcm.map_err(|error| StartupError::Reach(error.to_string()))?))
        }
        _ => None,
    };
    Ok(Arc::new(Push {
        fcm,
        repository: repository.clone(),
        manner: Manner {
            language: settings.messages.language,
            zone: settings.site.time_zone,
            call_life: span(settings.fcm.call_life),
        },
        token_age: span(settings.fcm.token_age),
    }))
}

/// Who takes messages to people; none where no way is configured.
pub(super) fn messenger(
    settings: &Settings,
    vault: &Arc<PhoneVault>,
    repository: &Handle<Repository>,
) -> Result<Option<Arc<dyn Carrier>>, StartupError> {
    let timeout = request_timeout(settings);
    let sms = sms(&settings.sms, timeout).map_err(StartupError::Reach)?;
    let email = email(&settings.mail, timeout).map_err(StartupError::Reach)?;
    if sms.is_none() && email.is_none() {
        return Ok(None);
    }
    Ok(Some(Arc::new(Messenger {
        sms,
        email,
        vault: Arc::clone(vault),
        repository: repository.clone(),
        language: settings.messages.language,
        zone: settings.site.time_zone,
        site_name: settings.site.name.clone(),
    })))
}

fn sms(settings: &SmsSettings, timeout: Duration) -> Result<Option<Sms>, String> {
    let Some(base_url) = settings.base_url.clone() else {
        return Ok(None);
    };
    let access = sms::Access {
        base_url,
        key: settings.key.clone(),
        secret: settings.secret.clone(),
        sender: settings.sender.clone(),
        timeout,
    };
    Ok(Some(match settings.provider {
        SmsProvider::Solapi => {
            let channel = settings.kakao_channel.clone().map(|id| Channel {
                id,
                slip_template: settings.kakao_slip_template.clone(),
            });
            Sms::Solapi(Solapi::new(access, channel)?)
        }
        SmsProvider::Sens => Sms::Sens(Sens::new(access, &settings.service_id)?),
    }))
}

fn email(settings: &MailSettings, timeout: Duration) -> Result<Option<Email>, String> {
    let Some(host) = settings.host.clone() else {
        return Ok(None);
    };
    let password = settings.password.expose_secret().to_owned();
    let access = email::Access {
        host,
        port: settings.port,
        encryption: settings.encryption,
        account: settings.user.clone().map(|user| (user, password.into())),
        from: settings.from.clone(),
        timeout,
    };
    Email::new(access).map(Some)
}

fn span(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}
