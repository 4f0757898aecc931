//! What must be done before a database serves that is not the one that served last: a backup that was restored, or a
//! standby that lagged.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::{
    DbError, Query,
    ledger::{load::pass_by, slips},
    schema,
    wait_queue::leave_out,
};
use crate::domain::{intake::hello::wants_room, slip::local_day};

/// The sequences of ids that receipts name.
const GIVEN_OUT: [&str; 5] = [
    "weigh_record_id_seq",
    "vehicle_id_seq",
    "driver_id_seq",
    "product_id_seq",
    "customer_id_seq",
];

/// Leaves room for what was acknowledged and is missing here: edges send it again, with the numbers that were printed.
///
/// - no truck that drove on before now belongs to a call, unless its receipt says so
/// - for other edges that bring the same news, the time is noted
/// - the slip counters of every day from the newest completion to today jump, and so do the sequences of the ids that receipts name;
///   the numbers skipped are LOST until receipts fill them
/// - the line's counter of today jumps too: drivers hold numbers that are not known here any more
#[derive(Clone, Copy, Debug)]
pub struct MakeRoom {
    pub jump: i32,
    pub now: DateTime<Utc>,
}

impl Query for MakeRoom {
    type Output = ();

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<(), DbError> {
        use schema::{database_identity, site, weigh_station};
        // In order, as everybody locks them.
        weigh_station::table
            .order(weigh_station::id)
            .select(weigh_station::id)
            .for_no_key_update()
            .load::<i64>(conn)
            .await?;
        diesel::update(weigh_station::table)
            .set(weigh_station::trusted_since.eq(self.now))
            .execute(conn)
            .await?;
        for sequence in GIVEN_OUT {
            pass_by(conn, sequence, self.jump.into()).await?;
        }
        let sites: Vec<(i64, String, String)> = site::table
            .order(site::id)
            .select((site::id, site::slip_prefix, site::time_zone))
            .load(conn)
            .await?;
        for (id, prefix, zone) in sites {
            let zone = zone.parse().unwrap_or(chrono_tz::Asia::Seoul);
            self.lift_counters(conn, id, &prefix, zone).await?;
            leave_out(conn, id, local_day(self.now, zone), self.jump).await?;
        }
        diesel::update(database_identity::table)
            .set(database_identity::room_made_at.eq(self.now))
            .execute(conn)
            .await?;
        Ok(())
    }
}

/// The database goes back without saying so of itself: an edge, or a connection, knows of more than is here. Makes room if
/// that was not done since the database was last seen with all that it should have. Sent by EdgeLink.
#[derive(Clone, Copy, Debug)]
pub struct WentBack {
    pub sound_at: Option<DateTime<Utc>>,
    pub room: MakeRoom,
}

impl Query for WentBack {
    /// Whether room was made.
    type Output = bool;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<bool, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| self.make_room(conn).await)
            .await
    }
}

impl WentBack {
    /// The same inside of a transaction that holds no rows but of gateways and epochs.
    pub(super) async fn make_room(self, conn: &mut AsyncPgConnection) -> Result<bool, DbError> {
        use schema::database_identity::dsl;
        let made_at: Option<Option<DateTime<Utc>>> = dsl::database_identity
            .select(dsl::room_made_at)
            .for_update()
            .first(conn)
            .await
            .optional()?;
        if !wants_room(self.sound_at, made_at.flatten()) {
            return Ok(false);
        }
        self.room.run(conn).await?;
        Ok(true)
    }
}

impl MakeRoom {
    async fn lift_counters(
        self,
        conn: &mut AsyncPgConnection,
        site_id: i64,
        prefix: &str,
        zone: chrono_tz::Tz,
    ) -> Result<(), DbError> {
        use schema::{slip_counter, slip_room, weigh_record};
        let newest: Option<DateTime<Utc>> = weigh_record::table
            .filter(
                weigh_record::site_id
                    .eq(site_id)
                    .and(weigh_record::slip_number.is_not_null()),
            )
            .select(diesel::dsl::max(weigh_record::weighed_at))
            .first(conn)
            .await?;
        let today = local_day(self.now, zone);
        let first = newest.map_or(today, |newest| local_day(newest, zone)).min(today);
        let numbered: Vec<NaiveDate> = slip_counter::table
            .filter(
                slip_counter::site_id
                    .eq(site_id)
                    .and(slip_counter::day.between(first, today)),
            )
            .order(slip_counter::day)
            .select(slip_counter::day)
            .load(conn)
            .await?;
        for day in numbered.into_iter().filter(|day| *day < today).chain([today]) {
            let last = slips::last(conn, site_id, day).await?;
            slips::raise(conn, site_id, prefix, day, last.saturating_add(self.jump)).await?;
        }
        // The other days get their rows when something is numbered there.
        diesel::insert_into(slip_room::table)
            .values((
                slip_room::site_id.eq(site_id),
                slip_room::first_day.eq(first),
                slip_room::last_day.eq(today),
                slip_room::jump.eq(self.jump),
                slip_room::made_at.eq(self.now),
            ))
            .execute(conn)
            .await?;
        Ok(())
    }
}
