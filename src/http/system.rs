//! Whether the server lives, whether it can serve, and its metrics.

use std::time::Duration;

use actix_web::{HttpResponse, get, http::header::CONTENT_TYPE, web::Data};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use utoipa::ToSchema;
use weighbridge_supervision::{Handle, Tree};

use super::{
    answer::{Answer, Success},
    code::Code,
    error::ApiError,
};
use crate::{
    actors::repository::{IsDiskFull, Repository, Run},
    db::site::Ping,
};

/// How long the database may take to say that it is there.
const SOON: Duration = Duration::from_secs(2);

/// What the server says of itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    #[schema(example = "ok")]
    status: &'static str,
    version: &'static str,
}

/// `GET /healthz`: the process is alive.
#[utoipa::path(tag = "operations", security(()), responses((status = 200, body = Success<Health>)))]
#[get("/healthz")]
pub async fn healthz() -> Answer<Health> {
    Success::ok(Health::good())
}

/// `GET /readyz`: the server can serve; 503 with `error.reasons` where it cannot.
#[utoipa::path(
    tag = "operations",
    security(()),
    responses((status = 200, body = Success<Health>), (status = 503, body = super::answer::Failure))
)]
#[get("/readyz")]
pub async fn readyz(repository: Data<Handle<Repository>>, tree: Data<Tree>) -> Result<Answer<Health>, ApiError> {
    let mut reasons: Vec<String> = tree
        .failed()
        .into_iter()
        .map(|name| format!("actor {name} is FAILED"))
        .collect();
    match repository.ask(Run(Ping), SOON).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!("not ready: {error}");
            reasons.push("the database is unavailable".to_owned());
        }
        Err(error) => reasons.push(format!("actor repository gives no answer: {error}")),
    }
    if matches!(repository.ask(IsDiskFull, SOON).await, Ok(true)) {
        reasons.push("the database's disk is full".to_owned());
    }
    if reasons.is_empty() {
        return Ok(Success::ok(Health::good()));
    }
    let unavailable = ApiError::new(Code::Unavailable).retry_after(Duration::from_secs(1));
    Err(unavailable.with("reasons", reasons))
}

/// `GET /metrics`, for Prometheus.
#[utoipa::path(
    tag = "operations",
    security(()),
    responses((status = 200, body = String, content_type = "text/plain"))
)]
#[get("/metrics")]
pub async fn metrics(recorder: Data<PrometheusHandle>, tree: Data<Tree>) -> HttpResponse {
    tree.record_metrics();
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .body(recorder.render())
}

impl Health {
    const fn good() -> Self {
        Self {
            status: "ok",
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}
