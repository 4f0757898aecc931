//! Turns a database that is gone into a quick answer, so that callers do not queue up behind it.

use std::time::Duration;

use parking_lot::Mutex;

use crate::db::{DbError, Unavailable};

/// So many failures to reach the database in a row, and it counts as gone.
const FAILURES: u32 = 3;
/// What refused callers are told to wait; it is looked for more often than that.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Closed while the database answers; open from the third failure on, until it is found again.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Closed { failures: u32 },
    Open { reason: String },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    /// Refuses while the database counts as gone.
    pub(super) fn admit(&self) -> Result<(), Unavailable> {
        match &*self.state.lock() {
            State::Closed { .. } => Ok(()),
            State::Open { reason } => Err(Unavailable {
                reason: reason.clone(),
                retry_after: RETRY_AFTER,
            }),
        }
    }

    /// Takes note of how a query went. `true`: it has just opened, and somebody must look for the database.
    pub(super) fn saw<T>(&self, outcome: &Result<T, DbError>) -> bool {
        let mut state = self.state.lock();
        let State::Closed { failures } = &mut *state else {
            return false;
        };
        let Err(DbError::Unavailable(Unavailable { reason, .. })) = outcome else {
            *failures = 0;
            return false;
        };
        *failures += 1;
        if *failures < FAILURES {
            return false;
        }
        *state = State::Open { reason: reason.clone() };
        true
    }

    /// The database has been found.
    pub(super) fn close(&self) {
        *self.state.lock() = State::default();
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(*self.state.lock(), State::Open { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone() -> Result<(), DbError> {
        Err(Unavailable::briefly(&"connection refused").into())
    }

    #[test]
    fn three_failures_in_a_row_open_it_and_finding_the_database_closes_it() {
        let breaker = Breaker::default();
        assert!(!breaker.saw(&gone()) && !breaker.saw(&gone()));
        assert!(!breaker.saw(&Ok(())), "an answer in between starts the count anew");
        assert!(!breaker.saw(&gone()) && !breaker.saw(&gone()));
        assert_eq!(breaker.admit(), Ok(()));
        assert!(breaker.saw(&gone()), "said once, to whom it opened for");
        assert!(!breaker.saw(&gone()));
        let refused = breaker.admit().unwrap_err();
        assert_eq!(refused.reason, "connection refused");
        breaker.close();
        assert_eq!(breaker.admit(), Ok(()));
    }

    #[test]
    fn what_the_database_refuses_does_not_count_against_it() {
        let breaker = Breaker::default();
        for _ in 0..10 {
            assert!(!breaker.saw::<()>(&Err(DbError::NotFound)));
        }
        assert!(!breaker.is_open());
    }
}
