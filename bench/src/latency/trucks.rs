//! Weighings through the whole chain: a truck checks in, is called, stands, is captured, and its record is complete.

use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::time::sleep;
use uuid::Uuid;
use weighbridge_protocol::{
    CycleId, Kilograms,
    indicators::{Decoder, Options, Protocol},
    scale::{CaptureSettings, Scale, ScaleEvent},
};
use weighbridge_sim::{
    chance::Chance,
    encode::Format,
    indicator::Shown as Display,
    server::queue::Status,
    truck::{Habits, Truck},
};

use super::{Arranged, DWELL_MS, Noted, What, indicator::BETWEEN_FRAMES};
use crate::{
    Incomplete,
    dashboard::Shown,
    figures::{Figure, Measurement},
    times::Times,
};

/// What one weighing took, from the last byte of the frame that settled it.
struct Took {
    committed: Duration,
    completed: Duration,
}

/// The heaviest truck of the simulator is lighter, empty.
const LIGHTEST: i32 = 20_000;
const STEP_WITHIN: Duration = Duration::from_secs(20);
/// So that the truck drives on after its call by any clock.
const AFTER_THE_CALL: Duration = Duration::from_millis(100);

/// Weighs one truck again and again.
pub(super) async fn weigh(arranged: &mut Arranged, trucks: u32) -> anyhow::Result<Measurement> {
    let truck = Truck::new(Chance::of_seed(1), 1, Habits::default());
    let vehicle = arranged.site.api.make_vehicle(&truck).await?;
    let (driver, _) = arranged.site.api.make_driver(&truck, vehicle).await?;
    let settling_frame = settling_frame()?;
    let (mut committed, mut completed) = (Vec::new(), Vec::new());
    for number in 0..trucks {
        arranged
            .site
            .api
            .check_in(vehicle, driver, None, Uuid::new_v4())
            .await?;
        let station = arranged.wait_for_call().await?;
        sleep(AFTER_THE_CALL).await;
        let gross = Kilograms::from_whole(LIGHTEST + 20 * i32::try_from(number)?);
        arranged.stand(station, Some(gross));
        let took = arranged.wait_for_weighing(station, gross, settling_frame).await;
        arranged.stand(station, None);
        let took = took.with_context(|| format!("truck {number} at station {station}"))?;
        committed.push(took.committed);
        completed.push(took.completed);
        arranged
            .wait_for_line(|stations| stations.is_empty().then_some(()))
            .await?;
    }
    let missing = || Incomplete("no truck was weighed".to_owned());
    let (committed, completed) = (
        Times::new(committed).with_context(missing)?,
        Times::new(completed).with_context(missing)?,
    );
    let named = |to: &'static str| {
        move |figure: Figure| Figure {
            name: format!("{to}, {}", figure.name),
            ..figure
        }
    };
    let [p50, p90, p99, max] = Figure::of_times(&completed);
    let whole = [p50, p90, p99.at_most(30.0), max].map(named("to COMPLETED at the dashboard"));
    let figures = Figure::of_times(&committed)
        .map(named("to committed by the edge"))
        .into_iter()
        .chain(whole);
    Ok(Measurement {
        what: "latency: a vehicle has settled → captured on the edge's disk → its weighing at a dashboard".to_owned(),
        how: format!(
            "{trucks} one-pass weighings, one after the other (the p99 of fewer than 100 is the greatest): checked in by the \
             API, called by the queue; the clock starts with the last byte of the reading that fills the window of {DWELL_MS} ms, \
             and reads at the edge's `committed` line and at the `weighing` with COMPLETED; the other decks keep showing weights",
        ),
        figures: figures.collect(),
    })
}

