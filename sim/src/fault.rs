//! What goes wrong on a serial line, and what it does to the frames.

use std::{fmt, str::FromStr};

use crate::{SimError, chance::Chance, encode::Frame};

/// What is wrong with one indicator's line now. The default is a healthy line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// The cable is out: the port is gone, for the reader and from the folder.
    pub unplugged: bool,
    /// The indicator says nothing and answers nothing.
    pub silent: bool,
    /// Every checksum is wrong, where the format has one.
    pub bad_checksums: bool,
    /// The share of frames that come behind a burst of random bytes.
    pub garbage: f64,
    /// The probability that a byte arrives with one bit flipped.
    pub flips: f64,
}

/// One change of [`Faults`], as written in a command: `unplug`, `garbage 0.2`, `heal`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    Unplug,
    Plug,
    Silence(bool),
    Checksum(bool),
    Garbage(f64),
    Flip(f64),
    Heal,
}

impl fmt::Display for Faults {
    /// `unplugged, garbage 0.2`; nothing where the line is healthy.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |name: &str, share: f64| (share > 0.0).then(|| format!("{name} {share}"));
        let named = [
            self.unplugged.then(|| "unplugged".to_owned()),
            self.silent.then(|| "silent".to_owned()),
            self.bad_checksums.then(|| "wrong checksums".to_owned()),
            share("garbage", self.garbage),
            share("flipped bits", self.flips),
        ];
        f.write_str(&named.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

impl Faults {
    pub fn change(&mut self, fault: Fault) {
        match fault {
            Fault::Unplug => self.unplugged = true,
            Fault::Plug => self.unplugged = false,
            Fault::Silence(on) => self.silent = on,
            Fault::Checksum(on) => self.bad_checksums = on,
            Fault::Garbage(share) => self.garbage = share,
            Fault::Flip(probability) => self.flips = probability,
            Fault::Heal => *self = Self::default(),
        }
    }

    /// The bytes that reach the line for this frame.
    pub fn spoil(&self, frame: Frame, chance: &mut Chance) -> Vec<u8> {
        if self.silent || self.unplugged {
            return Vec::new();
        }
        let mut bytes = frame.bytes;
        if let (true, Some(checksum)) = (self.bad_checksums, frame.checksum_at.and_then(|at| bytes.get_mut(at))) {
            // Another digit stays a digit, and another 7-bit sum stays one.
            *checksum ^= 0x01;
        }
        if chance.happens(self.garbage) {
            let burst = (0..=chance.below(40)).map(|_| chance.bits().to_le_bytes()[0]);
            bytes.splice(0..0, burst.collect::<Vec<_>>());
        }
        for byte in &mut bytes {
            if chance.happens(self.flips) {
                *byte ^= 1 << chance.below(8);
            }
        }
        bytes
    }
}

impl FromStr for Fault {
    type Err = SimError;

    fn from_str(text: &str) -> Result<Self, SimError> {
        let mut words = text.split_whitespace();
        let name = words.next().unwrap_or_default();
        let amount = words.next();
        let fault = match name {
            "unplug" => Self::Unplug,
            "plug" => Self::Plug,
            "silence" => Self::Silence(switch(amount)?),
            "checksum" => Self::Checksum(switch(amount)?),
            "garbage" => Self::Garbage(share(amount, 0.2)?),
            "flip" => Self::Flip(share(amount, 0.001)?),
            "heal" => Self::Heal,
            _ => {
                return Err(SimError::Usage(format!(
                    "{name:?} is no fault, expected unplug, plug, silence, checksum, garbage, flip or heal"
                )));
            }
        };
        match words.next() {
            None => Ok(fault),
            Some(more) => Err(SimError::Usage(format!("{more:?} is one word too many behind {name}"))),
        }
    }
}

fn switch(word: Option<&str>) -> Result<bool, SimError> {
    match word {
        None | Some("on") => Ok(true),
        Some("off") => Ok(false),
        Some(other) => Err(SimError::Usage(format!("{other:?} is no switch, expected on or off"))),
    }
}

fn share(word: Option<&str>, otherwise: f64) -> Result<f64, SimError> {
    let Some(word) = word else { return Ok(otherwise) };
    if word == "off" {
        return Ok(0.0);
    }
    let refused = || SimError::Usage(format!("{word:?} is no share, expected a number from 0 to 1, or off"));
    let share: f64 = word.parse().map_err(|_| refused())?;
    (0.0..=1.0).contains(&share).then_some(share).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        Frame {
            bytes: b"\x02+018340015\x03".to_vec(),
            checksum_at: Some(9),
        }
    }

    fn spoiled(commands: &[&str]) -> Vec<u8> {
        let mut faults = Faults::default();
        for command in commands {
            faults.change(command.parse().unwrap());
        }
        faults.spoil(frame(), &mut Chance::of_seed(1))
    }

    #[test]
    fn what_is_wrong_is_said_in_words() {
        let mut faults = Faults::default();
        assert_eq!(faults.to_string(), "");
        for command in ["unplug", "silence", "checksum", "garbage 0.2", "flip 0.001"] {
            faults.change(command.parse().unwrap());
        }
        let words = "unplugged, silent, wrong checksums, garbage 0.2, flipped bits 0.001";
        assert_eq!(faults.to_string(), words);
    }

    #[test]
    fn each_fault_does_what_it_says_and_heal_ends_it() {
        assert_eq!(spoiled(&[]), frame().bytes);
        assert_eq!(spoiled(&["silence"]), b"");
        assert_eq!(spoiled(&["checksum"]), b"\x02+018340005\x03");
        assert!(spoiled(&["garbage 1"]).ends_with(&frame().bytes));
        assert!(spoiled(&["garbage 1"]).len() > frame().bytes.len());
        assert_ne!(spoiled(&["flip 0.5"]), frame().bytes);
        assert_eq!(spoiled(&["flip 0.5", "garbage", "silence", "heal"]), frame().bytes);
    }

    #[test]
    fn a_fault_that_is_none_is_refused_with_what_was_expected() {
        let refusal = |text: &str| text.parse::<Fault>().unwrap_err().to_string();
        assert!(refusal("explode").contains("expected unplug"));
        assert!(refusal("garbage 3").contains("0 to 1"));
        assert!(refusal("silence maybe").contains("on or off"));
        assert!(refusal("unplug 1 2").contains("too many"));
    }
}
