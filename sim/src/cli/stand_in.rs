//! `weighbridge-sim erp`, `fcm`, `sms` and `smtp`: the services of others.

use std::{
    fmt::Debug,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};
use weighbridge_sim::{
    SimError,
    stand_in::{
        book::Book,
        erp::{self, Erp},
        fcm::{Fcm, account::Account},
        http::{Setup, StandIn},
        sms::{Customer, Sms},
        smtp::{self, Smtp},
        trouble::{Often, Trouble},
    },
    terminal::say,
};

/// What all stand-ins take.
#[derive(Debug, clap::Args)]
pub struct Common {
    /// Port 0 takes a free one, which the READY line tells
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where the control port listens (`fail unavailable 3`, `fail off`)
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    control: SocketAddr,
    /// A file to which what came is added, a line of JSON each; GET /received answers the same
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Fails so from the start: HOW, HOW=TIMES, HOW=SHARE or HOW=always. May be given again
    #[arg(long, value_name = "HOW[=OFTEN]")]
    fail: Vec<String>,
    /// How long each answer takes, in milliseconds
    #[arg(long, default_value_t = 0, value_name = "MS")]
    delay: u64,
    /// Which requests of a share fail
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// A customer's ERP: our own contract (docs/erp-rest-v1.md), and signed requests in the manner of Douzone's Amaranth 10.
///
/// Ways to fail: down, internal, unavailable (Retry-After 1), quota (Retry-After 7), timeout, slow (a byte a second), garbage,
/// huge (10 GB), redirect, lost-answer, odd-answer (100 kB with a NUL), expired-tokens, no-token
/// (where access tokens are given out), refused.
#[derive(Debug, clap::Args)]
pub struct ErpArgs {
    #[command(flatten)]
    common: Common,
    #[arg(long, default_value = "stand-in")]
    client_id: String,
    #[arg(long, default_value = "stand-in-secret")]
    client_secret: String,
    /// The key of Douzone's signatures
    #[arg(long, default_value = "stand-in-hash-key")]
    hash_key: String,
    /// How long access tokens live, in seconds
    #[arg(long, default_value_t = 3600, value_name = "SECONDS")]
    token_life: u64,
}

/// Firebase Cloud Messaging. A device's token that begins with `gone-` is not registered, `malformed-` no token,
/// `stranger-` another sender's.
///
/// Ways to fail: unregistered, invalid-token, bad-payload, sender-mismatch, unauthenticated, quota (Retry-After 7),
/// unavailable, internal, timeout, lost-answer, no-token (where access tokens are given out).
#[derive(Debug, clap::Args)]
pub struct FcmArgs {
    #[command(flatten)]
    common: Common,
    #[arg(long, default_value = "stand-in")]
    project: String,
    /// Where to write the service account's file, which the server's `fcm.credentials_file` names
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// How long access tokens live, in seconds
    #[arg(long, default_value_t = 3599, value_name = "SECONDS")]
    token_life: u64,
}

/// SOLAPI (text messages and 알림톡) and NAVER Cloud SENS (text messages).
///
/// Ways to fail: unauthenticated, refused, no-template and kakao-down (an 알림톡 alone), quota (Retry-After 7), unavailable,
/// internal, timeout, lost-answer.
#[derive(Debug, clap::Args)]
pub struct SmsArgs {
    #[command(flatten)]
    common: Common,
    #[arg(long, default_value = "stand-in-key")]
    key: String,
    #[arg(long, default_value = "stand-in-secret")]
    secret: String,
    /// The number that is registered for sending
    #[arg(long, default_value = "0212345678")]
    sender: String,
    #[arg(long, default_value = "ncp:sms:kr:100000000000:weighbridge")]
    service_id: String,
    /// 알림톡: the channel's pfId
    #[arg(long, default_value = "KA01PF000000000000000000000")]
    channel: String,
    /// 알림톡: the approved template's templateId
    #[arg(long, default_value = "KA01TP000000000000000000000")]
    template: String,
}

/// A mail server without TLS. What came is answered over HTTP, at the address after `received=`.
///
/// Ways to fail: unavailable (421), busy (450), no-mailbox (550), refused (554), timeout.
#[derive(Debug, clap::Args)]
pub struct SmtpArgs {
    #[command(flatten)]
    common: Common,
    /// USER:PASSWORD, without which nothing is taken
    #[arg(long, value_name = "USER:PASSWORD")]
    account: Option<String>,
}

impl Common {
    fn setup(&self) -> Setup {
        Setup {
            listen: self.listen,
            control: self.control,
            record: self.record.clone(),
            delay: Duration::from_millis(self.delay),
        }
    }

