//! An entry is moved within the line.

use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::json;

use super::held::{Done, Held, Refusal, waiting};
use crate::{
    db::{DbError, Query, audit_log::Author, schema},
    domain::wait_line::{Spot, Waiting, behind, head, spaced},
};

/// Puts an entry that waits behind another that does, or before everyone. `NotFound` where there is no such entry; refused
/// where one of the two does not wait in this line.
#[derive(Clone, Debug)]
pub struct Move {
    pub entry_id: i64,
    /// None: to the head.
    pub after_id: Option<i64>,
    pub author: Author,
}

impl Query for Move {
    type Output = Done;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Done, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| {
            let held = Held::lock(conn, self.entry_id, None).await?;
            let others = waiting(conn, held.site_id, Some(held.id)).await?;
            let is_there = |id: i64| others.iter().any(|other| other.id == id);
            if held.status != "WAITING" || !self.after_id.is_none_or(is_there) {
                return Ok(Err(Refusal::NotWaiting));
            }
            match self.after_id {
                Some(after) => put_behind(conn, &held, &others, after).await?,
                None => put(conn, held.id, head(&others, held.position)).await?,
            }
            let after = json!({ "after_id": self.after_id });
            held.audit(conn, &self.author, "queue.move", after).await?;
            held.changed(conn).await.map(Ok)
        })
        .await
    }
}

/// Puts an entry right behind another of the line.
pub(super) async fn put_behind(
    conn: &mut AsyncPgConnection,
    held: &Held,
    others: &[Waiting],
    after_id: i64,
) -> Result<(), DbError> {
    match behind(others, after_id) {
        Some(Spot::At(position)) => put(conn, held.id, position).await,
        Some(Spot::NoRoom) => {
            let spaced = space(conn, others).await?;
            match behind(&spaced, after_id) {
                Some(Spot::At(position)) => put(conn, held.id, position).await,
                _ => Ok(()),
            }
        }
        None => Ok(()),
    }
}

/// Makes room between all of a line.
pub(super) async fn space(conn: &mut AsyncPgConnection, line: &[Waiting]) -> Result<Vec<Waiting>, DbError> {
    let mut places = spaced(line);
    let with_room = places
        .iter()
        .zip(line)
        .map(|((_, position), waiting)| Waiting {
            position: *position,
            ..waiting.clone()
        })
        .collect();
    // In the order of ids, so that two who do this do not wait for each other in a circle.
    places.sort_unstable_by_key(|(id, _)| *id);
    for (id, position) in places {
        put(conn, id, position).await?;
    }
    Ok(with_room)
}

async fn put(conn: &mut AsyncPgConnection, entry_id: i64, position: f64) -> Result<(), DbError> {
    use schema::wait_queue::dsl;
    diesel::update(dsl::wait_queue.filter(dsl::id.eq(entry_id)))
        .set(dsl::position.eq(position))
        .execute(conn)
        .await?;
    Ok(())
}
