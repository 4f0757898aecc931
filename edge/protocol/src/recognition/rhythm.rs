//! Frames in bytes of which nothing is known: what repeats at one distance, and where such a stretch most likely begins.

use std::collections::BTreeMap;

/// Frames of one length that repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// Bytes of a frame.
    pub len: usize,
    /// Where each begins.
    pub starts: Vec<usize>,
}

/// A byte that repeats at one distance.
struct Mark {
    byte: u8,
    len: usize,
    covered: usize,
}

/// Shorter ones are found in anything.
const SHORTEST: usize = 5;
const LONGEST: usize = 200;
const FEWEST: usize = 3;
/// A column belongs to every frame if so many in a hundred have the same byte there,
const ANCHORED: usize = 80;
/// and a rhythm is one if it covers so many of a hundred bytes.
const COVERED: usize = 40;
/// Marks that cover so many of a hundred bytes of the best one's compete with it.
const AS_MANY: usize = 90;

const STX: u8 = 2;
const ETX: u8 = 3;
const EOT: u8 = 4;
const LF: u8 = b'\n';
const CR: u8 = b'\r';

impl Rhythm {
    /// The rhythm of these bytes; None where nothing repeats.
    pub fn find(bytes: &[u8]) -> Option<Self> {
        let marks: Vec<Mark> = (0..=u8::MAX).filter_map(|byte| Mark::of(byte, bytes)).collect();
        let most = marks.iter().map(|mark| mark.covered).max()?;
        // A separator that stands twice in each frame repeats as well, but what lies between does not.
        let nearly_all = marks.into_iter().filter(|mark| mark.covered * 100 >= most * AS_MANY);
        let best = nearly_all.max_by_key(|mark| {
            let marks = (mark.byte < b' ', !mark.byte.is_ascii_alphanumeric());
            (mark.steadiness(bytes), mark.covered, marks)
        })?;
        if best.covered * 100 < bytes.len() * COVERED {
            return None;
        }
        let len = best.len;
        let marked = positions(best.byte, bytes);
        let whole = best.frames(bytes);
        let anchors = anchors(&whole, len);
        let turn = (0..len).max_by_key(|turn| (promise(&anchors, *turn, bytes), std::cmp::Reverse(*turn)))?;
        let mut starts: Vec<usize> = marked
            .iter()
            .flat_map(|at| [(at + turn).checked_sub(len), Some(at + turn)])
            .flatten()
            .filter(|start| {
                let frame = bytes.get(*start..start + len);
                frame.is_some_and(|frame| fits(frame, &anchors, turn))
            })
            .collect();
        starts.sort_unstable();
        starts.dedup();
        let mut end = 0;
        starts.retain(|start| {
            let free = *start >= end;
            if free {
                end = start + len;
            }
            free
        });
        (starts.len() >= FEWEST).then_some(Self { len, starts })
    }

    pub fn frames<'b>(&self, bytes: &'b [u8]) -> Vec<&'b [u8]> {
        self.starts
            .iter()
            .filter_map(|start| bytes.get(*start..start + self.len))
            .collect()
    }
}

impl Mark {
    fn of(byte: u8, bytes: &[u8]) -> Option<Self> {
        let mut distances: BTreeMap<usize, usize> = BTreeMap::new();
        for pair in positions(byte, bytes).windows(2) {
            *distances.entry(pair[1] - pair[0]).or_default() += 1;
        }
        distances
            .into_iter()
            .filter(|(len, count)| (SHORTEST..=LONGEST).contains(len) && count + 1 >= FEWEST)
            .map(|(len, count)| Self {
                byte,
                len,
                covered: len * count,
            })
            .max_by_key(|mark| (mark.covered, std::cmp::Reverse(mark.len)))
    }

