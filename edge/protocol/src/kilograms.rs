//! The one weight type, from the decoder to the database: kilograms as exact fixed point with two decimals.

use std::{fmt, iter::Sum, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A weight in kilograms, exact to 0.01 kg. May be negative: a scale below zero shows a negative weight.
///
/// Its text, also in the link's JSON, has always two decimals: `18340.00`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kilograms(i64);

/// The greatest magnitude that the database's `DECIMAL(10,2)` holds.
const LIMIT_HUNDREDTHS: i64 = 9_999_999_999;

/// Why a text or number is no weight.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeightError {
    #[error("{0:?} is no decimal number")]
    NotANumber(String),
    #[error("{0:?} has more than two decimals")]
    TooPrecise(String),
    #[error("{0:?} is beyond 99999999.99 kg")]
    OutOfRange(String),
}

impl Kilograms {
    pub const ZERO: Self = Self(0);

    /// The weight of `hundredths` × 0.01 kg. No range is enforced: sums of weights may exceed what one weight may be.
    pub const fn from_hundredths(hundredths: i64) -> Self {
        Self(hundredths)
    }

    /// The weight of `hundredths` × 0.01 kg, if one weight may be that: then its text reads back as the same.
    pub fn in_range(hundredths: i64) -> Option<Self> {
        (hundredths.unsigned_abs() <= LIMIT_HUNDREDTHS.unsigned_abs()).then_some(Self(hundredths))
    }

    pub const fn from_whole(kilograms: i32) -> Self {
        Self(kilograms as i64 * 100)
    }

    pub const fn hundredths(self) -> i64 {
        self.0
    }

    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.abs())
    }

    /// How far two weights lie apart; never negative.
    #[must_use]
    pub const fn distance(self, other: Self) -> Self {
        Self((self.0 - other.0).abs())
    }

    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// `digits` × 10^−`decimals` of a unit that is `numerator`/`denominator` kilograms, rounded half to even at 0.01 kg.
    /// `None` beyond the range of a weight.
    pub fn scaled(digits: i64, decimals: u32, numerator: i64, denominator: i64) -> Option<Self> {
        let scale = 10_i128.checked_pow(decimals)?;
        let top = i128::from(digits)
            .checked_mul(i128::from(numerator))?
            .checked_mul(100)?;
        let hundredths = divide_half_even(top, i128::from(denominator).checked_mul(scale)?);
        let hundredths = i64::try_from(hundredths).ok()?;
        (hundredths.abs() <= LIMIT_HUNDREDTHS).then_some(Self(hundredths))
    }

    /// Whether this is a whole multiple of a scale's division `d`; a division of zero divides everything.
    pub const fn is_multiple_of(self, division: Self) -> bool {
        division.0 == 0 || self.0 % division.0 == 0
    }
}

fn divide_half_even(top: i128, bottom: i128) -> i128 {
    let (quotient, rest) = (top.div_euclid(bottom), top.rem_euclid(bottom));
    match (rest * 2).cmp(&bottom) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + 1,
        std::cmp::Ordering::Equal => quotient + quotient.rem_euclid(2),
    }
}

impl std::ops::Add for Kilograms {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl std::ops::Sub for Kilograms {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl std::ops::Neg for Kilograms {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl std::ops::Mul<i64> for Kilograms {
    type Output = Self;
    fn mul(self, factor: i64) -> Self {
        Self(self.0.saturating_mul(factor))
    }
}

impl Sum for Kilograms {
    fn sum<I: Iterator<Item = Self>>(weights: I) -> Self {
        weights.fold(Self::ZERO, |total, weight| total + weight)
    }
}

impl fmt::Display for Kilograms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        f.pad(&format!("{sign}{}.{:02}", magnitude / 100, magnitude % 100))
    }
}

impl FromStr for Kilograms {
    type Err = WeightError;

    /// Reads plain decimals: `18340`, `18340.5`, `-0.25`, and JSON's exponents (`1.5e3`). Zeros past the second decimal
    /// are no precision; another digit there is refused, never rounded.
    fn from_str(text: &str) -> Result<Self, WeightError> {
        let not_a_number = || WeightError::NotANumber(text.chars().take(40).collect());
        let out_of_range = || WeightError::OutOfRange(text.chars().take(40).collect());
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| not_a_number())?),
            None => (text, 0),
        };
        let (negative, unsigned) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits: String = [whole, fraction].concat();
        let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits || (unsigned.contains('.') && fraction.is_empty()) || digits.len() > 40 {
            return Err(not_a_number());
        }
        // The value is digits × 10^(exponent − fraction's length); we want it in hundredths.
        let power = exponent
            .saturating_sub(i32::try_from(fraction.len()).unwrap_or(i32::MAX))
            .saturating_add(2);
        let significant = digits.trim_start_matches('0');
        if significant.is_empty() {
            return Ok(Self::ZERO);
        }
        let kept = if power < 0 {
            let cut = usize::try_from(-power).unwrap_or(usize::MAX);
            let stem = significant.len().saturating_sub(cut);
            if significant[stem..].bytes().any(|byte| byte != b'0') || significant.len() < cut {
                return Err(WeightError::TooPrecise(text.chars().take(40).collect()));
            }
            significant[..stem].to_owned()
        } else if power > 12 {
            return Err(out_of_range());
        } else {
            format!("{significant}{}", "0".repeat(usize::try_from(power).unwrap_or(0)))
        };
        let hundredths: i64 = if kept.is_empty() {
            0
        } else {
            kept.parse().map_err(|_| out_of_range())?
        };
        if hundredths > LIMIT_HUNDREDTHS {
            return Err(out_of_range());
        }
        Ok(Self(if negative { -hundredths } else { hundredths }))
    }
}

