//! A record under its lock, with all that hangs on it: its captures, the entries of the line, and what others were told.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;
use weighbridge_protocol::CycleId;

use crate::{
    db::{
        DbError,
        audit_log::Author,
        ledger::{self, Loaded, Wanted},
        outbox, schema,
    },
    domain::{
        outbox::{Origin, void},
        weighing::ledger::{Record, RecordStatus},
    },
};

/// See the file's head.
#[derive(Debug)]
pub(super) struct Held {
    pub id: i64,
    pub bundle: Bundle,
    pub loaded: Loaded,
}

/// What hangs on the record. It is read to know what to lock, and must be the same under the locks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bundle {
    pub story: Story,
    pub captures: Vec<Taken>,
    /// In the order of their check-in.
    pub entries: Vec<Place>,
}

/// What the rules' own record does not hold.
#[derive(Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = schema::weigh_record)]
pub(super) struct Story {
    pub station_id: i64,
    pub weighed_at: DateTime<Utc>,
    first_capture_id: Option<i64>,
    second_capture_id: Option<i64>,
    manual_key: Option<Uuid>,
    replaces: Option<i64>,
}

/// A capture that the record took.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub id: i64,
    pub cycle: CycleId,
}

/// A place in a line, whose weighing the record is.
#[derive(Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = schema::wait_queue)]
pub(super) struct Place {
    pub id: i64,
    pub vehicle_id: i64,
    pub site_id: i64,
    pub station_id: Option<i64>,
    pub status: String,
}

/// As what a weighing was told first, before it was ever corrected: what its messages keep their order by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct First {
    pub record_id: i64,
    pub slip: Option<String>,
}

impl Held {
    /// Locks the record and all that hangs on it, in the order of every transaction, beside what else is wanted. `NotFound`
    /// where there is no such record, `Overtaken` where it or its line was changed in that instant.
    pub async fn lock(conn: &mut AsyncPgConnection, id: i64, mut wanted: Wanted) -> Result<Self, DbError> {
        let bundle = Bundle::read(conn, id).await?;
        let called = bundle.entries.iter().filter(|entry| entry.status == "CALLED");
        wanted.stations.insert(bundle.story.station_id);
        wanted.stations.extend(called.filter_map(|entry| entry.station_id));
        wanted.entries.extend(bundle.entries.iter().map(|entry| entry.id));
        wanted.cycles.extend(bundle.captures.iter().map(|taken| taken.cycle));
        wanted.records.insert(id);
        let loaded = ledger::load(conn, &wanted).await?;
        if Bundle::read(conn, id).await? != bundle {
            return Err(DbError::Overtaken);
        }
        Ok(Self { id, bundle, loaded })
    }

    pub fn record(&self) -> Option<&Record> {
        self.loaded.ledger.records.get(&self.id).map(|row| &**row)
    }

    /// Voids the record; everything else about it stays as it was.
    pub async fn void(
        &self,
        conn: &mut AsyncPgConnection,
        reason: &str,
        author: &Author,
        now: DateTime<Utc>,
    ) -> Result<(), DbError> {
        use schema::weigh_record::dsl;
        let row = dsl::weigh_record.filter(
            dsl::id
                .eq(self.id)
                .and(dsl::weighed_at.eq(self.bundle.story.weighed_at)),
        );
        let voided = diesel::update(row)
            .set((
                dsl::status.eq(RecordStatus::Voided.name()),
                dsl::voided_at.eq(now),
                dsl::voided_by.eq(author.user_id),
                dsl::void_reason.eq(reason),
            ))
            .execute(conn)
            .await?;
        if voided == 1 { Ok(()) } else { Err(DbError::Overtaken) }
    }

    /// Whoever was told that it is complete is told that it does not count. Answers whether the ERP was told of it: what it
    /// was never to be told of need not be taken back.
    pub async fn take_back(
        &self,
        conn: &mut AsyncPgConnection,
        record: &Record,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, DbError> {
        let (Some(slip), Some(origin)) = (&record.slip, self.origin(record)) else {
            return Ok(false);
        };
        let Some(first_slip) = self.first(conn, record).await?.slip else {
            return Ok(false);
        };
        let Some(told) = outbox::completion_of(conn, slip).await? else {
            return Ok(false);
        };
        outbox::enqueue(conn, &[void(&told, origin, &first_slip, now, reason)]).await?;
        Ok(true)
    }

    /// What names its completion: the capture that completed it, or the key of what was typed in.
    pub fn origin(&self, record: &Record) -> Option<Origin> {
        let completing = record.second.or(record.first).and_then(|pass| pass.capture_id);
        let taken = self.bundle.captures.iter().find(|taken| Some(taken.id) == completing);
        match (taken, self.bundle.story.manual_key) {
            (Some(taken), _) => Some(Origin::Cycle(taken.cycle)),
            (None, Some(key)) => Some(Origin::Manual(key)),
            (None, None) => None,
        }
    }

    /// The record that was never a correction, of which this one is.
    pub async fn first(&self, conn: &mut AsyncPgConnection, record: &Record) -> Result<First, DbError> {
        use schema::weigh_record::dsl;
        let mut first = First {
            record_id: self.id,
            slip: record.slip.as_ref().map(ToString::to_string),
        };
        let mut earlier = self.bundle.story.replaces;
        while let Some(id) = earlier {
            let (slip, before): (Option<String>, Option<i64>) = dsl::weigh_record
                .filter(dsl::id.eq(id))
                .select((dsl::slip_number, dsl::replaces))
                .first(conn)
                .await?;
            first = First { record_id: id, slip };
            earlier = before;
        }
        Ok(first)
    }

    /// The stations whose screens show the record: where it was completed, with these records, and where its first pass was.
    pub fn stations(&self, record: &Record, changed: Vec<i64>) -> BTreeMap<i64, Vec<i64>> {
        let mut stations: BTreeMap<i64, Vec<i64>> =
            record.first.iter().map(|pass| (pass.station_id, Vec::new())).collect();
        stations.insert(self.bundle.story.station_id, changed);
        stations
    }
}

impl Bundle {
    async fn read(conn: &mut AsyncPgConnection, record_id: i64) -> Result<Self, DbError> {
        use schema::{wait_queue, weigh_record};
        let story: Story = weigh_record::table
            .filter(weigh_record::id.eq(record_id))
            .select(Story::as_select())
            .first(conn)
            .await?;
        let captures = captures(conn, &story).await?;
        let entries = wait_queue::table
            .filter(wait_queue::record_id.eq(record_id))
            .order(wait_queue::id)
            .select(Place::as_select())
            .load(conn)
            .await?;
        Ok(Self {
            story,
            captures,
            entries,
        })
    }

    pub fn capture_ids(&self) -> Vec<i64> {
        self.captures.iter().map(|taken| taken.id).collect()
    }
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
