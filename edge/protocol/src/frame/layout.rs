//! One layout of a frame as a flat list of steps, and the walk that tries it on bytes.

use super::{
    checksum::{Checksum, Over},
    facts::{Facts, Flags},
    number::{Number, NumberForm},
};

/// A frame's fields in order, all of fixed width but [`Op::Rest`]. Fields that a declaration calls optional are layouts of
/// their own.
#[derive(Clone, Debug)]
pub struct Layout {
    pub ops: Vec<Op>,
    /// What every frame of this layout says.
    pub facts: Facts,
    /// No weighing but an answer or an error: such frames say nothing about how wide a frame is.
    pub is_message: bool,
}

/// One step of a layout.
#[derive(Clone, Debug)]
pub enum Op {
    Byte(u8),
    /// Bytes of which nothing is known.
    Any(usize),
    /// Bytes that are no control characters.
    Text(usize),
    /// At most so many such bytes, up to the byte that ends them.
    Rest {
        most: usize,
        until: u8,
    },
    /// One of a few texts of the same width.
    Word {
        width: usize,
        meanings: Vec<(Vec<u8>, Facts)>,
    },
    /// A text in a wider field, blanks around it, in capitals or not; `Err*` is any text that begins so.
    Padded {
        width: usize,
        meanings: Vec<(Vec<u8>, Facts)>,
    },
    /// One status byte; None where that value cannot stand there.
    Bits(Box<[Option<Facts>; 256]>),
    Number {
        slot: Slot,
        width: usize,
        form: NumberForm,
        texts: Vec<(Vec<u8>, Facts)>,
    },
    Device {
        width: usize,
        form: DeviceForm,
    },
    Check {
        kind: Checksum,
        over: Over,
    },
}

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    Weight,
    Tare,
    /// A number that must be one and is not used, such as the net weight beside the gross weight.
    Other,
}

/// How an indicator writes its own number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceForm {
    Digits,
    /// Capital letters.
    Letters,
    /// One byte that is the number plus this base; a byte below the base is the number itself, where it may be that.
    Byte {
        base: u8,
        or_binary: bool,
    },
}

/// A number field of a frame that fits its layout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Amount {
    #[default]
    Absent,
    Number(Number),
    /// Blank, or text that the declaration knows.
    Text,
    Unreadable,
}

/// What a frame that fits its layout holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub facts: Facts,
    pub weight: Amount,
    pub tare: Amount,
    pub other_unreadable: bool,
    /// Where the indicator's own number stands: index, width, form.
    pub device: Option<(usize, usize, DeviceForm)>,
    pub checksum_wrong: bool,
}

/// How a layout fits the bytes at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    Whole {
        len: usize,
        found: Found,
    },
    /// All bytes fit so far.
    Partial,
    /// So many bytes fitted, the next one does not.
    Broken {
        matched: usize,
    },
}

/// How one step went.
enum Step {
    Took(usize),
    Partial,
    Broken(usize),
}

impl Layout {
    /// Tries this layout on the beginning of `bytes`. More bytes never change an answer other than [`Fit::Partial`].
    pub fn fit(&self, bytes: &[u8]) -> Fit {
        let mut found = Found {
            facts: self.facts,
            ..Found::default()
        };
        let mut at = 0;
        for op in &self.ops {
            match op.step(bytes, at, &mut found) {
                Step::Took(width) => at += width,
                Step::Partial => return Fit::Partial,
                Step::Broken(matched) => return Fit::Broken { matched: at + matched },
            }
        }
        Fit::Whole { len: at, found }
    }

    /// Its length in bytes; None where it varies.
    pub fn length(&self) -> Option<usize> {
        self.ops.iter().map(Op::width).sum()
    }

    /// The most bytes that such a frame can have.
    pub fn longest(&self) -> usize {
        self.ops
            .iter()
            .map(|op| {
                if let Op::Rest { most, .. } = op {
                    *most
                } else {
                    op.width().unwrap_or(0)
                }
            })
            .sum()
    }

    /// The bytes that always end it.
    pub fn ending(&self) -> Vec<u8> {
        let literal = |op: &Op| if let Op::Byte(byte) = op { Some(*byte) } else { None };
        let mut ending: Vec<u8> = self.ops.iter().rev().map_while(literal).collect();
        ending.reverse();
        ending
    }

    /// Whether its first byte can be `byte`.
    pub fn can_start_with(&self, byte: u8) -> bool {
        !matches!(self.fit(&[byte]), Fit::Broken { matched: 0 })
    }

    /// Whether it begins like any number, so that the end of a longer number could pass for it.
    pub fn begins_like_a_number(&self) -> bool {
        match self.ops.as_slice() {
            [Op::Number { .. } | Op::Padded { .. }, ..] => true,
            [Op::Word { width: 1, .. }, Op::Number { .. }, ..] => b" +-".iter().any(|byte| self.can_start_with(*byte)),
            _ => false,
        }
    }
}

impl Op {
    const fn width(&self) -> Option<usize> {
        match self {
            Self::Byte(_) | Self::Bits(_) => Some(1),
            Self::Any(width)
            | Self::Text(width)
            | Self::Word { width, .. }
            | Self::Padded { width, .. }
            | Self::Number { width, .. }
            | Self::Device { width, .. } => Some(*width),
            Self::Check { kind, .. } => Some(kind.width()),
            Self::Rest { .. } => None,
        }
    }

