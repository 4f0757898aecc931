//! What an edge has lost, and what it told twice in different words: for staff, who know what weighings may be missing.

use chrono::{DateTime, Utc};
use diesel::{dsl::sql, prelude::*, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;
use weighbridge_protocol::{Epoch, link::messages::SeqRange};

use crate::db::{DbError, Query, schema};

/// So many of each are listed, the newest first.
const MOST: i64 = 100;

/// The losses of an edge, whatever they are of.
#[derive(Clone, Copy, Debug)]
pub struct LossesOf {
    pub edge_id: i64,
}

#[derive(Clone, Debug)]
pub struct Losses {
    /// How many events there are in all ranges.
    pub lost_events: i64,
    pub lost: Vec<Lost>,
    pub conflicts: Vec<Conflict>,
}

/// Events that never came, and that the edge has no more.
#[derive(Clone, Copy, Debug)]
pub struct Lost {
    pub epoch: Epoch,
    pub range: SeqRange,
    pub noticed_at: DateTime<Utc>,
}

/// Another text under an identity that was taken.
#[derive(Clone, Copy, Debug)]
pub struct Conflict {
    pub epoch: Epoch,
    pub seq: i64,
    pub received_at: DateTime<Utc>,
}

impl Query for LossesOf {
    type Output = Losses;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Losses, DbError> {
        use schema::{edge_conflict, edge_epoch, edge_lost_range};
        let lost = edge_lost_range::table
            .inner_join(edge_epoch::table)
            .filter(edge_epoch::edge_id.eq(self.edge_id));
        let lost_events: i64 = lost
            .select(sql::<sql_types::BigInt>(
                "coalesce(sum(to_seq - from_seq + 1), 0)::bigint",
            ))
            .first(conn)
            .await?;
        let ranges: Vec<(Uuid, i64, i64, DateTime<Utc>)> = lost
            .order((edge_lost_range::noticed_at.desc(), edge_lost_range::from_seq))
            .limit(MOST)
            .select((
                edge_lost_range::epoch,
                edge_lost_range::from_seq,
                edge_lost_range::to_seq,
                edge_lost_range::noticed_at,
            ))
            .load(conn)
            .await?;
        let conflicts: Vec<(Uuid, i64, DateTime<Utc>)> = edge_conflict::table
            .filter(edge_conflict::edge_id.eq(self.edge_id))
            .order(edge_conflict::id.desc())
            .limit(MOST)
            .select((edge_conflict::epoch, edge_conflict::seq, edge_conflict::received_at))
            .load(conn)
            .await?;
        let epoch = |epoch: Uuid| Epoch::from_bits(epoch.as_u128());
        Ok(Losses {
            lost_events,
            lost: ranges
                .into_iter()
                .map(|(of, first, last, noticed_at)| Lost {
                    epoch: epoch(of),
                    range: SeqRange(first, last),
                    noticed_at,
                })
                .collect(),
            conflicts: conflicts
                .into_iter()
                .map(|(of, seq, received_at)| Conflict {
                    epoch: epoch(of),
                    seq,
                    received_at,
                })
                .collect(),
        })
    }
}
