//! A station as a screen shows it.

use std::collections::HashMap;

use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;
use weighbridge_protocol::CycleId;

use crate::{
    db::{DbError, GroupedQuery, Query, prepared::Prepare, weight::Weight},
    domain::board_text::{Sign, Way},
};

#[derive(Clone, Debug, QueryableByName)]
pub struct StationView {
    #[diesel(sql_type = sql_types::BigInt)]
    pub id: i64,
    #[diesel(sql_type = sql_types::BigInt)]
    pub site_id: i64,
    #[diesel(sql_type = sql_types::Nullable<sql_types::BigInt>)]
    pub edge_id: Option<i64>,
    #[diesel(sql_type = sql_types::Text)]
    pub name: String,
    /// `IDLE`, `WEIGHING` or `ERROR`.
    #[diesel(sql_type = sql_types::Text)]
    pub status: String,
    #[diesel(sql_type = sql_types::Bool)]
    pub is_open: bool,
    /// Whether it calls the next truck by itself.
    #[diesel(sql_type = sql_types::Bool)]
    pub calls_itself: bool,
    /// The plate that is called to it, or else the one that was weighed last and still stands there.
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    pub current_vehicle: Option<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Numeric>)]
    pub last_weight: Option<Weight>,
    /// The cycle of the vehicle on its deck; none while nothing stands there, as far as is known.
    #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
    pub deck_cycle: Option<Uuid>,
}

impl StationView {
    /// Whether the next truck may come, as far as is stored: nothing stands here, and nobody is called here.
    pub fn is_free(&self) -> bool {
        self.way() == Way::Free && self.current_vehicle.is_none()
    }

    /// Whether nothing stands here and its indicator is heard, as far as is stored.
    pub fn shows_empty_deck(&self) -> bool {
        self.way() == Way::Free
    }

    /// What stands on its deck; an indicator that is not heard does not change that.
    pub fn deck(&self) -> Option<CycleId> {
        self.deck_cycle.map(|cycle| CycleId::from_bits(cycle.as_u128()))
    }

    /// What its board and lamp are to show.
    pub fn sign(&self) -> Sign {
        Sign::of(self.is_open, self.current_vehicle.as_deref(), self.way())
    }

    fn way(&self) -> Way {
        match self.status.as_str() {
            "ERROR" => Way::Silent,
            "IDLE" if self.deck_cycle.is_none() => Way::Free,
            _ => Way::Taken,
        }
    }
}

/// All stations that are in use. Asked by Queue, and at start.
#[derive(Clone, Copy, Debug)]
pub struct StationViews;

/// One station; none where it is not in use. Asked by Indicator when it starts and when something has changed: many may
/// ask at the same moment.
#[derive(Clone, Copy, Debug)]
pub struct StationViewOf(pub i64);

impl Query for StationViews {
    type Output = Vec<StationView>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Vec<StationView>, DbError> {
        views(conn, None).await
    }
}

impl GroupedQuery for StationViewOf {
    type Output = Option<StationView>;

    async fn run_all(group: Vec<Self>, conn: &mut AsyncPgConnection) -> Result<Vec<Option<StationView>>, DbError> {
        let ids = group.iter().map(|asked| asked.0).collect();
        let found = views(conn, Some(ids)).await?;
        let found: HashMap<i64, StationView> = found.into_iter().map(|view| (view.id, view)).collect();
        Ok(group.iter().map(|asked| found.get(&asked.0).cloned()).collect())
    }
}

/// What is called and what was weighed there is looked up station by station: joined, all that are called would be gathered
/// for the sake of one.
macro_rules! views {
    ($which:literal) => {
        concat!(
            "SELECT s.id, s.site_id, s.edge_id, s.name::text, s.status::text, s.is_open, s.calling = 'AUTO' AS calls_itself, \
               (SELECT v.plate_number::text FROM wait_queue e JOIN vehicle v ON v.id = e.vehicle_id \
                WHERE e.station_id = s.id AND e.status = 'CALLED') AS current_vehicle, \
               (SELECT c.weight FROM capture c WHERE c.station_id = s.id ORDER BY c.captured_at DESC LIMIT 1) AS last_weight, s.deck_cycle \
             FROM weigh_station s WHERE s.is_active",
            $which,
            " ORDER BY s.id"
        )
    };
}

async fn views(conn: &mut AsyncPgConnection, ids: Option<Vec<i64>>) -> Result<Vec<StationView>, DbError> {
    let Some(ids) = ids else {
        return Ok(diesel::sql_query(views!("")).prepared().load(conn).await?);
    };
    Ok(diesel::sql_query(views!(" AND s.id = ANY($1)"))
        .bind::<sql_types::Array<sql_types::BigInt>, _>(ids)
        .prepared()
        .load(conn)
        .await?)
}
