//! Events that were wrong in themselves, and what can still be made of them: a weight that somebody can read is a weight.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;
use weighbridge_protocol::{CycleId, Epoch, Kilograms};

use crate::{
    db::{DbError, audit_log::Author, schema, weight::Weight},
    domain::{
        edge_time,
        weighing::{Legible, legible},
    },
};

/// What a capture cannot be without.
struct Readable {
    station_id: i64,
    cycle: CycleId,
    weight: Kilograms,
    raw: Option<String>,
    at: Option<DateTime<Utc>>,
}

/// Makes a capture of an event that was set aside, and notes who did. None where it was decided on before, where no weight
/// can be read, or where its cycle was captured already.
pub async fn make_capture(
    conn: &mut AsyncPgConnection,
    epoch: Epoch,
    seq: i64,
    author: &Author,
    now: DateTime<Utc>,
) -> Result<Option<i64>, DbError> {
    use schema::{capture, edge_event::dsl, weigh_station};
    let event = dsl::edge_event.filter(dsl::epoch.eq(Uuid::from_u128(epoch.bits())).and(dsl::seq.eq(seq)));
    let (body, decided, received_at): (Option<String>, Option<DateTime<Utc>>, DateTime<Utc>) = event
        .filter(dsl::status.eq_any(["REJECTED", "QUARANTINED"]))
        .select((dsl::body, dsl::decided_at, dsl::received_at))
        .for_no_key_update()
        .first(conn)
        .await?;
    let Some(readable) = body.as_deref().and_then(read).filter(|_| decided.is_none()) else {
        return Ok(None);
    };
    // Locked before the capture is written, as everywhere.
    let known: Option<i64> = weigh_station::table
        .filter(weigh_station::id.eq(readable.station_id))
        .select(weigh_station::id)
        .for_no_key_update()
        .first(conn)
        .await
        .optional()?;
    if known.is_none() {
        return Ok(None);
    }
    let made: Option<i64> = diesel::insert_into(capture::table)
        .values((
            capture::station_id.eq(readable.station_id),
            capture::cycle.eq(Uuid::from_u128(readable.cycle.bits())),
            capture::epoch.eq(Uuid::from_u128(epoch.bits())),
            capture::seq.eq(seq),
            capture::weight.eq(Weight(readable.weight)),
            capture::doubtful.eq(true),
            capture::raw.eq(readable.raw),
            capture::captured_at.eq(edge_time::told(readable.at, received_at)),
            capture::received_at.eq(received_at),
        ))
        .on_conflict_do_nothing()
        .returning(capture::id)
        .get_result(conn)
        .await
        .optional()?;
    if made.is_some() {
        diesel::update(event)
            .set((
                dsl::decided_by.eq(author.user_id),
                dsl::decided_at.eq(now),
                dsl::decided_why.eq("a capture was made of it"),
            ))
            .execute(conn)
            .await?;
    }
    Ok(made)
}

/// When such a capture was taken. None where there is no such event.
pub async fn taken_at(conn: &mut AsyncPgConnection, epoch: Epoch, seq: i64) -> Result<Option<DateTime<Utc>>, DbError> {
    use schema::edge_event::dsl;
    let told: Option<(Option<String>, DateTime<Utc>)> = dsl::edge_event
        .filter(dsl::epoch.eq(Uuid::from_u128(epoch.bits())).and(dsl::seq.eq(seq)))
        .select((dsl::body, dsl::received_at))
        .first(conn)
        .await
        .optional()?;
    let at = |body: Option<String>| body.and_then(|body| legible(&body).at);
    Ok(told.map(|(body, received_at)| edge_time::told(at(body), received_at)))
}

fn read(body: &str) -> Option<Readable> {
    let Legible {
        station_id,
        cycle,
        weight,
        raw,
        at,
        ..
    } = legible(body);
    Some(Readable {
        station_id: station_id?,
        cycle: cycle?,
        weight: weight.filter(|weight| !weight.is_negative())?,
        raw,
        at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_that_can_be_read_is_read_whatever_else_is_wrong() {
        let body = r#"{"station_id":1,"cycle":"00000000000000000000000000000003","payload":{"weight":"300000.00"}}"#;
        assert_eq!(
            read(body).map(|readable| readable.weight),
            Some(Kilograms::from_whole(300_000))
        );
        for hopeless in [
            "",
            "not json",
            r#"{"payload":{"weight":"heavy"}}"#,
            &body.replace("300000", "-300000"),
        ] {
            assert!(read(hopeless).is_none(), "{hopeless}");
        }
    }
}
