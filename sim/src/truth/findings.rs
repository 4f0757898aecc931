//! What a comparison of truth and server can find, in words.

use std::fmt;

use weighbridge_protocol::Kilograms;

/// One thing that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// The board said "저장", and the server has no capture of it.
    #[error("lost: stay {stay}, {plate} on station {station_id}, was told 저장 and has no capture")]
    Lost { stay: u64, plate: String, station_id: i64 },
    /// One stay was captured more than once, gap captures aside.
    #[error("twice: stay {stay}, {plate}, has captures {captures:?}, expected one")]
    Twice {
        stay: u64,
        plate: String,
        captures: Vec<i64>,
    },
    /// The weight is further from the truth than one division.
    #[error("altered: capture {capture} of stay {stay}, {plate}, says {weight} kg, expected {truth} kg")]
    Altered {
        stay: u64,
        plate: String,
        capture: i64,
        weight: Kilograms,
        truth: Kilograms,
    },
    /// A capture at a moment when nothing stood there.
    #[error("phantom: capture {capture} of {weight} kg, but nothing stood on station {station_id}")]
    Phantom {
        capture: i64,
        station_id: i64,
        weight: Kilograms,
    },
    /// A record names another truck than the one that stood there.
    #[error("wrong truck: record {record} took capture {capture}, but {plate} stood there")]
    WrongTruck { record: i64, capture: i64, plate: String },
    /// The edge said that it had committed this event.
    #[error("event missing: the edge committed seq {seq} of epoch {epoch}, the server does not have it")]
    EventMissing { epoch: String, seq: i64 },
    /// Numbers of a day that nobody has and nothing explains.
    #[error("numbers missing: {of} of {day} lack {numbers:?}, expected them without gaps from 1")]
    NumbersMissing {
        of: &'static str,
        day: String,
        numbers: Vec<i64>,
    },
    /// A completed record whose net is not its gross less its tare.
    #[error("wrong net: record {record} is not gross less tare")]
    WrongNet { record: i64 },
    /// The day is over, and somebody still waits.
    #[error("left in the line: {queue_number} is {status} when the day is over")]
    LeftInLine { queue_number: i64, status: String },
    /// The day is over, and somebody has not got what he is owed.
    #[error("owed: {count} of {kind} are {state}, expected all to be sent")]
    Owed { kind: String, state: String, count: i64 },
    /// A truck has another number of completed records than it was weighed for.
    #[error("records: {plate} has {made}, expected {expected}")]
    RecordCount {
        plate: String,
        expected: usize,
        made: usize,
    },
    /// More weights without a call than closures explain.
    #[error("left to staff: {count} weights, expected {most} at most")]
    LeftToStaff { count: usize, most: usize },
    /// The ERP has something else than the server.
    #[error("at the ERP: slip {slip}: {why}")]
    AtErp { slip: String, why: String },
    /// A service that is as strict as the real one did not take something.
    #[error("refused: {service} answered {status} to {what}")]
    Refused {
        service: &'static str,
        what: String,
        status: u64,
    },
}

/// What a comparison saw and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    pub findings: Vec<Finding>,
    pub stays: usize,
    /// Stays to which the board said "저장".
    pub confirmed: usize,
    /// Stays that ended without its word, and were stored all the same: that is allowed.
    pub recovered: usize,
    pub captures: usize,
    /// Captures marked `gap`; staff decide about them.
    pub gaps: usize,
    /// Trucks without a call that were weighed under another's call, as the rules have it.
    pub strangers_under_a_call: usize,
    pub committed_events: usize,
}

impl Verdict {
    pub const fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        writeln!(
            f,
            "{} stays ({} confirmed, {} stored without the board's word), {} captures ({} gap), {} events committed by edges",
            self.stays, self.confirmed, self.recovered, self.captures, self.gaps, self.committed_events,
        )?;
        if self.strangers_under_a_call > 0 {
            writeln!(
                f,
                "{} strangers were weighed under another's call",
                self.strangers_under_a_call
            )?;
        }
        let result = if self.is_clean() {
            "truth and server agree"
        } else {
            "truth and server differ"
        };
        write!(f, "{result}: {} findings", self.findings.len())
    }
}
