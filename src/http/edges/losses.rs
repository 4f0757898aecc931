//! What an edge has lost, beside the edge.

use chrono::{DateTime, FixedOffset};
use serde::Serialize;
use utoipa::ToSchema;

use super::EdgeView;
use crate::{
    db::edge_epoch::{Conflict, Losses, Lost},
    http::rules::Rules,
};

/// A gateway, with what is missing of what it saw.
#[derive(Debug, Serialize, ToSchema)]
pub struct EdgeDetail {
    #[serde(flatten)]
    edge: EdgeView,
    /// Events that it has no more and that never came; weighings of that time may be missing.
    lost_events: i64,
    /// Their ranges, the newest 100.
    lost: Vec<LostView>,
    /// Events that came under an identity that another one has: two files share an epoch. The newest 100.
    conflicts: Vec<ConflictView>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct LostView {
    #[schema(example = "0123456789abcdef0123456789abcdef")]
    epoch: String,
    from: i64,
    to: i64,
    #[schema(value_type = String, format = DateTime)]
    noticed_at: DateTime<FixedOffset>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ConflictView {
    #[schema(example = "0123456789abcdef0123456789abcdef")]
    epoch: String,
    seq: i64,
    #[schema(value_type = String, format = DateTime)]
    received_at: DateTime<FixedOffset>,
}

impl EdgeDetail {
    pub(super) fn of(edge: EdgeView, losses: Losses, rules: &Rules) -> Self {
        let lost = |lost: Lost| LostView {
            epoch: lost.epoch.to_string(),
            from: lost.range.0,
            to: lost.range.1,
            noticed_at: rules.local(lost.noticed_at),
        };
        let conflict = |conflict: Conflict| ConflictView {
            epoch: conflict.epoch.to_string(),
            seq: conflict.seq,
            received_at: rules.local(conflict.received_at),
        };
        Self {
            edge,
            lost_events: losses.lost_events,
            lost: losses.lost.into_iter().map(lost).collect(),
            conflicts: losses.conflicts.into_iter().map(conflict).collect(),
        }
    }
}
