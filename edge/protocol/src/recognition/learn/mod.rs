//! A declaration proposed from recorded bytes and a few weights that the display showed meanwhile.
//!
//! - `number`: where the weight stands and how it is written
//! - `check`: which of the known checksums stands in the frame
//! - `columns`: what the other columns are
//! - `write`: the declaration's text

mod check;
mod columns;
mod number;
mod write;

use std::{collections::BTreeSet, str::FromStr};

use super::rhythm::Rhythm;
use crate::indicators::{Decoder, Garbled, Line, Options, Protocol};
use columns::Piece;
use number::Weight;

/// A weight as the display showed it: `18340`, `-0.5`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub text: String,
    digits: i64,
    decimals: u8,
}

/// A text that is no weight on a display.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no weight, expected what the display shows, such as 18340 or -0.5")]
pub struct NotAWeight(pub String);

/// What the proposal is to say beside its frames.
#[derive(Clone, Debug)]
pub struct Brief {
    pub id: String,
    /// The line setting at which the bytes came.
    pub line: Line,
    /// What was sent to make the indicator answer.
    pub ask: Option<Vec<u8>>,
}

/// A declaration, and how well it explains what was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The declaration's text, which the loader takes.
    pub toml: String,
    /// Frames that were found, and those of them that the declaration reads.
    pub found: usize,
    pub read: usize,
    /// Bytes of a hundred that are in frames that are read.
    pub share: usize,
    /// Every weight typed, and how many frames say it.
    pub seen: Vec<(String, usize)>,
    /// What to look at before it is used.
    pub remarks: Vec<String>,
}

/// Why nothing is proposed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotLearn {
    #[error("no weight but zero was typed off the display, expected at least one while something lies on the scale")]
    NothingSeen,
    #[error("nothing was heard")]
    NoBytes,
    #[error(
        "nothing repeats in {0} bytes: the line setting is wrong, or more frames are needed (hundred are good, with a truck \
         driving on)"
    )]
    NoFrames(usize),
    #[error(
        "{count} frames of {len} bytes repeat, and none of the weights typed stands in them; such a frame is {sample:?}"
    )]
    NoWeight { len: usize, count: usize, sample: String },
    #[error("what was found makes no declaration: {0}")]
    Unsound(String),
}

/// More frames only take time.
const LOOKED_AT: usize = 600;

impl FromStr for Seen {
    type Err = NotAWeight;

    fn from_str(text: &str) -> Result<Self, NotAWeight> {
        let read = || {
            let text = text.trim();
            let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
            let digits: i64 = format!("{whole}{fraction}").parse().ok()?;
            let decimals = u8::try_from(fraction.len()).ok().filter(|decimals| *decimals <= 6)?;
            let is_number = fraction.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 12;
            is_number.then(|| Self {
                text: text.to_owned(),
                digits,
                decimals,
            })
        };
        read().ok_or_else(|| NotAWeight(text.to_owned()))
    }
}

/// Proposes a declaration.
pub fn learn(bytes: &[u8], seen: &[Seen], brief: &Brief) -> Result<Proposal, CannotLearn> {
    if seen.iter().all(|seen| seen.digits == 0) {
        return Err(CannotLearn::NothingSeen);
    }
    if bytes.is_empty() {
        return Err(CannotLearn::NoBytes);
    }
    let rhythm = Rhythm::find(bytes).ok_or(CannotLearn::NoFrames(bytes.len()))?;
    let all = rhythm.frames(bytes);
    let frames = &all[..all.len().min(LOOKED_AT)];
    let (weight, others) = number::find(frames, seen).ok_or_else(|| no_weight(&all))?;
    let check = check::find(frames, &weight);
    let layout = columns::layout(frames, &weight, &others, check.as_ref());
    let toml = write::declaration(brief, &layout, &weight, check.as_ref(), all.len());
    let mut remarks = remarks(frames, &layout, &others);
    for also in check.iter().flat_map(|check| &check.also) {
        remarks.insert(
            0,
            format!("the checksum may be {also} as well: if some frames are rejected for it, set checksum={also}"),
        );
    }
    judged(toml, bytes, &all, seen, remarks)
}

