//! Whether a load is legal on a Korean road: 도로법 시행령 Art. 79 (40 t gross), enforced with a tolerance of 10 %, and
//! the vehicle's own limit, by 110 % under 도로교통법 시행령 Art. 22. A full-deck scale knows no axle loads.

use weighbridge_protocol::Kilograms;

/// The gravest finding about a load; the later variants are graver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Overload {
    Ok,
    /// Net above the vehicle's greatest load.
    VehicleOver,
    /// Gross above 40 t.
    LegalOver,
    /// Net above 110 % of the vehicle's greatest load.
    VehicleOver110,
    /// Gross above 44 t, from where it is fined.
    Enforceable,
}

const LEGAL_GROSS: Kilograms = Kilograms::from_whole(40_000);
const ENFORCED_GROSS: Kilograms = Kilograms::from_whole(44_000);

impl Overload {
    /// Of a complete weighing; without `max_load` only the road's limit counts.
    pub fn of(gross: Kilograms, net: Kilograms, max_load: Option<Kilograms>) -> Self {
        let over_vehicle = |percent: i64| max_load.is_some_and(|most| net * 100 > most * percent);
        if gross > ENFORCED_GROSS {
            Self::Enforceable
        } else if over_vehicle(110) {
            Self::VehicleOver110
        } else if gross > LEGAL_GROSS {
            Self::LegalOver
        } else if over_vehicle(100) {
            Self::VehicleOver
        } else {
            Self::Ok
        }
    }

    /// By its word.
    pub fn named(name: &str) -> Option<Self> {
        [
            Self::Ok,
            Self::VehicleOver,
            Self::LegalOver,
            Self::VehicleOver110,
            Self::Enforceable,
        ]
        .into_iter()
        .find(|overload| overload.name() == name)
    }

    /// The word in the database and in the interface.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::VehicleOver => "VEHICLE_OVER",
            Self::LegalOver => "LEGAL_OVER",
            Self::VehicleOver110 => "VEHICLE_OVER_110",
            Self::Enforceable => "ENFORCEABLE",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(gross: i32, net: i32, max_load: Option<i32>, expected: Overload) {
        let kg = Kilograms::from_whole;
        assert_eq!(Overload::of(kg(gross), kg(net), max_load.map(kg)), expected);
    }

    #[test]
    fn each_limit_is_still_allowed_and_the_gravest_finding_counts() {
        check(40_000, 25_000, None, Overload::Ok);
        check(40_020, 25_000, None, Overload::LegalOver);
        check(44_000, 25_000, None, Overload::LegalOver);
        check(44_020, 25_000, None, Overload::Enforceable);
        check(30_000, 20_000, Some(20_000), Overload::Ok);
        check(30_000, 20_020, Some(20_000), Overload::VehicleOver);
        check(30_000, 22_020, Some(20_000), Overload::VehicleOver110);
        check(44_020, 30_000, Some(20_000), Overload::Enforceable);
    }
}
