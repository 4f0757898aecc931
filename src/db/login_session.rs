//! Who is signed in on which device. A session is a family of refresh tokens, of which only the newest is good.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{dsl::now, prelude::*};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{DbError, Query, audit_log, schema};
use crate::domain::{role::Role, weighing::ledger::Audit};

/// Opens a session, and ends the least recently used ones beyond `most`. Answers those that were ended.
#[derive(Debug)]
pub struct OpenSession {
    pub user: i64,
    pub family: Uuid,
    pub refresh_hash: Vec<u8>,
    pub user_agent: String,
    pub address: String,
    pub expires_at: DateTime<Utc>,
    pub most: i64,
}

/// Spends the refresh token whose hash is `presented`, for the one whose hash is `successor`.
#[derive(Debug)]
pub struct SpendRefresh {
    pub family: Uuid,
    pub presented: Vec<u8>,
    pub successor: Vec<u8>,
    pub user_agent: String,
    /// How long a token that was just spent answers its successor again, to the same device.
    pub grace: TimeDelta,
}

/// What became of a refresh token that was presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spent {
    /// The successor is good now, for this user; also when an honest client asks again.
    Rotated { user: i64, role: Role },
    /// It was spent before: somebody else has it too. The session has been ended.
    Reused,
    /// The session had ended before.
    Ended { why: String },
    /// There is no such session, or its time is over.
    Unknown,
}

/// Whether a session still stands, and what its user may do now.
#[derive(Debug)]
pub struct SessionStanding {
    pub family: Uuid,
}

/// A session and its user, as they are now.
#[derive(Clone, Debug)]
pub struct Standing {
    pub user: i64,
    pub login: String,
    pub name: String,
    pub role: Role,
    pub driver_id: Option<i64>,
    pub must_change_password: bool,
    /// Why it ended, if it did: LOGOUT, EVICTED, REUSE, PASSWORD, EXPIRED or DISABLED.
    pub ended: Option<String>,
}

/// The live sessions of a user, the one used last first.
#[derive(Debug)]
pub struct SessionsOf {
    pub user: i64,
}

/// A device on which a user is signed in.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = schema::login_session)]
pub struct Session {
    pub id: i64,
    pub family: Uuid,
    pub user_agent: Option<String>,
    pub address: Option<String>,
    pub created_at: DateTime<Utc>,
    pub last_used_at: DateTime<Utc>,
}

/// Ends one session of a user, by its family or its row. Answers its family; `NotFound` where it does not live.
#[derive(Debug)]
pub struct EndSession {
    pub user: i64,
    pub session: Which,
}

/// How a session is named.
#[derive(Clone, Copy, Debug)]
pub enum Which {
    Family(Uuid),
    Row(i64),
}

/// Whether a login was once signed in with this address and user agent.
#[derive(Debug)]
pub struct KnownDevice {
    pub login: String,
    pub address: String,
    pub user_agent: String,
}

/// Ends the live sessions of a user but `keep`. Inside the caller's transaction.
pub(super) async fn end_all(
    conn: &mut AsyncPgConnection,
    user: i64,
    keep: Option<Uuid>,
    why: &str,
) -> Result<Vec<Uuid>, DbError> {
    use schema::login_session::dsl;
    let families = dsl::login_session
        .filter(dsl::user_id.eq(user).and(dsl::revoked_at.is_null()))
        .select(dsl::family)
        .load::<Uuid>(conn)
        .await?;
    let ended: Vec<Uuid> = families.into_iter().filter(|family| Some(*family) != keep).collect();
    end(conn, &ended, why).await?;
    Ok(ended)
}

async fn end(conn: &mut AsyncPgConnection, families: &[Uuid], why: &str) -> Result<(), DbError> {
    use schema::login_session::dsl;
    diesel::update(dsl::login_session.filter(dsl::family.eq_any(families).and(dsl::revoked_at.is_null())))
        .set((dsl::revoked_at.eq(now), dsl::revoked_why.eq(why)))
        .execute(conn)
        .await?;
    Ok(())
}

