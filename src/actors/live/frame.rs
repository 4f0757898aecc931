//! A WebSocket frame from the server, encoded once, header included, and shared by every socket that it goes to.

use bytes::{BufMut, Bytes, BytesMut};

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// What a control frame may carry (RFC 6455 section 5.5); a close frame spends two bytes of it on the code.
const LONGEST_CONTROL: usize = 125;

/// Bytes as they go on the wire. Cloning copies a pointer. Several frames in a row are a `Frame` too: they leave in
/// one write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    pub fn text(payload: &[u8]) -> Self {
        Self::encode(TEXT, payload)
    }

    pub fn ping() -> Self {
        Self(Bytes::from_static(&[PING, 0]))
    }

    /// The answer to a ping; `payload` is what the ping carried, at most 125 bytes.
    pub fn pong(payload: &[u8]) -> Self {
        Self::encode(PONG, &payload[..payload.len().min(LONGEST_CONTROL)])
    }

    /// `reason` is cut at the last whole character that fits.
    pub fn close(code: u16, reason: &str) -> Self {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(&reason.as_bytes()[..reason.floor_char_boundary(LONGEST_CONTROL - 2)]);
        Self::encode(CLOSE, &payload)
    }

    /// All of `frames` as one, to leave in one write.
    pub fn joined(frames: &[&Self]) -> Self {
        match frames {
            [only] => (*only).clone(),
            _ => Self(frames.iter().flat_map(|frame| frame.0.iter().copied()).collect()),
        }
    }

    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    fn encode(opcode: u8, payload: &[u8]) -> Self {
        let mut frame = BytesMut::with_capacity(payload.len() + 10);
        put(&mut frame, opcode, payload);
        Self(frame.freeze())
    }
}

/// Frames for one channel that leave together.
#[derive(Debug, Default)]
pub struct Frames(BytesMut);

impl Frames {
    /// Adds a text frame.
    pub fn push(&mut self, payload: &[u8]) {
        put(&mut self.0, TEXT, payload);
    }

    pub fn join(self) -> Frame {
        Frame(self.0.freeze())
    }
}

fn put(frame: &mut BytesMut, opcode: u8, payload: &[u8]) {
    frame.put_u8(opcode);
    if let Ok(length @ 0..=125) = u8::try_from(payload.len()) {
        frame.put_u8(length);
    } else if let Ok(length) = u16::try_from(payload.len()) {
        frame.put_u8(126);
        frame.put_u16(length);
    } else {
        frame.put_u8(127);
        frame.put_u64(payload.len() as u64);
    }
    frame.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(length: usize, header: &[u8]) {
        let frame = Frame::text(&vec![b'x'; length]);
        assert_eq!(&frame.bytes()[..header.len()], header);
        assert_eq!(frame.bytes().len(), header.len() + length);
    }

    #[test]
    fn a_length_takes_the_shortest_of_the_three_forms() {
        check(0, &[0x81, 0]);
        check(125, &[0x81, 125]);
        check(126, &[0x81, 126, 0, 126]);
        check(65_535, &[0x81, 126, 0xff, 0xff]);
        check(65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn a_long_reason_for_closing_is_cut_between_characters() {
        let frame = Frame::close(1013, &"느".repeat(60));
        assert_eq!(&frame.bytes()[..4], &[0x88, 2 + 41 * 3, 0x03, 0xf5]);
        assert!(std::str::from_utf8(&frame.bytes()[4..]).is_ok());
    }

    #[test]
    fn joined_frames_are_the_same_bytes_in_a_row() {
        let (first, second) = (Frame::text(b"1"), Frame::text(b"2"));
        assert_eq!(
            Frame::joined(&[&first, &second]).bytes()[..],
            [0x81, 1, b'1', 0x81, 1, b'2']
        );
        let mut frames = Frames::default();
        frames.push(b"1");
        frames.push(b"2");
        assert_eq!(frames.join(), Frame::joined(&[&first, &second]));
    }
}
