//! Where a driver's phones are pushed to: the token of each signed-in device, in its login session.

use chrono::{DateTime, Utc};
use diesel::{dsl::now, prelude::*};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{DbError, Query, schema};

/// A device that can be pushed to.
#[derive(Clone, Debug, Queryable)]
pub struct Device {
    /// Of its login session.
    pub id: i64,
    pub token: String,
}

/// The devices on which a driver is signed in, whose token was told since `told_since`. Asked by Push.
#[derive(Clone, Copy, Debug)]
pub struct DevicesOf {
    pub driver_id: i64,
    pub told_since: DateTime<Utc>,
}

impl Query for DevicesOf {
    type Output = Vec<Device>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Vec<Device>, DbError> {
        use schema::{app_user, login_session};
        let devices = login_session::table
            .inner_join(app_user::table)
            .filter(app_user::driver_id.eq(self.driver_id).and(app_user::is_active))
            .filter(
                login_session::revoked_at
                    .is_null()
                    .and(login_session::expires_at.gt(now)),
            )
            .filter(login_session::fcm_token_at.gt(self.told_since))
            .filter(login_session::fcm_token.is_not_null())
            .order(login_session::id)
            .select((login_session::id, login_session::fcm_token.assume_not_null()))
            .load(conn)
            .await?;
        Ok(devices)
    }
}

/// A device tells its token, or with none that it is not to be pushed to. The same token on another session goes: a phone
/// belongs to whoever signed in on it last.
#[derive(Clone, Debug)]
pub struct TellToken {
    /// The login session.
    pub session: Uuid,
    pub user: i64,
    pub token: Option<String>,
}

impl Query for TellToken {
    type Output = ();

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<(), DbError> {
        conn.transaction::<_, DbError, _>(async |conn| self.tell(conn).await)
            .await
    }
}

impl TellToken {
    async fn tell(&self, conn: &mut AsyncPgConnection) -> Result<(), DbError> {
        use schema::{app_user, login_session::dsl};
        if let Some(token) = &self.token {
            let elsewhere = dsl::login_session.filter(dsl::fcm_token.eq(token).and(dsl::family.ne(self.session)));
            diesel::update(elsewhere)
                .set(dsl::fcm_token.eq(None::<String>))
                .execute(conn)
                .await?;
        }
        let told_at = self.token.is_some().then(Utc::now);
        diesel::update(dsl::login_session.filter(dsl::family.eq(self.session)))
            .set((dsl::fcm_token.eq(&self.token), dsl::fcm_token_at.eq(told_at)))
            .execute(conn)
            .await?;
        diesel::update(app_user::table.filter(app_user::id.eq(self.user)))
            .set(app_user::fcm_token.eq(&self.token))
            .execute(conn)
            .await?;
        Ok(())
    }
}

/// These tokens lead to no device any more. Sent by Push.
#[derive(Clone, Debug)]
pub struct ForgetTokens {
    pub tokens: Vec<String>,
}

impl Query for ForgetTokens {
    type Output = usize;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<usize, DbError> {
        use schema::{app_user, login_session::dsl};
        diesel::update(app_user::table.filter(app_user::fcm_token.eq_any(&self.tokens)))
            .set(app_user::fcm_token.eq(None::<String>))
            .execute(conn)
            .await?;
        let forgotten = diesel::update(dsl::login_session.filter(dsl::fcm_token.eq_any(&self.tokens)))
            .set((
                dsl::fcm_token.eq(None::<String>),
                dsl::fcm_token_at.eq(None::<DateTime<Utc>>),
            ))
            .execute(conn)
            .await?;
        Ok(forgotten)
    }
}