impl Serialize for Kilograms {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Kilograms {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// For `#[serde(with = "json_number")]`: a weight as a JSON number, read from its text and never through a float, and
/// written with at most two decimals (`18340`, `18340.5`). Only for fields that `serde_json` reads directly: not inside
/// an untagged or internally tagged enum.
pub mod json_number {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};
    use serde_json::value::RawValue;

    use super::Kilograms;

    pub fn serialize<S: Serializer>(weight: &Kilograms, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(number(*weight))
            .map_err(S::Error::custom)?
            .serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Kilograms, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        raw.get().parse().map_err(D::Error::custom)
    }

    /// The shortest JSON number that says this weight.
    pub fn number(weight: Kilograms) -> String {
        let text = weight.to_string();
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    /// The same for a weight that may be missing: `null`, or with `#[serde(default)]` no field at all.
    pub mod option {
        use super::{Deserialize, Deserializer, Kilograms, RawValue, Serialize, Serializer};
        use serde::{de::Error as _, ser::Error as _};

        pub fn serialize<S: Serializer>(weight: &Option<Kilograms>, serializer: S) -> Result<S::Ok, S::Error> {
            weight
                .map(|weight| RawValue::from_string(super::number(weight)).map_err(S::Error::custom))
                .transpose()?
                .serialize(serializer)
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Kilograms>, D::Error> {
            let raw = <&RawValue>::deserialize(deserializer)?;
            match raw.get() {
                "null" => Ok(None),
                number => number.parse().map(Some).map_err(D::Error::custom),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let read = text
            .parse::<Kilograms>()
            .map_or_else(|error| error.to_string(), |weight| weight.to_string());
        assert_eq!(read, expected);
    }

    #[test]
    fn weights_are_read_exactly_or_refused() {
        check("18340", "18340.00");
        check("-0.25", "-0.25");
        check("0.1", "0.10");
        check("1.5e3", "1500.00");
        check("1834000e-2", "18340.00");
        check("12.340", "12.34");
        check("12.345", "\"12.345\" has more than two decimals");
        check("1e-9", "\"1e-9\" has more than two decimals");
        check("100000000", "\"100000000\" is beyond 99999999.99 kg");
        check("1e400", "\"1e400\" is beyond 99999999.99 kg");
        check("", "\"\" is no decimal number");
        check("NaN", "\"NaN\" is no decimal number");
        check("1.", "\"1.\" is no decimal number");
        check("+5", "\"+5\" is no decimal number");
    }

    #[test]
    fn other_units_round_half_to_even() {
        // 1 lb is 0.45359237 kg exactly (international yard and pound agreement, 1959).
        let pounds = |digits| Kilograms::scaled(digits, 0, 45_359_237, 100_000_000).map(|weight| weight.to_string());
        assert_eq!(pounds(1).as_deref(), Some("0.45"));
        assert_eq!(pounds(40_000).as_deref(), Some("18143.69"));
        assert_eq!(
            Kilograms::scaled(5, 0, 1, 1000).map(Kilograms::hundredths),
            Some(0),
            "0.005 kg rounds to even"
        );
        assert_eq!(
            Kilograms::scaled(15, 0, 1, 1000).map(Kilograms::hundredths),
            Some(2),
            "0.015 kg rounds to even"
        );
        assert_eq!(Kilograms::scaled(-15, 0, 1, 1000).map(Kilograms::hundredths), Some(-2));
        assert_eq!(Kilograms::scaled(i64::MAX, 0, 1000, 1), None);
    }

    proptest! {
        #[test]
        fn text_and_json_give_the_same_weight_back(hundredths in -LIMIT_HUNDREDTHS..=LIMIT_HUNDREDTHS) {
            let weight = Kilograms::from_hundredths(hundredths);
            prop_assert_eq!(weight.to_string().parse(), Ok(weight));
            prop_assert_eq!(json_number::number(weight).parse(), Ok(weight));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[-+0-9.eE ]{0,50}") {
            drop(text.parse::<Kilograms>());
        }
    }
}
