//! Accounts.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::json;
use uuid::Uuid;

use super::{
    DbError, Query,
    audit_log::{self, Author, Deed},
    login_session, schema,
};
use crate::domain::{role::Role, text::Login};

/// An account as signing in needs it.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = schema::app_user)]
pub struct User {
    pub id: i64,
    pub login_id: String,
    pub password_hash: String,
    pub name: String,
    #[diesel(deserialize_as = String)]
    pub role: Role,
    pub driver_id: Option<i64>,
    pub must_change_password: bool,
    pub is_active: bool,
    pub created_at: DateTime<Utc>,
}

/// The account of a login. `None` where there is none.
#[derive(Debug)]
pub struct UserByLogin {
    pub login: Login,
}

/// Adds an administrator or a member of staff, unless the login is taken: then `None`.
#[derive(Debug)]
pub struct AddUser {
    pub login: Login,
    pub name: String,
    pub role: Role,
    pub password_hash: String,
}

/// Sets a user's password, and ends all their sessions but `keep`. Answers the sessions that were ended.
#[derive(Debug)]
pub struct ChangePassword {
    pub user: i64,
    pub password_hash: String,
    pub keep: Uuid,
    pub author: Author,
}

impl Query for UserByLogin {
    type Output = Option<User>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Option<User>, DbError> {
        use schema::app_user::dsl;
        let user = dsl::app_user
            .filter(dsl::login_id.eq(self.login.as_str()))
            .select(User::as_select())
            .first(conn)
            .await
            .optional()?;
        Ok(user)
    }
}

impl Query for AddUser {
    type Output = Option<i64>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Option<i64>, DbError> {
        use schema::app_user::dsl;
        let id = diesel::insert_into(dsl::app_user)
            .values((
                dsl::login_id.eq(self.login.as_str()),
                dsl::name.eq(self.name),
                dsl::role.eq(self.role.as_str()),
                dsl::password_hash.eq(self.password_hash),
            ))
            .on_conflict(dsl::login_id)
            .do_nothing()
            .returning(dsl::id)
            .get_result(conn)
            .await
            .optional()?;
        Ok(id)
    }
}

impl Query for ChangePassword {
    type Output = Vec<Uuid>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Vec<Uuid>, DbError> {
        use schema::app_user::dsl;
        conn.transaction::<_, DbError, _>(async |conn| {
            diesel::update(dsl::app_user.filter(dsl::id.eq(self.user)))
                .set((
                    dsl::password_hash.eq(&self.password_hash),
                    dsl::must_change_password.eq(false),
                ))
                .execute(conn)
                .await?;
            let ended = login_session::end_all(conn, self.user, Some(self.keep), "PASSWORD").await?;
            let deed = Deed {
                action: "user.password",
                subject: format!("user {}", self.user),
                before: None,
                after: Some(json!({"sessions_ended": ended.len()})),
            };
            audit_log::by_user(conn, &self.author, deed).await?;
            Ok(ended)
        })
        .await
    }
}
