//! What an edge is told of its stations: by this it weighs until it says hello again.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use weighbridge_protocol::{Kilograms, scale::CaptureOverrides};

use crate::db::{DbError, Query, schema, weight::Weight};

/// An edge's stations, with how each is to capture.
pub type Told = BTreeMap<i64, CaptureOverrides>;

/// What an edge would be told if it said hello now. Asked by EdgeLink when something of its stations was changed.
#[derive(Clone, Copy, Debug)]
pub struct ToldNow {
    pub edge_id: i64,
}

impl Query for ToldNow {
    type Output = Told;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Told, DbError> {
        use schema::weigh_station::dsl;
        let rows: Vec<Row> = dsl::weigh_station
            .filter(dsl::edge_id.eq(self.edge_id).and(dsl::is_active))
            .order(dsl::id)
            .select((dsl::id, dsl::capture_settings, dsl::division))
            .load(conn)
            .await?;
        Ok(told(rows))
    }
}

/// A station's id, its capture settings and its division.
pub(super) type Row = (i64, Value, Option<Weight>);

pub(super) fn told(rows: Vec<Row>) -> Told {
    let wishes = |(id, capture, division): Row| (id, capture_wishes(capture, division.map(Into::into)));
    rows.into_iter().map(wishes).collect()
}

/// The tolerance is one division where that is known and nothing else is wished.
pub(in crate::db) fn capture_wishes(capture: Value, division: Option<Kilograms>) -> CaptureOverrides {
    let mut wishes: CaptureOverrides = serde_json::from_value(capture).unwrap_or_default();
    wishes.tolerance_kg = wishes.tolerance_kg.or(division);
    wishes
}
