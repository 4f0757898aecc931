//! What the columns beside the weight are: constants, unit, status, and what nobody can know from the bytes.

use std::collections::{BTreeMap, BTreeSet};

use super::{check::Check, number::Weight};
use crate::indicators::Terminator;

/// What the values of a status mean, in the declaration's words.
pub type Meanings = Vec<(Vec<u8>, &'static str)>;

/// One stretch of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Literal(Vec<u8>),
    Weight,
    Check,
    /// A unit of so many columns, blanks included.
    Unit(usize),
    Words {
        name: &'static str,
        means: Meanings,
        /// Whether the meanings follow from what the weight did meanwhile, and not from a convention.
        guessed: bool,
    },
    /// Printable columns that do not matter; `varies` where they were seen to change.
    Text {
        width: usize,
        varies: bool,
    },
    Any(usize),
    End(Terminator),
}

/// Two letters by which makers everywhere mean the same.
const CONVENTIONS: [(&str, &[(&str, &str)]); 2] = [
    (
        "stability",
        &[
            ("ST", "stable"),
            ("US", "moving"),
            ("OL", "overload"),
            ("UL", "underload"),
            ("HD", "held"),
        ],
    ),
    ("mode", &[("GS", "gross"), ("GR", "gross"), ("NT", "net")]),
];
/// A `G` alone is more likely gross, and a `T` tare; no truck is weighed in grams.
const UNITS: [&str; 6] = ["kg", "KG", "Kg", "lb", "LB", "t"];
/// A status has few values.
const MOST_VALUES: usize = 8;
/// Constant digits of this width are a number that did not change, such as a tare.
const NUMBER: usize = 4;
/// Of a hundred frames with a status, so many must agree on what it means; and it must have been seen so often.
const AGREED: usize = 80;
const SEEN_OFTEN: usize = 2;

/// A frame from left to right.
pub fn layout(frames: &[&[u8]], weight: &Weight, others: &[Weight], check: Option<&Check>) -> Vec<Piece> {
    let len = frames.first().map_or(0, |frame| frame.len());
    let mut taken: BTreeMap<usize, (usize, Piece)> = BTreeMap::new();
    taken.insert(weight.start, (weight.end(), Piece::Weight));
    if let Some(check) = check {
        taken.insert(check.at, (check.end(), Piece::Check));
    }
    for other in others
        .iter()
        .filter(|other| is_free(&taken, other.start, other.end()))
        .collect::<Vec<_>>()
    {
        let piece = if other.writing.is_text() {
            Piece::Text {
                width: other.width,
                varies: true,
            }
        } else {
            Piece::Any(other.width)
        };
        taken.insert(other.start, (other.end(), piece));
    }
    let table = Table { frames, len };
    for start in 0..len.saturating_sub(1) {
        if let Some(piece) = table.convention(start).filter(|_| is_free(&taken, start, start + 2)) {
            taken.insert(start, (start + 2, piece));
        }
    }
    if let Some((start, end)) = table
        .unit(weight.end())
        .filter(|(start, end)| is_free(&taken, *start, *end))
    {
        taken.insert(start, (end, Piece::Unit(end - start)));
    }
    let knows_motion = |taken: &BTreeMap<usize, (usize, Piece)>| {
        taken
            .values()
            .any(|(_, piece)| matches!(piece, Piece::Words { name: "stability", .. }))
    };
    if !knows_motion(&taken)
        && let Some((start, end, piece)) = table.status(&taken, weight)
    {
        taken.insert(start, (end, piece));
    }
    table.filled(&taken)
}

fn is_free(taken: &BTreeMap<usize, (usize, Piece)>, start: usize, end: usize) -> bool {
    taken.iter().all(|(from, (to, _))| end <= *from || *to <= start)
}

/// The frames by columns.
struct Table<'a> {
    frames: &'a [&'a [u8]],
    len: usize,
}

