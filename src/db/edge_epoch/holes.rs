//! Seqs that an edge declares lost: stored as LOST, so that nothing waits for them for ever.

use chrono::{DateTime, Utc};
use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;
use weighbridge_protocol::link::messages::{EpochState, SeqRange};

use crate::{
    db::{DbError, schema},
    domain::intake::hello,
};

/// How an epoch stands after a hello.
pub struct Settled {
    pub have: i64,
    pub lost: Vec<SeqRange>,
    pub newly_lost: u64,
}

/// Declares what lies below `first_kept` and what is `missing` as LOST where it is not stored, and moves the watermark
/// over what is contiguous now.
pub async fn settle(
    conn: &mut AsyncPgConnection,
    edge_id: i64,
    state: &EpochState,
    now: DateTime<Utc>,
) -> Result<Settled, DbError> {
    use schema::edge_epoch::dsl;
    let epoch = Uuid::from_u128(state.epoch.bits());
    let stored: i64 = dsl::edge_epoch
        .filter(dsl::epoch.eq(epoch))
        .select(dsl::have)
        .for_no_key_update()
        .first(conn)
        .await?;
    let mut newly_lost = 0;
    for range in hello::holes(state, stored) {
        newly_lost += declare(conn, epoch, edge_id, range, now).await?;
    }
    let have = contiguous(conn, epoch, stored).await?;
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
    })
}

async fn declare(
    conn: &mut AsyncPgConnection,
    epoch: Uuid,
    edge_id: i64,
    range: SeqRange,
    now: DateTime<Utc>,
) -> Result<u64, DbError> {
    let declared = diesel::sql_query(
        "INSERT INTO edge_event (epoch, seq, edge_id, status, received_at) \
         SELECT $1, seq, $2, 'LOST', $5 FROM generate_series($3, $4) AS seq ON CONFLICT (epoch, seq) DO NOTHING",
    )
    .bind::<sql_types::Uuid, _>(epoch)
    .bind::<sql_types::BigInt, _>(edge_id)
    .bind::<sql_types::BigInt, _>(range.0)
    .bind::<sql_types::BigInt, _>(range.1)
    .bind::<sql_types::Timestamptz, _>(now)
    .execute(conn)
    .await?;
    Ok(u64::try_from(declared).unwrap_or(u64::MAX))
}

/// The highest seq up to which there is a row for every one.
async fn contiguous(conn: &mut AsyncPgConnection, of: Uuid, have: i64) -> Result<i64, DbError> {
    use schema::edge_event::dsl;
    let above: Vec<i64> = dsl::edge_event
        .filter(dsl::epoch.eq(of).and(dsl::seq.gt(have)))
        .order(dsl::seq)
        .select(dsl::seq)
        .load(conn)
        .await?;
    Ok(hello::contiguous(have, above))
}

async fn lost(conn: &mut AsyncPgConnection, of: Uuid) -> Result<Vec<SeqRange>, DbError> {
    use schema::edge_event::dsl;
    let seqs: Vec<i64> = dsl::edge_event
        .filter(dsl::epoch.eq(of).and(dsl::status.eq("LOST")))
        .order(dsl::seq)
        .select(dsl::seq)
        .load(conn)
        .await?;
    Ok(hello::ranges(seqs))
}
