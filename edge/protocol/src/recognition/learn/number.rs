//! Where the weights that the display showed stand in the frames, and how they are written there.

use std::collections::BTreeSet;

use super::Seen;
use crate::frame::{Number, NumberForm, Point, TextForm};

/// The columns of the weight.
#[derive(Clone, Debug)]
pub struct Weight {
    pub start: usize,
    pub width: usize,
    pub writing: Writing,
    /// Decimals that the display shows and the frame leaves out.
    pub decimals: u8,
    /// What stands there, frame by frame.
    pub digits: Vec<Option<i64>>,
    matched: usize,
    distinct: usize,
}

/// How the digits are written; the likelier ways first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Writing {
    Text,
    Reversed,
    Bcd,
    Binary,
}

const WAYS: [(Writing, std::ops::RangeInclusive<usize>); 4] = [
    (Writing::Text, 1..=12),
    (Writing::Reversed, 3..=12),
    (Writing::Bcd, 2..=4),
    (Writing::Binary, 2..=4),
];
/// Some frames say OVER in place of a weight, or are damaged.
const READABLE: usize = 80;

impl Weight {
    pub const fn end(&self) -> usize {
        self.start + self.width
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end() && other.start < self.end()
    }
}

/// The likeliest columns, and others that hold the weights as well.
pub fn find(frames: &[&[u8]], seen: &[Seen]) -> Option<(Weight, Vec<Weight>)> {
    let len = frames.first()?.len();
    let mut candidates = Vec::new();
    for (writing, widths) in WAYS {
        for width in widths {
            let starts = 0..=len.saturating_sub(width);
            candidates.extend(starts.filter_map(|start| Weight::at(start, width, writing, frames, seen)));
        }
    }
    // Wider ones take the sign, blanks and leading zeros in, and still read the same.
    candidates.sort_by_key(|weight| {
        std::cmp::Reverse((
            weight.matched,
            weight.digits.iter().flatten().count(),
            weight.distinct,
            std::cmp::Reverse(weight.writing),
            weight.width,
            std::cmp::Reverse(weight.start),
        ))
    });
    let best = candidates.first()?.clone();
    let mut others: Vec<Weight> = Vec::new();
    for other in candidates {
        let apart = !other.overlaps(&best) && others.iter().all(|known| !known.overlaps(&other));
        if apart && other.matched == best.matched && other.writing == best.writing && other.distinct > 1 {
            others.push(other);
        }
    }
    Some((best, others))
}

impl Weight {
    fn at(start: usize, width: usize, writing: Writing, frames: &[&[u8]], seen: &[Seen]) -> Option<Self> {
        let form = writing.form();
        let mut numbers = Vec::with_capacity(frames.len());
        let mut unreadable = 0;
        for frame in frames {
            let field = frame.get(start..start + width)?;
            let number = Some(field)
                .filter(|field| field.iter().all(|byte| form.admits(*byte)))
                .and_then(|field| form.read(field));
            unreadable += usize::from(number.is_none());
            if unreadable * 100 > frames.len() * (100 - READABLE) {
                return None;
            }
            numbers.push(number);
        }
        let decimals = seen
            .iter()
            .find(|seen| seen.digits != 0)
            .map_or(0, |seen| seen.decimals);
        let says = |seen: &&Seen| numbers.iter().flatten().any(|number| seen.stands_as(*number, decimals));
        let matched = seen.iter().filter(says).count();
        let matched_load = seen.iter().any(|seen| seen.digits != 0 && says(&seen));
        let digits: Vec<Option<i64>> = numbers
            .iter()
            .map(|number| number.map(|number| number.digits))
            .collect();
        let has_point = numbers.iter().flatten().any(|number| number.decimals.is_some());
        matched_load.then(|| Self {
            start,
            width,
            writing,
            decimals: if has_point { 0 } else { decimals },
            matched,
            distinct: digits.iter().flatten().collect::<BTreeSet<_>>().len(),
            digits,
        })
    }
}

impl Writing {
    pub const fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Reversed)
    }

    const fn form(self) -> NumberForm {
        match self {
            Self::Bcd => NumberForm::Bcd,
            Self::Binary => NumberForm::Binary,
            Self::Text | Self::Reversed => NumberForm::Text(TextForm {
                point: Point::Maybe(b'.'),
                signed: true,
                reversed: matches!(self, Self::Reversed),
                trailing_blanks: false,
            }),
        }
    }
}

impl Seen {
    /// Whether the frame's number is this weight; digits without a point are the display's with `decimals`.
    fn stands_as(&self, number: Number, decimals: u8) -> bool {
        let as_shown = Self {
            text: String::new(),
            digits: number.digits,
            decimals: number.decimals.unwrap_or(decimals),
        };
        self.is(&as_shown)
    }
}
