//! `/vehicles`: trucks, their registered empty weight and their greatest load.

use actix_web::{delete, get, post, put, web::Data};
use chrono::{DateTime, FixedOffset, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use weighbridge_supervision::Handle;

use super::{
    answer::{Answer, Created, Failure, Page, Success},
    auth::Staff,
    code::FieldCode,
    error::ApiError,
    fields::{Given, Kg, day, given, id, line_given, positive, required, searched},
    read::{Body, Filter, Id, Paging},
    rules::Rules,
};
use crate::{
    actors::repository::{Queries, Repository},
    db::{
        vehicle::{AddVehicle, ChangeVehicle, Vehicle, VehicleById, VehicleChange, Vehicles},
        weight::MaybeWeight,
    },
    domain::plate::Plate,
};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct VehicleFilter {
    /// A part of the plate, for example its last four digits.
    search: Option<String>,
    company_id: Option<i64>,
    is_active: Option<bool>,
    page: Option<i64>,
    limit: Option<i64>,
}

/// A truck to be registered or changed. A change leaves out what is to stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VehicleForm {
    /// In any common notation; required for a new truck.
    #[schema(example = "12가3456")]
    plate_number: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "덤프트럭")]
    vehicle_type: Given<String>,
    /// Registered empty weight in kg.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<f64>, example = 10000.0)]
    tare_weight: Given<Kg>,
    /// Last day on which it counts; none: it does not expire.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<NaiveDate>)]
    tare_valid_until: Given<NaiveDate>,
    /// Greatest permitted load in kg.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<f64>, example = 20000.0)]
    max_load: Given<Kg>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    company_id: Given<i64>,
    /// To bring a truck back that was taken out of use.
    is_active: Option<bool>,
}

/// A truck.
#[derive(Debug, Serialize, ToSchema)]
pub struct VehicleView {
    id: i64,
    plate_number: String,
    vehicle_type: Option<String>,
    #[schema(value_type = Option<f64>)]
    tare_weight: Option<Kg>,
    tare_set_at: Option<DateTime<FixedOffset>>,
    tare_valid_until: Option<NaiveDate>,
    #[schema(value_type = Option<f64>)]
    max_load: Option<Kg>,
    company_id: Option<i64>,
    is_active: bool,
    created_at: DateTime<FixedOffset>,
    updated_at: DateTime<FixedOffset>,
}

/// `GET /api/v1/vehicles?search=3456`, by plate.
#[utoipa::path(tag = "vehicles", params(VehicleFilter), responses((status = 200, body = Success<Page<VehicleView>>)))]
#[get("/vehicles")]
pub async fn list_vehicles(
    _: Staff,
    Filter(filter): Filter<VehicleFilter>,
    rules: Data<Rules>,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<Page<VehicleView>>, ApiError> {
    let paging = Paging::parse(filter.page, filter.limit)?;
    let wanted = Vehicles {
        search: searched("search", filter.search)?,
        company_id: filter.company_id,
        is_active: filter.is_active,
        slice: paging.into(),
    };
    let found = repository.run(wanted).await?;
    Ok(Success::ok(Page::of(paging, found, |vehicle| {
        VehicleView::of(vehicle, &rules)
    })))
}

/// `GET /api/v1/vehicles/{id}`.
#[utoipa::path(
    tag = "vehicles",
    params(("id" = i64, Path,)),
    responses((status = 200, body = Success<VehicleView>), (status = 404, body = Failure))
)]
#[get("/vehicles/{id}")]
pub async fn one_vehicle(
    _: Staff,
    Id(id): Id,
    rules: Data<Rules>,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<VehicleView>, ApiError> {
    let vehicle = repository.run(VehicleById(id)).await?;
    Ok(Success::ok(VehicleView::of(vehicle, &rules)))
}

/// `POST /api/v1/vehicles` with `{"plate_number":"12가3456","tare_weight":10000.0}`.
#[utoipa::path(
    tag = "vehicles",
    responses(
        (status = 201, body = Success<VehicleView>),
        (status = 400, body = Failure),
        (status = 409, body = Failure, description = "DUPLICATE_PLATE"),
    )
)]
#[post("/vehicles")]
pub async fn add_vehicle(
    Staff(caller): Staff,
    Body(form): Body<VehicleForm>,
    rules: Data<Rules>,
    repository: Data<Handle<Repository>>,
) -> Result<Created<VehicleView>, ApiError> {
    required("plate_number", form.plate_number.as_ref())?;
    let add = AddVehicle {
        vehicle: form.checked(Utc::now())?,
        author: caller.author(),
    };
    let added = repository.run(add).await?;
    Ok(Success::created(VehicleView::of(added, &rules)))
}

