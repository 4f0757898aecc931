//! `/mobile/records` and `/mobile/slip`: a driver's own weighings.

use actix_web::{get, web::Data};
use chrono::{Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use weighbridge_supervision::Handle;

use crate::{
    actors::{
        repository::{Queries, Repository},
        screen::RecordItem,
    },
    db::weigh_record::{self, Issuer, OwnSlip, RecordsBetween, SlipOf},
    domain::{slip::local_day, weighing::ledger::RecordStatus},
    http::{
        answer::{Answer, Failure, Page, Success},
        auth::Driver,
        error::ApiError,
        read::{Filter, Id, Paging},
        rules::Rules,
    },
};

/// Days of the history before today.
const HISTORY: Days = Days::new(29);

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OwnRecordsFilter {
    page: Option<i64>,
    limit: Option<i64>,
}

/// An electronic slip.
#[derive(Debug, Serialize, ToSchema)]
pub struct SlipView {
    #[serde(flatten)]
    record: RecordItem,
    site_name: String,
    /// Who stands for it.
    issuer_name: Option<String>,
    issuer_address: Option<String>,
    issuer_phone: Option<String>,
}

/// `GET /api/v1/mobile/records/today`: what the driver had weighed today, the newest first.
#[utoipa::path(
    tag = "mobile",
    params(OwnRecordsFilter),
    responses((status = 200, body = Success<Page<RecordItem>>), (status = 403, body = Failure))
)]
#[get("/mobile/records/today")]
pub async fn records_today(
    driver: Driver,
    filter: Filter<OwnRecordsFilter>,
    rules: Data<Rules>,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<Page<RecordItem>>, ApiError> {
    let today = local_day(Utc::now(), rules.time_zone);
    records(driver, filter.0, (today, today), &rules, &repository).await
}

/// `GET /api/v1/mobile/records/history?page=1`: the same of the last 30 days.
#[utoipa::path(
    tag = "mobile",
    params(OwnRecordsFilter),
    responses((status = 200, body = Success<Page<RecordItem>>), (status = 403, body = Failure))
)]
#[get("/mobile/records/history")]
pub async fn records_history(
    driver: Driver,
    filter: Filter<OwnRecordsFilter>,
    rules: Data<Rules>,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<Page<RecordItem>>, ApiError> {
    let today = local_day(Utc::now(), rules.time_zone);
    let first = today.checked_sub_days(HISTORY).unwrap_or(today);
    records(driver, filter.0, (first, today), &rules, &repository).await
}

/// `GET /api/v1/mobile/slip/{id}`: the slip of a record. A voided one says so; another driver's is not there.
#[utoipa::path(
    tag = "mobile",
    params(("id" = i64, Path, description = "of the record")),
    responses((status = 200, body = Success<SlipView>), (status = 404, body = Failure))
)]
#[get("/mobile/slip/{id}")]
pub async fn show_slip(
    driver: Driver,
    Id(record_id): Id,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<SlipView>, ApiError> {
    let slip = SlipOf {
        record_id,
        driver_id: driver.driver_id,
    };
    Ok(Success::ok(repository.run(slip).await?.into()))
}

async fn records(
    driver: Driver,
    filter: OwnRecordsFilter,
    (first, last): (NaiveDate, NaiveDate),
    rules: &Rules,
    repository: &Handle<Repository>,
) -> Result<Answer<Page<RecordItem>>, ApiError> {
    let paging = Paging::parse(filter.page, filter.limit)?;
    let filter = weigh_record::Filter {
        first,
        last,
        zone: rules.time_zone,
        status: RecordStatus::Completed.name(),
        site_id: None,
        station_id: None,
        plate: None,
        driver_name: None,
        driver_id: Some(driver.driver_id),
    };
    let slice = paging.into();
    let listed = repository.run(RecordsBetween { filter, slice }).await?;
    Ok(Success::ok(Page::of(paging, listed, |item| RecordItem::from(&item))))
}

impl From<OwnSlip> for SlipView {
    fn from(slip: OwnSlip) -> Self {
        let Issuer {
            name,
            issuer_name,
            issuer_address,
            issuer_phone,
        } = slip.issuer;
        Self {
            record: RecordItem::from(&slip.item),
            site_name: name,
            issuer_name,
            issuer_address,
            issuer_phone,
        }
    }
}
