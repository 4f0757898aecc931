//! What handlers take from a request: ids, filters and JSON bodies, each refused with the envelope and the field's name.

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{CONTENT_LENGTH, CONTENT_TYPE},
    web::{Bytes, BytesMut, Data},
};
use futures_util::{StreamExt, future::LocalBoxFuture};
use serde::de::{DeserializeOwned, IgnoredAny};

use super::{
    code::{Code, FieldCode},
    error::{ApiError, FieldError},
    rules::Rules,
};

/// The `{id}` of the path: a row's positive number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id(pub i64);

/// The query string as a `T`; a parameter that `T` does not know is refused.
#[derive(Debug)]
pub struct Filter<T>(pub T);

/// The JSON body as a `T`; no body at all counts as `{}`.
#[derive(Debug)]
pub struct Body<T>(pub T);

/// Which page of a list, from `page` and `limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paging {
    /// From 1.
    pub page: i64,
    /// 1 to 100.
    pub limit: i64,
}

impl Id {
    /// Reads the path's part `name`.
    pub fn parse(name: &str, text: &str) -> Result<Self, ApiError> {
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse::<i64>() {
            Ok(id) if plain && id > 0 => Ok(Self(id)),
            _ => Err(ApiError::field(name, FieldCode::InvalidFormat)),
        }
    }
}

impl FromRequest for Id {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::parse("id", request.match_info().query("id")))
    }
}

impl<T: DeserializeOwned> FromRequest for Filter<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(request.query_string().as_bytes()));
        ready(
            serde_path_to_error::deserialize(pairs)
                .map(Self)
                .map_err(|error| refused(&error)),
        )
    }
}

impl<T: DeserializeOwned> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let json = request
            .headers()
            .get(CONTENT_TYPE)
            .map(|kind| kind.to_str().is_ok_and(is_json));
        let announced = request
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok());
        let rules = request.app_data::<Data<Rules>>().cloned();
        let payload = payload.take();
        Box::pin(async move {
            let rules = rules.ok_or_else(|| ApiError::internal("the rules of HTTP are missing from the app"))?;
            // Who announces too much is told so at once, and not after all of it.
            if announced.is_some_and(|length: usize| length > rules.body_limit) {
                return Err(ApiError::new(Code::PayloadTooLarge));
            }
            let body = tokio::time::timeout(rules.read_timeout, gather(payload, rules.body_limit))
                .await
                .map_err(|_| ApiError::new(Code::RequestTimeout))??;
            match json {
                Some(true) => from_json(&body),
                None if body.is_empty() => from_json(&body),
                _ => Err(ApiError::new(Code::UnsupportedMediaType)),
            }
        })
    }
}

impl Paging {
    /// The first page of 20 unless told otherwise; more than 100 a page is refused, not cut.
    pub fn parse(page: Option<i64>, limit: Option<i64>) -> Result<Self, ApiError> {
        let (page, limit) = (page.unwrap_or(1), limit.unwrap_or(20));
        if !(1..=1_000_000_000).contains(&page) {
            return Err(ApiError::field("page", FieldCode::OutOfRange));
        }
        if !(1..=100).contains(&limit) {
            return Err(ApiError::field("limit", FieldCode::OutOfRange));
        }
        Ok(Self { page, limit })
    }

    /// How many rows to skip.
    pub const fn offset(self) -> i64 {
        (self.page - 1) * self.limit
    }
}

/// `body` as a `T`; an empty one counts as `{}`.
pub(super) fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<Body<T>, ApiError> {
    let body = if body.is_empty() { b"{}" } else { body };
    let is_json = || serde_json::from_slice::<IgnoredAny>(body).is_ok();
    // Derived readers would take an array for a struct, field by field.
    if body.trim_ascii_start().first() != Some(&b'{') && is_json() {
        return Err(ApiError::field("body", FieldCode::InvalidType));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| match error.inner().classify() {
        serde_json::error::Category::Data if is_json() => refused(&error),
        _ => ApiError::new(Code::MalformedJson),
    })?;
    json.end().map_err(|_| ApiError::new(Code::MalformedJson))?;
    Ok(Body(value))
}

