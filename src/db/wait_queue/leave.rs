//! An entry ends without a weighing, or a call does.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::json;

use super::{
    back::to_head,
    held::{Done, Held, NO_TIME, Refusal},
    news,
};
use crate::{
    db::{DbError, Query, audit_log::Author, prepared::Prepare, schema},
    domain::call_news::Withdrawn,
};

/// Takes an open entry out of the line; staff also one that missed its call or that they had to look at. `NotFound` where
/// there is no such entry, `Overtaken` where it is called somewhere in that instant. Refused where it had ended before, or
/// a truck stands on the deck to which it is called.
#[derive(Clone, Debug)]
pub struct Cancel {
    pub entry_id: i64,
    /// Whose it must be; for another driver it is not there.
    pub driver_id: Option<i64>,
    pub reason: String,
    pub author: Author,
}

impl Query for Cancel {
    type Output = Done;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Done, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| self.cancel(conn).await)
            .await
    }
}

impl Cancel {
    async fn cancel(self, conn: &mut AsyncPgConnection) -> Result<Done, DbError> {
        let (held, stands_there) = Held::lock_after_station(conn, self.entry_id, self.driver_id).await?;
        let is_called = held.status == "CALLED";
        let may_end = is_called && held.awaits_its_truck() && !stands_there
            || held.status == "WAITING"
            || self.driver_id.is_none() && ["REVIEW", "NO_SHOW"].contains(&held.status.as_str());
        if !may_end {
            return Ok(Err(Refusal::InvalidState));
        }
        // A driver who goes by himself knows.
        if is_called && self.driver_id.is_none() {
            news::withdraw(conn, held.id, Withdrawn::Cancelled).await?;
        }
        end(conn, &held, "CANCELLED").await?;
        let after = json!({ "status": "CANCELLED", "reason": self.reason });
        held.audit(conn, &self.author, "queue.cancel", after).await?;
        held.changed(conn).await.map(Ok)
    }
}

/// Turns calls whose deadline has passed without a truck into `NO_SHOW`. Sent by Queue, with the stations whose link and
/// indicator are up: while they are not, no deadline runs.
#[derive(Clone, Debug)]
pub struct ExpireCalls {
    pub stations: Vec<i64>,
    pub now: DateTime<Utc>,
}

impl Query for ExpireCalls {
    /// The entries that did not come.
    type Output = Vec<i64>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Vec<i64>, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| {
            use schema::{wait_queue::dsl, weigh_station};
            // A truck that stands on a deck has come; its weighing decides.
            let empty: Vec<i64> = weigh_station::table
                .filter(
                    weigh_station::id
                        .eq_any(&self.stations)
                        .and(weigh_station::status.eq("IDLE"))
                        .and(weigh_station::deck_cycle.is_null()),
                )
                .order(weigh_station::id)
                .select(weigh_station::id)
                .for_no_key_update()
                .load(conn)
                .await?;
            let late: Vec<Held> = dsl::wait_queue
                .filter(dsl::status.eq("CALLED").and(dsl::station_id.eq_any(empty)))
                .filter(dsl::deadline_at.lt(self.now).and(dsl::capture_id.is_null()))
                .filter(dsl::deadline_paused_at.is_null())
                .order(dsl::id)
                .select(Held::as_select())
                .for_no_key_update()
                .load(conn)
                .await?;
            let mut gone = Vec::new();
            for held in late {
                news::withdraw(conn, held.id, Withdrawn::NoShow).await?;
                end(conn, &held, "NO_SHOW").await?;
                gone.push(held.id);
            }
            Ok(gone)
        })
        .await
    }
}

/// Halts the deadlines of calls to stations that nobody can see now, or whose deck is taken, and lets those of the others go on where they were.
/// Sent by the Queue of each node at each look: a station that this node does not hear is halted only where no other node
/// has heard of it of late either.
#[derive(Clone, Debug)]
pub struct PauseDeadlines {
    pub site_id: i64,
    /// What this node has seen of the stations.
    pub sight: Sight,
    pub now: DateTime<Utc>,
}

