//! Scales, as staff set them up.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{pg::Pg, prelude::*};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use weighbridge_protocol::{Kilograms, scale::CaptureOverrides};

use super::{
    DbError, Query,
    audit_log::{self, Author, Deed},
    page::{Listed, Slice},
    schema, wait_queue,
    weight::MaybeWeight,
};
use crate::domain::{
    call_news::Withdrawn,
    capture_wishes::{Misfit, go_together},
};

/// A scale.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = schema::weigh_station)]
pub struct Station {
    pub id: i64,
    pub name: String,
    pub site_id: i64,
    pub edge_id: Option<i64>,
    pub indicator_type: String,
    pub protocol: Option<String>,
    pub address: Option<String>,
    /// IDLE, WEIGHING or ERROR.
    pub status: String,
    pub last_heartbeat: Option<DateTime<Utc>>,
    #[diesel(deserialize_as = MaybeWeight)]
    pub capacity: Option<Kilograms>,
    #[diesel(deserialize_as = MaybeWeight)]
    pub division: Option<Kilograms>,
    pub verified_until: Option<NaiveDate>,
    /// Overrides of the capture settings, as the edge gets them.
    pub capture_settings: Value,
    /// AUTO or MANUAL.
    pub calling: String,
    pub directions: Vec<String>,
    pub product_ids: Vec<i64>,
    /// Least milliseconds from a call to the first axle on the deck.
    pub least_approach_ms: i32,
    pub is_open: bool,
    pub is_active: bool,
    pub created_at: DateTime<Utc>,
    /// The cycle of the vehicle on its deck.
    pub deck_cycle: Option<Uuid>,
    /// What of `capture_settings` and `division` its edge does not follow, as it said last.
    pub capture_unfit: Value,
}

/// What of a scale is to be set; `None` leaves a column as it is, `Some(None)` empties it.
#[derive(Clone, Debug, Default, AsChangeset, Insertable)]
#[diesel(table_name = schema::weigh_station)]
pub struct StationChange {
    pub name: Option<String>,
    pub site_id: Option<i64>,
    pub indicator_type: Option<String>,
    pub protocol: Option<Option<String>>,
    pub address: Option<Option<String>>,
    pub capacity: Option<MaybeWeight>,
    pub division: Option<MaybeWeight>,
    pub verified_until: Option<Option<NaiveDate>>,
    pub capture_settings: Option<Value>,
    pub calling: Option<String>,
    pub directions: Option<Vec<String>>,
    pub product_ids: Option<Vec<i64>>,
    pub least_approach_ms: Option<i32>,
    pub is_open: Option<bool>,
    pub is_active: Option<bool>,
}

/// Scales in the order they were made.
#[derive(Clone, Copy, Debug)]
pub struct Stations {
    pub site_id: Option<i64>,
    pub is_active: Option<bool>,
    pub slice: Slice,
}

/// One scale.
#[derive(Clone, Copy, Debug)]
pub struct StationById(pub i64);

/// Sets up a scale; a new one is open.
#[derive(Debug)]
pub struct AddStation {
    pub station: StationChange,
    pub author: Author,
}

/// Changes a scale; not where it could not weigh so. `action` is what the audit log calls it. A truck that is on its way to a scale which is closed or taken
/// out of use goes back to the head of the line; one that stands on the deck is weighed.
#[derive(Debug)]
pub struct ChangeStation {
    pub id: i64,
    pub change: StationChange,
    pub action: &'static str,
    pub author: Author,
}

impl StationChange {
    /// Whether a new scale can weigh so.
    ///
    /// # Errors
    /// [`Misfit`] names what does not go together.
    pub fn goes_together(&self) -> Result<(), Misfit> {
        let weight = |given: Option<MaybeWeight>| given.and_then(Into::into);
        go_together(
            &wishes(self.capture_settings.as_ref()),
            weight(self.division),
            weight(self.capacity),
        )
    }

