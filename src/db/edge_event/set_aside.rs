//! The path for an event that cannot be handled: kept with its text, so that nothing behind it waits.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;
use weighbridge_protocol::{LinkSession, link::Event};

use super::identity::storable;
use crate::{
    db::{DbError, Query, edge_epoch::holes, schema, weight::Weight},
    domain::weighing::legible,
};

/// Why it is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The database refuses it, and would refuse it again.
    Rejected,
    /// Whatever handles it panics.
    Quarantined,
}

/// Keeps an event without running any of the code that handles one. Sent by EdgeLink after three attempts.
#[derive(Clone, Debug)]
pub struct SetAside {
    pub edge_id: i64,
    pub session: LinkSession,
    pub event: Event,
    pub why: Why,
    pub reason: String,
    pub received_at: DateTime<Utc>,
}

impl Query for SetAside {
    /// Whether it is kept now: also where it was kept before. False when another connection of this edge is
    /// newer, or it was neither the next in order nor declared lost.
    type Output = bool;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<bool, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| {
            if !self.is_newest(conn).await? {
                return Ok(false);
            }
            let epoch = Uuid::from_u128(self.event.epoch.bits());
            let beyond = holes::beyond(conn, epoch, self.event.seq, self.event.seq).await?;
            let moved = self
                .move_watermark(conn, beyond.above.contiguous(self.event.seq))
                .await?;
            if beyond.lost.contains(self.event.seq) {
                holes::cut_out(conn, epoch, self.event.seq).await?;
            } else if !moved {
                return self.is_kept(conn).await;
            }
            self.keep(conn).await?;
            self.distrust(conn).await?;
            Ok(true)
        })
        .await
    }
}

impl SetAside {
    async fn is_newest(&self, conn: &mut AsyncPgConnection) -> Result<bool, DbError> {
        use schema::edge_gateway::dsl;
        let newest: Option<Option<Uuid>> = dsl::edge_gateway
            .filter(dsl::id.eq(self.edge_id))
            .select(dsl::session)
            .for_share()
            .first(conn)
            .await
            .optional()?;
        Ok(newest.flatten().map(|session| session.as_u128()) == Some(self.session.bits()))
    }

    /// Over what was declared lost behind it, too.
    async fn move_watermark(&self, conn: &mut AsyncPgConnection, have: i64) -> Result<bool, DbError> {
        use schema::edge_epoch::dsl;
        let before = dsl::edge_epoch
            .filter(dsl::epoch.eq(Uuid::from_u128(self.event.epoch.bits())))
            .filter(dsl::have.eq(self.event.seq - 1));
        Ok(diesel::update(before).set(dsl::have.eq(have)).execute(conn).await? == 1)
    }

    /// An edge that connects anew sends its last row once more, and that may be one that was set aside.
    async fn is_kept(&self, conn: &mut AsyncPgConnection) -> Result<bool, DbError> {
        use schema::edge_event::dsl;
        let same = dsl::edge_event
            .filter(dsl::epoch.eq(Uuid::from_u128(self.event.epoch.bits())))
            .filter(dsl::seq.eq(self.event.seq))
            .filter(dsl::sha256.eq(&self.event.sha256));
        Ok(diesel::select(diesel::dsl::exists(same)).get_result(conn).await?)
    }

    async fn keep(&self, conn: &mut AsyncPgConnection) -> Result<(), DbError> {
        use schema::edge_event::dsl;
        let legible = legible(&self.event.body);
        let row = (
            dsl::epoch.eq(Uuid::from_u128(self.event.epoch.bits())),
            dsl::seq.eq(self.event.seq),
            dsl::edge_id.eq(self.edge_id),
            dsl::sha256.eq(&self.event.sha256),
            dsl::body.eq(storable(&self.event.body)),
            dsl::status.eq(match self.why {
                Why::Rejected => "REJECTED",
                Why::Quarantined => "QUARANTINED",
            }),
            dsl::reason.eq(&self.reason),
            dsl::station_id.eq(legible.station_id),
            dsl::kind.eq(legible.kind),
            dsl::cycle.eq(legible.cycle.map(|cycle| Uuid::from_u128(cycle.bits()))),
            dsl::weight.eq(legible.weight.map(Weight)),
            dsl::received_at.eq(self.received_at),
        );
        // A row LOST, of a time before ranges, gives it its place.
        diesel::insert_into(dsl::edge_event)
            .values(row.clone())
            .on_conflict((dsl::epoch, dsl::seq))
            .do_update()
            .set(row)
            .execute(conn)
            .await?;
        Ok(())
    }

    async fn distrust(&self, conn: &mut AsyncPgConnection) -> Result<(), DbError> {
        use schema::weigh_station::dsl;
        diesel::update(dsl::weigh_station.filter(dsl::edge_id.eq(self.edge_id)))
            .set(dsl::trusted_since.eq(self.received_at))
            .execute(conn)
            .await?;
        Ok(())
    }
}
