//! The customer's ERP, in several versions behind one trait.
//!
//! - [`over_http`]: what the HTTP versions share: tokens, signed requests, and what an answer means
//! - [`rest_v1`]: our own contract, `docs/erp-rest-v1.md`
//! - [`douzone`]: signed requests in the manner of Douzone's Amaranth 10
//! - [`csv_folder`]: a file for each message in a folder that the ERP empties

mod csv_folder;
mod douzone;
mod over_http;
mod rest_v1;

use std::{error::Error, sync::Arc};

use futures_util::future::BoxFuture;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    config::{ErpKind, ErpSettings},
    domain::{delivery::Outcome, outbox::Kind},
};

/// The ERP cannot be spoken to, by a mistake in the settings.
#[derive(Debug, thiserror::Error)]
pub enum ErpError {
    #[error("cannot read the authorities in {path}, expected certificates in PEM: {source}")]
    Authorities {
        path: String,
        source: Box<dyn Error + Send + Sync>,
    },
    #[error("cannot make an HTTP client: {0}")]
    Client(#[source] reqwest::Error),
}

/// What the ERP is told.
#[derive(Clone, Debug)]
pub struct Message {
    /// Rises from message to message.
    pub number: i64,
    pub subject: Subject,
    /// The ERP applies what comes under one key once.
    pub key: Uuid,
    /// Written when it was owed, and passed on unchanged: the same key never comes with other words.
    pub payload: Value,
    /// An earlier attempt may have arrived.
    pub may_have_arrived: bool,
}

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A weighing is complete.
    Completed,
    /// A completed weighing was voided.
    Voided,
    /// A day's totals.
    Closed,
}

/// An ERP that can be told.
pub trait Erp: Send + Sync + 'static {
    fn tell(&self, message: Message) -> BoxFuture<'_, Outcome>;
}

/// The ERP of these settings; none where no address (no folder) is set.
pub fn of(settings: &ErpSettings) -> Result<Option<Arc<dyn Erp>>, ErpError> {
    let erp: Arc<dyn Erp> = match (settings.kind, &settings.base_url, &settings.folder) {
        (ErpKind::Csv, _, Some(folder)) => Arc::new(csv_folder::CsvFolder::new(folder.clone())),
        (ErpKind::RestV1, Some(url), _) => over_http::over_http(settings, url, rest_v1::RestV1)?,
        (ErpKind::Douzone, Some(url), _) => over_http::over_http(settings, url, douzone::Douzone::new(settings))?,
        _ => return Ok(None),
    };
    Ok(Some(erp))
}

impl Subject {
    /// Of a row in the outbox; none where an ERP is not told of its kind.
    pub const fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::ErpComplete => Some(Self::Completed),
            Kind::ErpVoid => Some(Self::Voided),
            Kind::ErpClose => Some(Self::Closed),
            _ => None,
        }
    }

    pub const fn kind(self) -> Kind {
        match self {
            Self::Completed => Kind::ErpComplete,
            Self::Voided => Kind::ErpVoid,
            Self::Closed => Kind::ErpClose,
        }
    }
}
