//! Which of some sessions do not hold any more.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{DbError, Query, schema};

/// Of these sessions, those that were revoked, have expired or belong to a user who was deactivated. Asked by Live's source.
#[derive(Clone, Debug)]
pub struct EndedSessions {
    pub families: Vec<Uuid>,
}

impl Query for EndedSessions {
    type Output = Vec<Uuid>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Vec<Uuid>, DbError> {
        use schema::{app_user, login_session::dsl};
        let live: Vec<Uuid> = dsl::login_session
            .inner_join(app_user::table)
            .filter(dsl::family.eq_any(&self.families).and(dsl::revoked_at.is_null()))
            .filter(app_user::is_active.and(dsl::expires_at.gt(diesel::dsl::now)))
            .select(dsl::family)
            .load(conn)
            .await?;
        Ok(self
            .families
            .into_iter()
            .filter(|family| !live.contains(family))
            .collect())
    }
}
