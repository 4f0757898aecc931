//! Which call a capture belongs to, if any. In doubt none: a backlog never lands on the truck that is called now.

use chrono::{DateTime, Utc};
use weighbridge_protocol::Kilograms;

use super::ledger::{Call, CallStatus, Station, Vehicle};
use crate::domain::edge_time::Moments;

/// Whether a capture of this station may be taken by this call.
///
/// The call must be open and have taken nothing, and the whole stay must lie within it: the truck drove on after it was
/// called, and after the station could be trusted again.
pub fn explains(call: &Call, station: &Station, gap: bool, moments: Moments) -> bool {
    call.status == CallStatus::Called
        && call.capture_id.is_none()
        && !gap
        && !moments.doubtful
        && moments.on >= call.called_at
        && moments.at >= call.called_at
        && moments.on > station.trusted_since
}

/// When the called truck can drive on at the earliest. One that was called before may stand right at the deck.
pub fn earliest(call: &Call, station: &Station) -> DateTime<Utc> {
    if call.calls_made > 1 {
        call.called_at
    } else {
        call.called_at + station.least_approach
    }
}

/// Whether a stay, its beginning and its weight, is surely not the called truck's: it began before the call or sooner than
/// that truck could come, or it weighs clearly less than that truck does empty.
pub fn is_anothers(
    call: &Call,
    station: &Station,
    vehicle: &Vehicle,
    (on, weight): (DateTime<Utc>, Kilograms),
) -> bool {
    // A tenth is more than fuel, driver and a wrong scale make together.
    let too_light = vehicle.tare.is_some_and(|tare| weight * 10 < tare * 9);
    on < earliest(call, station) || too_light
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::*;
    use crate::domain::weighing::ledger::StationStatus;

    fn second(n: i64) -> DateTime<Utc> {
        DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(n)
    }

    fn call() -> Call {
        Call {
            station_id: 1,
            vehicle_id: 1,
            driver_id: None,
            product_id: None,
            customer_id: None,
            direction: None,
            called_at: second(100),
            calls_made: 1,
            status: CallStatus::Called,
            capture_id: None,
            record_id: Some(1),
            completed_at: None,
        }
    }

    fn station() -> Station {
        Station {
            site_id: 1,
            edge_id: Some(1),
            capacity: None,
            trusted_since: second(0),
            least_approach: TimeDelta::zero(),
            status: StationStatus::Idle,
            deck: None,
        }
    }

    fn stay(on: i64, at: i64) -> Moments {
        Moments {
            on: second(on),
            at: second(at),
            doubtful: false,
        }
    }

    #[test]
    fn what_comes_too_soon_or_weighs_less_than_the_empty_truck_is_anothers() {
        let vehicle = Vehicle {
            plate: "12가3456".into(),
            tare: Some(Kilograms::from_whole(10_000)),
            tare_valid_until: None,
            max_load: None,
        };
        let far = Station {
            least_approach: TimeDelta::seconds(20),
            ..station()
        };
        let check = |station: &Station, on: i64, kg: i32| {
            is_anothers(&call(), station, &vehicle, (second(on), Kilograms::from_whole(kg)))
        };
        assert!(!check(&station(), 100, 9_000));
        assert!(check(&station(), 99, 25_000), "it stood there before the call");
        assert!(check(&station(), 100, 8_999), "no truck of 10 t weighs that");
        assert!(check(&far, 119, 25_000), "the called one is still on its way");
        assert!(!check(&far, 120, 25_000));
        let again = Call {
            calls_made: 2,
            ..call()
        };
        let check = |on| is_anothers(&again, &far, &vehicle, (second(on), Kilograms::from_whole(25_000)));
        assert!(!check(100), "called again, it may stand there already");
        assert!(check(99), "but what stood there before the call is another");
    }

    #[test]
    fn a_stay_within_an_open_call_is_taken() {
        assert!(explains(&call(), &station(), false, stay(100, 130)));
    }

    #[test]
    fn anything_in_doubt_is_not() {
        assert!(
            !explains(&call(), &station(), false, stay(99, 130)),
            "it drove on before the call"
        );
        assert!(
            !explains(&call(), &station(), true, stay(110, 130)),
            "an outage lies in it"
        );
        assert!(!explains(
            &call(),
            &station(),
            false,
            Moments {
                doubtful: true,
                ..stay(110, 130)
            }
        ));
        let spent = Call {
            capture_id: Some(7),
            ..call()
        };
        assert!(
            !explains(&spent, &station(), false, stay(110, 130)),
            "a call takes one capture"
        );
        for status in [CallStatus::Completed, CallStatus::Review, CallStatus::BackInLine] {
            assert!(!explains(&Call { status, ..call() }, &station(), false, stay(110, 130)));
        }
        let distrusted = Station {
            trusted_since: second(110),
            ..station()
        };
        assert!(
            !explains(&call(), &distrusted, false, stay(110, 130)),
            "something of this edge was lost"
        );
    }
}
