//! What a yard shows in the terminal: a line for each weighing, and what the stations show now.

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Number;
use tokio::{sync::broadcast, time::interval};
use weighbridge_protocol::kilograms::json_number;

use crate::{
    server::live::{News, Record},
    terminal,
    traffic::Lineup,
    truth::{Pass, Stay},
    yard::{Yard, YardEvent},
};

/// What has been shown, and how.
///
/// On a terminal the states stand in the last line and are renewed; elsewhere they are a line of their own now and then.
#[derive(Debug)]
struct Screen {
    is_terminal: bool,
    opened_at: DateTime<Utc>,
    /// The slips that have had their line: the server may tell of a record again.
    slips: HashSet<String>,
}

const RENEWED_EVERY: Duration = Duration::from_millis(500);
/// Where nobody watches.
const STATES_EVERY: u32 = 60;

/// Shows what happens for as long as it is polled.
pub async fn show(yard: &Yard, lineup: &Lineup, mut news: broadcast::Receiver<News>) {
    let mut events = yard.events();
    let mut screen = Screen {
        is_terminal: terminal::is_terminal(),
        opened_at: Utc::now(),
        slips: HashSet::new(),
    };
    let mut ticks = interval(RENEWED_EVERY);
    let mut renewals = 0_u32;
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(YardEvent::Confirmed(stay)) => line(&stay_line(&stay)),
                Ok(YardEvent::Left(stay)) if !stay.is_confirmed() => line(&stay_line(&stay)),
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            },
            Ok(told) = news.recv() => if let News::Weighing(record) = told
                && let Some(slip) = screen.record_line(&record)
            {
                line(&slip);
            },
            _ = ticks.tick() => {
                if screen.is_terminal || renewals.is_multiple_of(STATES_EVERY) {
                    screen.states(&format!("{}\n{} waiting", yard.states(), lineup.waiting()));
                }
                renewals = renewals.wrapping_add(1);
            }
        }
    }
}

/// Korea is so far ahead of UTC all year: a line's time is that of which pushes and slips speak.
const YARD_AHEAD: TimeDelta = TimeDelta::hours(9);

/// Says a line with its time, in the place of the states that a terminal shows last.
pub fn line(text: &str) {
    let wipe = if terminal::is_terminal() { "\r\x1b[2K" } else { "" };
    terminal::say(&format!(
        "{wipe}{} {text}",
        (Utc::now() + YARD_AHEAD).format("%H:%M:%S")
    ));
}

impl Screen {
    /// Only a slip is worth a line, once, and not one of an earlier day.
    fn record_line(&mut self, record: &Record) -> Option<String> {
        let slip = record.slip_number.as_ref().filter(|_| record.status == "COMPLETED")?;
        let is_old = record.weighed_at.is_some_and(|at| at < self.opened_at);
        if is_old || !self.slips.insert(slip.clone()) {
            return None;
        }
        let plate = record.vehicle_plate.as_deref().unwrap_or("?");
        let weight = |weight: &Option<Number>| weight.as_ref().map_or_else(|| "?".to_owned(), ToString::to_string);
        Some(format!(
            "  slip {slip}  {plate}  gross {} − tare {} = net {} kg",
            weight(&record.gross_weight),
            weight(&record.tare_weight),
            weight(&record.net_weight),
        ))
    }

    fn states(&self, states: &str) {
        let states = states.replace('\n', " | ");
        if !self.is_terminal {
            terminal::say(&format!("stations: {states}"));
            return;
        }
        // Cut, or a narrow terminal would break the line and each renewal would add one.
        let short: String = states.chars().take(110).collect();
        terminal::write(&format!("\r\x1b[2K{short}"));
    }
}

fn stay_line(stay: &Stay) -> String {
    let pass = match stay.pass {
        Pass::One => "one pass",
        Pass::First => "first pass",
        Pass::Second => "second pass",
        Pass::Stranger => "without a call",
    };
    let told = match (stay.confirmed_at, stay.stood_at) {
        (Some(confirmed), Some(stood)) => {
            format!("저장 after {:.1} s", (confirmed - stood).as_seconds_f64())
        }
        _ => "left without 저장".to_owned(),
    };
    let weight = json_number::number(stay.weight);
    format!(
        "station {}  {}  in truth {weight} kg  {pass}  {told}",
        stay.station_id, stay.plate
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(status: &str, weighed_at: DateTime<Utc>) -> Record {
        Record {
            id: 1,
            status: status.to_owned(),
            slip_number: Some("WR20261125001".to_owned()),
            vehicle_plate: Some("12가3456".to_owned()),
            gross_weight: Some(18_340.into()),
            tare_weight: Some(8000.into()),
            net_weight: Some(10_340.into()),
            weighed_at: Some(weighed_at),
        }
    }

    #[test]
    fn a_slip_is_shown_once_and_not_when_it_is_of_an_earlier_day() {
        let now = Utc::now();
        let mut screen = Screen {
            is_terminal: false,
            opened_at: now,
            slips: HashSet::new(),
        };
        assert_eq!(
            screen.record_line(&record("COMPLETED", now - chrono::TimeDelta::hours(20))),
            None
        );
        assert_eq!(screen.record_line(&record("WEIGHING", now)), None);
        let line = screen.record_line(&record("COMPLETED", now)).unwrap();
        assert!(line.ends_with("gross 18340 − tare 8000 = net 10340 kg"), "{line}");
        assert_eq!(screen.record_line(&record("COMPLETED", now)), None);
    }
}
