//! The identity rows of events: who they are, what is stored, and how far an epoch is stored without a hole.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;
use weighbridge_protocol::{Epoch, LinkSession, link::EventKind};

use super::StoreEvents;
use crate::{
    db::{DbError, edge_epoch::holes, schema, weight::Weight},
    domain::{
        intake::identities::{Identities, LockedEpoch, NewEvent},
        weighing::{Examined, Fate, Legible, legible},
    },
};

/// Reads sessions, watermarks and identity rows, and locks them: gateways first, then epochs, each ascending.
pub async fn load(conn: &mut AsyncPgConnection, group: &[StoreEvents]) -> Result<Identities, DbError> {
    let mut found = Identities {
        sessions: sessions(conn, group).await?,
        ..Identities::default()
    };
    let named: BTreeSet<Epoch> = group
        .iter()
        .flat_map(|member| &member.events)
        .map(|examined| examined.event.epoch)
        .collect();
    found.epochs = epochs(conn, &named).await?;
    rows(conn, group, &mut found.epochs).await?;
    Ok(found)
}

/// Writes the rows, and each watermark by compare-and-set.
pub async fn save(conn: &mut AsyncPgConnection, identities: &Identities) -> Result<(), DbError> {
    let (filling, new): (Vec<_>, Vec<_>) = identities.new.iter().partition(|event| event.fills);
    let rows: Vec<EventRow> = new.into_iter().map(EventRow::from).collect();
    if !rows.is_empty() {
        diesel::insert_into(schema::edge_event::table)
            .values(&rows)
            .execute(conn)
            .await?;
    }
    for event in filling {
        fill(conn, event).await?;
    }
    for (edge_id, examined) in &identities.conflicts {
        keep_conflict(conn, *edge_id, examined).await?;
    }
    for (epoch, before, now) in identities.moved() {
        move_watermark(conn, epoch, before, now).await?;
    }
    Ok(())
}

async fn sessions(conn: &mut AsyncPgConnection, group: &[StoreEvents]) -> Result<BTreeMap<i64, LinkSession>, DbError> {
    use schema::edge_gateway::dsl;
    let edges: BTreeSet<i64> = group.iter().map(|member| member.edge_id).collect();
    let rows: Vec<(i64, Option<Uuid>)> = dsl::edge_gateway
        .filter(dsl::id.eq_any(edges.into_iter().collect::<Vec<_>>()))
        .filter(dsl::is_active)
        .order(dsl::id)
        .select((dsl::id, dsl::session))
        .for_share()
        .load(conn)
        .await?;
    let newest = |(id, session): (i64, Option<Uuid>)| Some((id, LinkSession::from_bits(session?.as_u128())));
    Ok(rows.into_iter().filter_map(newest).collect())
}

async fn epochs(
    conn: &mut AsyncPgConnection,
    named: &BTreeSet<Epoch>,
) -> Result<BTreeMap<Epoch, LockedEpoch>, DbError> {
    use schema::edge_epoch::dsl;
    let named: Vec<Uuid> = named.iter().map(|epoch| Uuid::from_u128(epoch.bits())).collect();
    let rows: Vec<(Uuid, i64, i64)> = dsl::edge_epoch
        .filter(dsl::epoch.eq_any(named))
        .order(dsl::epoch)
        .select((dsl::epoch, dsl::edge_id, dsl::have))
        .for_no_key_update()
        .load(conn)
        .await?;
    let row =
        |(epoch, edge_id, have): (Uuid, i64, i64)| (Epoch::from_bits(epoch.as_u128()), LockedEpoch::new(edge_id, have));
    Ok(rows.into_iter().map(row).collect())
}

/// The identity rows of the events at hand, and what there is above each watermark. A row LOST is of a time before ranges,
/// and says nothing.
async fn rows(
    conn: &mut AsyncPgConnection,
    group: &[StoreEvents],
    epochs: &mut BTreeMap<Epoch, LockedEpoch>,
) -> Result<(), DbError> {
    use schema::edge_event::dsl;
    for (epoch, row) in epochs {
        let key = Uuid::from_u128(epoch.bits());
        let events = group
            .iter()
            .flat_map(|member| &member.events)
            .map(|examined| &examined.event);
        let seqs: Vec<i64> = events
            .filter(|event| event.epoch == *epoch)
            .map(|event| event.seq)
            .collect();
        let beyond = holes::beyond(
            conn,
            key,
            row.have_before,
            seqs.iter().copied().min().unwrap_or(i64::MAX),
        )
        .await?;
        let stored: Vec<(i64, Option<String>)> = dsl::edge_event
            .filter(dsl::epoch.eq(key))
            .filter(dsl::seq.eq_any(seqs))
            .select((dsl::seq, dsl::sha256))
            .load(conn)
            .await?;
        let hashed = |(seq, sha256): (i64, Option<String>)| Some((seq, sha256?));
        row.known.rows = stored.into_iter().filter_map(hashed).collect();
        (row.known.lost, row.known.above) = (beyond.lost, beyond.above);
    }
    Ok(())
}

