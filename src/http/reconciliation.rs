//! `/admin/reconciliation`: what the ERP has confirmed, beside what was completed.

use actix_web::{get, web::Data};
use chrono::{DateTime, FixedOffset, NaiveDate};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use weighbridge_protocol::{Kilograms, kilograms::json_number};
use weighbridge_supervision::Handle;

use super::{
    answer::{Answer, Failure, Success},
    auth::Admin,
    code::FieldCode,
    error::ApiError,
    read::Filter,
    rules::Rules,
};
use crate::{
    actors::repository::{Queries, Repository},
    db::reconciliation::{Day, Difference, Reconcile, Reconciled},
};

/// The longest span that is reported at once.
const LONGEST: i64 = 366;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Span {
    /// The first site-local day.
    #[param(example = "2026-01-01")]
    from: NaiveDate,
    /// The last one.
    #[param(example = "2026-01-31")]
    to: NaiveDate,
}

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReconciliationView {
    /// The ERP has confirmed everything of these days.
    agrees: bool,
    days: Vec<DayView>,
    /// The first 200 messages that it has not.
    differences: Vec<DifferenceView>,
    /// How many there are.
    differs: i64,
}

/// A site's day.
#[derive(Debug, Serialize, ToSchema)]
pub struct DayView {
    site_id: i64,
    #[schema(value_type = String, format = Date)]
    day: NaiveDate,
    /// Completed weighings, voided ones included.
    completed: i64,
    #[serde(with = "json_number")]
    #[schema(value_type = f64)]
    completed_net: Kilograms,
    voided: i64,
    #[serde(with = "json_number")]
    #[schema(value_type = f64)]
    voided_net: Kilograms,
    /// Of the completed ones those that the ERP has confirmed.
    confirmed: i64,
    #[serde(with = "json_number")]
    #[schema(value_type = f64)]
    confirmed_net: Kilograms,
    voids_confirmed: i64,
    #[schema(value_type = Option<String>, format = DateTime)]
    closed_at: Option<DateTime<FixedOffset>>,
    /// How the day's close stands: `PENDING`, `LEASED`, `SENT`, `DEAD` or `DISCARDED`.
    close_state: Option<String>,
}

/// A message that the ERP has not confirmed.
#[derive(Debug, Serialize, ToSchema)]
pub struct DifferenceView {
    slip_number: Option<String>,
    #[schema(example = "ERP_COMPLETE")]
    kind: String,
    /// Of the outbox; `MISSING` where it was never owed.
    state: String,
    outbox_id: Option<i64>,
    last_error: Option<String>,
}

/// `GET /api/v1/admin/reconciliation?from=2026-01-01&to=2026-01-31`
#[utoipa::path(
    tag = "admin",
    params(Span),
    responses((status = 200, body = Success<ReconciliationView>), (status = 400, body = Failure), (status = 403, body = Failure))
)]
#[get("/admin/reconciliation")]
pub async fn reconcile(
    _: Admin,
    span: Filter<Span>,
    repository: Data<Handle<Repository>>,
    rules: Data<Rules>,
) -> Result<Answer<ReconciliationView>, ApiError> {
    let Filter(Span { from, to }) = span;
    if !(0..LONGEST).contains(&(to - from).num_days()) {
        return Err(ApiError::field("to", FieldCode::OutOfRange));
    }
    let Reconciled {
        days,
        differences,
        differs,
    } = repository.run(Reconcile { from, to }).await?;
    Ok(Success::ok(ReconciliationView {
        agrees: differs == 0,
        days: days.into_iter().map(|day| shown(day, &rules)).collect(),
        differences: differences.into_iter().map(DifferenceView::from).collect(),
        differs,
    }))
}

fn shown(day: Day, rules: &Rules) -> DayView {
    DayView {
        site_id: day.site_id,
        day: day.day,
        completed: day.completed,
        completed_net: day.completed_net.into(),
        voided: day.voided,
        voided_net: day.voided_net.into(),
        confirmed: day.confirmed,
        confirmed_net: day.confirmed_net.into(),
        voids_confirmed: day.voids_confirmed,
        closed_at: day
            .closed_at
            .map(|at| at.with_timezone(&rules.time_zone).fixed_offset()),
        close_state: day.close_state,
    }
}

impl From<Difference> for DifferenceView {
    fn from(difference: Difference) -> Self {
        Self {
            slip_number: difference.slip_number,
            kind: difference.kind,
            state: difference.state,
            outbox_id: difference.outbox_id,
            last_error: difference.last_error,
        }
    }
}
