//! Every setting of the server, typed and checked.
//!
//! `config/default.toml` lists them all; a file given by `--config` and then the environment
//! (`WEIGHBRIDGE__SECTION__KEY`) override it. A key that the defaults do not know stops the start.

mod checks;
mod destination;
mod erp;
mod layers;
mod reach;

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use chrono_tz::Tz;
use ipnet::IpNet;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de::Error as _};

pub use destination::destination_complaint;
pub use erp::{ErpKind, ErpSettings};
pub use layers::{Effective, effective, load};
pub use reach::{FcmSettings, MailEncryption, MailSettings, MessageSettings, ShareSettings, SmsProvider, SmsSettings};

/// Why the settings cannot be used; always the operator's to mend (exit code 64).
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the configuration file {}: {source}", .path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{0}")]
    UnknownKeys(String),
    #[error("{0}")]
    Invalid(String),
}

/// The whole configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Keys, the private PostgreSQL and generated files; always set once loaded.
    #[serde(deserialize_with = "data_dir")]
    pub data_dir: PathBuf,
    pub server: ServerSettings,
    pub database: DatabaseSettings,
    pub site: SiteSettings,
    pub auth: AuthSettings,
    pub bootstrap: BootstrapSettings,
    pub rate_limit: RateLimitSettings,
    pub slip: SlipSettings,
    pub weighing: WeighingSettings,
    pub queue: QueueSettings,
    pub live: LiveSettings,
    pub telemetry: TelemetrySettings,
    pub delivery: DeliverySettings,
    pub leader: LeaderSettings,
    pub erp: ErpSettings,
    pub fcm: FcmSettings,
    pub sms: SmsSettings,
    pub mail: MailSettings,
    pub share: ShareSettings,
    pub messages: MessageSettings,
}

/// How HTTP is served.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSettings {
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// 0 means one per core.
    pub workers: usize,
    pub allowed_origins: Vec<String>,
    /// Empty accepts any.
    pub allowed_hosts: Vec<String>,
    pub trusted_proxies: Vec<IpNet>,
    /// In bytes.
    pub body_limit: usize,
    #[serde(with = "humantime_serde")]
    pub read_timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub keep_alive: Duration,
    #[serde(with = "humantime_serde")]
    pub request_timeout: Duration,
    pub connections_per_worker: usize,
    #[serde(with = "humantime_serde")]
    pub drain: Duration,
}

/// Which database, and how patiently.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    /// `None`: a private PostgreSQL under the data directory.
    #[serde(deserialize_with = "unset_if_empty")]
    pub url: Option<SecretString>,
    pub pool: usize,
    pub migrate_on_start: bool,
    #[serde(with = "humantime_serde")]
    pub wait: Duration,
    #[serde(with = "humantime_serde")]
    pub query_timeout: Duration,
}

/// The site that a fresh database starts with.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteSettings {
    pub name: String,
    #[serde(deserialize_with = "time_zone")]
    pub time_zone: Tz,
    pub slip_prefix: String,
    pub issuer_name: String,
    pub issuer_address: String,
    pub issuer_phone: String,
}

/// Tokens, sessions and passwords.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthSettings {
    pub issuer: String,
    pub audience: String,
    #[serde(with = "humantime_serde")]
    pub access_token: Duration,
    #[serde(with = "humantime_serde")]
    pub refresh_token: Duration,
    #[serde(with = "humantime_serde")]
    pub refresh_grace: Duration,
    pub sessions_per_user: u32,
    pub bcrypt_cost: u32,
    #[serde(with = "humantime_serde")]
    pub temporary_password: Duration,
}

/// A first administrator, made at start where no user of that login exists.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootstrapSettings {
    #[serde(deserialize_with = "unset_if_empty")]
    pub admin_login: Option<String>,
    #[serde(deserialize_with = "unset_if_empty")]
    pub admin_password: Option<SecretString>,
}

/// How many requests one client may make.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimitSettings {
    /// 0 means no limit.
    pub requests: usize,
    #[serde(with = "humantime_serde")]
    pub window: Duration,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlipSettings {
    /// How far slip numbers, those of the waiting line and record ids jump when the database is found to have been restored.
    pub restore_jump: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeighingSettings {
    /// A load lighter than this, in kg, is a first pass.
    pub min_net_kg: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueSettings {
    /// How long a called truck may take to its station.
    #[serde(with = "humantime_serde")]
    pub call_deadline: Duration,
    /// How often the line is looked at though nothing was announced.
    #[serde(with = "humantime_serde")]
    pub look_every: Duration,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveSettings {
    /// Threads that write to WebSockets.
    pub count: usize,
    /// The longest that a weight waits for others to share its frame.
    #[serde(with = "humantime_serde")]
    pub tick: Duration,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetrySettings {
    /// A level or `tracing` directives.
    pub log: String,
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Auto,
    Human,
    Json,
}

/// How what is owed to others is delivered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliverySettings {
    /// Messages that a courier has on their way at once.
    pub parallel: usize,
    #[serde(with = "humantime_serde")]
    pub look_every: Duration,
    #[serde(with = "humantime_serde")]
    pub send_timeout: Duration,
    /// How long a message belongs to the server that took it.
    #[serde(with = "humantime_serde")]
    pub lease: Duration,
    #[serde(with = "humantime_serde")]
    pub first_pause: Duration,
    #[serde(with = "humantime_serde")]
    pub longest_pause: Duration,
    pub attempts: u32,
    #[serde(with = "humantime_serde")]
    pub lifetime: Duration,
    #[serde(with = "humantime_serde")]
    pub breaker_rest: Duration,
}

/// How one of several servers comes to do the scheduled work, and when days are closed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaderSettings {
    #[serde(with = "humantime_serde")]
    pub lease: Duration,
    #[serde(with = "humantime_serde")]
    pub renew: Duration,
    #[serde(with = "humantime_serde")]
    pub close_after_midnight: Duration,
}

impl ServerSettings {
    /// Whether a peer at `address` is a load balancer of ours, whose word on the client's address counts.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }
}

/// Where the server keeps its files unless told otherwise.
fn default_data_dir() -> Option<PathBuf> {
    if nix::unistd::geteuid().is_root() {
        return Some(PathBuf::from("/var/lib/weighbridge"));
    }
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty())?;
    Some(Path::new(&home).join(".local/share/weighbridge"))
}

fn data_dir<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    unset_if_empty(deserializer)?
        .or_else(default_data_dir)
        .ok_or_else(|| D::Error::custom("data_dir is not set and HOME neither, expected one of them"))
}

fn unset_if_empty<'de, D: Deserializer<'de>, T: From<String>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok((!text.is_empty()).then(|| T::from(text)))
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse()
        .map_err(|_| D::Error::custom(format!("{text:?} is no address, expected one such as 127.0.0.1:8080")))
}

fn time_zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tz, D::Error> {
    let name = String::deserialize(deserializer)?;
    name.parse()
        .map_err(|_| D::Error::custom(format!("{name:?} is no time zone, expected one such as Asia/Seoul")))
}
