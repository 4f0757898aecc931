//! What an edge declares lost: kept as ranges, however long, so that nothing waits for it for ever.

use chrono::{DateTime, Utc};
use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;
use weighbridge_protocol::link::messages::{EpochState, SeqRange};

use crate::{
    db::{DbError, prepared::Prepare, schema},
    domain::intake::{hello, seqs::Seqs},
};

/// How an epoch stands after a hello.
pub struct Settled {
    pub have: i64,
    pub lost: Seqs,
    pub newly_lost: Seqs,
    /// The edge was told of more than is here.
    pub went_back: bool,
}

/// Keeps as lost what lies below `first_kept` and what is `missing` where it is not stored, and moves the watermark over
/// what is contiguous now.
pub async fn settle(conn: &mut AsyncPgConnection, state: &EpochState, now: DateTime<Utc>) -> Result<Settled, DbError> {
    use schema::edge_epoch::dsl;
    let epoch = Uuid::from_u128(state.epoch.bits());
    let (stored, noted): (i64, Option<i64>) = dsl::edge_epoch
        .filter(dsl::epoch.eq(epoch))
        .select((dsl::have, dsl::gone_back_from))
        .for_no_key_update()
        .first(conn)
        .await?;
    let went_back = hello::went_back(state, stored, noted);
    if went_back {
        diesel::update(dsl::edge_epoch.filter(dsl::epoch.eq(epoch)))
            .set(dsl::gone_back_from.eq(state.acked))
            .execute(conn)
            .await?;
    }
    let beyond = beyond(conn, epoch, stored, i64::MAX).await?;
    let new = hello::newly_lost(state, stored, &beyond.above);
    declare(conn, epoch, &new, now).await?;
    let newly_lost = new.clone();
    let have = beyond.above.and(new).contiguous(stored);
    if have != stored {
        let row = dsl::edge_epoch.filter(dsl::epoch.eq(epoch).and(dsl::have.eq(stored)));
        if diesel::update(row).set(dsl::have.eq(have)).execute(conn).await? != 1 {
            return Err(DbError::Overtaken);
        }
    }
    Ok(Settled {
        have,
        lost: lost(conn, epoch).await?,
        newly_lost,
        went_back,
    })
}

/// What an epoch holds beside the rows at hand.
pub struct Beyond {
    /// Lost from `first` on.
    pub lost: Seqs,
    /// Stored or lost above the watermark.
    pub above: Seqs,
}

#[derive(QueryableByName)]
struct Range {
    #[diesel(sql_type = sql_types::BigInt)]
    from_seq: i64,
    #[diesel(sql_type = sql_types::BigInt)]
    to_seq: i64,
    #[diesel(sql_type = sql_types::Bool)]
    lost: bool,
}

const BEYOND: &str = "\
    SELECT seq AS from_seq, seq AS to_seq, FALSE AS lost FROM edge_event \
    WHERE epoch = $1 AND seq > $2 AND status <> 'LOST' \
    UNION ALL SELECT from_seq, to_seq, TRUE FROM edge_lost_range WHERE epoch = $1 AND to_seq >= $3";

/// What there is of an epoch above `have`, and what is lost of it from `first` or from above `have` on.
pub async fn beyond(conn: &mut AsyncPgConnection, epoch: Uuid, have: i64, first: i64) -> Result<Beyond, DbError> {
    let above = have.saturating_add(1);
    let ranges: Vec<Range> = diesel::sql_query(BEYOND)
        .bind::<sql_types::Uuid, _>(epoch)
        .bind::<sql_types::BigInt, _>(have)
        .bind::<sql_types::BigInt, _>(first.min(above))
        .prepared()
        .load(conn)
        .await?;
    let lost = ranges.iter().filter(|range| range.lost);
    Ok(Beyond {
        lost: lost.map(|range| SeqRange(range.from_seq, range.to_seq)).collect(),
        above: ranges
            .iter()
            .map(|range| SeqRange(range.from_seq.max(above), range.to_seq))
            .collect(),
    })
}

async fn declare(conn: &mut AsyncPgConnection, of: Uuid, lost: &Seqs, now: DateTime<Utc>) -> Result<(), DbError> {
    use schema::edge_lost_range::dsl;
    let rows: Vec<_> = lost
        .ranges()
        .iter()
        .map(|range| {
            (
                dsl::epoch.eq(of),
                dsl::from_seq.eq(range.0),
                dsl::to_seq.eq(range.1),
                dsl::noticed_at.eq(now),
            )
        })
        .collect();
    if !rows.is_empty() {
        diesel::insert_into(dsl::edge_lost_range)
            .values(rows)
            .execute(conn)
            .await?;
    }
    Ok(())
}

async fn lost(conn: &mut AsyncPgConnection, of: Uuid) -> Result<Seqs, DbError> {
    use schema::edge_lost_range::dsl;
    let ranges: Vec<(i64, i64)> = dsl::edge_lost_range
        .filter(dsl::epoch.eq(of))
        .select((dsl::from_seq, dsl::to_seq))
        .load(conn)
        .await?;
    Ok(ranges.into_iter().map(|(first, last)| SeqRange(first, last)).collect())
}

/// A lost event has come: what is left of its range lies on both sides of it.
pub async fn cut_out(conn: &mut AsyncPgConnection, of: Uuid, seq: i64) -> Result<(), DbError> {
    use schema::edge_lost_range::dsl;
    let around = dsl::edge_lost_range.filter(dsl::epoch.eq(of).and(dsl::from_seq.le(seq)).and(dsl::to_seq.ge(seq)));
    let cut: Vec<(i64, i64, DateTime<Utc>)> = diesel::delete(around)
        .returning((dsl::from_seq, dsl::to_seq, dsl::noticed_at))
        .get_results(conn)
        .await?;
    for (first, last, noticed_at) in cut {
        let mut left = Seqs::from_iter([SeqRange(first, last)]);
        left.remove(seq);
        declare(conn, of, &left, noticed_at).await?;
    }
    Ok(())
}