    /// Whether the scale can weigh so when it is changed. A change of something else is none of this.
    fn fits(&self, before: &Station) -> Result<(), Misfit> {
        if !self.tells_the_edge() && self.capacity.is_none() {
            return Ok(());
        }
        let weight = |given: Option<MaybeWeight>, before| given.map_or(before, Into::into);
        go_together(
            &wishes(self.capture_settings.as_ref().or(Some(&before.capture_settings))),
            weight(self.division, before.division),
            weight(self.capacity, before.capacity),
        )
    }

    const fn tells_the_edge(&self) -> bool {
        self.capture_settings.is_some() || self.division.is_some()
    }
}

fn wishes(capture: Option<&Value>) -> CaptureOverrides {
    let read = capture.and_then(|capture| CaptureOverrides::deserialize(capture).ok());
    read.unwrap_or_default()
}

impl Stations {
    fn matching(self) -> schema::weigh_station::BoxedQuery<'static, Pg> {
        use schema::weigh_station::dsl;
        let mut found = dsl::weigh_station.into_boxed();
        if let Some(site_id) = self.site_id {
            found = found.filter(dsl::site_id.eq(site_id));
        }
        if let Some(is_active) = self.is_active {
            found = found.filter(dsl::is_active.eq(is_active));
        }
        found
    }
}

impl Query for Stations {
    type Output = Listed<Station>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Listed<Station>, DbError> {
        let total = self.matching().count().get_result(conn).await?;
        let items = self
            .matching()
            .order(schema::weigh_station::id)
            .offset(self.slice.offset)
            .limit(self.slice.limit)
            .select(Station::as_select())
            .load(conn)
            .await?;
        Ok(Listed { items, total })
    }
}

impl Query for StationById {
    type Output = Station;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Station, DbError> {
        let row = schema::weigh_station::table.find(self.0);
        Ok(row.select(Station::as_select()).first(conn).await?)
    }
}

impl Query for AddStation {
    type Output = Station;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Station, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| {
            let added: Station = diesel::insert_into(schema::weigh_station::table)
                .values(self.station)
                .returning(Station::as_returning())
                .get_result(conn)
                .await?;
            audit_log::by_user(conn, &self.author, deed("station.add", None, &added)).await?;
            Ok(added)
        })
        .await
    }
}

impl Query for ChangeStation {
    type Output = Result<Station, Misfit>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Result<Station, Misfit>, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| {
            let row = schema::weigh_station::table.find(self.id);
            let before: Station = row.select(Station::as_select()).for_no_key_update().first(conn).await?;
            if let Err(misfit) = self.change.fits(&before) {
                return Ok(Err(misfit));
            }
            let unfit = if self.change.tells_the_edge() {
                json!([])
            } else {
                before.capture_unfit.clone()
            };
            // Something is always set, for an update of nothing is no statement.
            let after: Station = diesel::update(row)
                .set((
                    self.change,
                    schema::weigh_station::last_heartbeat.eq(before.last_heartbeat),
                    schema::weigh_station::capture_unfit.eq(unfit),
                ))
                .returning(Station::as_returning())
                .get_result(conn)
                .await?;
            if !(after.is_open && after.is_active) && after.deck_cycle.is_none() && after.status != "WEIGHING" {
                wait_queue::withdraw_from(conn, self.id, Withdrawn::StationClosed).await?;
            }
            audit_log::by_user(conn, &self.author, deed(self.action, Some(&before), &after)).await?;
            Ok(Ok(after))
        })
        .await
    }
}

fn deed(action: &'static str, before: Option<&Station>, after: &Station) -> Deed {
    let told = |station: &Station| {
        json!({
            "name": station.name,
            "protocol": station.protocol,
            "address": station.address,
            "capacity": station.capacity,
            "division": station.division,
            "verified_until": station.verified_until,
            "capture": station.capture_settings,
            "calling": station.calling,
            "directions": station.directions,
            "product_ids": station.product_ids,
            "approach_ms": station.least_approach_ms,
            "is_open": station.is_open,
            "is_active": station.is_active,
        })
    };
    Deed {
        action,
        subject: format!("station {}", after.id),
        before: before.map(told),
        after: Some(told(after)),
    }
}
