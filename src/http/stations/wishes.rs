//! What a form may wish of a scale: where its indicator is, and how it captures.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use weighbridge_protocol::scale::{CaptureOverrides, CaptureSettings};

use crate::{
    domain::capture_wishes::Misfit,
    http::{code::FieldCode, error::ApiError, fields::Given},
};

/// `serial://…` or `tcp://host:port`.
pub(super) fn address(address: Given<String>) -> Result<Given<String>, ApiError> {
    let fits = |address: &str| {
        let port = |rest: &str| {
            let (host, port) = rest.rsplit_once(':')?;
            (!host.is_empty()).then(|| port.parse::<u16>().ok())?
        };
        let serial = address.strip_prefix("serial://").is_some_and(|path| path.len() > 1);
        serial || address.strip_prefix("tcp://").and_then(port).is_some()
    };
    match &address {
        Some(Some(text)) if !fits(text) => Err(ApiError::field("address", FieldCode::InvalidFormat)),
        _ => Ok(address),
    }
}

/// Milliseconds, up to ten minutes, and less than a called truck may take: else nobody could be weighed under a call.
pub(super) fn approach(milliseconds: i32, call_deadline: Duration) -> Result<i32, ApiError> {
    let in_time = u64::try_from(milliseconds).is_ok_and(|approach| Duration::from_millis(approach) < call_deadline);
    if in_time && milliseconds <= 600_000 {
        Ok(milliseconds)
    } else {
        Err(ApiError::field("approach_ms", FieldCode::OutOfRange))
    }
}

/// The overrides as the edge gets them; they must make sense together with the defaults.
pub(super) fn capture(wishes: BTreeMap<String, Value>) -> Result<Value, ApiError> {
    let wrong = |key: &str, code| ApiError::field(format!("capture.{key}"), code);
    let mut overrides = CaptureOverrides::default();
    for (key, value) in wishes {
        let text = match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        match overrides.set(&key, &text) {
            Ok(true) => {}
            Ok(false) => return Err(wrong(&key, FieldCode::UnknownField)),
            Err(_) => return Err(wrong(&key, FieldCode::InvalidFormat)),
        }
    }
    CaptureSettings::default()
        .overridden_by(&overrides)
        .checked()
        .map_err(|error| wrong(error.key, FieldCode::OutOfRange))?;
    serde_json::to_value(overrides).map_err(ApiError::internal)
}

/// Named is what the form gave of what does not go together.
pub(super) fn misfit(why: &Misfit, gives_division: bool, gives_capacity: bool) -> ApiError {
    let field = match why {
        Misfit::Capture(error) => format!("capture.{}", error.key),
        Misfit::LightCapacity { .. } | Misfit::NoInterval { .. } if gives_capacity => "capacity".to_owned(),
        Misfit::CoarseDivision { .. } | Misfit::NoInterval { .. } if gives_division => "division".to_owned(),
        Misfit::CoarseDivision { .. } | Misfit::LightCapacity { .. } | Misfit::NoInterval { .. } => {
            "capture.min_weight_kg".to_owned()
        }
    };
    ApiError::field(field, FieldCode::DoesNotFit).with("reason", why.to_string())
}
