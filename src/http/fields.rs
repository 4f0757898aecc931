//! Fields of forms: what a change leaves out stays as it is, what it sends as null is emptied, the rest is checked.

use std::collections::HashSet;

use chrono::NaiveDate;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use weighbridge_protocol::{Kilograms, kilograms::json_number};

use super::{code::FieldCode, error::ApiError};
use crate::domain::text::Line;

/// A field of a change: `None` where it was left out, `Some(None)` where it is to be emptied.
pub(super) type Given<T> = Option<Option<T>>;

/// A weight in kilograms, as a JSON number with at most two decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(value_type = f64, example = 10000.5)]
#[serde(transparent)]
pub struct Kg(#[serde(with = "json_number")] pub Kilograms);

/// For `#[serde(default, deserialize_with = "given")]`.
pub(super) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Given<T>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A field that must be there.
pub(super) fn required<T>(field: &str, value: Option<T>) -> Result<T, ApiError> {
    value.ok_or_else(|| ApiError::field(field, FieldCode::Required))
}

/// A line of text of at most `MOST` characters.
pub(super) fn line<const MOST: usize>(field: &str, text: &str) -> Result<String, ApiError> {
    Line::<MOST>::parse(text)
        .map(Line::into_string)
        .map_err(|error| error.of(field))
}

/// The same for a field that may be left out or emptied; an empty text empties it.
pub(super) fn line_given<const MOST: usize>(field: &str, text: Given<String>) -> Result<Given<String>, ApiError> {
    match text {
        Some(Some(text)) if !text.trim().is_empty() => line::<MOST>(field, &text).map(|line| Some(Some(line))),
        Some(_) => Ok(Some(None)),
        None => Ok(None),
    }
}

/// A weight above zero.
pub(super) fn positive(field: &str, weight: Given<Kg>) -> Result<Given<Kilograms>, ApiError> {
    match weight {
        Some(Some(Kg(weight))) if weight <= Kilograms::ZERO => Err(ApiError::field(field, FieldCode::OutOfRange)),
        given => Ok(given.map(|weight| weight.map(|Kg(weight)| weight))),
    }
}

/// Ids of rows in the order given, each a positive number and none twice.
pub(super) fn ids(field: &str, mut ids: Vec<i64>) -> Result<Vec<i64>, ApiError> {
    if ids.len() > 1000 {
        return Err(ApiError::field(field, FieldCode::TooLong));
    }
    if let Some(at) = ids.iter().position(|id| *id <= 0) {
        return Err(ApiError::field(format!("{field}[{at}]"), FieldCode::OutOfRange));
    }
    let mut seen = HashSet::new();
    ids.retain(|id| seen.insert(*id));
    Ok(ids)
}

/// The id of a row that a form names.
pub(super) fn id(field: &str, id: Given<i64>) -> Result<Given<i64>, ApiError> {
    match id {
        Some(Some(id)) if id <= 0 => Err(ApiError::field(field, FieldCode::OutOfRange)),
        given => Ok(given),
    }
}

/// A day as `2026-01-25`.
pub(super) fn parse_day(field: &str, text: &str) -> Result<NaiveDate, ApiError> {
    let parsed = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    // The format alone would take 2026-1-25 and years of five digits.
    let day = parsed.filter(|day| text.len() == 10 && day.to_string() == text);
    day.ok_or_else(|| ApiError::field(field, FieldCode::InvalidFormat))
}

/// A day within the years that a person may mean.
pub(super) fn day(field: &str, day: Given<NaiveDate>) -> Result<Given<NaiveDate>, ApiError> {
    use chrono::Datelike;
    match day {
        Some(Some(day)) if !(2000..=2100).contains(&day.year()) => Err(ApiError::field(field, FieldCode::OutOfRange)),
        given => Ok(given),
    }
}

/// What is searched for; an empty text searches for nothing.
pub fn searched(field: &str, text: Option<String>) -> Result<Option<String>, ApiError> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
        return Ok(None);
    };
    let line = Line::<50>::parse(&text).map_err(|error| error.of(field))?;
    Ok(Some(line.into_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Form {
        #[serde(default, deserialize_with = "given")]
        tare_weight: Given<Kg>,
    }

    #[track_caller]
    fn check(json: &str, expect: Given<&str>) {
        let form: Form = serde_json::from_str(json).unwrap();
        let weight = form
            .tare_weight
            .map(|weight| weight.map(|Kg(weight)| weight.to_string()));
        assert_eq!(weight, expect.map(|weight| weight.map(str::to_owned)), "{json}");
    }

    #[test]
    fn what_is_left_out_is_not_what_is_emptied() {
        check("{}", None);
        check(r#"{"tare_weight":null}"#, Some(None));
        check(r#"{"tare_weight":10000.5}"#, Some(Some("10000.50")));
    }

    #[test]
    fn an_empty_text_empties_its_field() {
        let read = |text: Given<&str>| line_given::<5>("x", text.map(|text| text.map(str::to_owned))).unwrap();
        assert_eq!(read(Some(Some(" "))), Some(None));
        assert_eq!(read(Some(Some(" a "))), Some(Some("a".to_owned())));
        assert_eq!(read(None), None);
        assert!(line_given::<5>("x", Some(Some("123456".to_owned()))).is_err());
    }
}