/// `PUT /api/v1/vehicles/{id}` with the fields that change.
#[utoipa::path(
    tag = "vehicles",
    params(("id" = i64, Path,)),
    responses(
        (status = 200, body = Success<VehicleView>),
        (status = 400, body = Failure),
        (status = 404, body = Failure),
        (status = 409, body = Failure, description = "DUPLICATE_PLATE"),
    )
)]
#[put("/vehicles/{id}")]
pub async fn change_vehicle(
    Staff(caller): Staff,
    Id(id): Id,
    Body(form): Body<VehicleForm>,
    rules: Data<Rules>,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<VehicleView>, ApiError> {
    let change = ChangeVehicle {
        id,
        change: form.checked(Utc::now())?,
        action: "vehicle.change",
        author: caller.author(),
    };
    let changed = repository.run(change).await?;
    Ok(Success::ok(VehicleView::of(changed, &rules)))
}

/// `DELETE /api/v1/vehicles/{id}` takes it out of use; its weighings stay.
#[utoipa::path(
    tag = "vehicles",
    params(("id" = i64, Path,)),
    responses((status = 200, body = Success<VehicleView>), (status = 404, body = Failure))
)]
#[delete("/vehicles/{id}")]
pub async fn deactivate_vehicle(
    Staff(caller): Staff,
    Id(id): Id,
    rules: Data<Rules>,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<VehicleView>, ApiError> {
    let change = ChangeVehicle {
        id,
        change: VehicleChange {
            is_active: Some(false),
            ..VehicleChange::default()
        },
        action: "vehicle.deactivate",
        author: caller.author(),
    };
    let changed = repository.run(change).await?;
    Ok(Success::ok(VehicleView::of(changed, &rules)))
}

impl VehicleForm {
    fn checked(self, now: DateTime<Utc>) -> Result<VehicleChange, ApiError> {
        let plate = self.plate_number.as_deref().map(Plate::parse).transpose();
        let plate = plate.map_err(|_| ApiError::field("plate_number", FieldCode::InvalidFormat))?;
        let tare_weight = positive("tare_weight", self.tare_weight)?;
        Ok(VehicleChange {
            plate_number: plate.map(|plate| plate.to_string()),
            vehicle_type: line_given::<50>("vehicle_type", self.vehicle_type)?,
            tare_weight: tare_weight.map(MaybeWeight),
            tare_set_at: tare_weight.map(|weight| weight.map(|_| now)),
            tare_valid_until: day("tare_valid_until", self.tare_valid_until)?,
            max_load: positive("max_load", self.max_load)?.map(MaybeWeight),
            company_id: id("company_id", self.company_id)?,
            is_active: self.is_active,
        })
    }
}

impl VehicleView {
    fn of(vehicle: Vehicle, rules: &Rules) -> Self {
        Self {
            id: vehicle.id,
            plate_number: vehicle.plate_number,
            vehicle_type: vehicle.vehicle_type,
            tare_weight: vehicle.tare_weight.map(Kg),
            tare_set_at: vehicle.tare_set_at.map(|at| rules.local(at)),
            tare_valid_until: vehicle.tare_valid_until,
            max_load: vehicle.max_load.map(Kg),
            company_id: vehicle.company_id,
            is_active: vehicle.is_active,
            created_at: rules.local(vehicle.created_at),
            updated_at: rules.local(vehicle.updated_at),
        }
    }
}
