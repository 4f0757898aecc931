//! The first bytes of a frame.

use super::Violation;

const LONGEST_CONTROL: u64 = 125;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

#[derive(Debug)]
pub struct Header {
    /// Whether this frame ends its message.
    pub last: bool,
    pub opcode: Opcode,
    pub mask: [u8; 4],
    /// Bytes of the payload.
    pub length: usize,
    /// Bytes of the header itself.
    pub size: usize,
}

impl Header {
    /// `None` until enough bytes are here. What the first two bytes forbid is refused as soon as they are.
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, Violation> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        if first & 0x70 != 0 {
            return Err(Violation::ReservedBit);
        }
        let (last, opcode) = (first & 0x80 != 0, Opcode::read(first & 0x0f)?);
        if second & 0x80 == 0 {
            return Err(Violation::Unmasked);
        }
        let short = second & 0x7f;
        if opcode.is_control() {
            if !last {
                return Err(Violation::FragmentedControl);
            }
            if u64::from(short) > LONGEST_CONTROL {
                return Err(Violation::LongControl);
            }
        }
        let Some((length, rest)) = read_length(short, rest)? else {
            return Ok(None);
        };
        let Some(&mask) = rest.first_chunk() else {
            return Ok(None);
        };
        let size = bytes.len() - rest.len() + mask.len();
        Ok(Some(Self {
            last,
            opcode,
            mask,
            length,
            size,
        }))
    }
}

/// The length, and what follows it. It must be in the shortest form that holds it.
fn read_length(short: u8, rest: &[u8]) -> Result<Option<(usize, &[u8])>, Violation> {
    let (length, shortest, rest) = match short {
        126 => match rest.split_first_chunk() {
            Some((bytes, rest)) => (u64::from(u16::from_be_bytes(*bytes)), 126, rest),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk() {
            Some((bytes, rest)) => (u64::from_be_bytes(*bytes), 0x1_0000, rest),
            None => return Ok(None),
        },
        length => (u64::from(length), 0, rest),
    };
    if length < shortest || length >> 63 != 0 {
        return Err(Violation::WrongLength);
    }
    let length = usize::try_from(length).map_err(|_| Violation::TooBig)?;
    Ok(Some((length, rest)))
}

impl Opcode {
    fn read(bits: u8) -> Result<Self, Violation> {
        match bits {
            0x0 => Ok(Self::Continuation),
            0x1 => Ok(Self::Text),
            0x2 => Ok(Self::Binary),
            0x8 => Ok(Self::Close),
            0x9 => Ok(Self::Ping),
            0xa => Ok(Self::Pong),
            other => Err(Violation::UnknownOpcode(other)),
        }
    }

    const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}
