//! What is done to the edge's websocket frames: bits flip, frames are cut short, come twice, or change places.

use weighbridge_sim::chance::Chance;

/// How often each happens. The default leaves everything as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Garble {
    /// The probability that a byte of a frame has one bit flipped, its header included.
    pub flip: f64,
    /// The probability that a frame loses its end.
    pub truncate: f64,
    pub double: f64,
    /// The probability that a frame changes places with the next.
    pub swap: f64,
}

/// One connection's bytes on their way: frames are found, and spoiled as they pass.
#[derive(Debug)]
pub struct Garbler {
    chance: Chance,
    upgraded: bool,
    waiting: Vec<u8>,
    held: Option<Vec<u8>>,
    spoiled: usize,
}

impl Garbler {
    pub const fn new(chance: Chance) -> Self {
        Self {
            chance,
            upgraded: false,
            waiting: Vec::new(),
            held: None,
            spoiled: 0,
        }
    }

    /// How many frames were spoiled since this was asked last.
    pub const fn spoiled(&mut self) -> usize {
        let spoiled = self.spoiled;
        self.spoiled = 0;
        spoiled
    }

    /// The bytes that go on for those that came.
    pub fn pass(&mut self, bytes: &[u8], garble: Garble) -> Vec<u8> {
        self.waiting.extend(bytes);
        let mut passed = Vec::new();
        if !self.upgraded {
            let end = self.waiting.windows(4).position(|window| window == b"\r\n\r\n");
            let Some(end) = end else { return passed };
            passed.extend(self.waiting.drain(..end + 4));
            self.upgraded = true;
        }
        while let Some(length) = frame_length(&self.waiting).filter(|length| self.waiting.len() >= *length) {
            let frame = self.waiting.drain(..length).collect();
            self.spoil(frame, garble, &mut passed);
        }
        passed
    }

    fn spoil(&mut self, mut frame: Vec<u8>, garble: Garble, passed: &mut Vec<u8>) {
        if self.held.is_none() && self.chance.happens(garble.swap) {
            self.spoiled += 1;
            self.held = Some(frame);
            return;
        }
        let before = frame.clone();
        for byte in &mut frame {
            if self.chance.happens(garble.flip) {
                *byte ^= 1 << self.chance.below(8);
            }
        }
        if self.chance.happens(garble.truncate) {
            let most = u64::try_from(frame.len()).unwrap();
            frame.truncate(usize::try_from(self.chance.below(most)).unwrap());
        }
        if self.chance.happens(garble.double) {
            self.spoiled += 1;
            passed.extend(&frame);
        }
        self.spoiled += usize::from(frame != before);
        passed.extend(frame);
        passed.extend(self.held.take().into_iter().flatten());
    }
}

/// The bytes of the first frame, header and mask included; none while too little is there to tell.
fn frame_length(bytes: &[u8]) -> Option<usize> {
    let second = *bytes.get(1)?;
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let (header, payload) = match second & 0x7F {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (
            10,
            usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?,
        ),
        short => (2, usize::from(short)),
    };
    Some(header + mask + payload)
}

#[test]
fn frames_pass_whole_unless_they_are_to_be_spoiled() {
    let request = b"GET / HTTP/1.1\r\n\r\n".to_vec();
    let frames: Vec<u8> = (0..20_u8).flat_map(|n| [0x81, 0x82, 1, 2, 3, 4, n, n]).collect();
    let all = [request, frames].concat();
    let mut garbler = Garbler::new(Chance::of_seed(1));
    let passed: Vec<u8> = all
        .chunks(3)
        .flat_map(|chunk| garbler.pass(chunk, Garble::default()))
        .collect();
    assert_eq!((passed, garbler.spoiled()), (all.clone(), 0));
    let doubling = Garble {
        double: 1.0,
        ..Garble::default()
    };
    let mut garbler = Garbler::new(Chance::of_seed(1));
    assert_eq!(garbler.pass(&all, doubling).len(), 18 + 2 * 160);
    assert_eq!(garbler.spoiled(), 20);
}
