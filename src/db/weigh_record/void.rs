//! A record is voided: it does not count any more, and its weights wait for a decision again.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::json;
use uuid::Uuid;
use weighbridge_protocol::CycleId;

use crate::{
    db::{
        DbError, Query,
        audit_log::{self, Author, Deed},
        ledger::{self, Changes, Loaded, Wanted},
        outbox, schema,
        wait_queue::{self, Refusal},
    },
    domain::{
        outbox::{Origin, void},
        weighing::ledger::{Record, RecordStatus},
    },
};

/// Voids a completed record, or an open one that has a weight. `NotFound` where there is no such record.
#[derive(Clone, Debug)]
pub struct VoidRecord {
    pub record_id: i64,
    pub reason: String,
    /// Whether the truck that was called gets its place back: another one was weighed under its call.
    pub requeue: bool,
    pub author: Author,
    pub now: DateTime<Utc>,
}

/// What others should hear of; or why the record stays.
pub type Voided = Result<Changes, Refusal>;

impl Query for VoidRecord {
    type Output = Voided;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Voided, DbError> {
        let voiding = conn.transaction::<_, DbError, _>(async |conn| self.void(conn).await);
        wait_queue::or_already_queued(voiding.await)
    }
}

/// What the rules' own record does not hold.
#[derive(Queryable, Selectable)]
#[diesel(table_name = schema::weigh_record)]
struct Story {
    station_id: i64,
    weighed_at: DateTime<Utc>,
    first_capture_id: Option<i64>,
    second_capture_id: Option<i64>,
    manual_key: Option<Uuid>,
    replaces: Option<i64>,
}

