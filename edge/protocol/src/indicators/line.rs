//! The settings of a serial line, written as field technicians say them: `9600 8N1`.

use std::{fmt, str::FromStr, time::Duration};

/// Where to start with a protocol; every maker lets the site change them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Bits a second, 300 to 921600.
    pub baud: u32,
    /// 7 or 8.
    pub data_bits: u8,
    pub parity: Parity,
    /// 1 or 2.
    pub stop_bits: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parity {
    None,
    Even,
    Odd,
}

/// A text that is no line setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no line setting, expected such as 9600 8N1: baud, data bits 7 or 8, parity N, E or O, stop bits 1 or 2"
)]
pub struct NoLineSetting(pub String);

impl Line {
    /// That of most indicators.
    pub const USUAL: Self = Self {
        baud: 9600,
        data_bits: 8,
        parity: Parity::None,
        stop_bits: 1,
    };

    /// What a byte takes, with its start bit and whatever follows it.
    pub fn byte_time(&self) -> Duration {
        let parity = u8::from(self.parity != Parity::None);
        Duration::from_secs((1 + self.data_bits + parity + self.stop_bits).into()) / self.baud.max(1)
    }
}

impl FromStr for Line {
    type Err = NoLineSetting;

    fn from_str(text: &str) -> Result<Self, NoLineSetting> {
        let read = || {
            let (baud, frame) = text.split_once(' ')?;
            let [data, parity, stop] = frame.as_bytes() else {
                return None;
            };
            let parity = match parity {
                b'N' => Parity::None,
                b'E' => Parity::Even,
                b'O' => Parity::Odd,
                _ => return None,
            };
            let digit =
                |byte: &u8, allowed: [u8; 2]| Some(byte.wrapping_sub(b'0')).filter(|bits| allowed.contains(bits));
            Some(Self {
                baud: baud.parse().ok().filter(|baud| (300..=921_600).contains(baud))?,
                data_bits: digit(data, [7, 8])?,
                parity,
                stop_bits: digit(stop, [1, 2])?,
            })
        };
        read().ok_or_else(|| NoLineSetting(text.to_owned()))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parity = match self.parity {
            Parity::None => 'N',
            Parity::Even => 'E',
            Parity::Odd => 'O',
        };
        write!(f, "{} {}{parity}{}", self.baud, self.data_bits, self.stop_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_setting_reads_as_it_is_written() {
        for setting in ["9600 8N1", "2400 7E1", "4800 7E2", "1200 7O1"] {
            assert_eq!(setting.parse::<Line>().unwrap().to_string(), setting);
        }
        for wrong in ["9600", "9600 9N1", "9600 8X1", "9600 8N3", "0 8N1", "9600 8N11"] {
            assert!(wrong.parse::<Line>().is_err(), "{wrong}");
        }
    }
}
