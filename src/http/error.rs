//! How every failure looks: `{"success":false,"error":{"code","message","details"?}}`.
//!
//! Handlers return [`ApiError`]; the middleware fills in the caller's language. What the database or an actor says
//! becomes an [`ApiError`] here, beside the outer type, so handlers use `?`.

use std::time::Duration;

use actix_web::{
    HttpResponse, ResponseError,
    body::BoxBody,
    http::{StatusCode, header::RETRY_AFTER},
};
use serde_json::{Map, Value, json};
use weighbridge_supervision::AskError;

use super::code::{Code, FieldCode, Language, field_message, message};
use crate::{
    db::{DbError, parties::Missing},
    domain::text::LineError,
};

/// A failure as the client will see it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", code.name())]
pub struct ApiError {
    code: Code,
    details: Vec<FieldError>,
    retry_after: Option<Duration>,
    more: Map<String, Value>,
    language: Language,
}

/// What is wrong with one field of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Its path in the input, `vehicle_ids[1]`.
    pub field: String,
    pub code: FieldCode,
}

impl ApiError {
    pub fn new(code: Code) -> Self {
        Self {
            code,
            details: Vec::new(),
            retry_after: None,
            more: Map::new(),
            language: Language::default(),
        }
    }

    /// 400 for one field of the input.
    pub fn field(field: impl Into<String>, code: FieldCode) -> Self {
        Self::fields(vec![FieldError {
            field: field.into(),
            code,
        }])
    }

    /// 400 for all that is wrong with the input; `UNKNOWN_FIELD` where that is all.
    pub fn fields(details: Vec<FieldError>) -> Self {
        let unknown_only = details.iter().all(|detail| detail.code == FieldCode::UnknownField);
        let code = if unknown_only {
            Code::UnknownField
        } else {
            Code::ValidationFailed
        };
        Self {
            details,
            ..Self::new(code)
        }
    }

    /// 500, for what only a person can mend; the reason goes to the log, never to the client.
    pub fn internal(reason: impl std::fmt::Display) -> Self {
        tracing::error!("a request failed for a reason of ours: {reason}");
        Self::new(Code::Internal)
    }

    /// Tells the client when to try again; whole seconds, at least one.
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Adds a member to `error`, such as `restart_id`.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    pub fn code(&self) -> Code {
        self.code
    }

    pub(super) fn in_language(mut self, language: Language) -> Self {
        self.language = language;
        self
    }

    fn body(&self) -> Value {
        let mut error = self.more.clone();
        error.insert("code".to_owned(), self.code.name().into());
        error.insert("message".to_owned(), message(self.code, self.language).into());
        if !self.details.is_empty() {
            let details: Vec<Value> = self.details.iter().map(|detail| detail.body(self.language)).collect();
            error.insert("details".to_owned(), details.into());
        }
        json!({"success": false, "error": error})
    }
}

impl FieldError {
    fn body(&self, language: Language) -> Value {
        json!({"field": self.field, "code": self.code.name(), "message": field_message(self.code, language)})
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::build(self.status_code());
        if let Some(wait) = self.retry_after {
            response.insert_header((RETRY_AFTER, whole_seconds(wait)));
        }
        response.json(self.body())
    }
}

impl From<DbError> for ApiError {
    /// A missing row is 404; a conflict is told by the constraint that refused the change.
    fn from(error: DbError) -> Self {
        match error {
            DbError::NotFound => Self::new(Code::NotFound),
            DbError::Conflict { constraint, .. } => refused_by(&constraint),
            DbError::Unavailable(unavailable) => Self::new(Code::Unavailable).retry_after(unavailable.retry_after),
            error if error.is_passing() => Self::new(Code::Unavailable).retry_after(Duration::from_secs(1)),
            error => Self::internal(error),
        }
    }
}

/// What a client did wrong when this constraint refused its change.
fn refused_by(constraint: &str) -> ApiError {
    const REFERENCES: [&str; 8] = [
        "company_id",
        "customer_id",
        "driver_id",
        "edge_id",
        "product_id",
        "site_id",
        "station_id",
        "vehicle_id",
    ];
    let column = constraint.strip_suffix("_fkey");
    let named = REFERENCES
        .iter()
        .find(|name| column.is_some_and(|column| column.ends_with(**name)));
    match (constraint, named) {
        (_, Some(field)) => ApiError::field(*field, FieldCode::NotFound),
        ("idx_vehicle_plate", _) => ApiError::new(Code::DuplicatePlate),
        ("idx_user_login", _) => ApiError::new(Code::DuplicateLogin),
        ("wait_queue_one_open_per_driver", _) => ApiError::new(Code::AlreadyQueued),
        _ => ApiError::new(Code::Conflict),
    }
}

impl From<AskError> for ApiError {
    /// An actor that is down, full or restarting answers in a moment.
    fn from(error: AskError) -> Self {
        tracing::warn!("an actor gave no answer to a request: {error}");
        Self::new(Code::Unavailable).retry_after(Duration::from_secs(1))
    }
}

impl From<Missing> for ApiError {
    /// An id of a body that names nothing.
    fn from(missing: Missing) -> Self {
        let field = match missing {
            Missing::Vehicle => "vehicle_id",
            Missing::Driver => "driver_id",
            Missing::Product => "product_id",
            Missing::Customer => "customer_id",
        };
        Self::field(field, FieldCode::NotFound)
    }
}

impl LineError {
    /// As what is wrong with a field.
    pub(super) fn of(&self, field: &str) -> ApiError {
        let code = match self {
            Self::Empty => FieldCode::Required,
            Self::TooLong(_) => FieldCode::TooLong,
            Self::Unreadable => FieldCode::InvalidFormat,
        };
        ApiError::field(field, code)
    }
}

fn whole_seconds(wait: Duration) -> String {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    seconds.max(1).to_string()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(error: &ApiError, expect: &Expect) {
        expect.assert_eq(&format!("{} {}", error.status_code().as_u16(), error.body()));
    }

    #[test]
    fn a_failure_has_a_code_for_programs_and_a_sentence_for_people() {
        check(
            &ApiError::new(Code::NotFound),
            &expect![[
                r#"404 {"error":{"code":"NOT_FOUND","message":"요청한 대상을 찾을 수 없습니다."},"success":false}"#
            ]],
        );
        check(
            &ApiError::field("plate_number", FieldCode::InvalidFormat).in_language(Language::English),
            &expect![[
                r#"400 {"error":{"code":"VALIDATION_FAILED","details":[{"code":"INVALID_FORMAT","field":"plate_number","message":"The format is wrong."}],"message":"Some of the input is wrong. Correct the fields listed and send it again."},"success":false}"#
            ]],
        );
        check(
            &ApiError::new(Code::AlreadyRestarting)
                .with("restart_id", "r1")
                .in_language(Language::English),
            &expect![[
                r#"409 {"error":{"code":"ALREADY_RESTARTING","message":"A restart is under way already.","restart_id":"r1"},"success":false}"#
            ]],
        );
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds_and_never_too_short() {
        assert_eq!(whole_seconds(Duration::ZERO), "1");
        assert_eq!(whole_seconds(Duration::from_millis(1001)), "2");
        assert_eq!(whole_seconds(Duration::from_secs(3)), "3");
    }
}