impl Table<'_> {
    fn values(&self, start: usize, end: usize) -> BTreeSet<&[u8]> {
        self.frames.iter().filter_map(|frame| frame.get(start..end)).collect()
    }

    fn constant(&self, column: usize) -> Option<u8> {
        let values = self.values(column, column + 1);
        values
            .first()
            .and_then(|value| value.first().copied())
            .filter(|_| values.len() == 1)
    }

    fn convention(&self, start: usize) -> Option<Piece> {
        let values = self.values(start, start + 2);
        let (name, means) = CONVENTIONS.iter().find(|(_, means)| {
            let known = |value: &&[u8]| means.iter().any(|(word, _)| word.as_bytes() == *value);
            values.iter().all(known)
        })?;
        Some(Piece::Words {
            name,
            means: means
                .iter()
                .map(|(word, meaning)| (word.as_bytes().to_vec(), *meaning))
                .collect(),
            guessed: false,
        })
    }

    /// The columns behind the weight that hold a unit in every frame.
    fn unit(&self, from: usize) -> Option<(usize, usize)> {
        let is_unit = |end: usize| {
            let values = self.values(from, end);
            !values.is_empty()
                && values.iter().all(|value| {
                    let text = value.trim_ascii();
                    UNITS.iter().any(|unit| text == unit.as_bytes())
                })
        };
        let longest = (from + 1..=(from + 4).min(self.len))
            .filter(|end| is_unit(*end))
            .max()?;
        // Blanks behind a unit belong to whatever follows.
        let shortest = (from + 1..=longest)
            .find(|end| is_unit(*end) && !self.is_letter(*end))
            .unwrap_or(longest);
        Some((from, shortest))
    }

    fn is_letter(&self, column: usize) -> bool {
        self.values(column, column + 1)
            .iter()
            .any(|value| value.first().is_some_and(u8::is_ascii_lowercase))
    }

    /// The columns whose value follows whether the weight changes.
    fn status(&self, taken: &BTreeMap<usize, (usize, Piece)>, weight: &Weight) -> Option<(usize, usize, Piece)> {
        let varies: Vec<usize> = (0..self.len)
            .filter(|column| is_free(taken, *column, column + 1) && self.constant(*column).is_none())
            .collect();
        let motion = motion(&weight.digits);
        let pairs = varies
            .windows(2)
            .filter(|pair| pair[0] + 1 == pair[1])
            .map(|pair| (pair[0], pair[1] + 1));
        let three = varies
            .windows(3)
            .filter(|three| three[0] + 2 == three[2])
            .map(|three| (three[0], three[2] + 1));
        let groups = three
            .chain(pairs)
            .chain(varies.iter().map(|column| (*column, column + 1)));
        let told = groups.filter_map(|(start, end)| {
            let (means, agreed) = self.meanings(start, end, &motion)?;
            Some((agreed, (start, end, means)))
        });
        let best = told.max_by_key(|(agreed, (start, end, _))| (*agreed, end - start, std::cmp::Reverse(*start)));
        best.map(|(_, (start, end, means))| {
            let words = Piece::Words {
                name: "stability",
                means,
                guessed: true,
            };
            (start, end, words)
        })
    }

    /// What each value says of the motion, and in how many frames that was seen.
    fn meanings(&self, start: usize, end: usize, motion: &[Option<bool>]) -> Option<(Meanings, usize)> {
        let mut seen: BTreeMap<&[u8], [usize; 2]> = BTreeMap::new();
        for (frame, moves) in self.frames.iter().zip(motion) {
            let counts = seen.entry(frame.get(start..end)?).or_default();
            if let Some(moves) = moves {
                counts[usize::from(*moves)] += 1;
            }
        }
        let is_writable =
            |value: &&[u8]| value.len() == 1 || value.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
        if seen.len() > MOST_VALUES || !seen.keys().all(is_writable) {
            return None;
        }
        let mut agreed = 0;
        let mut meaning = |(value, [still, moving]): (&[u8], [usize; 2])| {
            let all = still + moving;
            let says = |count: usize| count >= SEEN_OFTEN && count * 100 >= all * AGREED;
            let word = match (says(still), says(moving)) {
                (true, _) => "stable",
                (_, true) => "moving",
                // Nobody knows what it means: such frames give no weight.
                _ => "no weight",
            };
            agreed += if word == "no weight" { 0 } else { still.max(moving) };
            (value.to_vec(), word)
        };
        let means: Meanings = seen.into_iter().map(&mut meaning).collect();
        let has = |word: &str| means.iter().any(|(_, meaning)| *meaning == word);
        let labelled = motion.iter().flatten().count();
        (has("stable") && has("moving") && agreed * 100 >= labelled * AGREED).then_some((means, agreed))
    }

    /// Every column, the gaps between what is known filled in.
    fn filled(&self, taken: &BTreeMap<usize, (usize, Piece)>) -> Vec<Piece> {
        let ending = self.ending(taken);
        let body = self.len - ending.map_or(0, |end| end.bytes().len());
        let (mut pieces, mut column) = (Vec::new(), 0);
        while column < body {
            if let Some((end, piece)) = taken.get(&column) {
                pieces.push(piece.clone());
                column = *end;
                continue;
            }
            let next = taken.keys().copied().find(|start| *start > column).unwrap_or(body);
            self.fill(column, next.min(body), &mut pieces);
            column = next;
        }
        pieces.extend(ending.map(Piece::End));
        pieces
    }

    fn ending(&self, taken: &BTreeMap<usize, (usize, Piece)>) -> Option<Terminator> {
        let last = |back: usize| {
            let column = self.len.checked_sub(back)?;
            self.constant(column).filter(|_| is_free(taken, column, column + 1))
        };
        match (last(2), last(1)) {
            (Some(b'\r'), Some(b'\n')) => Some(Terminator::CrLf),
            (_, Some(b'\r')) => Some(Terminator::Cr),
            (_, Some(b'\n')) => Some(Terminator::Lf),
            _ => None,
        }
    }

    /// Constants as they are, but for long numbers; changing columns as text or anything.
    fn fill(&self, from: usize, to: usize, pieces: &mut Vec<Piece>) {
        let mut column = from;
        while column < to {
            let run = |is: &dyn Fn(usize) -> bool| (column..to).take_while(|column| is(*column)).count();
            let number = run(&|column| {
                self.constant(column)
                    .is_some_and(|byte| byte.is_ascii_digit() || byte == b' ')
            });
            let varying = run(&|column| self.constant(column).is_none());
            let (width, piece) = if number >= NUMBER {
                (
                    number,
                    Piece::Text {
                        width: number,
                        varies: false,
                    },
                )
            } else if let Some(byte) = self.constant(column) {
                (1, Piece::Literal(vec![byte]))
            } else if self
                .values(column, column + varying)
                .iter()
                .all(|value| value.iter().all(|byte| *byte >= b' '))
            {
                (
                    varying,
                    Piece::Text {
                        width: varying,
                        varies: true,
                    },
                )
            } else {
                (varying, Piece::Any(varying))
            };
            match (pieces.last_mut(), piece) {
                (Some(Piece::Literal(bytes)), Piece::Literal(more)) => bytes.extend(more),
                (_, piece) => pieces.push(piece),
            }
            column += width;
        }
    }
}

/// For each frame whether the weight moved; None where that cannot be said.
fn motion(digits: &[Option<i64>]) -> Vec<Option<bool>> {
    let at = |index: usize| digits.get(index).copied().flatten();
    let label = |index: usize| {
        let (now, before, after) = (at(index)?, at(index.checked_sub(1)?)?, at(index + 1)?);
        let long_before = index.checked_sub(2).and_then(at);
        if now != before && now != after {
            Some(true)
        } else if now == before && now == after && long_before == Some(now) {
            Some(false)
        } else {
            None
        }
    };
    (0..digits.len()).map(label).collect()
}
