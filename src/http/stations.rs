//! `/stations`: the scales, what they take, and whether they are open.

use std::collections::BTreeMap;

use actix_web::{delete, get, post, put, web::Data};
use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use weighbridge_supervision::Handle;

use super::{
    answer::{Answer, Created, Failure, Page, Success},
    auth::{Admin, Caller, Staff},
    code::FieldCode,
    error::ApiError,
    fields::{Given, Kg, day, given, ids, line, line_given, positive, required},
    read::{Body, Filter, Id, Paging},
    rules::Rules,
};
use crate::{
    actors::{
        indicator::StationTouched,
        queue::LineMoved,
        repository::{Queries, Repository},
        stations::Stations as StationActors,
    },
    db::{
        site::SiteChosen,
        weigh_station::{AddStation, ChangeStation, StationById, StationChange, Stations},
        weight::MaybeWeight,
    },
};

use view::StationView;
use wishes::{address, approach, capture, misfit};

mod view;
mod wishes;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StationFilter {
    site_id: Option<i64>,
    is_active: Option<bool>,
    page: Option<i64>,
    limit: Option<i64>,
}

/// A scale to be set up or changed. A change leaves out what is to stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StationForm {
    /// Required for a new scale.
    #[schema(example = "1번 계량대")]
    name: Option<String>,
    /// May be left out where the server has one site.
    site_id: Option<i64>,
    /// The indicator's maker or model; required for a new scale.
    #[schema(example = "CAS")]
    indicator_type: Option<String>,
    /// The name of its protocol, as `weighbridge-edge protocols` lists them.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "cas22")]
    protocol: Given<String>,
    /// `serial:///dev/ttyUSB0?9600-8N1` or `tcp://host:port`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    address: Given<String>,
    /// In kg.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<f64>)]
    capacity: Given<Kg>,
    /// Scale interval d in kg.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<f64>)]
    division: Given<Kg>,
    /// Last day of its verification (검정).
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<NaiveDate>)]
    verified_until: Given<NaiveDate>,
    calling: Option<Calling>,
    /// What it takes; both where left out.
    directions: Option<Vec<Direction>>,
    /// What it takes; all where empty.
    product_ids: Option<Vec<i64>>,
    /// The least time in milliseconds from a call to the first axle on the deck, as far as the truck has to come: one that
    /// stands there sooner is another, and is not weighed under the call. It counts for an entry's first call alone. At most
    /// 600,000, and less than `queue.call_deadline`; 0 where it is not known.
    approach_ms: Option<i32>,
    /// Capture settings that differ from the defaults, such as `{"dwell_ms":3000}`.
    #[schema(value_type = Option<Object>)]
    capture: Option<BTreeMap<String, Value>>,
    is_active: Option<bool>,
}

/// Whether the next truck is called by itself.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Calling {
    Auto,
    Manual,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Direction {
    In,
    Out,
}

/// What the handlers of this file need.
pub type Stage = (Data<Handle<Repository>>, Data<StationActors>, Data<Rules>);

/// `GET /api/v1/stations`.
#[utoipa::path(tag = "stations", params(StationFilter), responses((status = 200, body = Success<Page<StationView>>)))]
#[get("/stations")]
pub async fn list_stations(
    _: Staff,
    Filter(filter): Filter<StationFilter>,
    stage: Stage,
) -> Result<Answer<Page<StationView>>, ApiError> {
    let (repository, _, rules) = stage;
    let paging = Paging::parse(filter.page, filter.limit)?;
    let wanted = Stations {
        site_id: filter.site_id,
        is_active: filter.is_active,
        slice: paging.into(),
    };
    let found = repository.run(wanted).await?;
    Ok(Success::ok(Page::of(paging, found, |station| {
        StationView::of(station, &rules)
    })))
}

/// `GET /api/v1/stations/{id}`.
#[utoipa::path(
    tag = "stations",
    params(("id" = i64, Path,)),
    responses((status = 200, body = Success<StationView>), (status = 404, body = Failure))
)]
#[get("/stations/{id}")]
pub async fn one_station(_: Staff, Id(id): Id, stage: Stage) -> Result<Answer<StationView>, ApiError> {
    let (repository, _, rules) = stage;
    let station = repository.run(StationById(id)).await?;
    Ok(Success::ok(StationView::of(station, &rules)))
}

/// `POST /api/v1/stations` with `{"name":"1번 계량대","indicator_type":"CAS","protocol":"cas22"}`. A new scale is open.
#[utoipa::path(
    tag = "stations",
    responses((status = 201, body = Success<StationView>), (status = 400, body = Failure))
)]
#[post("/stations")]
pub async fn add_station(
    Admin(caller): Admin,
    Body(form): Body<StationForm>,
    stage: Stage,
) -> Result<Created<StationView>, ApiError> {
    let (repository, actors, rules) = stage;
    required("name", form.name.as_ref())?;
    required("indicator_type", form.indicator_type.as_ref())?;
    let wanted = form.site_id;
    let mut station = form.checked(&rules)?;
    station.goes_together().map_err(|why| misfit(&why, true, true))?;
    station.site_id = Some(site(wanted, &repository).await?);
    let added = repository
        .run(AddStation {
            station,
            author: caller.author(),
        })
        .await?;
    actors.start_site(added.site_id).map_err(ApiError::internal)?;
    actors
        .start_station(added.id, added.site_id)
        .map_err(ApiError::internal)?;
    Ok(Success::created(StationView::of(added, &rules)))
}

