//! What a yard shows in the terminal: a line for each weighing, and what the stations show now.

use std::time::Duration;

use chrono::Local;
use tokio::{sync::broadcast, time::interval};

use crate::{
    server::live::{News, Record},
    terminal,
    traffic::Lineup,
    truth::{Pass, Stay},
    yard::{Yard, YardEvent},
};

/// On a terminal the states stand in the last line and are renewed; elsewhere they are a line of their own now and then.
#[derive(Debug)]
struct Screen {
    is_terminal: bool,
}

const RENEWED_EVERY: Duration = Duration::from_millis(500);
/// Where nobody watches.
const STATES_EVERY: u32 = 60;

/// Shows what happens for as long as it is polled.
pub async fn show(yard: &Yard, lineup: &Lineup, mut news: broadcast::Receiver<News>) {
    let mut events = yard.events();
    let screen = Screen {
        is_terminal: terminal::is_terminal(),
    };
    let mut ticks = interval(RENEWED_EVERY);
    let mut renewals = 0_u32;
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(YardEvent::Left(stay)) => screen.line(&stay_line(&stay)),
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            },
            Ok(told) = news.recv() => if let News::Weighing(record) = told
                && let Some(line) = record_line(&record)
            {
                screen.line(&line);
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

impl Screen {
    fn line(&self, text: &str) {
        let wipe = if self.is_terminal { "\r\x1b[2K" } else { "" };
        terminal::say(&format!("{wipe}{} {text}", Local::now().format("%H:%M:%S")));
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
    format!(
        "station {}  {}  {} kg  {pass}  {told}",
        stay.station_id, stay.plate, stay.weight
    )
}

/// Only what is finished is worth a line.
fn record_line(record: &Record) -> Option<String> {
    let slip = record.slip_number.as_ref().filter(|_| record.status == "COMPLETED")?;
    let plate = record.vehicle_plate.as_deref().unwrap_or("?");
    let weight =
        |weight: &Option<serde_json::Number>| weight.as_ref().map_or_else(|| "?".to_owned(), ToString::to_string);
    Some(format!(
        "slip {slip}  {plate}  gross {} − tare {} = net {} kg",
        weight(&record.gross_weight),
        weight(&record.tare_weight),
        weight(&record.net_weight),
    ))
}