    fn trouble<F: Copy + Debug + std::str::FromStr<Err = SimError>>(&self) -> Result<Trouble<F>, SimError> {
        let trouble = Trouble::none(self.seed);
        for text in &self.fail {
            let (how, often) = text
                .split_once('=')
                .map_or((text.as_str(), None), |(how, often)| (how, Some(often)));
            trouble.add(how.parse()?, often.map_or(Ok(Often::Next(1)), str::parse)?);
        }
        Ok(trouble)
    }
}

impl ErpArgs {
    pub async fn run(self, stopped: impl Future<Output = ()>) -> Result<(), SimError> {
        let (setup, trouble) = (self.common.setup(), self.common.trouble()?);
        let customer = erp::Customer {
            client_id: self.client_id,
            client_secret: self.client_secret,
            hash_key: self.hash_key,
            token_life: self.token_life,
        };
        let serving = setup.serve(trouble, |_| Erp::new(&customer)).await?;
        ready(&serving);
        stopped.await;
        Ok(())
    }
}

impl FcmArgs {
    pub async fn run(self, stopped: impl Future<Output = ()>) -> Result<(), SimError> {
        let serving = self
            .common
            .setup()
            .serve(self.common.trouble()?, |address| {
                Fcm::new(&self.project, address, self.token_life)
            })
            .await?;
        if let Some(file) = &self.credentials {
            write(file, &Account::new(&self.project, serving.address()).credentials())?;
        }
        ready(&serving);
        stopped.await;
        Ok(())
    }
}

impl SmsArgs {
    pub async fn run(self, stopped: impl Future<Output = ()>) -> Result<(), SimError> {
        let (setup, trouble) = (self.common.setup(), self.common.trouble()?);
        let customer = Customer {
            key: self.key,
            secret: self.secret,
            sender: self.sender,
            service_id: self.service_id,
            channel: self.channel,
            template: self.template,
        };
        let serving = setup.serve(trouble, |_| Sms::new(customer)).await?;
        ready(&serving);
        stopped.await;
        Ok(())
    }
}

impl SmtpArgs {
    pub async fn run(self, stopped: impl Future<Output = ()>) -> Result<(), SimError> {
        let account = self.account.as_deref().map(|text| {
            let (user, password) = text.split_once(':').unwrap_or((text, ""));
            smtp::Account {
                user: user.to_owned(),
                password: password.to_owned(),
            }
        });
        let Common { listen, control, .. } = self.common;
        let book = Book::open(self.common.record.as_deref())?;
        let smtp = Smtp::start(listen, control, book, account, self.common.trouble()?).await?;
        let reading = weighbridge_sim::stand_in::http::show(smtp.book()).await?;
        say(&format!(
            "READY pid={} addr={} control={} received={}",
            std::process::id(),
            smtp.address(),
            smtp.control(),
            reading
        ));
        stopped.await;
        Ok(())
    }
}

fn ready(serving: &StandIn) {
    say(&format!(
        "READY pid={} addr={} control={}",
        std::process::id(),
        serving.address(),
        serving.control()
    ));
}

fn write(file: &Path, credentials: &Value) -> Result<(), SimError> {
    std::fs::write(file, format!("{:#}\n", json!(credentials))).map_err(|source| SimError::file("write", file, source))
}