    fn frames<'b>(&self, bytes: &'b [u8]) -> Vec<&'b [u8]> {
        let marked = positions(self.byte, bytes);
        marked.iter().filter_map(|at| bytes.get(*at..at + self.len)).collect()
    }

    /// Columns of a hundred that are the same in nearly every frame.
    fn steadiness(&self, bytes: &[u8]) -> usize {
        let frames = self.frames(bytes);
        let steady = (0..self.len).filter(|column| usual(&frames, *column).is_some()).count();
        steady * 100 / self.len
    }
}

fn positions(byte: u8, bytes: &[u8]) -> Vec<usize> {
    (0..bytes.len()).filter(|at| bytes[*at] == byte).collect()
}

/// For each column, counted from the mark, the control character or punctuation that stands there in nearly every frame.
fn anchors(frames: &[&[u8]], len: usize) -> Vec<Option<u8>> {
    let anchor = |column| usual(frames, column).filter(|byte| !byte.is_ascii_alphanumeric() && !b" +-.".contains(byte));
    (0..len).map(anchor).collect()
}

/// The byte that nearly every frame has in this column.
fn usual(frames: &[&[u8]], column: usize) -> Option<u8> {
    let mut counts = [0_usize; 256];
    for frame in frames {
        counts[usize::from(frame[column])] += 1;
    }
    let (byte, count) = (0..=u8::MAX).zip(counts).max_by_key(|(_, count)| *count)?;
    (count * 100 >= frames.len() * ANCHORED).then_some(byte)
}

/// How much speaks for a frame that begins at this column.
fn promise(anchors: &[Option<u8>], turn: usize, bytes: &[u8]) -> u32 {
    let len = anchors.len();
    let at = |column: usize| anchors[(turn + column) % len];
    let (first, last, before) = (at(0), at(len - 1), at(len - 2));
    let begins = match first {
        Some(STX | 1) => 10,
        Some(b'=' | b'$' | b'&' | b'<' | 0xFF) => 4,
        Some(LF) => 1,
        _ => 0,
    };
    let ends = match (before, last) {
        (_, Some(EOT)) => 8,
        (_, Some(ETX)) => 7,
        (Some(CR), Some(LF)) => 6,
        (_, Some(CR)) => 4,
        (_, Some(LF | b'>')) => 3,
        _ => 0,
    };
    // Whoever records an indicator that was asked has whole answers.
    let whole = bytes.len().is_multiple_of(len)
        && first.is_some()
        && bytes.first().copied() == first
        && bytes.last().copied() == last;
    begins + ends + if whole { 3 } else { 0 }
}

fn fits(frame: &[u8], anchors: &[Option<u8>], turn: usize) -> bool {
    let len = anchors.len();
    (0..len).all(|column| anchors[(turn + column) % len].is_none_or(|byte| frame[column] == byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &[u8]) {
        let rhythm = Rhythm::find(bytes).unwrap();
        assert_eq!(
            String::from_utf8_lossy(rhythm.frames(bytes)[0]),
            String::from_utf8_lossy(expected)
        );
    }

    #[test]
    fn frames_are_found_by_what_begins_or_ends_them() {
        check(
            &b"340kg\r\nST,GS,+0018340kg\r\n".repeat(4),
            b"340kg\r\nST,GS,+0018340kg\r\n",
        );
        check(
            &[b"340kg\r\n".as_slice(), &b"ST,GS,+0018340kg\r\n".repeat(4)].concat(),
            b"ST,GS,+0018340kg\r\n",
        );
        check(
            &b"\x0201RCWTSGP0+0018340kg\x031D".repeat(4),
            b"\x0201RCWTSGP0+0018340kg\x031D",
        );
        check(&b"\r +018340.  kg g   \x03".repeat(4), b"\r +018340.  kg g   \x03");
        check(&b"\n 1G       18340kg \r".repeat(4), b"\n 1G       18340kg \r");
        check(&b"=000.3000".repeat(4), b"=000.3000");
    }

    #[test]
    fn noise_has_no_rhythm() {
        let noise: Vec<u8> = (0..2000_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        assert_eq!(Rhythm::find(&noise), None);
        assert_eq!(Rhythm::find(b""), None);
    }
}
