//! `[[signal]]`: a lamp, and perhaps a barrier, on the coils of a Modbus TCP unit.

use std::time::Duration;

use super::{AddressError, HostPort, file};

/// A lamp at a station.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    pub id: String,
    pub station: i64,
    pub address: HostPort,
    pub unit: u8,
    /// Addresses as they go over the wire, counted from 0.
    pub red: u16,
    pub green: u16,
    /// How long the server must be away before the edge decides alone.
    pub alone_after: Duration,
    pub barrier: Option<BarrierCoils>,
}

/// A barrier's coils and its input, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarrierCoils {
    pub open: u16,
    /// None where the barrier closes by itself.
    pub close: Option<u16>,
    /// On while something stands in its way.
    pub occupied: Option<u16>,
    pub pulse: Duration,
}

const ALONE_AFTER_MS: u64 = 10_000;
const PULSE_MS: u64 = 700;

/// Judges the `n`th lamp.
pub(super) fn judge(n: usize, file: &file::Signal, stations: &[i64], problems: &mut Vec<String>) -> Option<Signal> {
    let before = problems.len();
    let mut wrong = |problem: String| problems.push(format!("signal[{n}].{problem}"));
    let address = file.address.strip_prefix("tcp://").unwrap_or_default().parse();
    let address = address
        .map_err(|_: AddressError| wrong(format!("address is {:?}, expected tcp://host:502", file.address)))
        .ok();
    if !stations.contains(&file.station) {
        wrong(format!("station is {}, expected the id of a [[station]]", file.station));
    }
    if file.count_from > 1 {
        wrong(format!(
            "count_from is {}, expected 0 or 1, as the unit's manual counts its coils",
            file.count_from
        ));
    }
    let mut wire = |key: &str, number: u16| {
        number.checked_sub(file.count_from).unwrap_or_else(|| {
            wrong(format!(
                "{key} is {number}, expected a number from {} on",
                file.count_from
            ));
            0
        })
    };
    let (red, green) = (wire("red", file.red), wire("green", file.green));
    let barrier = file.barrier.as_ref().map(|barrier| BarrierCoils {
        open: wire("barrier.open", barrier.open),
        close: barrier.close.map(|coil| wire("barrier.close", coil)),
        occupied: barrier.occupied.map(|input| wire("barrier.occupied", input)),
        pulse: Duration::from_millis(barrier.pulse_ms.unwrap_or(PULSE_MS)),
    });
    if red.abs_diff(green) != 1 {
        wrong(format!(
            "green is {}, expected a neighbour of red ({}): both are switched by one request, so that they are never on together",
            file.green, file.red
        ));
    }
    if let Some(coils) = &barrier {
        let used = [Some(red), Some(green), Some(coils.open), coils.close];
        let mut used: Vec<u16> = used.into_iter().flatten().collect();
        let count = used.len();
        used.sort_unstable();
        used.dedup();
        if used.len() != count {
            wrong("barrier: a coil is given twice, expected each of red, green, open and close its own".to_owned());
        }
        if coils.close.is_some() && coils.occupied.is_none() {
            wrong("barrier.close is given without barrier.occupied, expected the input of a loop or beam: nothing closes on what nobody sees".to_owned());
        }
        if !(500..=1000).contains(&coils.pulse.as_millis()) {
            wrong(format!(
                "barrier.pulse_ms is {}, expected 500 to 1000",
                coils.pulse.as_millis()
            ));
        }
    }
    let address = address?;
    (problems.len() == before).then(|| Signal {
        id: file.id.clone(),
        station: file.station,
        address,
        unit: file.unit,
        red,
        green,
        alone_after: Duration::from_millis(file.alone_after_ms.unwrap_or(ALONE_AFTER_MS)),
        barrier,
    })
}
