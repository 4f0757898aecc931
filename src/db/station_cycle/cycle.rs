//! A station's row, locked, and its capture logic.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use tracing::warn;
use uuid::Uuid;
use weighbridge_protocol::{
    Epoch, Kilograms,
    scale::{CaptureSettings, CycleState},
};

use crate::{
    db::{DbError, edge_epoch::capture_wishes, schema, weight::MaybeWeight},
    domain::feed::station::{FedStation, Memory, StationRow},
};

/// A station that is heard is noted as heard this often.
const BETWEEN_HEARTBEATS: TimeDelta = TimeDelta::seconds(5);

/// A station within its transaction.
pub(super) struct Cycle {
    pub(super) station: FedStation,
    heard_at: Option<DateTime<Utc>>,
}

#[derive(Queryable)]
struct Row {
    edge_id: Option<i64>,
    #[diesel(deserialize_as = MaybeWeight)]
    capacity: Option<Kilograms>,
    #[diesel(deserialize_as = MaybeWeight)]
    division: Option<Kilograms>,
    capture_settings: Value,
    last_heartbeat: Option<DateTime<Utc>>,
    epoch: Uuid,
    last_seq: i64,
    state: Value,
}

impl Cycle {
    /// Locks the station, which from now on is fed by HTTP. None where it is not in use, or was not fed before and is of none
    /// of these edges.
    pub(super) async fn begin(
        conn: &mut AsyncPgConnection,
        station_id: i64,
        edges: &[i64],
        memory: Option<Memory>,
    ) -> Result<Option<Self>, DbError> {
        let mut row = lock(conn, station_id).await?;
        if row.is_none() {
            make(conn, station_id, edges).await?;
            row = lock(conn, station_id).await?;
        }
        Ok(row.map(|row| Self::of(station_id, row, memory)))
    }

    /// The same for a station that is fed already.
    pub(super) async fn again(conn: &mut AsyncPgConnection, station_id: i64, memory: Memory) -> Result<Self, DbError> {
        let row = lock(conn, station_id).await?.ok_or(DbError::NotFound)?;
        Ok(Self::of(station_id, row, Some(memory)))
    }

    fn of(station_id: i64, row: Row, memory: Option<Memory>) -> Self {
        let stored = StationRow {
            station_id,
            edge_id: row.edge_id,
            capacity: row.capacity,
            settings: settings(station_id, row.capture_settings, row.division),
            epoch: Epoch::from_bits(row.epoch.as_u128()),
            last_seq: row.last_seq,
            // A state that cannot be read is one of which nothing is known: what stands there is a gap capture.
            state: serde_json::from_value(row.state).unwrap_or_default(),
        };
        Self {
            station: FedStation::of(stored, memory),
            heard_at: row.last_heartbeat,
        }
    }

    /// Writes the state with the seq that it has reached.
    pub(super) async fn end(self, conn: &mut AsyncPgConnection, last_seq: i64) -> Result<Memory, DbError> {
        use schema::station_cycle::dsl;
        let unmoved = dsl::station_cycle
            .filter(dsl::station_id.eq(self.station.station_id))
            .filter(dsl::last_seq.eq(self.station.last_seq));
        let state: &CycleState = self.station.scale.state();
        let state = serde_json::to_value(state).unwrap_or_default();
        let moved = diesel::update(unmoved)
            .set((dsl::last_seq.eq(last_seq), dsl::state.eq(state)))
            .execute(conn)
            .await?;
        if moved != 1 {
            return Err(DbError::Overtaken);
        }
        self.note_heartbeat(conn).await?;
        Ok(Memory {
            epoch: self.station.epoch,
            last_seq,
            scale: self.station.scale,
        })
    }

    async fn note_heartbeat(&self, conn: &mut AsyncPgConnection) -> Result<(), DbError> {
        use schema::weigh_station::dsl;
        let now = Utc::now();
        if self.heard_at.is_some_and(|at| now - at < BETWEEN_HEARTBEATS) {
            return Ok(());
        }
        diesel::update(dsl::weigh_station.filter(dsl::id.eq(self.station.station_id)))
            .set(dsl::last_heartbeat.eq(now))
            .execute(conn)
            .await?;
        Ok(())
    }
}

async fn lock(conn: &mut AsyncPgConnection, station: i64) -> Result<Option<Row>, DbError> {
    use schema::{station_cycle, weigh_station};
    Ok(station_cycle::table
        .inner_join(weigh_station::table)
        .filter(station_cycle::station_id.eq(station).and(weigh_station::is_active))
        .select((
            weigh_station::edge_id,
            weigh_station::capacity,
            weigh_station::division,
            weigh_station::capture_settings,
            weigh_station::last_heartbeat,
            station_cycle::epoch,
            station_cycle::last_seq,
            station_cycle::state,
        ))
        .for_no_key_update()
        .first(conn)
        .await
        .optional()?)
}

async fn make(conn: &mut AsyncPgConnection, station: i64, edges: &[i64]) -> Result<(), DbError> {
    use schema::{station_cycle::dsl, weigh_station};
    let epoch = Uuid::from_u128(rand::random()).into_sql::<sql_types::Uuid>();
    let owned = weigh_station::table
        .filter(weigh_station::id.eq(station).and(weigh_station::is_active))
        .filter(weigh_station::edge_id.eq_any(edges))
        .select((weigh_station::id, epoch));
    // Where another server was faster, its row is the station's.
    diesel::insert_into(dsl::station_cycle)
        .values(owned)
        .into_columns((dsl::station_id, dsl::epoch))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(())
}

fn settings(station_id: i64, capture: Value, division: Option<Kilograms>) -> CaptureSettings {
    let wishes = capture_wishes(capture, division);
    let (settings, unfit) = CaptureSettings::default().fitted(&wishes);
    for unfit in unfit {
        warn!(
            station.id = station_id,
            "the setting for station {station_id} is not used: {unfit}"
        );
    }
    settings
}