#[derive(Insertable, AsChangeset)]
#[diesel(table_name = schema::edge_event)]
struct EventRow<'a> {
    epoch: Uuid,
    seq: i64,
    edge_id: i64,
    station_id: Option<i64>,
    kind: Option<String>,
    cycle: Option<Uuid>,
    sha256: &'a str,
    body: String,
    status: &'a str,
    reason: Option<String>,
    weight: Option<Weight>,
    at: Option<DateTime<Utc>>,
    received_at: DateTime<Utc>,
}

impl<'a> From<&'a NewEvent> for EventRow<'a> {
    fn from(new: &'a NewEvent) -> Self {
        let event = &new.examined.event;
        let legible = match &new.examined.body {
            Ok(body) => Legible {
                station_id: Some(body.station_id),
                kind: Some(body.kind.name().to_owned()),
                cycle: body.cycle,
                weight: match &body.kind {
                    EventKind::Capture(capture) => Some(capture.weight),
                    _ => None,
                },
                ..Legible::default()
            },
            // Wrong in itself: what can be read of it is for staff.
            Err(_) => legible(&event.body),
        };
        let (status, reason) = match &new.fate {
            Fate::Stored => ("STORED", None),
            Fate::Duplicate => ("DUPLICATE", None),
            Fate::Rejected(reason) => ("REJECTED", Some(reason.to_string())),
        };
        Self {
            epoch: Uuid::from_u128(event.epoch.bits()),
            seq: event.seq,
            edge_id: new.edge_id,
            station_id: legible.station_id,
            kind: legible.kind,
            cycle: legible.cycle.map(|cycle| Uuid::from_u128(cycle.bits())),
            sha256: &event.sha256,
            body: storable(&event.body),
            status,
            reason,
            weight: legible.weight.map(Weight),
            at: new
                .moments
                .filter(|moments| !moments.doubtful)
                .map(|moments| moments.at),
            received_at: new.examined.received_at,
        }
    }
}

/// PostgreSQL's text holds no NUL. Such a body is never valid JSON; what is kept of it is for staff to read.
pub(super) fn storable(body: &str) -> String {
    body.replace('\0', "\u{fffd}")
}

/// Stores what was declared lost; a row LOST, of a time before ranges, gives it its place.
async fn fill(conn: &mut AsyncPgConnection, event: &NewEvent) -> Result<(), DbError> {
    use schema::edge_event::dsl;
    let row = EventRow::from(event);
    holes::cut_out(conn, row.epoch, row.seq).await?;
    let lost = dsl::edge_event
        .filter(dsl::epoch.eq(row.epoch))
        .filter(dsl::seq.eq(row.seq))
        .filter(dsl::status.eq("LOST"));
    if diesel::update(lost).set(&row).execute(conn).await? == 0 {
        diesel::insert_into(dsl::edge_event).values(&row).execute(conn).await?;
    }
    Ok(())
}

async fn keep_conflict(conn: &mut AsyncPgConnection, edge: i64, examined: &Examined) -> Result<(), DbError> {
    use schema::edge_conflict::dsl;
    let event = &examined.event;
    diesel::insert_into(dsl::edge_conflict)
        .values((
            dsl::epoch.eq(Uuid::from_u128(event.epoch.bits())),
            dsl::seq.eq(event.seq),
            dsl::edge_id.eq(edge),
            dsl::sha256.eq(&event.sha256),
            dsl::body.eq(storable(&event.body)),
            dsl::received_at.eq(examined.received_at),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(())
}

async fn move_watermark(conn: &mut AsyncPgConnection, of: Epoch, old: i64, new: i64) -> Result<(), DbError> {
    use schema::edge_epoch::dsl;
    let unmoved = dsl::edge_epoch
        .filter(dsl::epoch.eq(Uuid::from_u128(of.bits())))
        .filter(dsl::have.eq(old));
    let moved = diesel::update(unmoved).set(dsl::have.eq(new)).execute(conn).await?;
    if moved == 1 { Ok(()) } else { Err(DbError::Overtaken) }
}
