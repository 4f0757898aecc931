//! Why the process leaves, as the exit codes that its supervisor (systemd, a fault test) reads.

use std::process::ExitCode;

/// A reason to leave with something other than 0.
#[derive(Debug, thiserror::Error)]
pub enum Exit {
    /// 1: a check did its work, and found something.
    #[error("{0}")]
    Found(String),
    /// 64: wrong usage or configuration; starting again changes nothing.
    #[error("{0}")]
    Usage(String),
    /// 70: a mistake of ours; starting again may help.
    #[error("{0}")]
    Internal(String),
    /// 74: a disk, a socket or a file failed; starting again is the way to know what was kept.
    #[error("{0}")]
    Io(String),
}

impl Exit {
    /// The code as a number, for `std::process::exit`.
    pub const fn number(&self) -> u8 {
        match self {
            Self::Found(_) => 1,
            Self::Usage(_) => 64,
            Self::Internal(_) => 70,
            Self::Io(_) => 74,
        }
    }

    pub fn code(&self) -> ExitCode {
        ExitCode::from(self.number())
    }

    /// Ends the process here and now, closing nothing: for failures after which closing could do harm.
    pub fn leave_at_once(&self) -> ! {
        std::process::exit(self.number().into())
    }
}

impl From<std::io::Error> for Exit {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.to_string())
    }
}
