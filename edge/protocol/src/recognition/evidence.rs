//! One protocol tried on bytes: what it reads, and how well that explains them.

use std::collections::BTreeMap;

use crate::{
    Kilograms,
    frame::Rejection,
    indicators::{Decoder, Garbled, OptionError, Options, Protocol},
    reading::Reading,
};

/// One protocol with one set of options, and what came of it.
#[derive(Clone, Debug)]
pub struct Trial {
    pub protocol: &'static Protocol,
    /// What must be set beyond the protocol's own defaults, as `KEY=VALUE`.
    pub settings: Vec<String>,
    pub evidence: Evidence,
    /// What was read, in order.
    pub heard: Vec<Heard>,
    /// More is better. Only trials on the same bytes compare.
    pub score: i64,
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// All bytes.
    pub bytes: usize,
    /// Those in frames that were read, and those of a frame cut off at either end.
    pub explained: usize,
    /// Frames that were read.
    pub frames: usize,
    /// Frames that say that there is no weighing: errors, answers to other commands.
    pub messages: usize,
    /// Frames whose checksum was right; 0 where the protocol has none.
    pub checksums: usize,
    /// Weights that a truck scale can show: −2 t to 200 t, at most three decimals.
    pub plausible: usize,
    pub implausible: usize,
    /// Frames that say that the weight stands still, that it moves, and neither.
    pub stable: usize,
    pub moving: usize,
    pub unflagged: usize,
    pub out_of_range: usize,
    /// Weights that differ from one another.
    pub distinct: usize,
    /// Stretches that were rejected, by reason.
    pub rejected: BTreeMap<&'static str, usize>,
    /// How far the weights travel, in tenths of the distance from the lowest to the highest: a truck that drives on and
    /// off makes some 20, digits read in the wrong order make hundreds. None where the weights hardly change.
    pub roughness: Option<i64>,
}

/// What one frame says, as far as protocols may differ on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub raw: Vec<u8>,
    pub weight: Option<String>,
    pub unit: &'static str,
    pub kg: Option<Kilograms>,
    pub stable: Option<bool>,
}

const LOWEST: Kilograms = Kilograms::from_whole(-2000);
const HIGHEST: Kilograms = Kilograms::from_whole(200_000);
const MOST_DECIMALS: u8 = 3;
/// A byte that no frame explains costs as much as a byte with one value gains.
const UNEXPLAINED: i64 = 80;
/// Fewer different weights say nothing about how they change.
const FEWEST_STEPS: usize = 6;

impl Trial {
    /// Tries `protocol` on `bytes`.
    pub fn run(protocol: &'static Protocol, settings: &[String], bytes: &[u8]) -> Result<Self, OptionError> {
        let options = Options::parse(settings.iter().map(String::as_str))?;
        let plan = protocol.plan(&options)?;
        let mut decoder = Decoder::new(protocol, &options)?;
        let mut found: Vec<Result<Reading, Garbled>> = Vec::new();
        decoder.push(bytes, &mut |decoded| found.push(decoded));
        decoder.finish(&mut |decoded| found.push(decoded));
        let mut evidence = Evidence {
            bytes: bytes.len(),
            ..Evidence::default()
        };
        let (mut tenths, last) = (0, found.len().saturating_sub(1));
        for (index, decoded) in found.iter().enumerate() {
            let at_an_end = index == 0 || index == last;
            match decoded {
                Ok(reading) => {
                    tenths += plan.tenths_of_bits(&reading.raw);
                    evidence.take(reading, plan.is_checked());
                }
                Err(garbled) => evidence.reject(garbled, at_an_end && garbled.raw.len() < plan.longest()),
            }
        }
        let heard: Vec<Heard> = found.into_iter().filter_map(Result::ok).map(Heard::from).collect();
        evidence.look_at_weights(&heard);
        let unexplained = signed(evidence.bytes.saturating_sub(evidence.explained));
        let score = signed(tenths) - UNEXPLAINED * unexplained - 10 * signed(settings.len());
        Ok(Self {
            protocol,
            settings: settings.to_vec(),
            score,
            evidence,
            heard,
        })
    }

    /// Whether its readings are a weighbridge's.
    pub fn is_plausible(&self) -> bool {
        self.evidence.implausible * 10 <= self.evidence.plausible
    }
}

impl Evidence {
    /// Bytes of a hundred that are explained.
    pub fn share(&self) -> usize {
        (self.explained * 100).checked_div(self.bytes).unwrap_or(0)
    }

    fn take(&mut self, reading: &Reading, checked: bool) {
        self.frames += 1;
        self.explained += reading.raw.len();
        self.checksums += usize::from(checked);
        match reading.stable {
            _ if reading.overload || reading.underload => self.out_of_range += 1,
            Some(true) => self.stable += 1,
            Some(false) => self.moving += 1,
            None => self.unflagged += 1,
        }
        if let (Some(_), Some(kg)) = (&reading.weight, reading.kg) {
            if (LOWEST..=HIGHEST).contains(&kg) && reading.decimals <= MOST_DECIMALS {
                self.plausible += 1;
            } else {
                self.implausible += 1;
            }
        }
    }

    /// A recording seldom begins and ends between two frames: what is cut off there speaks against no protocol.
    fn reject(&mut self, garbled: &Garbled, is_cut_off: bool) {
        *self.rejected.entry(garbled.why.as_str()).or_default() += 1;
        let is_message = garbled.why == Rejection::Device;
        self.messages += usize::from(is_message);
        if is_message || is_cut_off {
            self.explained += garbled.raw.len();
        }
    }

    fn look_at_weights(&mut self, heard: &[Heard]) {
        let weights: Vec<i64> = heard
            .iter()
            .filter_map(|heard| heard.kg)
            .map(Kilograms::hundredths)
            .collect();
        let mut sorted = weights.clone();
        sorted.sort_unstable();
        sorted.dedup();
        self.distinct = sorted.len();
        let travelled: i64 = weights.windows(2).map(|pair| (pair[1] - pair[0]).abs()).sum();
        let span = sorted.last().zip(sorted.first()).map_or(0, |(high, low)| high - low);
        let enough = sorted.len() >= FEWEST_STEPS && span > 0;
        self.roughness = enough.then(|| travelled.saturating_mul(10) / span);
    }
}

impl From<Reading> for Heard {
    fn from(reading: Reading) -> Self {
        Self {
            unit: reading.unit.name(),
            weight: reading.weight,
            kg: reading.kg,
            stable: reading.stable,
            raw: reading.raw,
        }
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
