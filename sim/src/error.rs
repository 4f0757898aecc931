//! What stops a simulator, sorted by what its user can do about it.

use std::{io, path::PathBuf};

/// Why a simulator could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The command line, or a command on the control port, asks for something that is not there.
    #[error("{0}")]
    Usage(String),
    #[error("cannot {action} {path}: {source}", path = path.display())]
    File {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("cannot {action}: {source}")]
    Io { action: String, source: io::Error },
    /// The server under test answered, but not what the API promises.
    #[error("{0}")]
    Server(String),
    /// The server under test refused, and said why.
    #[error("{path} answered {status} {code}: {message}")]
    Refused {
        path: String,
        status: u16,
        code: String,
        message: String,
    },
    /// The server under test cannot be reached now.
    #[error("no answer from the server: {0}")]
    Unreachable(String),
    #[error("cannot read the server's database: {0}")]
    Database(#[from] tokio_postgres::Error),
    /// What should not be possible.
    #[error("{0}")]
    Internal(String),
}

impl SimError {
    pub fn io(action: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Io {
            action: action.into(),
            source: source.into(),
        }
    }

    pub fn file(action: &'static str, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        Self::File {
            action,
            path: path.into(),
            source: source.into(),
        }
    }

    /// Whether the server refused with this code.
    pub fn is_refusal(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == wanted)
    }

    /// What the process ends with because of it.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 64,
            Self::Internal(_) | Self::Server(_) | Self::Refused { .. } => 70,
            Self::File { .. } | Self::Io { .. } | Self::Unreachable(_) | Self::Database(_) => 74,
        }
    }
}
