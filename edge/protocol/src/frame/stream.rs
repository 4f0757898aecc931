//! Finds the frames in a stream, whatever the pieces in which it arrives.

use super::{
    facts::Flags,
    layout::Found,
    plan::{Attempt, Plan},
};

/// Bytes of one line on their way to frames. It keeps a frame that is not complete yet and what it is about to reject,
/// never more than [`HELD_FRAMES`] frames' worth.
///
/// It tries a frame at every byte, so a good frame is found behind any damage, also behind a start byte that was none.
#[derive(Clone, Debug)]
pub struct Stream {
    plan: Plan,
    /// What arrived and was not yet told of.
    held: Vec<u8>,
    /// The same with the top bit cleared, where the plan asks for it.
    masked: Vec<u8>,
    /// Where the next frame is tried; what lies before it will be rejected.
    next: usize,
    /// The byte before the first one held.
    before: Option<u8>,
    /// Where the most promising of the rejected tries began, and how many bytes it had right.
    promising: (usize, usize),
}

/// What the stream tells of, in order; no byte is left out but those that may stand between frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    Frame { raw: &'a [u8], found: Found },
    Rejected { raw: &'a [u8], why: Rejection },
}

/// Why bytes gave no reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rejection {
    /// A frame whose checksum does not belong to it.
    Checksum,
    /// A frame with something in it that cannot stand there.
    Format,
    /// A frame that is too short or too long.
    Length,
    /// No frame at all.
    Noise,
    /// A frame that was cut off.
    Incomplete,
    /// The indicator said something that is no weighing: an error, pieces, an answer to another command.
    Device,
}

/// A rejected stretch is told of when it is this many frames long, so that endless noise is not kept.
const HELD_FRAMES: usize = 4;
/// Bytes taken in at once.
const GULP: usize = 1024;

impl Stream {
    pub const fn new(plan: Plan) -> Self {
        Self {
            plan,
            held: Vec::new(),
            masked: Vec::new(),
            next: 0,
            before: None,
            promising: (0, 0),
        }
    }

