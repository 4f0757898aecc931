//! `/weigh-records`: the weighings, by day, plate, driver and status.

pub mod correct;
pub mod curve;
pub mod void;

use actix_web::{get, web::Data};
use chrono::{DateTime, FixedOffset, NaiveDate};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use weighbridge_protocol::{Kilograms, kilograms::json_number};
use weighbridge_supervision::Handle;

use super::{
    answer::{Answer, Failure, Page, Success},
    auth::Staff,
    code::{FieldCode, Language},
    error::ApiError,
    fields::{parse_day, searched},
    read::{Filter, Id, Paging},
    rules::Rules,
};
use crate::{
    actors::{
        repository::{Queries, Repository},
        screen::{RecordItem, in_zone},
    },
    db::{
        page::Slice,
        weigh_record::{self, Detail, DetailOf, RecordsBetween},
    },
    domain::{plate, weighing::ledger::RecordStatus, wording},
};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RecordFilter {
    /// The first day, as the site's clock counts them.
    #[param(required, format = Date, example = "2026-01-25")]
    start_date: Option<String>,
    /// The last day, included.
    #[param(required, format = Date, example = "2026-01-25")]
    end_date: Option<String>,
    /// A plate, or its last four digits.
    vehicle_plate: Option<String>,
    /// A part of the name.
    driver_name: Option<String>,
    /// `PENDING`, `WEIGHING`, `COMPLETED` or `VOIDED`; COMPLETED where it is missing.
    status: Option<String>,
    station_id: Option<i64>,
    site_id: Option<i64>,
    page: Option<i64>,
    limit: Option<i64>,
}

/// A record with its story.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordDetail {
    #[serde(flatten)]
    record: RecordItem,
    site_id: i64,
    first_station_id: Option<i64>,
    second_station_id: Option<i64>,
    captures: Vec<RecordCapture>,
    manual_reason: Option<String>,
    void_reason: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    voided_at: Option<DateTime<FixedOffset>>,
    voided_by: Option<i64>,
    /// The voided record that this one corrects.
    replaces: Option<i64>,
    /// The record that corrects this voided one.
    replaced_by: Option<i64>,
    /// Which completion of the same capture this is, from 1.
    revision: i32,
    /// Why staff should look at it.
    #[schema(example = "DIRECTION_CONTRADICTED")]
    review_reason: Option<String>,
    /// The same for people, Korean or as `Accept-Language` prefers.
    review_message: Option<String>,
    reprint_count: i32,
    #[schema(value_type = Option<String>, format = DateTime)]
    erp_sent_at: Option<DateTime<FixedOffset>>,
    #[schema(value_type = String, format = DateTime)]
    created_at: DateTime<FixedOffset>,
    #[schema(value_type = String, format = DateTime)]
    updated_at: DateTime<FixedOffset>,
}

/// A stable weight that the record took.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordCapture {
    id: i64,
    station_id: i64,
    #[serde(with = "json_number")]
    #[schema(value_type = f64)]
    weight: Kilograms,
    gap: bool,
    #[schema(value_type = String, format = DateTime)]
    captured_at: DateTime<FixedOffset>,
    /// Who of staff assigned it; null where a call did.
    decided_by: Option<i64>,
}

/// `GET /api/v1/weigh-records?start_date=2026-01-25&end_date=2026-01-25&vehicle_plate=3456&limit=20`, newest first.
#[utoipa::path(
    tag = "records",
    params(RecordFilter),
    responses((status = 200, body = Success<Page<RecordItem>>), (status = 400, body = Failure))
)]
#[get("/weigh-records")]
pub async fn list_records(
    _: Staff,
    filter: Filter<RecordFilter>,
    rules: Data<Rules>,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<Page<RecordItem>>, ApiError> {
    let Filter(filter) = filter;
    let paging = Paging::parse(filter.page, filter.limit)?;
    let wanted = filter.wanted(&rules, paging.into())?;
    let listed = repository.run(wanted).await?;
    Ok(Success::ok(Page::of(paging, listed, |item| RecordItem::from(&item))))
}

/// `GET /api/v1/weigh-records/{id}`: one record, whatever its status, with where its weights came from.
#[utoipa::path(
    tag = "records",
    params(("id" = i64, Path,)),
    responses((status = 200, body = Success<RecordDetail>), (status = 404, body = Failure))
)]
#[get("/weigh-records/{id}")]
pub async fn show_record(
    _: Staff,
    Id(id): Id,
    language: Language,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<RecordDetail>, ApiError> {
    let detail = repository.run(DetailOf(id)).await?;
    Ok(Success::ok(RecordDetail::of(detail, language)))
}

impl RecordFilter {
    fn wanted(self, rules: &Rules, slice: Slice) -> Result<RecordsBetween, ApiError> {
        let (first, last) = (day("start_date", self.start_date)?, day("end_date", self.end_date)?);
        if last < first {
            return Err(ApiError::field("end_date", FieldCode::OutOfRange));
        }
        let status = self
            .status
            .as_deref()
            .map_or(Some(RecordStatus::Completed), RecordStatus::named);
        let status = status.ok_or_else(|| ApiError::field("status", FieldCode::InvalidFormat))?;
        let plate = searched("vehicle_plate", self.vehicle_plate)?;
        let filter = weigh_record::Filter {
            first,
            last,
            zone: rules.time_zone,
            status: status.name(),
            site_id: self.site_id,
            station_id: self.station_id,
            plate: plate.map(|plate| plate::normalised(&plate)),
            driver_name: searched("driver_name", self.driver_name)?,
            driver_id: None,
        };
        Ok(RecordsBetween { filter, slice })
    }
}

/// A day that must be given.
fn day(field: &str, text: Option<String>) -> Result<NaiveDate, ApiError> {
    let text = text.ok_or_else(|| ApiError::field(field, FieldCode::Required))?;
    parse_day(field, &text)
}

impl RecordDetail {
    fn of(detail: Detail, language: Language) -> Self {
        let Detail {
            item,
            story,
            captures,
            replaced_by,
        } = detail;
        let at = |moment| in_zone(moment, &item.time_zone);
        Self {
            record: RecordItem::from(&item),
            site_id: item.site_id,
            first_station_id: story.first_station_id,
            second_station_id: story.second_station_id,
            captures: captures
                .into_iter()
                .map(|capture| RecordCapture {
                    id: capture.id,
                    station_id: capture.station_id,
                    weight: capture.weight,
                    gap: capture.gap,
                    captured_at: at(capture.captured_at),
                    decided_by: capture.decided_by,
                })
                .collect(),
            manual_reason: story.manual_reason,
            void_reason: story.void_reason,
            voided_at: story.voided_at.map(at),
            voided_by: story.voided_by,
            replaces: story.replaces,
            replaced_by,
            revision: story.revision,
            review_message: story
                .review_reason
                .as_deref()
                .map(|code| wording::review(language, code).to_owned()),
            review_reason: story.review_reason,
            reprint_count: story.reprint_count,
            erp_sent_at: story.erp_sent_at.map(at),
            created_at: at(story.created_at),
            updated_at: at(story.updated_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_in_one_way() {
        let read = |text: &str| day("start_date", Some(text.to_owned()));
        assert_eq!(
            read("2026-01-25").unwrap(),
            NaiveDate::from_ymd_opt(2026, 1, 25).unwrap()
        );
        for wrong in [
            "",
            "2026-1-25",
            "20260125",
            "2026-02-30",
            "+12026-01-01",
            "2026-01-25T00:00",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(day("start_date", None).is_err());
    }
}
