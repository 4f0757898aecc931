//! `/mobile/notifications` and `/mobile/fcm-token`: what a driver was told, and the device that is told.

use actix_web::{get, post, put, web::Data};
use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use weighbridge_supervision::Handle;

use crate::{
    actors::repository::{Queries, Repository},
    db::{
        device::TellToken,
        notification::{Notification, NotificationsOf, ReadNotification},
    },
    http::{
        answer::{Answer, Failure, Page, Success},
        auth::Driver,
        code::FieldCode,
        error::ApiError,
        fields::{Given, given},
        read::{Body, Filter, Id, Paging},
        rules::Rules,
    },
};

/// What the column holds.
const LONGEST_TOKEN: usize = 255;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NotificationFilter {
    /// `true`: those alone that were not read.
    unread: Option<bool>,
    page: Option<i64>,
    limit: Option<i64>,
}

/// What a driver was told.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotificationView {
    id: i64,
    /// `QUEUE_CALLED`, `QUEUE_WITHDRAWN`, `WEIGHING_COMPLETED`, `WEIGHING_CORRECTED` or `WEIGHING_REVOKED`.
    #[serde(rename = "type")]
    kind: String,
    title: String,
    message: String,
    /// What it is about, as in the push.
    #[schema(value_type = Object)]
    data: Value,
    is_read: bool,
    /// When a device first took it; null where none did.
    #[schema(value_type = Option<String>, format = DateTime)]
    sent_at: Option<DateTime<FixedOffset>>,
    #[schema(value_type = String, format = DateTime)]
    created_at: DateTime<FixedOffset>,
}

/// The push address of this device.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FcmTokenForm {
    /// As Firebase gave it to the app; `null` where this device is not to be pushed to.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    fcm_token: Given<String>,
}

/// What was noted.
#[derive(Debug, Serialize, ToSchema)]
pub struct FcmTokenView {
    /// Whether this device is pushed to now.
    registered: bool,
}

/// `GET /api/v1/mobile/notifications?unread=true`, the newest first.
#[utoipa::path(
    tag = "mobile",
    params(NotificationFilter),
    responses((status = 200, body = Success<Page<NotificationView>>), (status = 403, body = Failure))
)]
#[get("/mobile/notifications")]
pub async fn list_notifications(
    driver: Driver,
    Filter(filter): Filter<NotificationFilter>,
    rules: Data<Rules>,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<Page<NotificationView>>, ApiError> {
    let paging = Paging::parse(filter.page, filter.limit)?;
    let wanted = NotificationsOf {
        driver_id: driver.driver_id,
        unread_only: filter.unread.unwrap_or(false),
        slice: paging.into(),
    };
    let listed = repository.run(wanted).await?;
    Ok(Success::ok(Page::of(paging, listed, |row| {
        NotificationView::of(row, &rules)
    })))
}

/// `POST /api/v1/mobile/notifications/{id}/read`: the driver has read it. Done twice it is as done once.
#[utoipa::path(
    tag = "mobile",
    params(("id" = i64, Path,)),
    responses((status = 200, body = Success<NotificationView>), (status = 404, body = Failure))
)]
#[post("/mobile/notifications/{id}/read")]
pub async fn read_notification(
    driver: Driver,
    Id(id): Id,
    rules: Data<Rules>,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<NotificationView>, ApiError> {
    let read = ReadNotification {
        id,
        driver_id: driver.driver_id,
    };
    let row = repository.run(read).await?;
    Ok(Success::ok(NotificationView::of(row, &rules)))
}

/// `PUT /api/v1/mobile/fcm-token` with `{"fcm_token":"…"}`: this device is pushed to from now on. To be sent at each start
/// of the app: a token that was not told for 270 days is not used any more.
#[utoipa::path(
    tag = "mobile",
    responses((status = 200, body = Success<FcmTokenView>), (status = 400, body = Failure))
)]
#[put("/mobile/fcm-token")]
pub async fn tell_fcm_token(
    driver: Driver,
    Body(form): Body<FcmTokenForm>,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<FcmTokenView>, ApiError> {
    let token = form.checked()?;
    let registered = token.is_some();
    let identity = driver.caller.identity;
    repository
        .run(TellToken {
            session: identity.session,
            user: identity.user,
            token,
        })
        .await?;
    Ok(Success::ok(FcmTokenView { registered }))
}

impl FcmTokenForm {
    fn checked(self) -> Result<Option<String>, ApiError> {
        let wrong = |code| Err(ApiError::field("fcm_token", code));
        match self.fcm_token {
            None => wrong(FieldCode::Required),
            Some(None) => Ok(None),
            Some(Some(token)) if token.len() > LONGEST_TOKEN => wrong(FieldCode::TooLong),
            Some(Some(token)) if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) => {
                wrong(FieldCode::InvalidFormat)
            }
            Some(token) => Ok(token),
        }
    }
}

impl NotificationView {
    fn of(row: Notification, rules: &Rules) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            title: row.title,
            message: row.message,
            data: row.data,
            is_read: row.is_read,
            sent_at: row.sent_at.map(|at| rules.local(at)),
            created_at: rules.local(row.created_at),
        }
    }
}