/// `PUT /api/v1/stations/{id}` with the fields that change.
#[utoipa::path(
    tag = "stations",
    params(("id" = i64, Path,)),
    responses(
        (status = 200, body = Success<StationView>),
        (status = 400, body = Failure),
        (status = 404, body = Failure),
    )
)]
#[put("/stations/{id}")]
pub async fn change_station(
    Admin(caller): Admin,
    Id(id): Id,
    Body(form): Body<StationForm>,
    stage: Stage,
) -> Result<Answer<StationView>, ApiError> {
    if form.site_id.is_some() {
        // Its captures and slips belong to the site where it stands.
        return Err(ApiError::field("site_id", FieldCode::UnknownField));
    }
    let wanted = form.checked(&stage.2)?;
    change(id, wanted, "station.change", &caller, stage).await
}

/// `POST /api/v1/stations/{id}/open`: trucks are called to it again.
#[utoipa::path(
    tag = "stations",
    params(("id" = i64, Path,)),
    responses((status = 200, body = Success<StationView>), (status = 404, body = Failure))
)]
#[post("/stations/{id}/open")]
pub async fn open_station(Staff(caller): Staff, Id(id): Id, stage: Stage) -> Result<Answer<StationView>, ApiError> {
    change(id, open(true), "station.open", &caller, stage).await
}

/// `POST /api/v1/stations/{id}/close`: no truck is called to it. One that is on its way goes back to the head of the line;
/// one that stands on the deck is weighed.
#[utoipa::path(
    tag = "stations",
    params(("id" = i64, Path,)),
    responses((status = 200, body = Success<StationView>), (status = 404, body = Failure))
)]
#[post("/stations/{id}/close")]
pub async fn close_station(Staff(caller): Staff, Id(id): Id, stage: Stage) -> Result<Answer<StationView>, ApiError> {
    change(id, open(false), "station.close", &caller, stage).await
}

/// `DELETE /api/v1/stations/{id}` takes it out of use; its weighings stay.
#[utoipa::path(
    tag = "stations",
    params(("id" = i64, Path,)),
    responses((status = 200, body = Success<StationView>), (status = 404, body = Failure))
)]
#[delete("/stations/{id}")]
pub async fn deactivate_station(
    Admin(caller): Admin,
    Id(id): Id,
    stage: Stage,
) -> Result<Answer<StationView>, ApiError> {
    let out_of_use = StationChange {
        is_active: Some(false),
        is_open: Some(false),
        ..StationChange::default()
    };
    change(id, out_of_use, "station.deactivate", &caller, stage).await
}

/// The site that a form means: the one it names, or where it names none the only one.
pub(super) async fn site(wanted: Option<i64>, repository: &Handle<Repository>) -> Result<i64, ApiError> {
    let chosen = repository.run(SiteChosen(wanted)).await?;
    let code = if wanted.is_some() {
        FieldCode::NotFound
    } else {
        FieldCode::Required
    };
    chosen.ok_or_else(|| ApiError::field("site_id", code))
}

async fn change(
    id: i64,
    change: StationChange,
    action: &'static str,
    caller: &Caller,
    stage: Stage,
) -> Result<Answer<StationView>, ApiError> {
    let (repository, actors, rules) = stage;
    let (division, capacity) = (change.division.is_some(), change.capacity.is_some());
    let change = ChangeStation {
        id,
        change,
        action,
        author: caller.author(),
    };
    let changed = repository.run(change).await?;
    let changed = changed.map_err(|why| misfit(&why, division, capacity))?;
    if changed.is_active {
        actors
            .start_station(changed.id, changed.site_id)
            .map_err(ApiError::internal)?;
    }
    if let Some(indicator) = actors.directory.indicator(id) {
        indicator.listener().announce(StationTouched { records: Vec::new() });
    }
    if let Some(edge) = changed.edge_id {
        actors.directory.touch_edge(edge);
    }
    if let Some(queue) = actors.directory.queue(changed.site_id) {
        queue.listener().announce(LineMoved);
    }
    Ok(Success::ok(StationView::of(changed, &rules)))
}

fn open(is_open: bool) -> StationChange {
    StationChange {
        is_open: Some(is_open),
        ..StationChange::default()
    }
}

impl StationForm {
    fn checked(self, rules: &Rules) -> Result<StationChange, ApiError> {
        let directions = self
            .directions
            .map(|directions| directions.into_iter().map(Direction::name));
        Ok(StationChange {
            name: self.name.map(|name| line::<50>("name", &name)).transpose()?,
            site_id: None,
            indicator_type: self
                .indicator_type
                .map(|kind| line::<20>("indicator_type", &kind))
                .transpose()?,
            protocol: line_given::<100>("protocol", self.protocol)?,
            address: address(line_given::<200>("address", self.address)?)?,
            capacity: positive("capacity", self.capacity)?.map(MaybeWeight),
            division: positive("division", self.division)?.map(MaybeWeight),
            verified_until: day("verified_until", self.verified_until)?,
            capture_settings: self.capture.map(capture).transpose()?,
            calling: self.calling.map(|calling| calling.name().to_owned()),
            directions: directions.map(|names| names.map(str::to_owned).collect()),
            product_ids: self
                .product_ids
                .map(|products| ids("product_ids", products))
                .transpose()?,
            least_approach_ms: self
                .approach_ms
                .map(|ms| approach(ms, rules.call_deadline))
                .transpose()?,
            is_open: None,
            is_active: self.is_active,
        })
    }
}

impl Calling {
    const fn name(self) -> &'static str {
        match self {
            Self::Auto => "AUTO",
            Self::Manual => "MANUAL",
        }
    }
}

impl Direction {
    const fn name(self) -> &'static str {
        match self {
            Self::In => "IN",
            Self::Out => "OUT",
        }
    }
}