impl Query for OpenSession {
    type Output = Vec<Uuid>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Vec<Uuid>, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| self.open(conn).await)
            .await
    }
}

impl OpenSession {
    async fn open(&self, conn: &mut AsyncPgConnection) -> Result<Vec<Uuid>, DbError> {
        use schema::{app_user, login_session::dsl};
        // The user's row is the lock: of twenty logins at once, each sees the sessions of those before it.
        diesel::update(app_user::table.filter(app_user::id.eq(self.user)))
            .set(app_user::last_login_at.eq(now))
            .execute(conn)
            .await?;
        let live = dsl::login_session
            .filter(
                dsl::user_id
                    .eq(self.user)
                    .and(dsl::revoked_at.is_null())
                    .and(dsl::expires_at.gt(now)),
            )
            .order((dsl::last_used_at.desc(), dsl::id.desc()))
            .select(dsl::family)
            .load::<Uuid>(conn)
            .await?;
        let stay = usize::try_from(self.most - 1).unwrap_or_default();
        let evicted: Vec<Uuid> = live.into_iter().skip(stay).collect();
        end(conn, &evicted, "EVICTED").await?;
        diesel::insert_into(dsl::login_session)
            .values((
                dsl::user_id.eq(self.user),
                dsl::family.eq(self.family),
                dsl::refresh_hash.eq(&self.refresh_hash),
                dsl::user_agent.eq(&self.user_agent),
                dsl::address.eq(&self.address),
                dsl::expires_at.eq(self.expires_at),
            ))
            .execute(conn)
            .await?;
        Ok(evicted)
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = schema::login_session)]
struct Tokens {
    user_id: i64,
    refresh_hash: Vec<u8>,
    previous_hash: Option<Vec<u8>>,
    rotated_at: Option<DateTime<Utc>>,
    user_agent: Option<String>,
    expires_at: DateTime<Utc>,
    revoked_why: Option<String>,
}

impl Query for SpendRefresh {
    type Output = Spent;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Spent, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| self.spend(conn).await)
            .await
    }
}

impl SpendRefresh {
    async fn spend(&self, conn: &mut AsyncPgConnection) -> Result<Spent, DbError> {
        use schema::login_session::dsl;
        let session = dsl::login_session
            .filter(dsl::family.eq(self.family))
            .select(Tokens::as_select())
            .for_update()
            .first(conn)
            .await
            .optional()?;
        let Some(session) = session else {
            return Ok(Spent::Unknown);
        };
        if let Some(why) = session.revoked_why {
            return Ok(Spent::Ended { why });
        }
        // The database's clock is one for all nodes.
        let at: DateTime<Utc> = diesel::select(now.into_sql::<diesel::sql_types::Timestamptz>())
            .get_result(conn)
            .await?;
        if session.expires_at <= at {
            return Ok(Spent::Unknown);
        }
        if session.refresh_hash == self.presented {
            self.rotate(conn).await?;
            return user_of(conn, session.user_id).await;
        }
        let just_spent = session.previous_hash.as_ref() == Some(&self.presented)
            && session
                .rotated_at
                .is_some_and(|rotated_at| at - rotated_at <= self.grace)
            && session.user_agent.as_deref() == Some(self.user_agent.as_str());
        if just_spent {
            return user_of(conn, session.user_id).await;
        }
        end(conn, &[self.family], "REUSE").await?;
        let audit = Audit {
            action: "session.reuse",
            subject: format!("user {}", session.user_id),
            before: None,
            after: None,
        };
        audit_log::by_system(conn, &[audit]).await?;
        Ok(Spent::Reused)
    }

