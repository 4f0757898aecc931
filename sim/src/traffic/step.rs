//! What a driver does next: a pure function of what the line says about him.

use crate::server::queue::{Entry, Status};

/// A driver's next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Wait,
    /// To this station.
    Drive(i64),
    /// Asks the office to be put back into the line.
    AskBack,
    /// Weighed, but the office must say that this weight is his.
    AskDecision,
    /// His place in the line is gone, and he was not weighed: from the start.
    CheckIn,
    /// Done.
    Leave,
}

/// What the driver has done since he checked in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// His entry as it was when he obeyed a call last.
    pub obeyed: Option<Entry>,
    /// The board told him that his weight is stored.
    pub weighed: bool,
}

/// The next step of a driver whose entry reads so; none where the line does not have it any more.
pub fn next(entry: Option<&Entry>, done: &Done) -> Step {
    let obeyed = done.obeyed.as_ref().map(|entry| entry.called_at);
    let Some(entry) = entry else {
        return if done.weighed { Step::Leave } else { Step::CheckIn };
    };
    match (entry.status, entry.station_id) {
        // The call that he obeyed stands until the server has heard that he left.
        (Status::Called, Some(_)) if obeyed == Some(entry.called_at) => Step::Wait,
        (Status::Called, Some(station)) => Step::Drive(station),
        (Status::Waiting | Status::Called, _) => Step::Wait,
        (Status::Review, _) if done.weighed => Step::AskDecision,
        (Status::Review | Status::NoShow, _) => Step::AskBack,
        (Status::Completed | Status::Cancelled, _) if done.weighed => Step::Leave,
        (Status::Completed | Status::Cancelled, _) => Step::CheckIn,
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn entry(status: Status) -> Entry {
        let called_at = (status == Status::Called).then(|| DateTime::from_timestamp(1000, 0).unwrap());
        Entry {
            id: 1,
            queue_number: 1,
            status,
            station_id: Some(2),
            vehicle_plate: None,
            called_at,
        }
    }

    #[track_caller]
    fn check(status: Option<Status>, done: &Done, expected: Step) {
        assert_eq!(next(status.map(entry).as_ref(), done), expected);
    }

    #[test]
    fn a_driver_obeys_each_call_once() {
        let fresh = Done::default();
        check(Some(Status::Waiting), &fresh, Step::Wait);
        check(Some(Status::Called), &fresh, Step::Drive(2));
        let obeyed = Done {
            obeyed: Some(entry(Status::Called)),
            weighed: true,
        };
        check(Some(Status::Called), &obeyed, Step::Wait);
        let earlier = Entry {
            called_at: DateTime::from_timestamp(900, 0),
            ..entry(Status::Called)
        };
        check(
            Some(Status::Called),
            &Done {
                obeyed: Some(earlier),
                weighed: false,
            },
            Step::Drive(2),
        );
    }

    #[test]
    fn a_weighed_driver_leaves_and_one_whose_place_is_gone_starts_again() {
        let weighed = Done {
            weighed: true,
            ..Done::default()
        };
        for status in [Some(Status::Completed), Some(Status::Cancelled), None] {
            check(status, &weighed, Step::Leave);
            check(status, &Done::default(), Step::CheckIn);
        }
    }

    #[test]
    fn whoever_fell_out_of_the_line_asks_the_office() {
        check(Some(Status::NoShow), &Done::default(), Step::AskBack);
        check(Some(Status::Review), &Done::default(), Step::AskBack);
        check(
            Some(Status::Review),
            &Done {
                weighed: true,
                ..Done::default()
            },
            Step::AskDecision,
        );
    }
}
