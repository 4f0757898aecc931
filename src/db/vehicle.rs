//! Trucks.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{pg::Pg, prelude::*};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::json;
use weighbridge_protocol::Kilograms;

use super::{
    DbError, Query,
    audit_log::{self, Author, Deed},
    page::{Listed, Slice, containing},
    schema,
    weight::MaybeWeight,
};
use crate::domain::plate;

/// A truck.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = schema::vehicle)]
pub struct Vehicle {
    pub id: i64,
    pub plate_number: String,
    pub vehicle_type: Option<String>,
    #[diesel(deserialize_as = MaybeWeight)]
    pub tare_weight: Option<Kilograms>,
    pub tare_set_at: Option<DateTime<Utc>>,
    pub tare_valid_until: Option<NaiveDate>,
    #[diesel(deserialize_as = MaybeWeight)]
    pub max_load: Option<Kilograms>,
    pub company_id: Option<i64>,
    pub is_active: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What of a truck is to be set; `None` leaves a column as it is, `Some(None)` empties it.
#[derive(Clone, Debug, Default, AsChangeset, Insertable)]
#[diesel(table_name = schema::vehicle)]
pub struct VehicleChange {
    pub plate_number: Option<String>,
    pub vehicle_type: Option<Option<String>>,
    pub tare_weight: Option<MaybeWeight>,
    pub tare_set_at: Option<Option<DateTime<Utc>>>,
    pub tare_valid_until: Option<Option<NaiveDate>>,
    pub max_load: Option<MaybeWeight>,
    pub company_id: Option<Option<i64>>,
    pub is_active: Option<bool>,
}

/// Trucks by plate.
#[derive(Clone, Debug)]
pub struct Vehicles {
    /// A part of the plate; its last four digits are how drivers are called.
    pub search: Option<String>,
    pub company_id: Option<i64>,
    pub is_active: Option<bool>,
    pub slice: Slice,
}

/// One truck.
#[derive(Clone, Copy, Debug)]
pub struct VehicleById(pub i64);

/// Registers a truck. A plate that is known is a conflict of `idx_vehicle_plate`.
#[derive(Debug)]
pub struct AddVehicle {
    pub vehicle: VehicleChange,
    pub author: Author,
}

/// Changes a truck, or by `is_active` takes it out of use.
#[derive(Debug)]
pub struct ChangeVehicle {
    pub id: i64,
    pub change: VehicleChange,
    pub action: &'static str,
    pub author: Author,
}

impl Vehicles {
    fn matching(&self) -> schema::vehicle::BoxedQuery<'static, Pg> {
        use schema::vehicle::dsl;
        let mut found = dsl::vehicle.into_boxed();
        if let Some(search) = &self.search {
            found = found.filter(dsl::plate_number.like(containing(&plate::normalised(search))));
        }
        if let Some(company_id) = self.company_id {
            found = found.filter(dsl::company_id.eq(company_id));
        }
        if let Some(is_active) = self.is_active {
            found = found.filter(dsl::is_active.eq(is_active));
        }
        found
    }
}

impl Query for Vehicles {
    type Output = Listed<Vehicle>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Listed<Vehicle>, DbError> {
        use schema::vehicle::dsl;
        let total = self.matching().count().get_result(conn).await?;
        let items = self
            .matching()
            .order((dsl::plate_number, dsl::id))
            .offset(self.slice.offset)
            .limit(self.slice.limit)
            .select(Vehicle::as_select())
            .load(conn)
            .await?;
        Ok(Listed { items, total })
    }
}

impl Query for VehicleById {
    type Output = Vehicle;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Vehicle, DbError> {
        let vehicle = schema::vehicle::table
            .find(self.0)
            .select(Vehicle::as_select())
            .first(conn)
            .await?;
        Ok(vehicle)
    }
}

impl Query for AddVehicle {
    type Output = Vehicle;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Vehicle, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| {
            let added: Vehicle = diesel::insert_into(schema::vehicle::table)
                .values(self.vehicle)
                .returning(Vehicle::as_returning())
                .get_result(conn)
                .await?;
            audit_log::by_user(conn, &self.author, deed("vehicle.add", None, &added)).await?;
            Ok(added)
        })
        .await
    }
}

impl Query for ChangeVehicle {
    type Output = Vehicle;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Vehicle, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| {
            let row = schema::vehicle::table.find(self.id);
            let before: Vehicle = row.select(Vehicle::as_select()).for_update().first(conn).await?;
            let after: Vehicle = diesel::update(row)
                .set((self.change, schema::vehicle::updated_at.eq(diesel::dsl::now)))
                .returning(Vehicle::as_returning())
                .get_result(conn)
                .await?;
            audit_log::by_user(conn, &self.author, deed(self.action, Some(&before), &after)).await?;
            Ok(after)
        })
        .await
    }
}

fn deed(action: &'static str, before: Option<&Vehicle>, after: &Vehicle) -> Deed {
    let told = |vehicle: &Vehicle| {
        json!({
            "plate_number": vehicle.plate_number,
            "vehicle_type": vehicle.vehicle_type,
            "tare_weight": vehicle.tare_weight,
            "tare_valid_until": vehicle.tare_valid_until,
            "max_load": vehicle.max_load,
            "company_id": vehicle.company_id,
            "is_active": vehicle.is_active,
        })
    };
    Deed {
        action,
        subject: format!("vehicle {}", after.id),
        before: before.map(told),
        after: Some(told(after)),
    }
}