    /// Takes bytes as they arrive and tells of all that they complete.
    pub fn push(&mut self, bytes: &[u8], tell: &mut impl FnMut(Piece<'_>)) {
        for gulp in bytes.chunks(GULP) {
            self.held.extend_from_slice(gulp);
            if self.plan.mask7 {
                self.masked.extend(gulp.iter().map(|byte| byte & 0x7F));
            }
            let told = self.scan(false, tell);
            self.forget(told);
        }
    }

    /// The bytes have ended, or the line fell silent: tells of what is left, and begins afresh.
    pub fn finish(&mut self, tell: &mut impl FnMut(Piece<'_>)) {
        let told = self.scan(true, tell);
        self.reject(told, self.held.len(), tell);
        self.held.clear();
        self.masked.clear();
        (self.next, self.before, self.promising) = (0, None, (0, 0));
    }

    /// How many bytes are kept.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    fn seen(&self) -> &[u8] {
        if self.plan.mask7 { &self.masked } else { &self.held }
    }

    /// Tries frames from `next` on until more bytes are needed; returns up to where all was told.
    fn scan(&mut self, at_end: bool, tell: &mut impl FnMut(Piece<'_>)) -> usize {
        let (mut told, mut in_the_tail) = (0, false);
        while let Some(byte) = self.seen().get(self.next).copied() {
            if told == self.next && self.plan.may_stand_between(byte) {
                self.next += 1;
                told = self.next;
                continue;
            }
            let before = if self.next == 0 {
                self.before
            } else {
                Some(self.seen()[self.next - 1])
            };
            match self.plan.attempt(&self.seen()[self.next..], before) {
                Attempt::Whole { len, found } => {
                    self.reject(told, self.next, tell);
                    told = self.next + len;
                    self.accept(told - len, told, found, tell);
                }
                Attempt::Partial if !at_end => break,
                Attempt::Partial => {
                    if !in_the_tail {
                        self.reject(told, self.next, tell);
                        (told, in_the_tail) = (self.next, true);
                    }
                    self.next += 1;
                }
                Attempt::Broken { matched } => told = self.pass_over(told, matched, tell),
            }
        }
        told
    }

    /// No frame begins at `next`. What lies before it may now be over as well; returns up to where all was told.
    fn pass_over(&mut self, mut told: usize, matched: usize, tell: &mut impl FnMut(Piece<'_>)) -> usize {
        let (best_at, best) = self.promising;
        let begins = self.plan.is_marked() && self.plan.was_meant(matched) && self.next >= best_at + best;
        if begins && self.plan.was_meant(best) {
            self.reject(told, self.next, tell);
            told = self.next;
        }
        if begins || matched > self.promising.1 {
            self.promising = (self.next, matched);
        }
        self.next += 1;
        let is_long = self.next - told >= HELD_FRAMES * self.plan.longest();
        if is_long || self.plan.ends(&self.seen()[told..self.next]) {
            self.reject(told, self.next, tell);
            told = self.next;
        }
        told
    }

    fn accept(&mut self, from: usize, to: usize, found: Found, tell: &mut impl FnMut(Piece<'_>)) {
        let raw = &self.held[from..to];
        match found.why_not() {
            Some(why) => tell(Piece::Rejected { raw, why }),
            None if found.facts.flags.any(Flags::QUIET) => (),
            None => tell(Piece::Frame { raw, found }),
        }
        self.next = to;
        self.promising = (to, 0);
    }

    /// Tells of a stretch without a frame. What lies before the most promising try in it is told apart.
    fn reject(&mut self, from: usize, to: usize, tell: &mut impl FnMut(Piece<'_>)) {
        let (best_at, matched) = self.promising;
        let was_meant = self.plan.was_meant(matched) && best_at < to;
        let split = if was_meant && self.plan.was_meant(to - best_at) {
            best_at.max(from)
        } else {
            from
        };
        for (from, to, was_meant) in [(from, split, false), (split, to, was_meant)] {
            if from < to {
                let why = self.diagnose(&self.seen()[from..to], was_meant && best_at == from);
                tell(Piece::Rejected {
                    raw: &self.held[from..to],
                    why,
                });
            }
        }
        self.promising = (to, 0);
    }

    fn diagnose(&self, stretch: &[u8], was_meant: bool) -> Rejection {
        if self.plan.attempt(stretch, None) == Attempt::Partial {
            Rejection::Incomplete
        } else if self.plan.has_length(stretch.len()) && (was_meant || self.plan.ends(stretch)) {
            Rejection::Format
        } else if was_meant {
            Rejection::Length
        } else {
            Rejection::Noise
        }
    }

    /// Lets go of the first `count` bytes.
    fn forget(&mut self, count: usize) {
        if let Some(last) = count.checked_sub(1) {
            self.before = Some(self.seen()[last]);
            self.held.drain(..count);
            self.masked.drain(..count.min(self.masked.len()));
            self.next -= count;
            self.promising.0 = self.promising.0.saturating_sub(count);
        }
    }
}

impl Found {
    /// Why a frame of the right shape gives no reading; None where it gives one, or may be passed over in silence.
    fn why_not(&self) -> Option<Rejection> {
        if self.checksum_wrong {
            Some(Rejection::Checksum)
        } else if self.facts.flags.any(Flags::NO_WEIGHING) {
            Some(Rejection::Device)
        } else if self.is_readable() {
            None
        } else {
            Some(Rejection::Format)
        }
    }
}

impl Rejection {
    /// Its word in the output of `decode` and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Checksum => "checksum",
            Self::Format => "format",
            Self::Length => "length",
            Self::Noise => "noise",
            Self::Incomplete => "incomplete",
            Self::Device => "device",
        }
    }
}
