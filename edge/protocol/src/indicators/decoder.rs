//! From bytes to readings, for one indicator.

use crate::{
    frame::{Amount, DeviceForm, Flags, Found, Number, Piece, Rejection, Shift, Stream},
    reading::{Mode, Reading, Unit},
};

use super::{
    options::{OptionError, Options},
    protocol::Protocol,
};

/// Decodes what one indicator sends, whatever the pieces in which it arrives. It never blocks and keeps a few hundred
/// bytes at most.
#[derive(Clone, Debug)]
pub struct Decoder {
    stream: Stream,
    choices: Choices,
}

/// Bytes that gave no reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Garbled {
    pub why: Rejection,
    pub raw: Vec<u8>,
}

/// What a site chose and frames do not say.
#[derive(Clone, Debug)]
struct Choices {
    unit: Unit,
    decimals: u8,
    /// Frames of another indicator on the same line are refused.
    address: Option<String>,
}

impl Decoder {
    pub fn new(protocol: &Protocol, options: &Options) -> Result<Self, OptionError> {
        let choices = Choices {
            unit: options.unit.unwrap_or_default(),
            decimals: options.decimals.unwrap_or(0),
            address: protocol.address(options),
        };
        protocol.poll(options)?;
        Ok(Self {
            stream: Stream::new(protocol.plan(options)?),
            choices,
        })
    }

    /// Takes bytes as they arrive; hands every reading and every rejected stretch to `sink`, in order.
    pub fn push(&mut self, bytes: &[u8], sink: &mut impl FnMut(Result<Reading, Garbled>)) {
        let choices = &self.choices;
        self.stream.push(bytes, &mut |piece| sink(choices.decoded(piece)));
    }

    /// The bytes have ended, the port was closed or the line fell silent: what is incomplete is reported, and whatever
    /// comes next begins afresh.
    pub fn finish(&mut self, sink: &mut impl FnMut(Result<Reading, Garbled>)) {
        let choices = &self.choices;
        self.stream.finish(&mut |piece| sink(choices.decoded(piece)));
    }

    /// How many bytes the frame that is arriving lacks, at least; 0 between frames. More may be needed, never fewer.
    pub fn missing(&self) -> usize {
        self.stream.missing()
    }

    /// How many bytes wait for the rest of their frame.
    pub fn held(&self) -> usize {
        self.stream.held()
    }
}

impl Choices {
    fn decoded(&self, piece: Piece<'_>) -> Result<Reading, Garbled> {
        match piece {
            Piece::Rejected { raw, why } => Err(Garbled { why, raw: raw.to_vec() }),
            Piece::Frame { raw, found } => self.reading(raw, &found),
        }
    }

    fn reading(&self, raw: &[u8], found: &Found) -> Result<Reading, Garbled> {
        let garbled = |why| Garbled { why, raw: raw.to_vec() };
        let device = found.device.map(|(at, width, form)| device(&raw[at..at + width], form));
        let is_another = |address: &String| device.as_ref().is_some_and(|device| !is_same(device, address));
        if self.address.as_ref().is_some_and(is_another) {
            return Err(garbled(Rejection::Device));
        }
        let facts = found.facts;
        let unit = facts.unit.unwrap_or(self.unit);
        let shift = facts.shift.unwrap_or(Shift::Decimals(self.decimals));
        let below_zero = facts.flags.any(Flags::NEGATIVE) || matches!(found.weight, Amount::Number(n) if n.digits < 0);
        let signed = |(digits, decimals): (i64, u8)| {
            (
                if facts.flags.any(Flags::NEGATIVE) {
                    -digits.abs()
                } else {
                    digits
                },
                decimals,
            )
        };
        let weight = match found.weight {
            Amount::Number(number) if !facts.spoil_weight() => {
                Some(signed(scaled(number, shift).ok_or_else(|| garbled(Rejection::Format))?))
            }
            _ => None,
        };
        let tare = match found.tare {
            Amount::Number(number) if weight.is_some() => scaled(number, shift),
            _ => None,
        };
        let is_out = facts.flags.any(Flags::OUT_OF_RANGE);
        Ok(Reading {
            weight: weight.map(text),
            unit,
            decimals: weight.map_or(0, |(_, decimals)| decimals),
            kg: weight.and_then(|(digits, decimals)| unit.kilograms(digits, decimals.into())),
            mode: facts.mode.unwrap_or(Mode::Unknown),
            stable: facts.stable(),
            overload: facts.flags.any(Flags::OVERLOAD) || (is_out && !below_zero),
            underload: facts.flags.any(Flags::UNDERLOAD) || (is_out && below_zero),
            zero: facts.zero(),
            tare: tare.map(text),
            device,
            raw: raw.to_vec(),
        })
    }
}

/// Digits and decimals; a point in the field itself counts more than what stands elsewhere.
fn scaled(number: Number, shift: Shift) -> Option<(i64, u8)> {
    match (number.decimals, shift) {
        (Some(decimals), _) | (None, Shift::Decimals(decimals)) => Some((number.digits, decimals)),
        (None, Shift::Zeros(zeros)) => Some((number.digits.checked_mul(10_i64.pow(zeros.into()))?, 0)),
    }
}

/// The number as the indicator shows it, without leading zeros.
fn text((digits, decimals): (i64, u8)) -> String {
    let sign = if digits < 0 { "-" } else { "" };
    let (magnitude, places) = (digits.unsigned_abs(), usize::from(decimals));
    if places == 0 {
        return format!("{sign}{magnitude}");
    }
    let all = format!("{magnitude:0width$}", width = places + 1);
    let (whole, fraction) = all.split_at(all.len() - places);
    format!("{sign}{whole}.{fraction}")
}

fn device(field: &[u8], form: DeviceForm) -> String {
    match form {
        DeviceForm::Digits | DeviceForm::Letters => String::from_utf8_lossy(field).into_owned(),
        DeviceForm::Byte { base, .. } => {
            let byte = field.first().copied().unwrap_or(0);
            byte.checked_sub(base).unwrap_or(byte).to_string()
        }
    }
}

/// `01` and `1` are the same indicator.
fn is_same(device: &str, address: &str) -> bool {
    device.trim_start_matches('0') == address.trim_start_matches('0')
}
