//! Whether a driver is called again: asked before he is told that a call was taken back.

use diesel::{dsl::exists, prelude::*};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::db::{DbError, Query, schema};

/// Whether an entry is called by a later call than this.
#[derive(Clone, Copy, Debug)]
pub struct CalledAgain {
    pub entry_id: i64,
    pub call: i32,
}

impl Query for CalledAgain {
    type Output = bool;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<bool, DbError> {
        use schema::wait_queue::dsl;
        let again = dsl::wait_queue
            .filter(dsl::id.eq(self.entry_id).and(dsl::calls_made.gt(self.call)))
            .filter(dsl::status.eq("CALLED"));
        Ok(diesel::select(exists(again)).get_result(conn).await?)
    }
}
