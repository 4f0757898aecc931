//! The codes by which programs tell failures apart, and the sentences by which people do.

use std::{
    convert::Infallible,
    future::{Ready, ready},
};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::{
        StatusCode,
        header::{ACCEPT_LANGUAGE, HeaderMap},
    },
};

use crate::domain::wording::catalogue;

pub use crate::domain::wording::Language;

macro_rules! codes {
    ($($name:ident = $status:literal $text:literal,)*) => {
        /// Why a request failed. Each has one status and one sentence in each language of `config/messages`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($name,)* }

        impl Code {
            /// All codes, for the catalogues and the API document.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// As it stands in `error.code`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            pub fn status(self) -> StatusCode {
                let number = match self { $(Self::$name => $status,)* };
                StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    };
}

codes! {
    ValidationFailed = 400 "VALIDATION_FAILED",
    UnknownField = 400 "UNKNOWN_FIELD",
    MalformedJson = 400 "MALFORMED_JSON",
    PasswordTooLong = 400 "PASSWORD_TOO_LONG",
    TokenInUrl = 400 "TOKEN_IN_URL",
    Unauthenticated = 401 "UNAUTHENTICATED",
    TokenInvalid = 401 "TOKEN_INVALID",
    TokenExpired = 401 "TOKEN_EXPIRED",
    InvalidCredentials = 401 "INVALID_CREDENTIALS",
    SessionRevoked = 401 "SESSION_REVOKED",
    SessionEvicted = 401 "SESSION_EVICTED",
    Forbidden = 403 "FORBIDDEN",
    PasswordChangeRequired = 403 "PASSWORD_CHANGE_REQUIRED",
    NotFound = 404 "NOT_FOUND",
    MethodNotAllowed = 405 "METHOD_NOT_ALLOWED",
    RequestTimeout = 408 "REQUEST_TIMEOUT",
    Conflict = 409 "CONFLICT",
    DuplicatePlate = 409 "DUPLICATE_PLATE",
    DuplicateLogin = 409 "DUPLICATE_LOGIN",
    AlreadyQueued = 409 "ALREADY_QUEUED",
    InvalidState = 409 "INVALID_STATE",
    NothingDiffers = 409 "NOTHING_DIFFERS",
    NoTare = 409 "NO_TARE",
    AlreadyRestarting = 409 "ALREADY_RESTARTING",
    IdempotencyInProgress = 409 "IDEMPOTENCY_IN_PROGRESS",
    PayloadTooLarge = 413 "PAYLOAD_TOO_LARGE",
    UnsupportedMediaType = 415 "UNSUPPORTED_MEDIA_TYPE",
    IdempotencyMismatch = 422 "IDEMPOTENCY_MISMATCH",
    UrlForbidden = 422 "URL_FORBIDDEN",
    RateLimited = 429 "RATE_LIMITED",
    LoginThrottled = 429 "LOGIN_THROTTLED",
    Internal = 500 "INTERNAL",
    Unavailable = 503 "UNAVAILABLE",
}

impl Code {
    /// The code for a response that came without one, by its status.
    pub fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            401 => Self::Unauthenticated,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            408 => Self::RequestTimeout,
            409 => Self::Conflict,
            413 => Self::PayloadTooLarge,
            415 => Self::UnsupportedMediaType,
            429 => Self::RateLimited,
            503 | 504 => Self::Unavailable,
            500.. => Self::Internal,
            _ => Self::ValidationFailed,
        }
    }
}

/// What is wrong with one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldCode {
    Required,
    InvalidFormat,
    InvalidType,
    OutOfRange,
    TooLong,
    TooShort,
    TooSimple,
    UnknownField,
    /// An id that names nothing.
    NotFound,
    /// Right alone, and not with what else is set.
    DoesNotFit,
}

impl FieldCode {
    /// As it stands in `error.details[].code`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Required => "REQUIRED",
            Self::InvalidFormat => "INVALID_FORMAT",
            Self::InvalidType => "INVALID_TYPE",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::TooLong => "TOO_LONG",
            Self::TooShort => "TOO_SHORT",
            Self::TooSimple => "TOO_SIMPLE",
            Self::UnknownField => "UNKNOWN_FIELD",
            Self::NotFound => "NOT_FOUND",
            Self::DoesNotFit => "DOES_NOT_FIT",
        }
    }
}

impl Language {
    /// English where `Accept-Language` prefers it to Korean, else Korean.
    pub fn preferred(headers: &HeaderMap) -> Self {
        let accepted = headers
            .get(ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("");
        let quality_of = |language: &str| {
            let of_range = |range: &str| {
                let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
                let primary = tag.trim().split('-').next().unwrap_or("");
                let quality = parameters
                    .trim()
                    .strip_prefix("q=")
                    .map_or(Some(1.0), |text| text.parse::<f32>().ok());
                primary.eq_ignore_ascii_case(language).then_some(quality.unwrap_or(0.0))
            };
            accepted.split(',').filter_map(of_range).fold(0.0, f32::max)
        };
        if quality_of("en") > quality_of("ko") {
            Self::English
        } else {
            Self::Korean
        }
    }
}

impl FromRequest for Language {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::preferred(request.headers())))
    }
}

/// The sentence for `code`; the code itself where a catalogue lacks it.
pub(super) fn message(code: Code, language: Language) -> &'static str {
    let sentence = catalogue(language).and_then(|catalogue| catalogue.errors.get(code.name()));
    sentence.map_or(code.name(), String::as_str)
}

/// The sentence for what is wrong with a field.
pub(super) fn field_message(code: FieldCode, language: Language) -> &'static str {
    let sentence = catalogue(language).and_then(|catalogue| catalogue.fields.get(code.name()));
    sentence.map_or(code.name(), String::as_str)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    const FIELD_CODES: [FieldCode; 10] = [
        FieldCode::Required,
        FieldCode::InvalidFormat,
        FieldCode::InvalidType,
        FieldCode::OutOfRange,
        FieldCode::TooLong,
        FieldCode::TooShort,
        FieldCode::TooSimple,
        FieldCode::UnknownField,
        FieldCode::NotFound,
        FieldCode::DoesNotFit,
    ];

    #[test]
    fn every_code_has_a_sentence_in_both_languages_and_no_other_has() {
        for language in [Language::Korean, Language::English] {
            for code in Code::ALL {
                assert_ne!(message(*code, language), code.name(), "{language:?}");
            }
            for code in FIELD_CODES {
                assert_ne!(field_message(code, language), code.name(), "{language:?}");
            }
            let catalogue = catalogue(language).unwrap();
            assert_eq!(catalogue.errors.len(), Code::ALL.len(), "{language:?}");
            assert_eq!(catalogue.fields.len(), FIELD_CODES.len(), "{language:?}");
        }
    }

    #[test]
    fn korean_is_spoken_unless_english_is_preferred() {
        let check = |header: &'static str, expect| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(header));
            assert_eq!(Language::preferred(&headers), expect, "{header}");
        };
        check("en", Language::English);
        check("en-US,en;q=0.9,ko;q=0.8", Language::English);
        check("ko-KR,ko;q=0.9,en;q=0.8", Language::Korean);
        check("fr, en;q=0.1", Language::English);
        check("de", Language::Korean);
        check("", Language::Korean);
        check("en;q=garbage", Language::Korean);
        assert_eq!(Language::preferred(&HeaderMap::new()), Language::Korean);
    }
}