fn no_weight(frames: &[&[u8]]) -> CannotLearn {
    let sample = frames.first().copied().unwrap_or_default();
    CannotLearn::NoWeight {
        len: sample.len(),
        count: frames.len(),
        sample: write::literal(sample),
    }
}

/// Reads the bytes again as the declaration says.
fn judged(
    toml: String,
    bytes: &[u8],
    frames: &[&[u8]],
    seen: &[Seen],
    remarks: Vec<String>,
) -> Result<Proposal, CannotLearn> {
    let protocol = Protocol::from_toml("proposal", &toml).map_err(|error| CannotLearn::Unsound(error.to_string()))?;
    let decoder = Decoder::new(&protocol, &Options::default());
    let mut decoder = decoder.map_err(|error| CannotLearn::Unsound(error.to_string()))?;
    let mut readings = Vec::new();
    let mut take = |decoded: Result<_, Garbled>| readings.extend(decoded.ok());
    decoder.push(bytes, &mut take);
    decoder.finish(&mut take);
    let says = |seen: &Seen| {
        let shows = |reading: &&crate::reading::Reading| {
            let weight = reading.weight.as_deref().and_then(|weight| weight.parse::<Seen>().ok());
            weight.is_some_and(|weight| weight.is(seen))
        };
        (seen.text.clone(), readings.iter().filter(shows).count())
    };
    let read: usize = readings.iter().map(|reading| reading.raw.len()).sum();
    Ok(Proposal {
        found: frames.len(),
        read: readings.len(),
        share: read * 100 / bytes.len(),
        seen: seen.iter().map(says).collect(),
        remarks,
        toml,
    })
}

impl Seen {
    /// Whether both are the same weight, whatever their decimals.
    fn is(&self, other: &Self) -> bool {
        let scaled = |one: &Self, by: u8| i128::from(one.digits) * 10_i128.pow(by.into());
        scaled(self, other.decimals) == scaled(other, self.decimals)
    }
}

fn remarks(frames: &[&[u8]], layout: &[Piece], others: &[Weight]) -> Vec<String> {
    let mut remarks = Vec::new();
    for other in others {
        remarks.push(format!(
            "the weights stand in columns {} to {} as well: with a tare in use, see which of the two the display shows",
            other.start + 1,
            other.start + other.width
        ));
    }
    let stability = layout.iter().find_map(|piece| match piece {
        Piece::Words {
            name: "stability",
            guessed,
            means,
            ..
        } => Some((*guessed, means)),
        _ => None,
    });
    match stability {
        None => remarks.push(
            "no column follows the motion: the scale will judge by the numbers alone, or record a truck driving on"
                .into(),
        ),
        Some((true, means)) => {
            let unclear = means.iter().filter(|(_, meaning)| *meaning == "no weight").count();
            if unclear > 0 {
                remarks.push(format!(
                    "{unclear} status values were seen too seldom to be understood, and are declared as no weight"
                ));
            }
        }
        Some((false, _)) => (),
    }
    let distinct: BTreeSet<&&[u8]> = frames.iter().collect();
    if distinct.len() < 3 {
        remarks.push("the frames hardly differ: a checksum or a status may have been taken for a constant".to_owned());
    }
    let unknown = layout
        .iter()
        .filter(|piece| matches!(piece, Piece::Text { varies: true, .. } | Piece::Any(_)))
        .count();
    if unknown > 0 {
        remarks.push(format!(
            "{unknown} changing columns are not understood and are passed over: look them up in the manual"
        ));
    }
    remarks.push("overload, errors and negative weights are rejected until they are declared".to_owned());
    remarks
}
