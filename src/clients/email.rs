//! Mail, by the SMTP server that is configured: with TLS from the start, after STARTTLS, or none inside one's own network.

use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

use crate::{
    config::MailEncryption,
    domain::{delivery::Outcome, mail_address::NotAnAddress},
};

/// Whoever takes our mail.
#[derive(Debug)]
pub struct Email {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// How it is reached.
#[derive(Clone, Debug)]
pub struct Access {
    pub host: String,
    pub port: u16,
    pub encryption: MailEncryption,
    pub account: Option<(String, SecretString)>,
    pub from: String,
    pub timeout: Duration,
}

impl Email {
    /// Nothing is sent yet.
    pub fn new(access: Access) -> Result<Self, String> {
        let from = access
            .from
            .parse()
            .map_err(|_| format!("mail.from {:?} is no mail address", access.from))?;
        let parameters = || TlsParameters::new(access.host.clone()).map_err(|error| format!("mail.host: {error}"));
        let tls = match access.encryption {
            MailEncryption::None => Tls::None,
            MailEncryption::Starttls => Tls::Required(parameters()?),
            MailEncryption::Tls => Tls::Wrapper(parameters()?),
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&access.host)
            .port(access.port)
            .timeout(Some(access.timeout))
            .tls(tls);
        if let Some((user, password)) = access.account {
            transport = transport.credentials(Credentials::new(user, password.expose_secret().to_owned()));
        }
        Ok(Self {
            transport: transport.build(),
            from,
        })
    }

    /// Sends a mail of plain text. The same `key` makes the same Message-ID, so that a receiver may know it again.
    pub async fn send(&self, to: &str, subject: &str, text: String, key: Uuid) -> Outcome {
        let Ok(to) = to.parse() else {
            return Outcome::Dead {
                why: NotAnAddress.to_string(),
            };
        };
        let domain = self.from.email.domain();
        let mail = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(subject)
            .message_id(Some(format!("<{key}@{domain}>")))
            .header(ContentType::TEXT_PLAIN)
            .body(text);
        let mail = match mail {
            Ok(mail) => mail,
            Err(error) => return Outcome::Dead { why: error.to_string() },
        };
        match self.transport.send(mail).await {
            Ok(_) => Outcome::Sent {
                response: json!({ "id": key }),
            },
            // A server names the address that it refuses, so its own words are left out.
            Err(error) => match error.status() {
                Some(code) if error.is_permanent() => Outcome::Dead {
                    why: format!("the mail server refuses it: {code}"),
                },
                Some(code) => Outcome::Retry {
                    why: format!("the mail server puts it off: {code}"),
                    after: None,
                },
                None if error.is_timeout() => retry("no answer from the mail server in time"),
                None => retry("no connection to the mail server"),
            },
        }
    }
}

fn retry(why: &str) -> Outcome {
    Outcome::Retry {
        why: why.to_owned(),
        after: None,
    }
}
