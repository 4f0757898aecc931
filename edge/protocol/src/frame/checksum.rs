//! The checksums that indicators send.

/// How a checksum is computed and written. Its names are those of the option `checksum`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// Exclusive or, as two upper-case hex digits.
    XorHex2,
    /// Exclusive or, as one byte.
    XorRaw,
    /// Two's complement of the sum's low seven bits, as one byte.
    Neg7,
    /// Two's complement of the sum's low eight bits, as one byte.
    Neg8,
    /// The same as two upper-case hex digits.
    Neg8Hex2,
    /// The sum's low eight bits, as one byte.
    Sum8,
    /// The sum without the leading STX, as two upper-case hex digits.
    Sum8Hex2ExclStx,
    /// The sum from STX to ETX, as two upper-case hex digits after it.
    Sum8Hex2InclStxEtx,
    /// CRC-16 of Modbus (polynomial A001, start FFFF), low byte first.
    Crc16Modbus,
}

/// Which bytes of a frame a checksum covers, counted from 1 as manuals do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    pub first: usize,
    /// None means up to the byte before the checksum.
    pub last: Option<usize>,
}

/// Eight bits before seven: where both are right the stronger one is meant.
const NAMES: [(&str, Checksum); 9] = [
    ("xor_hex2", Checksum::XorHex2),
    ("xor_raw", Checksum::XorRaw),
    ("neg8", Checksum::Neg8),
    ("neg7", Checksum::Neg7),
    ("neg8_hex2", Checksum::Neg8Hex2),
    ("sum8", Checksum::Sum8),
    ("sum8_hex2_excl_stx", Checksum::Sum8Hex2ExclStx),
    ("sum8_hex2_incl_stx_etx", Checksum::Sum8Hex2InclStxEtx),
    ("crc16_modbus", Checksum::Crc16Modbus),
];

impl Checksum {
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.into_iter().map(|(_, kind)| kind)
    }

    pub fn name(self) -> &'static str {
        NAMES
            .iter()
            .find(|(_, kind)| *kind == self)
            .map_or("", |(name, _)| *name)
    }

    /// Every name, for messages that say what is expected.
    pub fn names() -> String {
        NAMES.map(|(name, _)| name).join(", ")
    }

    /// How many bytes it takes in a frame.
    pub const fn width(self) -> usize {
        match self {
            Self::XorRaw | Self::Neg7 | Self::Neg8 | Self::Sum8 => 1,
            _ => 2,
        }
    }

    /// Whether it is sent as two hex digits, so that no control character can stand in its place.
    pub const fn is_text(self) -> bool {
        matches!(
            self,
            Self::XorHex2 | Self::Neg8Hex2 | Self::Sum8Hex2ExclStx | Self::Sum8Hex2InclStxEtx
        )
    }

    /// Whether its name says which bytes it covers.
    pub const fn states_its_range(self) -> bool {
        matches!(self, Self::Sum8Hex2ExclStx | Self::Sum8Hex2InclStxEtx)
    }

    /// The range that the name itself states, where it does.
    pub const fn over(self, declared: Over) -> Over {
        match self {
            Self::Sum8Hex2ExclStx => Over { first: 2, last: None },
            Self::Sum8Hex2InclStxEtx => Over { first: 1, last: None },
            _ => declared,
        }
    }

    /// The bytes to send after `covered`; only the first [`width`](Self::width) of them count.
    pub fn bytes(self, covered: &[u8]) -> [u8; 2] {
        let xor = || covered.iter().fold(0, |all, byte| all ^ byte);
        let sum = || covered.iter().fold(0_u8, |all, byte| all.wrapping_add(*byte));
        match self {
            Self::XorHex2 => hex2(xor()),
            Self::XorRaw => [xor(), 0],
            Self::Neg7 => [sum().wrapping_neg() & 0x7F, 0],
            Self::Neg8 => [sum().wrapping_neg(), 0],
            Self::Neg8Hex2 => hex2(sum().wrapping_neg()),
            Self::Sum8 => [sum(), 0],
            Self::Sum8Hex2ExclStx | Self::Sum8Hex2InclStxEtx => hex2(sum()),
            Self::Crc16Modbus => crc16_modbus(covered).to_le_bytes(),
        }
    }

    /// Whether `sent`, as wide as the checksum is, belongs to `covered`.
    pub fn matches(self, covered: &[u8], sent: &[u8]) -> bool {
        sent == &self.bytes(covered)[..self.width()]
    }
}

impl Over {
    /// The bytes of `frame` that a checksum at index `at` covers.
    pub fn of(self, frame: &[u8], at: usize) -> &[u8] {
        let end = self.last.unwrap_or(at).min(at);
        frame.get(self.first - 1..end).unwrap_or_default()
    }
}

fn hex2(value: u8) -> [u8; 2] {
    [value >> 4, value & 0x0F].map(|nibble| if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 })
}

fn crc16_modbus(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xA001 } else { crc >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Checksum, covered: &[u8], sent: &[u8]) {
        assert_eq!(&kind.bytes(covered)[..kind.width()], sent, "{kind:?}");
        assert!(kind.matches(covered, sent));
    }

    #[test]
    fn published_exclusive_ors_come_out() {
        check(Checksum::XorHex2, b"WG004.139kg", b"3D");
        check(Checksum::XorHex2, b"+0000000", b"1B");
        check(Checksum::XorHex2, b"![010/C2ABCD!]", b"6D");
        check(Checksum::XorHex2, b"![0100!]", b"07");
        check(Checksum::XorHex2, b"AB", b"03");
        check(Checksum::XorRaw, b"S 0018.34kg", &[0x5F]);
    }

    #[test]
    fn published_sums_come_out() {
        check(Checksum::Neg7, b"\x02*0 018340000000\r", &[0x27]);
        check(Checksum::Neg7, b"\x02+9 001234000500\r", &[0x1E]);
        check(Checksum::Neg8, b"\x02}10  0750   250\r\n", &[0x06]);
        check(Checksum::Neg8, b"\x02r00 18340     0\r\n", &[0x25]);
        check(Checksum::Neg8Hex2, b"01PS+000123.4", b"49");
        check(Checksum::Neg8Hex2, b"01P", b"4F");
        check(Checksum::Sum8Hex2ExclStx, b"01WZER", b"A9");
        check(Checksum::Sum8Hex2ExclStx, b"01WZER\x06", b"AF");
        check(Checksum::Sum8Hex2InclStxEtx, b"\x0201RCWT\x03", b"A6");
        check(Checksum::Sum8, b"\x02*0 018340000000\r", &[0xD9]);
    }

    #[test]
    fn published_crcs_come_out_low_byte_first() {
        check(Checksum::Crc16Modbus, &[1, 3, 0, 6, 0, 5], &[0x65, 0xC8]);
        check(Checksum::Crc16Modbus, &[1, 3, 0, 0x50, 0, 2], &[0xC4, 0x1A]);
        let reply = [1, 3, 10, 8, 0, 0, 0, 0x47, 0xA4, 0, 0, 0x47, 0xA4];
        check(Checksum::Crc16Modbus, &reply, &[0xE9, 0xB9]);
    }

    #[test]
    fn a_range_is_counted_from_one_and_ends_before_the_checksum() {
        let range = |first, last| String::from_utf8_lossy(Over { first, last }.of(b"abcdef", 4)).into_owned();
        assert_eq!(range(2, None), "bcd");
        assert_eq!(range(1, Some(2)), "ab");
        assert_eq!(range(1, Some(9)), "abcd");
        assert_eq!(range(9, None), "");
    }
}
