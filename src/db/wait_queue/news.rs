//! What drivers are told of their calls, owed by the transaction that makes them or takes them back.

use diesel_async::AsyncPgConnection;

use super::line::{Entry, EntryById};
use crate::{
    db::{DbError, Query, outbox},
    domain::call_news::{CallNews, Withdrawn},
};

/// The call that the entry shows.
pub(super) async fn called(conn: &mut AsyncPgConnection, entry: &Entry) -> Result<(), DbError> {
    outbox::enqueue(conn, &[news(entry).called()]).await
}

/// The call of this entry is taken back: told while the entry still shows it.
pub(in crate::db) async fn withdraw(
    conn: &mut AsyncPgConnection,
    entry_id: i64,
    why: Withdrawn,
) -> Result<(), DbError> {
    let entry = EntryById { id: entry_id }.run(conn).await?;
    outbox::enqueue(conn, &[news(&entry).withdrawn(why)]).await
}

fn news(entry: &Entry) -> CallNews<'_> {
    CallNews {
        entry_id: entry.id,
        call: entry.calls_made,
        queue_number: entry.queue_number,
        driver_id: entry.driver_id,
        plate: &entry.vehicle_plate,
        station_id: entry.station_id,
        station_name: entry.station_name.as_deref(),
        deadline: entry.deadline_at,
    }
}
