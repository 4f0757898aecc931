//! What can go wrong in the database, as its callers tell it apart.

use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    #[error("no such row")]
    NotFound,
    /// A constraint, unique index or trigger of the schema refused the change; its name is in the migrations.
    #[error("{constraint} refuses the change: {message}")]
    Conflict { constraint: String, message: String },
    /// The database could not be asked at all, or broke off; whether a commit took place may be unknown.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// What it was about was changed by another transaction meanwhile; the same query succeeds when it reads anew.
    #[error("another transaction was faster")]
    Overtaken,
    #[error("the database refused a query: {0}")]
    Query(#[source] DieselError),
    /// Our own code broke off in the middle; its transaction was rolled back.
    #[error("{query} panicked")]
    Panicked { query: &'static str },
}

/// The database cannot be asked now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the database is unavailable, try again in {} s: {reason}", retry_after.as_secs().max(1))]
pub struct Unavailable {
    pub reason: String,
    pub retry_after: Duration,
}

impl Unavailable {
    /// After a failure that is usually over in a moment.
    pub fn briefly(reason: &impl ToString) -> Self {
        Self {
            reason: reason.to_string(),
            retry_after: Duration::from_secs(1),
        }
    }
}

impl DbError {
    /// Whether the disk under the database has no room left.
    pub fn is_disk_full(&self) -> bool {
        let text = match self {
            Self::Unavailable(Unavailable { reason, .. }) => reason.as_str(),
            Self::Query(DieselError::DatabaseError(_, info)) => info.message(),
            _ => return false,
        };
        text.contains(NO_SPACE)
    }

    /// Whether another transaction stood in the way and this one has changed nothing: it may be made again at once.
    pub fn gave_way(&self) -> bool {
        matches!(self, Self::Overtaken) || self.is_deadlock()
    }

    /// Whether two transactions waited for each other in a circle, and this one gave way.
    pub fn is_deadlock(&self) -> bool {
        matches!(self, Self::Query(DieselError::DatabaseError(_, info)) if info.message().contains(DEADLOCK))
    }

    /// Whether it took longer than is waited for: also where others stood in its way, or the database is away.
    pub fn took_too_long(&self) -> bool {
        match self {
            Self::Unavailable(Unavailable { reason, .. }) => reason.contains(NO_ANSWER),
            _ => self.is_statement_too_long(),
        }
    }

    /// Whether the database itself broke off a statement over which it was busy for too long.
    pub fn is_statement_too_long(&self) -> bool {
        matches!(self, Self::Query(DieselError::DatabaseError(_, info)) if info.message().contains(TOO_LONG))
    }

    /// Whether the same query may well succeed later: the database was away, busy, full or interrupted
    /// (SQLSTATE classes 08, 40, 53, 55, 57 and 58, and time-outs). Anything else fails again however often it is tried.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Overtaken => true,
            Self::Query(error) => is_passing(error),
            Self::NotFound | Self::Conflict { .. } | Self::Panicked { .. } => false,
        }
    }
}

impl From<DieselError> for DbError {
    fn from(error: DieselError) -> Self {
        use DatabaseErrorKind::{
            CheckViolation, ExclusionViolation, ForeignKeyViolation, RestrictViolation, UniqueViolation,
        };
        match error {
            DieselError::NotFound => Self::NotFound,
            error if is_lost(&error) => Self::Unavailable(Unavailable::briefly(&error)),
            DieselError::DatabaseError(
                CheckViolation | ExclusionViolation | ForeignKeyViolation | RestrictViolation | UniqueViolation,
                info,
            ) => Self::Conflict {
                constraint: info.constraint_name().unwrap_or_default().to_owned(),
                message: info.message().to_owned(),
            },
            DieselError::RollbackErrorOnCommit { commit_error, .. } => Self::from(*commit_error),
            error => Self::Query(error),
        }
    }
}

/// How the runner words that it waits no longer.
pub(super) const NO_ANSWER: &str = "no answer within";
const TOO_LONG: &str = "canceling statement due to statement timeout";
const DEADLOCK: &str = "deadlock detected";
const NO_SPACE: &str = "No space left on device";

/// How PostgreSQL words what passes. Diesel keeps no SQLSTATE, so the text must do; each connection asks the server for
/// untranslated messages.
const PASSING: [&str; 12] = [
    DEADLOCK,
    "could not serialize access",
    "could not obtain lock",
    "canceling statement due to",
    "canceling autovacuum task",
    NO_SPACE,
    "could not extend file",
    "could not access file",
    "could not fsync file",
    "out of memory",
    "Input/output error",
    "out of shared memory",
];

/// How it words that the connection is over, or was never begun.
const ENDING: [&str; 8] = [
    "terminating connection",
    "the database system is",
    "too many clients already",
    "remaining connection slots are reserved",
    "too many connections for",
    "is not currently accepting connections",
    "connection to client lost",
    "in a read-only transaction",
];

/// Whether the connection is over with it.
fn is_lost(error: &DieselError) -> bool {
    use DatabaseErrorKind::{ClosedConnection, UnableToSendCommand};
    match error {
        DieselError::BrokenTransactionManager
        | DieselError::DatabaseError(ClosedConnection | UnableToSendCommand, _) => true,
        DieselError::DatabaseError(_, info) => ENDING.iter().any(|words| info.message().contains(words)),
        _ => false,
    }
}

/// As [`DbError::is_passing`], of an error that is not ours to take.
pub(super) fn is_passing(error: &DieselError) -> bool {
    use DatabaseErrorKind::{ReadOnlyTransaction, SerializationFailure};
    is_lost(error)
        || match error {
            DieselError::DatabaseError(SerializationFailure | ReadOnlyTransaction, _) => true,
            DieselError::DatabaseError(_, info) => PASSING.iter().any(|words| info.message().contains(words)),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: DatabaseErrorKind, message: &str, passing: bool) {
        let error = DbError::from(DieselError::DatabaseError(kind, Box::new(message.to_owned())));
        assert_eq!(error.is_passing(), passing, "{error:?}");
    }

    #[test]
    fn what_passes_by_itself_is_told_from_what_never_will() {
        use DatabaseErrorKind::{CheckViolation, ClosedConnection, UniqueViolation, Unknown};
        check(ClosedConnection, "connection closed", true);
        check(Unknown, "deadlock detected", true);
        check(Unknown, "canceling statement due to lock timeout", true);
        check(Unknown, "terminating connection due to administrator command", true);
        check(Unknown, "the database system is starting up", true);
        check(Unknown, "sorry, too many clients already", true);
        check(Unknown, "cannot execute INSERT in a read-only transaction", true);
        check(
            Unknown,
            "could not extend file \"base/5/1\": No space left on device",
            true,
        );
        check(Unknown, "value too long for type character varying(20)", false);
        check(Unknown, "numeric field overflow", false);
        check(UniqueViolation, "duplicate key value", false);
        check(CheckViolation, "violates check constraint", false);
        assert!(!DbError::from(DieselError::NotFound).is_passing());
    }
}