async fn gather(mut payload: Payload, limit: usize) -> Result<Bytes, ApiError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| ApiError::new(Code::MalformedJson))?;
        if body.len() + chunk.len() > limit {
            return Err(ApiError::new(Code::PayloadTooLarge));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or("").trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// Turns what serde says into a field and a code.
fn refused<E: std::error::Error>(error: &serde_path_to_error::Error<E>) -> ApiError {
    let said = error.inner().to_string();
    let named = said.split('`').nth(1).unwrap_or("");
    let parent = error.path().to_string();
    let path = match parent.as_str() {
        "." | "?" => String::new(),
        path => path.to_owned(),
    };
    let child = |code| {
        let ends_in_it = path == named || path.ends_with(&format!(".{named}"));
        let field = match path.as_str() {
            "" => named.to_owned(),
            path if ends_in_it => path.to_owned(),
            path => format!("{path}.{named}"),
        };
        FieldError { field, code }
    };
    let itself = |code| FieldError {
        field: path.clone(),
        code,
    };
    let detail = match said.as_str() {
        said if said.starts_with("unknown field") => child(FieldCode::UnknownField),
        said if said.starts_with("missing field") => child(FieldCode::Required),
        said if said.starts_with("duplicate field") => child(FieldCode::InvalidFormat),
        said if said.starts_with("invalid type: null") => itself(FieldCode::Required),
        said if said.starts_with("invalid type") => itself(FieldCode::InvalidType),
        _ => itself(FieldCode::InvalidFormat),
    };
    ApiError::fields(vec![detail])
}

#[cfg(test)]
mod tests {
    use actix_web::{ResponseError, body::to_bytes, test::TestRequest};
    use expect_test::{Expect, expect};
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what is refused matters here")]
    struct Truck {
        plate: String,
        drivers: Option<Vec<Driver>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what is refused matters here")]
    struct Driver {
        id: i64,
    }

    async fn told(error: ApiError) -> String {
        let body = to_bytes(error.error_response().into_body()).await.unwrap_or_default();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let details = body["error"]["details"].as_array().cloned().unwrap_or_default();
        let details: Vec<String> = details
            .iter()
            .map(|detail| format!(" {} {}", detail["field"], detail["code"]))
            .collect();
        format!("{}{}", body["error"]["code"], details.concat())
    }

    async fn check(body: &str, expect: Expect) {
        expect.assert_eq(&match from_json::<Truck>(body.as_bytes()) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => told(error).await,
        });
    }

    #[actix_web::test]
    async fn a_body_that_is_refused_names_the_field() {
        check(r#"{"plate":"a","drivers":[{"id":1}]}"#, expect!["accepted"]).await;
        check("", expect![[r#""VALIDATION_FAILED" "plate" "REQUIRED""#]]).await;
        check(
            r#"{"plate":null}"#,
            expect![[r#""VALIDATION_FAILED" "plate" "REQUIRED""#]],
        )
        .await;
        check(
            r#"{"plate":5}"#,
            expect![[r#""VALIDATION_FAILED" "plate" "INVALID_TYPE""#]],
        )
        .await;
        check(
            r#"{"plate":"a","role":"ADMIN"}"#,
            expect![[r#""UNKNOWN_FIELD" "role" "UNKNOWN_FIELD""#]],
        )
        .await;
        check(
            r#"{"plate":"a","drivers":[{"id":1},{"id":"x"}]}"#,
            expect![[r#""VALIDATION_FAILED" "drivers[1].id" "INVALID_TYPE""#]],
        )
        .await;
        check(
            r#"{"plate":"a","drivers":[{"x":1}]}"#,
            expect![[r#""UNKNOWN_FIELD" "drivers[0].x" "UNKNOWN_FIELD""#]],
        )
        .await;
        check(
            r#"{"plate":"a","plate":"b"}"#,
            expect![[r#""VALIDATION_FAILED" "plate" "INVALID_FORMAT""#]],
        )
        .await;
        check("[1]", expect![[r#""VALIDATION_FAILED" "body" "INVALID_TYPE""#]]).await;
    }

    #[actix_web::test]
    async fn a_body_that_is_no_json_is_called_malformed() {
        for body in [
            "{",
            "{\"plate\":\"a\"} x",
            "{\"plate\":5",
            "\u{feff}{}",
            "{'plate':1}",
            &"[".repeat(200),
        ] {
            check(body, expect![[r#""MALFORMED_JSON""#]]).await;
        }
    }

    #[actix_web::test]
    async fn the_id_of_a_path_is_a_positive_row_number() {
        for wrong in [
            "",
            "0",
            "-1",
            "+1",
            "1e3",
            "9223372036854775808",
            "18446744073709551616",
            " 1",
            "1x",
        ] {
            assert!(Id::parse("id", wrong).is_err(), "{wrong}");
        }
        assert_eq!(Id::parse("id", "9223372036854775807").unwrap(), Id(i64::MAX));
    }

    #[actix_web::test]
    async fn a_filter_refuses_what_it_does_not_know() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Wanted {
            page: Option<i64>,
        }
        let read = async |query: &str| {
            let request = TestRequest::with_uri(&format!("/x?{query}")).to_http_request();
            match Filter::<Wanted>::extract(&request).await {
                Ok(Filter(wanted)) => format!("{:?}", wanted.page),
                Err(error) => told(error).await,
            }
        };
        assert_eq!(read("page=3").await, "Some(3)");
        assert_eq!(read("pages=3").await, r#""UNKNOWN_FIELD" "pages" "UNKNOWN_FIELD""#);
        assert_eq!(
            read("page=three").await,
            r#""VALIDATION_FAILED" "page" "INVALID_FORMAT""#
        );
    }

    #[test]
    fn a_page_holds_at_most_a_hundred_rows() {
        assert_eq!(Paging::parse(None, None).unwrap(), Paging { page: 1, limit: 20 });
        assert_eq!(Paging::parse(Some(3), Some(100)).unwrap().offset(), 200);
        for (page, limit) in [(0, 20), (-1, 20), (1, 0), (1, 101), (i64::MAX, 100)] {
            assert!(Paging::parse(Some(page), Some(limit)).is_err(), "{page} {limit}");
        }
    }
}
