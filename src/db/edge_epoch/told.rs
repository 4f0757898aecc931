//! What an edge is told of its stations: by this it weighs until it says hello again, as far as it goes with its own settings.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::{Value, json};
use weighbridge_protocol::{Kilograms, link::messages::StationUnfit, scale::CaptureOverrides};

use crate::{
    db::{DbError, Query, schema, weight::Weight},
    domain::capture_wishes,
};

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

/// What a station's row wishes of its edge. What cannot be read is no wish.
pub(in crate::db) fn capture_wishes(capture: Value, division: Option<Kilograms>) -> CaptureOverrides {
    capture_wishes::told(serde_json::from_value(capture).unwrap_or_default(), division)
}

/// What of their settings the stations of an edge do not follow, in its own words; those that are not named follow all. Sent by
/// EdgeLink when that changes.
#[derive(Clone, Debug)]
pub struct NoteUnfit {
    pub edge_id: i64,
    pub unfit: Vec<StationUnfit>,
}

impl Query for NoteUnfit {
    type Output = ();

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<(), DbError> {
        use schema::weigh_station::dsl;
        conn.transaction::<_, DbError, _>(async |conn| {
            let noted: Vec<(i64, Value)> = dsl::weigh_station
                .filter(dsl::edge_id.eq(self.edge_id))
                .order(dsl::id)
                .select((dsl::id, dsl::capture_unfit))
                .for_no_key_update()
                .load(conn)
                .await?;
            for (id, before) in noted {
                let of_station = self.unfit.iter().find(|unfit| unfit.station_id == id);
                let wishes = of_station.map(|unfit| unfit.wishes.as_slice()).unwrap_or_default();
                let now = json!(wishes);
                if now != before {
                    let row = diesel::update(dsl::weigh_station.find(id));
                    row.set(dsl::capture_unfit.eq(now)).execute(conn).await?;
                }
            }
            Ok(())
        })
        .await
    }
}
