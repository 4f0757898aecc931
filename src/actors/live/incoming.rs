//! What a client's bytes say: WebSocket frames (RFC 6455) become messages, and a breach of the protocol a reason to close.
//!
//! Strict on purpose: no extension is ever negotiated, so a reserved bit is an error, and so is whatever a sane client
//! would not send.

use bytes::{Buf, Bytes, BytesMut};

use header::{Header, Opcode};

mod header;

const LONGEST_FRAME: usize = 64 * 1024;
const LONGEST_MESSAGE: usize = 256 * 1024;
/// Empty fragments cost their sender six bytes each and would never reach the greatest length.
const MOST_FRAGMENTS: u16 = 1024;

/// One thing that a client said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A whole message, from one frame or several.
    Text(String),
    Ping(Bytes),
    Pong,
    /// With the code that the client gave, if any.
    Close(Option<u16>),
}

/// Why a connection cannot go on; what follows on it cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    #[error("a reserved bit is set, expected none: no extension was agreed on")]
    ReservedBit,
    #[error("opcode {0:#x} is not defined")]
    UnknownOpcode(u8),
    #[error("the frame is not masked, expected every frame of a client to be")]
    Unmasked,
    #[error("a control frame is fragmented")]
    FragmentedControl,
    #[error("a control frame is longer than 125 bytes")]
    LongControl,
    #[error("the length is not in its shortest form, or has its highest bit set")]
    WrongLength,
    #[error("the frame continues no message")]
    NothingToContinue,
    #[error("a message begins before the last one has ended")]
    Interrupted,
    #[error("the close frame has a payload of one byte, expected none or two and more")]
    HalfCloseCode,
    #[error("close code {0} may not be sent")]
    CloseCode(u16),
    #[error("binary message, expected text")]
    Binary,
    #[error("the text is not UTF-8")]
    NotUtf8,
    #[error("a frame is longer than 64 KiB, or a message longer than 256 KiB or in more than 1024 pieces")]
    TooBig,
}

impl Violation {
    /// The code of the close frame that answers it (RFC 6455 section 7.4.1).
    pub const fn close_code(&self) -> u16 {
        match self {
            Self::Binary => 1003,
            Self::NotUtf8 => 1007,
            Self::TooBig => 1009,
            _ => 1002,
        }
    }
}

/// Puts the messages of one connection together. Holds no memory between messages.
#[derive(Debug, Default)]
pub struct Reader {
    unparsed: BytesMut,
    begun: Option<Box<Begun>>,
}

/// A message of which not all fragments are here.
#[derive(Debug, Default)]
struct Begun {
    text: Vec<u8>,
    /// So many bytes of `text` are known to be whole characters.
    checked: usize,
    fragments: u16,
}

impl Reader {
    pub fn push(&mut self, bytes: &[u8]) {
        self.unparsed.extend_from_slice(bytes);
    }

    /// The next message; `None` until more bytes were pushed.
    pub fn next_heard(&mut self) -> Result<Option<Heard>, Violation> {
        loop {
            let Some(header) = Header::read(&self.unparsed)? else {
                return Ok(None);
            };
            self.examine(&header)?;
            if self.unparsed.len() < header.size + header.length {
                return Ok(None);
            }
            let payload = self.take_payload(&header);
            if let Some(heard) = self.understand(&header, payload)? {
                return Ok(Some(heard));
            }
        }
    }

    /// Refuses by the header alone, before the payload is waited for.
    fn examine(&self, header: &Header) -> Result<(), Violation> {
        match (header.opcode, &self.begun) {
            (Opcode::Continuation, None) => Err(Violation::NothingToContinue),
            (Opcode::Text | Opcode::Binary, Some(_)) => Err(Violation::Interrupted),
            (Opcode::Binary, None) => Err(Violation::Binary),
            _ if header.length > LONGEST_FRAME => Err(Violation::TooBig),
            (Opcode::Continuation, Some(begun)) => {
                let fits = begun.text.len() + header.length <= LONGEST_MESSAGE && begun.fragments < MOST_FRAGMENTS;
                if fits { Ok(()) } else { Err(Violation::TooBig) }
            }
            _ => Ok(()),
        }
    }

    fn take_payload(&mut self, header: &Header) -> BytesMut {
        self.unparsed.advance(header.size);
        let mut payload = self.unparsed.split_to(header.length);
        for (byte, key) in payload.iter_mut().zip(header.mask.iter().cycle()) {
            *byte ^= key;
        }
        if self.unparsed.is_empty() {
            self.unparsed = BytesMut::new(); // gives its memory back
        }
        payload
    }

    fn understand(&mut self, header: &Header, payload: BytesMut) -> Result<Option<Heard>, Violation> {
        match header.opcode {
            Opcode::Ping => Ok(Some(Heard::Ping(payload.freeze()))),
            Opcode::Pong => Ok(Some(Heard::Pong)),
            Opcode::Close => close_code(&payload).map(|code| Some(Heard::Close(code))),
            Opcode::Text | Opcode::Continuation | Opcode::Binary => {
                let mut begun = self.begun.take().unwrap_or_default();
                begun.add(&payload, header.last)?;
                if header.last {
                    let text = String::from_utf8(begun.text).map_err(|_| Violation::NotUtf8)?;
                    return Ok(Some(Heard::Text(text)));
                }
                self.begun = Some(begun);
                Ok(None)
            }
        }
    }
}

impl Begun {
    fn add(&mut self, fragment: &[u8], last: bool) -> Result<(), Violation> {
        self.fragments += 1;
        self.text.extend_from_slice(fragment);
        match std::str::from_utf8(&self.text[self.checked..]) {
            Ok(_) => self.checked = self.text.len(),
            // A character may be split between two fragments, but not be cut off by the end.
            Err(error) if error.error_len().is_none() && !last => self.checked += error.valid_up_to(),
            Err(_) => return Err(Violation::NotUtf8),
        }
        Ok(())
    }
}

fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let (code, reason) = match payload {
        [] => return Ok(None),
        [_] => return Err(Violation::HalfCloseCode),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
    };
    match code {
        1000..=1003 | 1007..=1014 | 3000..=4999 => {}
        _ => return Err(Violation::CloseCode(code)),
    }
    std::str::from_utf8(reason).map_err(|_| Violation::NotUtf8)?;
    Ok(Some(code))
}

#[cfg(test)]
mod tests;
