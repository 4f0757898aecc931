//! What of the status needs a person, and of which part it is said.

use serde::Serialize;

use super::report::Status;
use crate::link::LinkState;

/// The page and the documents know its code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alarm {
    /// A key of the catalogue's section `alarm`.
    pub code: &'static str,
    /// The station, board, lamp or actor.
    pub subject: Option<String>,
    /// What the part itself says of it.
    pub detail: Option<String>,
}

/// A clock that is further off is alarmed; the server corrects events by it all the same.
const OFFSET_LIMIT_MS: i64 = 5000;

/// All that is wrong, the gravest first.
pub fn of(status: &Status) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    let mut add = |code, subject: Option<String>, detail: Option<&str>| {
        alarms.push(Alarm {
            code,
            subject,
            detail: detail.map(str::to_owned),
        });
    };
    if status.refusing {
        add("disk_full", None, None);
    }
    if let Some(salvaged) = &status.salvaged {
        add("salvaged", None, serde_json::to_string(salvaged).ok().as_deref());
    }
    for name in &status.failed {
        add("actor_failed", Some(name.clone()), None);
    }
    for station in &status.stations {
        let id = Some(station.station_id.to_string());
        match (&station.hearing.port_trouble, station.hearing.silent) {
            (Some(trouble), _) => add("port", id, Some(trouble)),
            (None, true) => add("silent", id, None),
            (None, false) if station.net => add("net", id, None),
            (None, false) => (),
        }
        for unfit in &station.unfit {
            add(
                "setting",
                Some(station.station_id.to_string()),
                Some(&unfit.to_string()),
            );
        }
    }
    let trouble = status.link_trouble.as_deref();
    if let Some(code) = alarm_of_link(status.link) {
        add(code, None, trouble);
    }
    for id in &status.unknown_stations {
        add("unknown_station", Some(id.to_string()), None);
    }
    if status
        .clock_offset_ms
        .is_some_and(|offset| offset.abs() > OFFSET_LIMIT_MS)
    {
        let seconds = status.clock_offset_ms.map(|offset| format!("{} s", offset / 1000));
        add("clock", None, seconds.as_deref());
    }
    for lamp in status.lamps.iter().filter(|lamp| lamp.state.trouble.is_some()) {
        add("lamp", Some(lamp.id.clone()), lamp.state.trouble.as_deref());
    }
    for board in status.boards.iter().filter(|board| board.state.trouble.is_some()) {
        add("board", Some(board.id.clone()), board.state.trouble.as_deref());
    }
    alarms
}

/// What is to be said of a link in this state.
pub const fn alarm_of_link(link: LinkState) -> Option<&'static str> {
    match link {
        LinkState::Linked | LinkState::Connecting => None,
        LinkState::Lost => Some("link_lost"),
        LinkState::Refused => Some("link_refused"),
        LinkState::Fenced => Some("link_fenced"),
        LinkState::Forbidden => Some("link_forbidden"),
        LinkState::Version => Some("link_version"),
    }
}
