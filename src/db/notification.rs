//! What drivers were told, as their app lists it: a row for each message, however often it was tried.

use chrono::{DateTime, Utc};
use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    DbError, Query,
    page::{Listed, Slice},
    prepared::Prepare,
    schema,
};

/// A row of the list.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = schema::notification)]
pub struct Notification {
    pub id: i64,
    /// `QUEUE_CALLED` and its like.
    #[diesel(column_name = type_)]
    pub kind: String,
    pub title: String,
    pub message: String,
    pub data: Value,
    pub is_read: bool,
    /// When a device first took it.
    pub sent_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// Lists what a message tells, once. Sent by Push before it is sent to devices.
#[derive(Clone, Debug)]
pub struct KeepNotification {
    /// The message's key.
    pub key: Uuid,
    pub driver_id: i64,
    pub kind: &'static str,
    pub title: String,
    pub message: String,
    pub data: Value,
}

/// The row of a message, and which devices (by their session) have taken it by now.
#[derive(Clone, Debug, QueryableByName)]
pub struct Kept {
    #[diesel(sql_type = sql_types::BigInt)]
    pub id: i64,
    #[diesel(sql_type = sql_types::Array<sql_types::BigInt>)]
    pub reached: Vec<i64>,
}

impl Query for KeepNotification {
    type Output = Kept;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Kept, DbError> {
        // The update changes nothing; it only makes the row that is there answer too.
        Ok(diesel::sql_query(
            "INSERT INTO notification (message_key, driver_id, type, title, message, data) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (message_key) DO UPDATE SET title = notification.title RETURNING id, reached",
        )
        .bind::<sql_types::Uuid, _>(self.key)
        .bind::<sql_types::BigInt, _>(self.driver_id)
        .bind::<sql_types::Text, _>(self.kind)
        .bind::<sql_types::Text, _>(self.title)
        .bind::<sql_types::Text, _>(self.message)
        .bind::<sql_types::Jsonb, _>(self.data)
        .prepared()
        .get_result(conn)
        .await?)
    }
}

/// Devices have taken it.
#[derive(Clone, Debug)]
pub struct NotificationReached {
    pub id: i64,
    /// Their sessions.
    pub devices: Vec<i64>,
}

impl Query for NotificationReached {
    type Output = ();

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<(), DbError> {
        diesel::sql_query(
            "UPDATE notification SET reached = reached || $2, sent_at = coalesce(sent_at, now()) WHERE id = $1",
        )
        .bind::<sql_types::BigInt, _>(self.id)
        .bind::<sql_types::Array<sql_types::BigInt>, _>(self.devices)
        .prepared()
        .execute(conn)
        .await?;
        Ok(())
    }
}

/// Whether a driver was told of one of his entry's calls: only then there is something to take back.
#[derive(Clone, Debug)]
pub struct CallWasTold {
    pub driver_id: i64,
    /// `<entry>-<call>`
    pub call_id: String,
}

impl Query for CallWasTold {
    type Output = bool;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<bool, DbError> {
        use schema::notification::dsl;
        let told = dsl::notification
            .filter(dsl::driver_id.eq(self.driver_id).and(dsl::type_.eq("QUEUE_CALLED")))
            .filter(dsl::data.contains(json!({ "call_id": self.call_id })));
        Ok(diesel::select(diesel::dsl::exists(told)).get_result(conn).await?)
    }
}

/// What a driver was told, the newest first.
#[derive(Clone, Copy, Debug)]
pub struct NotificationsOf {
    pub driver_id: i64,
    pub unread_only: bool,
    pub slice: Slice,
}

impl Query for NotificationsOf {
    type Output = Listed<Notification>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Listed<Notification>, DbError> {
        use schema::notification::dsl;
        let theirs = || {
            let all = dsl::notification.filter(dsl::driver_id.eq(self.driver_id)).into_boxed();
            if self.unread_only {
                all.filter(dsl::is_read.eq(false))
            } else {
                all
            }
        };
        let total = theirs().count().get_result(conn).await?;
        let items = theirs()
            .order((dsl::created_at.desc(), dsl::id.desc()))
            .offset(self.slice.offset)
            .limit(self.slice.limit)
            .select(Notification::as_select())
            .load(conn)
            .await?;
        Ok(Listed { items, total })
    }
}

/// The driver has read it; done twice it is as done once. `NotFound` where it is not theirs.
#[derive(Clone, Copy, Debug)]
pub struct ReadNotification {
    pub id: i64,
    pub driver_id: i64,
}

impl Query for ReadNotification {
    type Output = Notification;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Notification, DbError> {
        use schema::notification::dsl;
        let theirs = dsl::notification.filter(dsl::id.eq(self.id).and(dsl::driver_id.eq(self.driver_id)));
        Ok(diesel::update(theirs)
            .set(dsl::is_read.eq(true))
            .returning(Notification::as_returning())
            .get_result(conn)
            .await?)
    }
}

/// Deletes what is older than this. Answers how many went. Inside the caller's round.
pub(super) async fn forget_before(conn: &mut AsyncPgConnection, before: DateTime<Utc>) -> Result<usize, DbError> {
    use schema::notification::dsl;
    Ok(diesel::delete(dsl::notification.filter(dsl::created_at.lt(before)))
        .execute(conn)
        .await?)
}
