//! Which call a capture belongs to, if any. In doubt none: a backlog never lands on the truck that is called now.

use super::ledger::{Call, CallStatus, Station};
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
            status: StationStatus::Idle,
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
