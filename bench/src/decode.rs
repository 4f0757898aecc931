//! How many frames one core decodes in each shipped protocol, and how many readings the capture logic takes: no port, no
//! clock, by the processor time of this thread, so that a busy machine changes little.

use std::{hint::black_box, time::Duration};

use anyhow::Context;
use nix::time::{ClockId, clock_gettime};
use uuid::Uuid;
use weighbridge_protocol::{
    CycleId, Epoch,
    indicators::{Decoder, Options, Protocol},
    link::EventId,
    reading::Reading,
    scale::{CaptureSettings, Scale, ScaleEvent},
};
use weighbridge_sim::{
    chance::Chance,
    curve::Curve,
    encode::Format,
    indicator::{Calibration, Indicator},
    truck::{Habits, Truck},
};

use crate::{
    Incomplete,
    figures::{Figure, Measurement},
};

/// `[(protocol, text)]`: the frames from makers' manuals that the decoders are tested with.
const CORPORA: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/corpora.rs"));
/// How long each is timed, in processor time.
const EACH: Duration = Duration::from_millis(200);
/// As much as a serial port hands over at once.
const PIECE: usize = 64;
const FRAMES: usize = 2000;
const STAYS: u64 = 20;

/// Measures every protocol and the capture logic. `in_full` lists every protocol, not only the slowest.
pub fn measure(in_full: bool) -> anyhow::Result<Vec<Measurement>> {
    eprintln!("decode: {} protocols", Protocol::shipped().len());
    let mut rates = Vec::new();
    for protocol in Protocol::shipped() {
        let rate = frames_a_second(protocol).with_context(|| protocol.id().to_owned())?;
        rates.push((protocol.id(), rate));
    }
    rates.sort_by(|a, b| a.1.total_cmp(&b.1));
    let frames = |(id, rate): &(&str, f64)| Figure::new(*id, *rate, "frames/s");
    let slowest = rates.first().map(frames).context("no protocol is shipped")?;
    let mut figures = vec![Figure {
        name: format!("slowest: {}", slowest.name),
        ..slowest.at_least(200_000.0)
    }];
    if in_full {
        figures.extend(rates.iter().skip(1).map(frames));
    } else {
        let median = rates.get(rates.len() / 2).map(frames);
        figures.extend(median.map(|figure| Figure {
            name: format!("median: {}", figure.name),
            ..figure
        }));
    }
    Ok(vec![
        Measurement {
            what: format!("decode: frames a second on one core, {} protocols", rates.len()),
            how: format!(
                "readable frames of the makers' manuals, repeated, in pieces of {PIECE} bytes; bytes to readings"
            ),
            figures,
        },
        capturing()?,
    ])
}

fn frames_a_second(protocol: &Protocol) -> anyhow::Result<f64> {
    let (options, bytes) = stream(protocol)?;
    let mut decoder = Decoder::new(protocol, &options)?;
    let (mut readings, mut rejected) = (0_u64, 0_u64);
    let took = timed(|| {
        for piece in bytes.chunks(PIECE) {
            decoder.push(piece, &mut |decoded| match black_box(decoded) {
                Ok(_) => readings += 1,
                Err(_) => rejected += 1,
            });
        }
    })?;
    if rejected > 0 || readings == 0 {
        return Err(Incomplete(format!("{readings} frames were read and {rejected} rejected")).into());
    }
    Ok(count(readings)? / took.as_secs_f64())
}

/// Runs it until enough time is spent; how much that was.
fn timed(mut work: impl FnMut()) -> anyhow::Result<Duration> {
    let began = spent()?;
    loop {
        work();
        let took = spent()?.saturating_sub(began);
        if took >= EACH {
            return Ok(took);
        }
    }
}

fn spent() -> anyhow::Result<Duration> {
    Ok(Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?))
}

fn count(number: u64) -> anyhow::Result<f64> {
    Ok(f64::from(u32::try_from(number)?))
}

/// A stream of readable frames of a protocol, and the options that they need.
fn stream(protocol: &Protocol) -> anyhow::Result<(Options, Vec<u8>)> {
    let text = CORPORA
        .iter()
        .find(|(id, _)| *id == protocol.id())
        .map(|(_, text)| *text);
    let text = text.with_context(|| format!("there are no frames of {}", protocol.id()))?;
    for (options, frames) in readable(text)? {
        let bytes: Vec<u8> = frames
            .iter()
            .cycle()
            .take(FRAMES.max(frames.len()))
            .flatten()
            .copied()
            .collect();
        if reads_whole(protocol, &options, &bytes)? {
            return Ok((options, bytes));
        }
    }
    anyhow::bail!("no frames of {} can be read one after the other", protocol.id())
}

