//! What every response has in common: a request id, security headers, the error envelope in the caller's language, a
//! time limit, and a panic that stays one request's trouble.

use std::{
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use actix_web::{
    Error, HttpMessage, HttpResponse, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
            STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
    middleware::Next,
    web::Data,
};
use futures_util::FutureExt;
use metrics::{counter, histogram};

use super::{
    code::{Code, FieldCode, Language},
    error::ApiError,
    rules::Rules,
};

/// Names one request in responses, logs and the audit.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Headers of every response that does not bring its own.
const SECURITY: [(HeaderName, &str); 6] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (CACHE_CONTROL, "no-store"),
];

/// Requests under way, for a server that stops to wait for.
#[derive(Debug, Default)]
pub struct InFlight(AtomicUsize);

/// Counts as one request under way until it is dropped.
struct Flight(Data<InFlight>);

impl InFlight {
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

impl Flight {
    fn begin(counter: Data<InFlight>) -> Self {
        counter.0.fetch_add(1, Ordering::AcqRel);
        Self(counter)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The outermost middleware.
pub async fn envelope(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let id = RequestId::of(request.headers());
    let language = Language::preferred(request.headers());
    request.extensions_mut().insert(id.clone());
    let _flight = request.app_data::<Data<InFlight>>().cloned().map(Flight::begin);
    let rules = request.app_data::<Data<Rules>>().cloned();
    let Some(rules) = rules else {
        return Err(Lost::new(
            ApiError::internal("the rules of HTTP are missing from the app"),
            &id,
            language,
        ));
    };
    let host = request.headers().get("host").and_then(|host| host.to_str().ok());
    if !rules.accepts_host(host) {
        let response = request.error_response(ApiError::field("Host", FieldCode::InvalidFormat));
        return Ok(finished(response, &id, language, started));
    }
    match guarded(next.call(request), rules.request_timeout).await {
        Ok(response) => Ok(finished(response.map_into_boxed_body(), &id, language, started)),
        Err(error) => Err(Lost::new(error, &id, language)),
    }
}

impl RequestId {
    /// The request's own id where it is a sane token, else a new one.
    fn of(headers: &HeaderMap) -> Self {
        let sane = |text: &&str| {
            (1..=64).contains(&text.len())
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        let given = headers
            .get(X_REQUEST_ID)
            .and_then(|value| value.to_str().ok())
            .filter(sane);
        Self(given.map_or_else(|| uuid::Uuid::now_v7().simple().to_string(), str::to_owned))
    }
}

/// A failure that left no request to answer: the future that held it panicked or ran out of time.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
struct Lost {
    error: ApiError,
    id: RequestId,
}

impl Lost {
    #[expect(clippy::new_ret_no_self, reason = "it exists only as actix's error")]
    fn new(error: ApiError, id: &RequestId, language: Language) -> Error {
        let error = error.in_language(language);
        Self { error, id: id.clone() }.into()
    }
}

impl ResponseError for Lost {
    fn status_code(&self) -> StatusCode {
        self.error.status_code()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response = self.error.error_response();
        put_headers(response.headers_mut(), &self.id);
        response
    }
}

async fn guarded<B>(
    answer: impl Future<Output = Result<ServiceResponse<B>, Error>>,
    limit: Duration,
) -> Result<ServiceResponse<B>, ApiError> {
    // A handler shares nothing with the next request but what is behind locks that are not poisoned by a panic.
    match tokio::time::timeout(limit, AssertUnwindSafe(answer).catch_unwind()).await {
        Ok(Ok(Ok(response))) => Ok(response),
        Ok(Ok(Err(error))) => Err(error.as_error::<ApiError>().cloned().unwrap_or_else(|| {
            let code = Code::of_status(error.as_response_error().status_code());
            ApiError::new(code)
        })),
        Ok(Err(_panic)) => {
            counter!("http_panics_total").increment(1);
            Err(ApiError::internal("a handler panicked"))
        }
        Err(_elapsed) => {
            tracing::warn!("a request took longer than {} s and was given up", limit.as_secs());
            Err(ApiError::new(Code::Unavailable).retry_after(Duration::from_secs(1)))
        }
    }
}

/// Gives `response` its headers, its envelope and its measure.
fn finished(
    response: ServiceResponse<BoxBody>,
    id: &RequestId,
    language: Language,
    started: Instant,
) -> ServiceResponse<BoxBody> {
    let status = response.status();
    let mut response = if status.is_client_error() || status.is_server_error() {
        in_envelope(response, language)
    } else {
        response
    };
    let route = response
        .request()
        .match_pattern()
        .unwrap_or_else(|| "unmatched".to_owned());
    if status.is_server_error() {
        tracing::warn!(request.id = %id.0, http.route = route, http.status = status.as_u16(), "a request failed");
    }
    // Methods are the client's to choose, and each would be a series of its own.
    let method = match response.request().method().as_str() {
        known @ ("GET" | "POST" | "PUT" | "DELETE" | "HEAD" | "OPTIONS" | "PATCH") => known.to_owned(),
        _ => "other".to_owned(),
    };
    counter!("http_requests_total", "method" => method, "route" => route.clone(), "status" => status.as_u16().to_string())
        .increment(1);
    histogram!("http_request_seconds", "route" => route).record(started.elapsed());
    if status != StatusCode::SWITCHING_PROTOCOLS {
        put_headers(response.headers_mut(), id);
    }
    response
}

/// An error's body in the caller's language; an error that came without an envelope gets one.
fn in_envelope(response: ServiceResponse<BoxBody>, language: Language) -> ServiceResponse<BoxBody> {
    let error = response
        .response()
        .error()
        .and_then(|error| error.as_error::<ApiError>())
        .cloned();
    let has_body = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let error = match error {
        Some(_) if language == Language::default() => return response,
        Some(error) => error,
        None if has_body => return response,
        None => ApiError::new(Code::of_status(response.status())),
    };
    let rendered = error.in_language(language).error_response();
    let kind = rendered.headers().get(CONTENT_TYPE).cloned();
    let mut response = response.map_body(|_, _| rendered.into_body());
    if let Some(kind) = kind {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    response
}

fn put_headers(headers: &mut HeaderMap, id: &RequestId) {
    for (name, value) in SECURITY {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        headers.insert(X_REQUEST_ID, id);
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{
        App,
        middleware::from_fn,
        test::{self, TestRequest},
        web,
    };

    use super::*;

    async fn answer(request: TestRequest) -> (u16, HeaderMap, String) {
        let app = test::init_service(
            App::new()
                .app_data(Data::new(Rules::for_test()))
                .wrap(from_fn(envelope))
                .route("/fine", web::get().to(async || "fine"))
                .route(
                    "/panic",
                    web::get().to(async || -> HttpResponse { panic!("010-1234-5678") }),
                )
                .route(
                    "/refused",
                    web::get().to(async || Err::<&str, _>(ApiError::new(Code::Conflict))),
                )
                .route("/plain", web::get().to(async || HttpResponse::NotFound().body("text")))
                .route(
                    "/slow",
                    web::get().to(async || {
                        std::future::pending::<()>().await;
                        ""
                    }),
                ),
        )
        .await;
        match test::try_call_service(&app, request.to_request()).await {
            Ok(response) => {
                let (status, headers) = (response.status().as_u16(), response.headers().clone());
                let body = test::read_body(response).await;
                (status, headers, String::from_utf8_lossy(&body).into_owned())
            }
            Err(error) => {
                let response = error.error_response();
                let (status, headers) = (response.status().as_u16(), response.headers().clone());
                let body = actix_web::body::to_bytes(response.into_body())
                    .await
                    .unwrap_or_default();
                (status, headers, String::from_utf8_lossy(&body).into_owned())
            }
        }
    }

    #[actix_web::test]
    async fn every_failure_has_the_envelope_and_a_request_id() {
        for (path, status, code) in [
            ("/panic", 500, "INTERNAL"),
            ("/refused", 409, "CONFLICT"),
            ("/plain", 404, "NOT_FOUND"),
            ("/nowhere", 404, "NOT_FOUND"),
            ("/slow", 503, "UNAVAILABLE"),
        ] {
            let (got, headers, body) = answer(TestRequest::with_uri(path)).await;
            assert_eq!(got, status, "{path}");
            assert!(
                body.starts_with('{') && body.contains(&format!("\"code\":\"{code}\"")),
                "{path}: {body}"
            );
            assert!(headers.contains_key("x-request-id"), "{path}");
            assert_eq!(headers.get("x-content-type-options").unwrap(), "nosniff", "{path}");
            assert!(!body.contains("1234"), "{path}: {body}");
        }
    }

    #[actix_web::test]
    async fn failures_are_told_in_the_language_of_the_caller() {
        for path in ["/refused", "/nowhere", "/panic"] {
            let (_, _, korean) = answer(TestRequest::with_uri(path)).await;
            let (_, _, english) = answer(TestRequest::with_uri(path).insert_header(("Accept-Language", "en"))).await;
            assert!(
                korean.chars().any(|character| ('가'..='힣').contains(&character)),
                "{korean}"
            );
            assert!(english.is_ascii(), "{english}");
        }
    }

    #[actix_web::test]
    async fn a_sane_request_id_is_kept_and_any_other_replaced() {
        let (_, headers, _) = answer(TestRequest::with_uri("/fine").insert_header(("X-Request-Id", "abc-1"))).await;
        assert_eq!(headers.get("x-request-id").unwrap(), "abc-1");
        let (_, headers, _) = answer(TestRequest::with_uri("/fine").insert_header(("X-Request-Id", "a b"))).await;
        assert_eq!(headers.get("x-request-id").unwrap().len(), 32);
    }
}
