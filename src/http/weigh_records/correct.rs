//! `POST /weigh-records/{id}/correct`: a weighing was another truck's, another driver's, or of something else.

use actix_web::{post, web::Data};
use chrono::Utc;
use serde::Deserialize;
use utoipa::ToSchema;

use super::RecordDetail;
use crate::{
    actors::{edge_link::LinkServices, repository::Queries},
    db::weigh_record::{CorrectRecord, Corrected, DetailOf},
    domain::weighing::correct::{Correction, Uncorrectable},
    http::{
        answer::{Answer, Failure, Success},
        auth::Staff,
        code::{Code, FieldCode, Language},
        error::ApiError,
        fields::{Given, given, id, line},
        read::{Body, Id},
    },
};

/// What is put right, and why. What is left out stays as it is; null empties it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CorrectForm {
    reason: String,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    vehicle_id: Given<i64>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    driver_id: Given<i64>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    product_id: Given<i64>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    customer_id: Given<i64>,
}

/// `POST /api/v1/weigh-records/{id}/correct` with `{"reason":"…","product_id":3}`. The record is voided, and another one takes
/// its place: with the weights that were measured, a slip number of its own on the same day, and `replaces`. A tare that was
/// registered follows its vehicle. ERP and drivers are told. Answers the new record. Written to the audit log.
#[utoipa::path(
    tag = "records",
    params(("id" = i64, Path,)),
    responses(
        (status = 200, body = Success<RecordDetail>),
        (status = 400, body = Failure, description = "VALIDATION_FAILED: also where an id names nothing, or what is out of use"),
        (status = 404, body = Failure),
        (status = 409, body = Failure, description = "INVALID_STATE: it is not complete, or somebody else has voided or corrected it; \
            NOTHING_DIFFERS; NO_TARE: it was weighed once, and the other vehicle has no tare for it"),
    )
)]
#[post("/weigh-records/{id}/correct")]
pub async fn correct_record(
    Staff(caller): Staff,
    Id(record_id): Id,
    Body(form): Body<CorrectForm>,
    language: Language,
    links: Data<LinkServices>,
) -> Result<Answer<RecordDetail>, ApiError> {
    let correct = CorrectRecord {
        record_id,
        reason: line::<200>("reason", &form.reason)?,
        correction: form.try_into()?,
        min_net: links.min_net,
        author: caller.author(),
        now: Utc::now(),
    };
    match links.repository.run_contended(correct).await? {
        Corrected::Unknown(missing) => Err(missing.into()),
        Corrected::Refused(why) => Err(why.into()),
        Corrected::Made { record_id, changes } => {
            links.directory.announce(&changes);
            let detail = links.repository.run(DetailOf(record_id)).await?;
            Ok(Success::ok(RecordDetail::of(detail, language)))
        }
    }
}

impl TryFrom<CorrectForm> for Correction {
    type Error = ApiError;

    fn try_from(form: CorrectForm) -> Result<Self, ApiError> {
        // A weighing is always of some vehicle.
        let vehicle_id = match id("vehicle_id", form.vehicle_id)? {
            Some(None) => return Err(ApiError::field("vehicle_id", FieldCode::Required)),
            given => given.flatten(),
        };
        Ok(Self {
            vehicle_id,
            driver_id: id("driver_id", form.driver_id)?,
            product_id: id("product_id", form.product_id)?,
            customer_id: id("customer_id", form.customer_id)?,
        })
    }
}

impl From<Uncorrectable> for ApiError {
    fn from(why: Uncorrectable) -> Self {
        Self::new(match why {
            Uncorrectable::NotComplete => Code::InvalidState,
            Uncorrectable::NothingDiffers => Code::NothingDiffers,
            Uncorrectable::NoTare => Code::NoTare,
        })
    }
}