/// What a node sees of the stations of a site.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// Where deadlines run: link and indicator are up, all that the edge kept has arrived, and the deck is empty.
    pub awake: Vec<i64>,
    /// Linked to this node, and yet whoever is called there is not to be seen coming, or cannot come, for another stands on
    /// the deck.
    pub dark: Vec<i64>,
    /// No longer linked to this node, or never since it started: seen by nobody since their edge was heard last, unless it
    /// has found another node.
    pub lost: Vec<i64>,
}

/// A station that no node has heard of for so long is linked nowhere: an edge that is linked is noted every five seconds.
const UNHEARD: TimeDelta = TimeDelta::seconds(20);

const PAUSE: &str = "\
    UPDATE wait_queue AS q SET \
      deadline_at = CASE WHEN c.seen THEN q.deadline_at + ($3 - q.deadline_paused_at) ELSE q.deadline_at END, \
      deadline_paused_at = CASE WHEN NOT c.seen THEN greatest(q.called_at, least($3, c.since)) END \
    FROM (SELECT e.id, e.station_id = ANY($2) AS seen, \
            CASE WHEN e.station_id = ANY($4) THEN $3 ELSE coalesce(h.heard_at, $3) END AS since \
          FROM wait_queue e JOIN weigh_station s ON s.id = e.station_id LEFT JOIN edge_gateway g ON g.id = s.edge_id \
            CROSS JOIN LATERAL (SELECT greatest(s.last_heartbeat, g.last_seen_at) AS heard_at) h \
          WHERE e.site_id = $1 AND e.status = 'CALLED' AND CASE \
            WHEN e.station_id = ANY($2) THEN e.deadline_paused_at IS NOT NULL \
            ELSE e.deadline_paused_at IS NULL \
              AND (e.station_id = ANY($4 || $5) OR h.heard_at IS NULL OR h.heard_at < $6) END \
          ORDER BY e.id FOR NO KEY UPDATE OF e) AS c \
    WHERE c.id = q.id";

impl Query for PauseDeadlines {
    type Output = ();

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<(), DbError> {
        diesel::sql_query(PAUSE)
            .bind::<sql_types::BigInt, _>(self.site_id)
            .bind::<sql_types::Array<sql_types::BigInt>, _>(self.sight.awake)
            .bind::<sql_types::Timestamptz, _>(self.now)
            .bind::<sql_types::Array<sql_types::BigInt>, _>(self.sight.dark)
            .bind::<sql_types::Array<sql_types::BigInt>, _>(self.sight.lost)
            .bind::<sql_types::Timestamptz, _>(self.now - UNHEARD)
            .prepared()
            .execute(conn)
            .await?;
        Ok(())
    }
}

/// Takes the call of a station back whose truck has not come: it waits at the head of the line. Inside the transaction that
/// holds the station's row. Answers the entry, where there was one.
pub(in crate::db) async fn withdraw_from(
    conn: &mut AsyncPgConnection,
    station_id: i64,
    why: Withdrawn,
) -> Result<Option<i64>, DbError> {
    use schema::wait_queue::dsl;
    let called: Option<Held> = dsl::wait_queue
        .filter(dsl::station_id.eq(station_id).and(dsl::status.eq("CALLED")))
        .select(Held::as_select())
        .for_no_key_update()
        .first(conn)
        .await
        .optional()?;
    let Some(held) = called.filter(Held::awaits_its_truck) else {
        return Ok(None);
    };
    news::withdraw(conn, held.id, why).await?;
    held.drop_empty_record(conn).await?;
    to_head(conn, held.id).await?;
    Ok(Some(held.id))
}

/// Ends an entry; its record goes too if nothing was weighed under it.
async fn end(conn: &mut AsyncPgConnection, held: &Held, status: &'static str) -> Result<(), DbError> {
    use schema::wait_queue::dsl;
    let kept = held.drop_empty_record(conn).await?;
    diesel::update(dsl::wait_queue.filter(dsl::id.eq(held.id)))
        .set((
            dsl::status.eq(status),
            dsl::record_id.eq(kept),
            dsl::deadline_paused_at.eq(NO_TIME),
        ))
        .execute(conn)
        .await?;
    Ok(())
}
