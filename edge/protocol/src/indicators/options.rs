//! What a site must choose about a protocol: `--set KEY=VALUE`, or a station's `options` in `edge.toml`.

use crate::{frame::Checksum, reading::Unit};

use super::words;

/// The choices of one site for one indicator. Whether a protocol knows an option shows when a decoder is made of both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub terminator: Option<Terminator>,
    /// `Some(None)` is `checksum=none`.
    pub checksum: Option<Option<Checksum>>,
    /// A shorter or longer form of the frame, by the name that the declaration gives it.
    pub length: Option<String>,
    /// The unit of frames that name none; kilograms unless set.
    pub unit: Option<Unit>,
    /// Characters of the unit, 1 to 4.
    pub unit_width: Option<usize>,
    /// Decimals of digits without a point, 0 to 6.
    pub decimals: Option<u8>,
    pub decimal_separator: Option<u8>,
    /// Whether the top bit of every byte is parity that the line did not take off.
    pub mask7: bool,
    /// The indicator that is asked; frames of another one are then refused.
    pub address: Option<String>,
    /// Bytes to send instead of the declared poll.
    pub request: Option<Vec<u8>>,
}

/// What ends a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminator {
    Cr,
    Lf,
    CrLf,
}

/// Why an option is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    #[error("{0:?} is no option, expected KEY=VALUE with KEY one of: {list}", list = Options::KEYS.join(", "))]
    Unknown(String),
    #[error("{key} is {value:?}, expected {expected}")]
    Invalid {
        key: String,
        value: String,
        expected: String,
    },
    #[error("{protocol} has no option {key}, expected one of: {known}")]
    NotOfThisProtocol {
        protocol: String,
        key: String,
        known: String,
    },
}

impl Options {
    /// Every key, also those that only some protocols know.
    pub const KEYS: [&'static str; 10] = [
        "terminator",
        "checksum",
        "length",
        "unit",
        "unit_width",
        "decimals",
        "decimal_separator",
        "mask7",
        "address",
        "request",
    ];

    /// Reads settings such as `checksum=none`.
    pub fn parse<'a>(settings: impl IntoIterator<Item = &'a str>) -> Result<Self, OptionError> {
        let mut options = Self::default();
        for setting in settings {
            let (key, value) = setting
                .split_once('=')
                .ok_or_else(|| OptionError::Unknown(setting.to_owned()))?;
            options.set(key.trim(), value.trim())?;
        }
        Ok(options)
    }

    /// Sets one option from its text.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), OptionError> {
        let done = match key {
            "terminator" => set(&mut self.terminator, Terminator::named(value)),
            "checksum" if value == "none" => set(&mut self.checksum, Some(None)),
            "checksum" => set(&mut self.checksum, Checksum::named(value).map(Some)),
            "length" => set(&mut self.length, Some(value.to_owned()).filter(|name| !name.is_empty())),
            "unit" => set(&mut self.unit, words::unit(value)),
            "unit_width" => set(
                &mut self.unit_width,
                value.parse().ok().filter(|width| (1..=4).contains(width)),
            ),
            "decimals" => set(&mut self.decimals, value.parse().ok().filter(|decimals| *decimals <= 6)),
            "decimal_separator" => set(&mut self.decimal_separator, separator(value)),
            "mask7" => value.parse().map(|mask| self.mask7 = mask).is_ok(),
            "address" => set(
                &mut self.address,
                Some(value.to_owned()).filter(|text| is_address(text)),
            ),
            "request" => set(&mut self.request, bytes_from_hex(value)),
            _ => return Err(OptionError::Unknown(key.to_owned())),
        };
        let invalid = || OptionError::Invalid {
            key: key.to_owned(),
            value: value.to_owned(),
            expected: expected(key),
        };
        if done { Ok(()) } else { Err(invalid()) }
    }

    /// The keys that were set.
    pub fn keys(&self) -> Vec<&'static str> {
        let set = [
            self.terminator.is_some(),
            self.checksum.is_some(),
            self.length.is_some(),
            self.unit.is_some(),
            self.unit_width.is_some(),
            self.decimals.is_some(),
            self.decimal_separator.is_some(),
            self.mask7,
            self.address.is_some(),
            self.request.is_some(),
        ];
        Self::KEYS
            .into_iter()
            .zip(set)
            .filter(|(_, set)| *set)
            .map(|(key, _)| key)
            .collect()
    }
}

impl Terminator {
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "CR" => Some(Self::Cr),
            "LF" => Some(Self::Lf),
            "CRLF" => Some(Self::CrLf),
            _ => None,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Cr => "CR",
            Self::Lf => "LF",
            Self::CrLf => "CRLF",
        }
    }

    pub const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Cr => b"\r",
            Self::Lf => b"\n",
            Self::CrLf => b"\r\n",
        }
    }
}

/// `01 03 00 06`: hex digits by twos, blanks between bytes allowed.
pub fn bytes_from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<char> = text.chars().filter(|letter| *letter != ' ').collect();
    let nibble = |letter: &char| letter.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[char]| match pair {
        [high, low] => Some(nibble(high)? << 4 | nibble(low)?),
        _ => None,
    };
    Some(digits.chunks(2).map(pair).collect::<Option<Vec<u8>>>()?).filter(|bytes| !bytes.is_empty())
}

fn set<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    *place = value;
    place.is_some()
}

fn separator(value: &str) -> Option<u8> {
    match value {
        "." | "point" => Some(b'.'),
        "," | "comma" => Some(b','),
        _ => None,
    }
}

fn is_address(text: &str) -> bool {
    (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn expected(key: &str) -> String {
    match key {
        "terminator" => "CR, LF or CRLF".to_owned(),
        "checksum" => format!("none or one of: {}", Checksum::names()),
        "length" => "the name of a length, such as short".to_owned(),
        "unit" => "kg, t, g or lb".to_owned(),
        "unit_width" => "1 to 4".to_owned(),
        "decimals" => "0 to 6".to_owned(),
        "decimal_separator" => "a point or a comma".to_owned(),
        "mask7" => "true or false".to_owned(),
        "address" => "one to three digits or letters, such as 01".to_owned(),
        _ => "hex bytes, such as 01 03 00 06 00 05 65 C8".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read() {
        let options = Options::parse(["terminator=CR", "checksum=none", "decimals=2", "mask7=true", "unit=t"]).unwrap();
        assert_eq!(options.terminator, Some(Terminator::Cr));
        assert_eq!(options.checksum, Some(None));
        assert_eq!(options.keys(), ["terminator", "checksum", "unit", "decimals", "mask7"]);
        let modbus = Options::parse(["request=01 03 00 06 00 05 65 C8"]).unwrap();
        assert_eq!(modbus.request.as_deref(), Some(&[1, 3, 0, 6, 0, 5, 0x65, 0xC8][..]));
    }

    #[test]
    fn wrong_settings_say_what_is_expected() {
        let message = |setting: &str| Options::parse([setting]).unwrap_err().to_string();
        assert_eq!(message("decimals=7"), "decimals is \"7\", expected 0 to 6");
        assert_eq!(message("mask7=yes"), "mask7 is \"yes\", expected true or false");
        assert_eq!(
            message("terminator=ETX"),
            "terminator is \"ETX\", expected CR, LF or CRLF"
        );
        assert!(message("checksum=md5").ends_with("sum8_hex2_incl_stx_etx, crc16_modbus"));
        assert!(message("colour=red").starts_with("\"colour\" is no option, expected KEY=VALUE with KEY one of: term"));
        assert!(message("decimals").starts_with("\"decimals\" is no option"));
        assert!(message("request=0").contains("expected hex bytes"));
    }
}
