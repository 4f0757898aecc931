//! Kilograms in a `numeric(10,2)` column. Diesel's traits may not be implemented for a type of another crate, hence the
//! wrappers: name them in a row's fields by `#[diesel(deserialize_as = …)]` and `#[diesel(serialize_as = …)]`.

use diesel::{
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    pg::{Pg, PgValue, data_types::PgNumeric},
    serialize::{self, IsNull, Output, ToSql},
    sql_types::{Nullable, Numeric},
};
use weighbridge_protocol::Kilograms;

/// A weight as Diesel sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, AsExpression, FromSqlRow)]
#[diesel(sql_type = Numeric)]
pub struct Weight(pub Kilograms);

/// A weight that may be missing, as Diesel sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Nullable<Numeric>)]
pub struct MaybeWeight(pub Option<Kilograms>);

/// A number in the database that is no weight.
#[derive(Debug, thiserror::Error)]
#[error("the database holds {0:?}, expected a weight with two decimals")]
struct NotAWeight(PgNumeric);

/// PostgreSQL counts in digits of four decimals, the hundredths being half of one.
const BASE: u64 = 10_000;

impl From<Kilograms> for Weight {
    fn from(weight: Kilograms) -> Self {
        Self(weight)
    }
}

impl From<Weight> for Kilograms {
    fn from(Weight(weight): Weight) -> Self {
        weight
    }
}

impl From<Option<Kilograms>> for MaybeWeight {
    fn from(weight: Option<Kilograms>) -> Self {
        Self(weight)
    }
}

impl From<MaybeWeight> for Option<Kilograms> {
    fn from(MaybeWeight(weight): MaybeWeight) -> Self {
        weight
    }
}

impl FromSql<Numeric, Pg> for Weight {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let number = PgNumeric::from_sql(value)?;
        kilograms(&number).map(Self).ok_or_else(|| NotAWeight(number).into())
    }
}

impl FromSql<Nullable<Numeric>, Pg> for MaybeWeight {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Weight::from_sql(value).map(|Weight(weight)| Self(Some(weight)))
    }

    fn from_nullable_sql(value: Option<PgValue<'_>>) -> deserialize::Result<Self> {
        value.map_or(Ok(Self(None)), Self::from_sql)
    }
}

impl ToSql<Numeric, Pg> for Weight {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<Numeric, Pg>::to_sql(&numeric(self.0), &mut out.reborrow())
    }
}

impl ToSql<Nullable<Numeric>, Pg> for MaybeWeight {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        match self.0 {
            Some(weight) => ToSql::<Numeric, Pg>::to_sql(&numeric(weight), &mut out.reborrow()),
            None => Ok(IsNull::Yes),
        }
    }
}

fn numeric(weight: Kilograms) -> PgNumeric {
    let magnitude = weight.hundredths().unsigned_abs();
    let mut whole = magnitude / 100;
    let mut digits = vec![digit(magnitude % 100 * 100)];
    while whole > 0 {
        digits.push(digit(whole % BASE));
        whole /= BASE;
    }
    digits.reverse();
    let weight_of_first = i16::try_from(digits.len()).unwrap_or(i16::MAX) - 2;
    if weight.is_negative() {
        PgNumeric::Negative {
            weight: weight_of_first,
            scale: 2,
            digits,
        }
    } else {
        PgNumeric::Positive {
            weight: weight_of_first,
            scale: 2,
            digits,
        }
    }
}

fn digit(below_base: u64) -> i16 {
    i16::try_from(below_base).unwrap_or(i16::MAX)
}

/// `None` for what no weight can be: not a number, more than two decimals, beyond 64 bits.
fn kilograms(number: &PgNumeric) -> Option<Kilograms> {
    let (sign, first_weight, digits) = match number {
        PgNumeric::Positive { weight, digits, .. } => (1, *weight, digits),
        PgNumeric::Negative { weight, digits, .. } => (-1, *weight, digits),
        PgNumeric::NaN => return None,
    };
    let mut hundredths: i64 = 0;
    for (place, digit) in digits.iter().enumerate() {
        let power = i32::from(first_weight) - i32::try_from(place).ok()?;
        let digit = i64::from(*digit);
        let part = match power {
            0.. => digit
                .checked_mul(100)?
                .checked_mul(10_000_i64.checked_pow(power.unsigned_abs())?)?,
            -1 if digit % 100 == 0 => digit / 100,
            _ if digit == 0 => 0,
            _ => return None,
        };
        hundredths = hundredths.checked_add(part)?;
    }
    Some(Kilograms::from_hundredths(sign * hundredths))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_weight_survives_the_way_through_numeric(hundredths in -9_999_999_999_i64..=9_999_999_999) {
            let weight = Kilograms::from_hundredths(hundredths);
            prop_assert_eq!(kilograms(&numeric(weight)), Some(weight));
        }
    }

    #[test]
    fn what_is_no_weight_is_refused_not_rounded() {
        assert_eq!(kilograms(&PgNumeric::NaN), None);
        let thousandth = PgNumeric::Positive {
            weight: -1,
            scale: 3,
            digits: vec![10],
        };
        assert_eq!(kilograms(&thousandth), None);
        let zero = PgNumeric::Positive {
            weight: 0,
            scale: 0,
            digits: vec![],
        };
        assert_eq!(kilograms(&zero), Some(Kilograms::ZERO));
    }
}