    fn step(&self, bytes: &[u8], at: usize, found: &mut Found) -> Step {
        let ahead = bytes.get(at..).unwrap_or_default();
        let Some(width) = self.width() else {
            return self.rest(ahead);
        };
        let there = &ahead[..ahead.len().min(width)];
        let matched = self.admitted(there);
        if matched < there.len() {
            Step::Broken(matched)
        } else if there.len() < width {
            Step::Partial
        } else if self.take(bytes, at, there, found) {
            Step::Took(width)
        } else {
            Step::Broken(width - 1)
        }
    }

    fn rest(&self, ahead: &[u8]) -> Step {
        let Self::Rest { most, until } = self else {
            return Step::Took(0);
        };
        let count = ahead
            .iter()
            .take(most + 1)
            .take_while(|byte| **byte != *until && **byte >= b' ')
            .count();
        match ahead.get(count) {
            _ if count > *most => Step::Broken(*most),
            None => Step::Partial,
            Some(byte) if byte == until => Step::Took(count),
            Some(_) => Step::Broken(count),
        }
    }

    /// How many of these bytes can stand at the beginning of this field.
    fn admitted(&self, there: &[u8]) -> usize {
        let while_true = |admits: &dyn Fn(u8) -> bool| there.iter().take_while(|byte| admits(**byte)).count();
        match self {
            Self::Byte(byte) => usize::from(there.first() == Some(byte)),
            Self::Text(_) | Self::Padded { .. } => while_true(&|byte| byte >= b' '),
            Self::Word { meanings, .. } => meanings.iter().map(|(word, _)| common(word, there)).max().unwrap_or(0),
            Self::Bits(values) => while_true(&|byte| values[usize::from(byte)].is_some()),
            Self::Number { form, .. } => while_true(&|byte| form.admits(byte)),
            Self::Device { form, .. } => while_true(&|byte| form.admits(byte)),
            Self::Any(_) | Self::Rest { .. } => there.len(),
            Self::Check { kind, .. } => while_true(&|byte| !kind.is_text() || byte >= b' '),
        }
    }

    /// Reads a complete field. False where the field as a whole cannot stand there.
    fn take(&self, bytes: &[u8], at: usize, field: &[u8], found: &mut Found) -> bool {
        match self {
            Self::Word { meanings, .. } => return tell(meanings, |word| word == field, found),
            Self::Padded { meanings, .. } => {
                return tell(meanings, |word| is_written(word, field.trim_ascii()), found);
            }
            Self::Bits(values) => {
                let facts = values[usize::from(field[0])].unwrap_or_default();
                found.facts = found.facts.and(facts);
            }
            Self::Number { slot, form, texts, .. } => note(*slot, *form, texts, field, found),
            Self::Device { width, form } => found.device = Some((at, *width, *form)),
            Self::Check { kind, over } => found.checksum_wrong |= !kind.matches(over.of(bytes, at), field),
            Self::Byte(_) | Self::Any(_) | Self::Text(_) | Self::Rest { .. } => (),
        }
        true
    }
}

impl DeviceForm {
    const fn admits(self, byte: u8) -> bool {
        match self {
            Self::Digits => byte.is_ascii_digit(),
            Self::Letters => byte.is_ascii_uppercase(),
            Self::Byte { base, or_binary } => byte > base || or_binary,
        }
    }
}

fn common(word: &[u8], there: &[u8]) -> usize {
    word.iter().zip(there).take_while(|(wanted, got)| wanted == got).count()
}

fn tell(meanings: &[(Vec<u8>, Facts)], is_it: impl Fn(&[u8]) -> bool, found: &mut Found) -> bool {
    let meaning = meanings.iter().find(|(word, _)| is_it(word));
    if let Some((_, facts)) = meaning {
        found.facts = found.facts.and(*facts);
    }
    meaning.is_some()
}

fn is_written(word: &[u8], text: &[u8]) -> bool {
    match word.strip_suffix(b"*") {
        Some(start) => text.starts_with(start),
        None => text.eq_ignore_ascii_case(word),
    }
}

fn note(slot: Slot, form: NumberForm, texts: &[(Vec<u8>, Facts)], field: &[u8], found: &mut Found) {
    let text = || {
        let text = field.trim_ascii();
        texts
            .iter()
            .find(|(known, _)| known == text)
            .map(|(_, facts)| *facts)
            .or_else(|| universal(text))
    };
    let amount = match form.read(field) {
        Some(number) => Amount::Number(number),
        None if slot == Slot::Weight => match text() {
            Some(facts) => {
                found.facts = found.facts.and(facts);
                Amount::Text
            }
            None => Amount::Unreadable,
        },
        None if field.trim_ascii().is_empty() => Amount::Text,
        None => Amount::Unreadable,
    };
    match slot {
        Slot::Weight => found.weight = amount,
        Slot::Tare => found.tare = amount,
        Slot::Other => found.other_unreadable |= amount == Amount::Unreadable,
    }
}

/// What indicators of every maker mean by a weight field full of one sign.
fn universal(text: &[u8]) -> Option<Facts> {
    let full_of = |sign: u8| text.len() > 2 && text.iter().all(|byte| *byte == sign);
    if full_of(b'^') {
        Some(Facts::flag(Flags::OVERLOAD))
    } else if full_of(b'_') {
        Some(Facts::flag(Flags::UNDERLOAD))
    } else {
        full_of(b'-').then(|| Facts::flag(Flags::NO_WEIGHT))
    }
}