/// Each choice of options in a corpus, with the frames that are read as one weight and nothing else.
fn readable(corpus: &str) -> anyhow::Result<Vec<(Options, Vec<Vec<u8>>)>> {
    let mut groups = vec![(Options::default(), Vec::new())];
    for line in corpus.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(settings) = line.strip_prefix("set") {
            groups.push((Options::parse(settings.split_whitespace())?, Vec::new()));
        } else if let Some((bytes, said)) = line.split_once(" | ")
            && said.starts_with("{\"weight\":\"")
            && !said.contains(" | ")
            && let Some((_, frames)) = groups.last_mut()
        {
            let bytes = bytes.split_whitespace().map(|byte| u8::from_str_radix(byte, 16));
            frames.push(bytes.collect::<Result<_, _>>()?);
        }
    }
    groups.retain(|(_, frames)| !frames.is_empty());
    Ok(groups)
}

/// Whether nothing is rejected, also where the end meets the beginning again.
fn reads_whole(protocol: &Protocol, options: &Options, bytes: &[u8]) -> anyhow::Result<bool> {
    let mut decoder = Decoder::new(protocol, options)?;
    let mut all_read = true;
    for _ in 0..2 {
        decoder.push(bytes, &mut |decoded| all_read &= decoded.is_ok());
    }
    Ok(all_read)
}

fn capturing() -> anyhow::Result<Measurement> {
    let readings = readings()?;
    let mut scale = Scale::new(CaptureSettings::default(), Uuid::nil());
    let (mut t_ms, mut pushed, mut captured, mut cycles) = (0_i64, 0_u64, 0_u64, 0_u128);
    let took = timed(|| {
        for reading in &readings {
            t_ms += 100;
            pushed += 1;
            let events = scale.push(t_ms, reading, || {
                cycles += 1;
                CycleId::from_bits(cycles)
            });
            if events.iter().any(|event| matches!(event, ScaleEvent::Settled(_))) {
                captured += 1;
                scale.committed(EventId {
                    epoch: Epoch::from_bits(1),
                    seq: 1,
                });
            }
        }
    })?;
    if captured == 0 {
        return Err(Incomplete("nothing was captured".to_owned()).into());
    }
    Ok(Measurement {
        what: "decode: readings a second through the capture logic on one core".to_owned(),
        how: format!("{STAYS} trucks driving on, rocking, standing and driving off at 10 Hz, again and again"),
        figures: vec![Figure::new(
            "capture logic",
            count(pushed)? / took.as_secs_f64(),
            "readings/s",
        )],
    })
}

/// What an indicator says while trucks come and go.
fn readings() -> anyhow::Result<Vec<Reading>> {
    let mut decoder = Decoder::new(Protocol::named(Format::Cas22.id())?, &Options::default())?;
    let (mut indicator, mut readings) = (Indicator::new(Calibration::default()), Vec::new());
    for number in 1..=STAYS {
        let truck = Truck::new(Chance::of_seed(1), u32::try_from(number)?, Habits::default());
        let curve = Curve::new(truck.axles(truck.weight(0, 0)), 1.0, Chance::of_seed(number));
        let leaves = curve.driving_on() + Duration::from_secs(8);
        let ends = leaves + curve.driving_off() + Duration::from_secs(3);
        for frame in 0.. {
            let at = Duration::from_millis(100) * frame;
            if at > ends {
                break;
            }
            let shown = indicator.sample(curve.load(at, at.checked_sub(leaves)));
            decoder.push(&Format::Cas22.frame(&shown).bytes, &mut |decoded| {
                readings.extend(decoded.ok());
            });
        }
    }
    Ok(readings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_protocol_has_frames_that_are_read_one_after_the_other() {
        for protocol in Protocol::shipped() {
            let (_, bytes) = stream(protocol).unwrap();
            assert!(bytes.len() >= FRAMES, "{}", protocol.id());
        }
    }

    #[test]
    fn a_corpus_gives_its_options_and_its_readable_frames() {
        let corpus = "# source\n30 31 | {\"weight\":\"1\"}\n32 | {\"error\":\"noise\"}\nset unit=t\n33 | {\"weight\":\"3\"}\n\
                      34 | {\"weight\":\"4\"} | {\"error\":\"noise\"}\n";
        let groups = readable(corpus).unwrap();
        let frames: Vec<_> = groups.iter().map(|(_, frames)| frames.clone()).collect();
        assert_eq!(frames, [vec![vec![0x30, 0x31]], vec![vec![0x33]]]);
        assert_eq!(groups[1].0.keys(), ["unit"]);
    }
}