    async fn rotate(&self, conn: &mut AsyncPgConnection) -> Result<(), DbError> {
        use schema::login_session::dsl;
        diesel::update(dsl::login_session.filter(dsl::family.eq(self.family)))
            .set((
                dsl::refresh_hash.eq(&self.successor),
                dsl::previous_hash.eq(&self.presented),
                dsl::rotated_at.eq(now),
                dsl::last_used_at.eq(now),
            ))
            .execute(conn)
            .await?;
        Ok(())
    }
}

async fn user_of(conn: &mut AsyncPgConnection, user: i64) -> Result<Spent, DbError> {
    use schema::app_user::dsl;
    let (role, is_active): (String, bool) = dsl::app_user
        .filter(dsl::id.eq(user))
        .select((dsl::role, dsl::is_active))
        .first(conn)
        .await?;
    Ok(match role.parse() {
        Ok(role) if is_active => Spent::Rotated { user, role },
        _ => Spent::Ended {
            why: "DISABLED".to_owned(),
        },
    })
}

impl Query for SessionStanding {
    type Output = Option<Standing>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Option<Standing>, DbError> {
        use schema::{app_user, login_session};
        type Row = (
            i64,
            String,
            String,
            String,
            Option<i64>,
            bool,
            bool,
            Option<String>,
            bool,
        );
        let row: Option<Row> = login_session::table
            .inner_join(app_user::table)
            .filter(login_session::family.eq(self.family))
            .select((
                app_user::id,
                app_user::login_id,
                app_user::name,
                app_user::role,
                app_user::driver_id,
                app_user::must_change_password,
                app_user::is_active,
                login_session::revoked_why,
                login_session::expires_at.gt(now),
            ))
            .first(conn)
            .await
            .optional()?;
        let Some((user, login, name, role, driver_id, must_change_password, is_active, revoked, in_time)) = row else {
            return Ok(None);
        };
        let ended = revoked
            .or_else(|| (!is_active).then(|| "DISABLED".to_owned()))
            .or_else(|| (!in_time).then(|| "EXPIRED".to_owned()));
        let role = role.parse().ok();
        Ok(role.map(|role| Standing {
            user,
            login,
            name,
            role,
            driver_id,
            must_change_password,
            ended,
        }))
    }
}

impl Query for SessionsOf {
    type Output = Vec<Session>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Vec<Session>, DbError> {
        use schema::login_session::dsl;
        let sessions = dsl::login_session
            .filter(
                dsl::user_id
                    .eq(self.user)
                    .and(dsl::revoked_at.is_null())
                    .and(dsl::expires_at.gt(now)),
            )
            .order((dsl::last_used_at.desc(), dsl::id.desc()))
            .select(Session::as_select())
            .load(conn)
            .await?;
        Ok(sessions)
    }
}

impl Query for EndSession {
    type Output = Uuid;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Uuid, DbError> {
        use schema::login_session::dsl;
        let (family, row) = match self.session {
            Which::Family(family) => (Some(family), None),
            Which::Row(row) => (None, Some(row)),
        };
        let ended = diesel::update(
            dsl::login_session
                .filter(dsl::user_id.eq(self.user).and(dsl::revoked_at.is_null()))
                .filter(dsl::family.nullable().eq(family).or(dsl::id.nullable().eq(row))),
        )
        .set((dsl::revoked_at.eq(now), dsl::revoked_why.eq("LOGOUT")))
        .returning(dsl::family)
        .get_result(conn)
        .await?;
        Ok(ended)
    }
}

impl Query for KnownDevice {
    type Output = bool;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<bool, DbError> {
        use schema::{app_user, login_session};
        let known = diesel::select(diesel::dsl::exists(
            login_session::table.inner_join(app_user::table).filter(
                app_user::login_id
                    .eq(self.login)
                    .and(login_session::address.eq(self.address))
                    .and(login_session::user_agent.eq(self.user_agent)),
            ),
        ))
        .get_result(conn)
        .await?;
        Ok(known)
    }
}