impl VoidRecord {
    async fn void(self, conn: &mut AsyncPgConnection) -> Result<Voided, DbError> {
        use schema::weigh_record::dsl;
        let story: Story = dsl::weigh_record
            .filter(dsl::id.eq(self.record_id))
            .select(Story::as_select())
            .first(conn)
            .await?;
        let captures = captures(conn, &story).await?;
        let loaded = self.lock(conn, &story, &captures).await?;
        let Some(record) = loaded.ledger.records.get(&self.record_id) else {
            return Ok(Err(Refusal::InvalidState));
        };
        let is_called = (loaded.ledger.calls.values())
            .any(|call| call.record_id == Some(self.record_id) && call.capture_id.is_none());
        let may_end = record.status == RecordStatus::Completed
            || record.status == RecordStatus::Weighing && record.first.is_some();
        if !may_end || is_called {
            return Ok(Err(Refusal::InvalidState));
        }
        let mut changes = Changes::default();
        if self.requeue {
            match self.give_place_back(conn).await? {
                Ok(site) => drop(changes.sites.insert(site)),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        self.write(conn, &story, record, &captures).await?;
        for station in [Some(story.station_id), record.first.map(|pass| pass.station_id)]
            .into_iter()
            .flatten()
        {
            changes.stations.insert(station, Vec::new());
        }
        changes.stations.insert(story.station_id, vec![self.record_id]);
        changes.unassigned = captures.len();
        Ok(Ok(changes))
    }

    /// Locks all that hangs on the record, in the order of every transaction.
    async fn lock(&self, conn: &mut AsyncPgConnection, story: &Story, captures: &[Taken]) -> Result<Loaded, DbError> {
        use schema::wait_queue::dsl;
        let called: Vec<Option<i64>> = dsl::wait_queue
            .filter(dsl::record_id.eq(self.record_id).and(dsl::status.eq("CALLED")))
            .select(dsl::station_id)
            .load(conn)
            .await?;
        let wanted = Wanted {
            stations: called.into_iter().flatten().chain([story.station_id]).collect(),
            cycles: captures.iter().map(|taken| taken.cycle).collect(),
            records: [self.record_id].into(),
            ..Wanted::default()
        };
        ledger::load(conn, &wanted).await
    }

    /// The entry under whose call the record was made waits at the head of the line. Answers whose line that is.
    async fn give_place_back(&self, conn: &mut AsyncPgConnection) -> Result<Result<i64, Refusal>, DbError> {
        use schema::wait_queue::dsl;
        let entry: Option<(i64, i64, i64)> = dsl::wait_queue
            .filter(dsl::record_id.eq(self.record_id))
            .filter(dsl::status.eq_any(["COMPLETED", "CALLED"]))
            .order(dsl::id.desc())
            .select((dsl::id, dsl::vehicle_id, dsl::site_id))
            .for_no_key_update()
            .first(conn)
            .await
            .optional()?;
        let Some((id, vehicle_id, site_id)) = entry else {
            return Ok(Err(Refusal::InvalidState));
        };
        if wait_queue::vehicle_is_queued(conn, vehicle_id, Some(id)).await? {
            return Ok(Err(Refusal::AlreadyQueued));
        }
        wait_queue::to_head(conn, id).await?;
        // Its record is the one that is being voided.
        diesel::update(dsl::wait_queue.filter(dsl::id.eq(id)))
            .set(dsl::record_id.eq(None::<i64>))
            .execute(conn)
            .await?;
        Ok(Ok(site_id))
    }

    async fn write(
        &self,
        conn: &mut AsyncPgConnection,
        story: &Story,
        record: &Record,
        captures: &[Taken],
    ) -> Result<(), DbError> {
        use schema::{capture, weigh_record::dsl};
        let row = dsl::weigh_record.filter(dsl::id.eq(self.record_id).and(dsl::weighed_at.eq(story.weighed_at)));
        diesel::update(row)
            .set((
                dsl::status.eq(RecordStatus::Voided.name()),
                dsl::voided_at.eq(self.now),
                dsl::voided_by.eq(self.author.user_id),
                dsl::void_reason.eq(&self.reason),
            ))
            .execute(conn)
            .await?;
        let ids: Vec<i64> = captures.iter().map(|taken| taken.id).collect();
        diesel::update(capture::table.filter(capture::id.eq_any(ids)))
            .set((
                capture::state.eq("UNASSIGNED"),
                capture::record_id.eq(None::<i64>),
                capture::decided_by.eq(None::<i64>),
                capture::decided_at.eq(None::<DateTime<Utc>>),
            ))
            .execute(conn)
            .await?;
        self.tell_erp(conn, story, record, captures).await?;
        let deed = Deed {
            action: "record.void",
            subject: format!("weigh_record {}", self.record_id),
            before: Some(json!({ "status": record.status.name() })),
            after: Some(json!({ "status": "VOIDED", "reason": self.reason, "requeue": self.requeue })),
        };
        audit_log::by_user(conn, &self.author, deed).await
    }

    /// Whoever was told that it is complete is told that it does not count.
    async fn tell_erp(
        &self,
        conn: &mut AsyncPgConnection,
        story: &Story,
        record: &Record,
        captures: &[Taken],
    ) -> Result<(), DbError> {
        if record.status != RecordStatus::Completed {
            return Ok(());
        }
        let completing = record.second.or(record.first).and_then(|pass| pass.capture_id);
        let cycle = captures.iter().find(|taken| Some(taken.id) == completing);
        let origin = match (cycle, story.manual_key) {
            (Some(taken), _) => Origin::Cycle(taken.cycle),
            (None, Some(key)) => Origin::Manual(key),
            (None, None) => return Ok(()),
        };
        let Some(first_slip) = first_slip(conn, story, record).await? else {
            return Ok(());
        };
        // What the ERP was never to be told of need not be taken back.
        let told = match &record.slip {
            Some(slip) => outbox::completion_of(conn, slip).await?,
            None => None,
        };
        let Some(told) = told else {
            return Ok(());
        };
        let message = void(&told, origin, &first_slip, self.now, &self.reason);
        outbox::enqueue(conn, &[message]).await
    }
}

/// A capture that the record took.
struct Taken {
    id: i64,
    cycle: CycleId,
}

async fn captures(conn: &mut AsyncPgConnection, story: &Story) -> Result<Vec<Taken>, DbError> {
    use schema::capture::dsl;
    let ids: Vec<i64> = [story.first_capture_id, story.second_capture_id]
        .into_iter()
        .flatten()
        .collect();
    let rows: Vec<(i64, Uuid)> = dsl::capture
        .filter(dsl::id.eq_any(ids))
        .select((dsl::id, dsl::cycle))
        .load(conn)
        .await?;
    let taken = |(id, cycle): (i64, Uuid)| Taken {
        id,
        cycle: CycleId::from_bits(cycle.as_u128()),
    };
    Ok(rows.into_iter().map(taken).collect())
}

/// The number under which a weighing was told first, before it was ever corrected: what its messages keep their order by.
async fn first_slip(conn: &mut AsyncPgConnection, story: &Story, record: &Record) -> Result<Option<String>, DbError> {
    use schema::weigh_record::dsl;
    let mut slip = record.slip.as_ref().map(ToString::to_string);
    let mut earlier = story.replaces;
    while let Some(id) = earlier {
        (slip, earlier) = dsl::weigh_record
            .filter(dsl::id.eq(id))
            .select((dsl::slip_number, dsl::replaces))
            .first(conn)
            .await?;
    }
    Ok(slip)
}