/// Which frame of a truck at rest, counted from 0, settles it: the capture logic itself is asked.
pub(super) fn settling_frame() -> anyhow::Result<u32> {
    let display = Display {
        weight: Kilograms::from_whole(LIGHTEST),
        stable: true,
        overload: false,
        zero: false,
        decimals: 0,
    };
    let settings = CaptureSettings {
        dwell_ms: DWELL_MS,
        ..CaptureSettings::default()
    };
    let mut decoder = Decoder::new(Protocol::named(Format::Cas22.id())?, &Options::default())?;
    let mut scale = Scale::new(settings, Uuid::nil());
    let between_ms = i64::try_from(BETWEEN_FRAMES.as_millis())?;
    let mut settled = None;
    for frame in 0..100 {
        decoder.push(&Format::Cas22.frame(&display).bytes, &mut |decoded| {
            let Ok(reading) = decoded else { return };
            let events = scale.push(i64::from(frame) * between_ms, &reading, || CycleId::from_bits(1));
            if events.iter().any(|event| matches!(event, ScaleEvent::Settled(_))) {
                settled.get_or_insert(frame);
            }
        });
    }
    settled.context("a truck at rest never settles")
}

impl Arranged {
    pub(super) fn stand(&self, station: i64, truck: Option<Kilograms>) {
        for indicator in self
            .indicators
            .iter()
            .filter(|indicator| indicator.station() == station)
        {
            indicator.stand(truck);
        }
    }

    /// Waits until somebody is called; to which station.
    async fn wait_for_call(&mut self) -> anyhow::Result<i64> {
        let called = |line: &[(Status, Option<i64>)]| {
            let called = line.iter().find(|(status, _)| *status == Status::Called)?;
            called.1
        };
        self.wait_for_line(called).await
    }

    async fn wait_for_line<T>(&mut self, wanted: impl Fn(&[(Status, Option<i64>)]) -> Option<T>) -> anyhow::Result<T> {
        let began = Instant::now();
        while began.elapsed() < STEP_WITHIN {
            if let What::Shown(Shown::Line(places)) = self.next().await?.what {
                let places: Vec<_> = places.iter().map(|place| (place.status, place.station_id)).collect();
                if let Some(found) = wanted(&places) {
                    return Ok(found);
                }
            }
        }
        Err(Incomplete("the waiting line does not move".to_owned()).into())
    }

    async fn wait_for_weighing(&mut self, station: i64, gross: Kilograms, settling: u32) -> anyhow::Result<Took> {
        let (mut settled, mut committed) = (None, None);
        let began = Instant::now();
        while began.elapsed() < STEP_WITHIN {
            let Noted { at, what } = self.next().await?;
            match what {
                What::Sent(sent) if sent.station == station && sent.of_truck == Some(settling) => settled = Some(at),
                What::Printed(line) if line.contains(r#""ev":"committed""#) => committed = Some(at),
                What::Shown(Shown::Weighing(record)) if is_complete(&record, gross) => {
                    let early = || Incomplete("it was captured before its window was full".to_owned());
                    let settled = settled.with_context(early)?;
                    let committed = committed.with_context(|| Incomplete("the edge told no commit".to_owned()))?;
                    return Ok(Took {
                        committed: committed.saturating_duration_since(settled),
                        completed: at.saturating_duration_since(settled),
                    });
                }
                _ => {}
            }
        }
        Err(Incomplete(format!("no weighing of {gross} kg was completed")).into())
    }
}

fn is_complete(record: &weighbridge_sim::server::live::Record, gross: Kilograms) -> bool {
    let weighed = record.gross_weight.as_ref().and_then(serde_json::Number::as_f64);
    let wanted = weighbridge_protocol::kilograms::json_number::number(gross).parse().ok();
    record.status == "COMPLETED" && weighed.is_some() && weighed == wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_frame_fills_the_window_and_not_by_a_hair() {
        let between = u32::try_from(BETWEEN_FRAMES.as_millis()).unwrap();
        let settling = settling_frame().unwrap();
        assert_eq!(settling, 5);
        assert!(settling * between - DWELL_MS >= 20 && DWELL_MS - (settling - 1) * between >= 20);
    }
}
