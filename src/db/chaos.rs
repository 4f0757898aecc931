//! A query that breaks, for the fault tests. Compiled only with the feature `chaos`.

use diesel_async::AsyncPgConnection;

use super::{DbError, Query};

/// Panics while it holds a connection.
#[derive(Clone, Copy, Debug)]
pub struct BreakInside;

impl Query for BreakInside {
    type Output = ();

    /// # Panics
    /// Always.
    async fn run(self, _: &mut AsyncPgConnection) -> Result<(), DbError> {
        panic!("asked to");
    }
}
