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
        call_news::Withdrawn,
        outbox::{Origin, void},
        weighing::ledger::{Record, RecordStatus},
    },
};

/// Voids a completed record, or an open one that has a weight. `NotFound` where there is no such record, `Overtaken` where it
/// or its line was changed in that instant.
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
#[derive(Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = schema::weigh_record)]
struct Story {
    station_id: i64,
    weighed_at: DateTime<Utc>,
    first_capture_id: Option<i64>,
    second_capture_id: Option<i64>,
    manual_key: Option<Uuid>,
    replaces: Option<i64>,
}

/// What hangs on the record. It is read to know what to lock, and must be the same under the locks.
#[derive(Debug, PartialEq, Eq)]
struct Bundle {
    story: Story,
    captures: Vec<Taken>,
    /// Where its truck is called now.
    called_to: Vec<Option<i64>>,
    /// Whose place is given back.
    entry: Option<Place>,
}

/// A place in a line.
#[derive(Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = schema::wait_queue)]
struct Place {
    id: i64,
    vehicle_id: i64,
    site_id: i64,
    status: String,
}

impl VoidRecord {
    async fn void(self, conn: &mut AsyncPgConnection) -> Result<Voided, DbError> {
        let bundle = self.bundle(conn).await?;
        let loaded = self.lock(conn, &bundle).await?;
        if self.bundle(conn).await? != bundle {
            return Err(DbError::Overtaken);
        }
        let Bundle { story, captures, .. } = &bundle;
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
        // What is owed to the ERP is; to a phone, where a call is taken back.
        let mut changes = Changes {
            owes: true,
            ..Changes::default()
        };
        if self.requeue {
            match give_back(conn, bundle.entry.as_ref()).await? {
                Ok(site) => drop(changes.sites.insert(site)),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        self.write(conn, story, record, captures).await?;
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

    async fn bundle(&self, conn: &mut AsyncPgConnection) -> Result<Bundle, DbError> {
        use schema::{wait_queue::dsl, weigh_record};
        let story: Story = weigh_record::table
            .filter(weigh_record::id.eq(self.record_id))
            .select(Story::as_select())
            .first(conn)
            .await?;
        let captures = captures(conn, &story).await?;
        let under_it = || dsl::wait_queue.filter(dsl::record_id.eq(self.record_id));
        let called_to = under_it()
            .filter(dsl::status.eq("CALLED"))
            .order(dsl::id)
            .select(dsl::station_id)
            .load(conn)
            .await?;
        let entry = under_it()
            .filter(dsl::status.eq_any(["COMPLETED", "CALLED"]))
            .order(dsl::id.desc())
            .select(Place::as_select())
            .first(conn)
            .await
            .optional()?;
        Ok(Bundle {
            story,
            captures,
            called_to,
            entry,
        })
    }

    /// Locks all that hangs on the record, in the order of every transaction.
    async fn lock(&self, conn: &mut AsyncPgConnection, bundle: &Bundle) -> Result<Loaded, DbError> {
        let called = bundle.called_to.iter().copied().flatten();
        let wanted = Wanted {
            stations: called.chain([bundle.story.station_id]).collect(),
            entries: bundle.entry.iter().map(|entry| entry.id).collect(),
            cycles: bundle.captures.iter().map(|taken| taken.cycle).collect(),
            records: [self.record_id].into(),
            ..Wanted::default()
        };
        ledger::load(conn, &wanted).await
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
        let voided = diesel::update(row)
            .set((
                dsl::status.eq(RecordStatus::Voided.name()),
                dsl::voided_at.eq(self.now),
                dsl::voided_by.eq(self.author.user_id),
                dsl::void_reason.eq(&self.reason),
            ))
            .execute(conn)
            .await?;
        if voided != 1 {
            return Err(DbError::Overtaken);
        }
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

/// The entry under whose call the record was made waits at the head of the line. Answers whose line that is.
async fn give_back(conn: &mut AsyncPgConnection, entry: Option<&Place>) -> Result<Result<i64, Refusal>, DbError> {
    use schema::wait_queue::dsl;
    let Some(place) = entry else {
        return Ok(Err(Refusal::InvalidState));
    };
    if wait_queue::vehicle_is_queued(conn, place.vehicle_id, Some(place.id)).await? {
        return Ok(Err(Refusal::AlreadyQueued));
    }
    if place.status == "CALLED" {
        wait_queue::withdraw(conn, place.id, Withdrawn::Voided).await?;
    }
    wait_queue::to_head(conn, place.id).await?;
    // Its record is the one that is being voided.
    diesel::update(dsl::wait_queue.filter(dsl::id.eq(place.id)))
        .set(dsl::record_id.eq(None::<i64>))
        .execute(conn)
        .await?;
    Ok(Ok(place.site_id))
}

/// A capture that the record took.
#[derive(Debug, PartialEq, Eq)]
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
        .order(dsl::id)
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
