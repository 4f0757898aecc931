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
    /// Up to where all was told.
    told: usize,
    /// Where the next frame is tried; what lies between is no frame.
    next: usize,
    /// Where a frame ends that begins at `told` and is to be rejected, and why. It may be a frame that lost its end, with
    /// the beginning of the next one in its place; so that is looked for before.
    doubted: Option<(usize, Rejection)>,
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
            told: 0,
            next: 0,
            doubted: None,
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
            self.scan(false, tell);
            self.forget();
        }
    }

    /// The bytes have ended, or the line fell silent: tells of what is left, and begins afresh.
    pub fn finish(&mut self, tell: &mut impl FnMut(Piece<'_>)) {
        self.scan(true, tell);
        self.reject(self.held.len(), tell);
        self.forget();
        self.before = None;
    }

    /// How many bytes are kept.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// How many bytes the frame that is arriving lacks, at least; 0 between frames.
    pub fn missing(&self) -> usize {
        if self.told == self.held.len() {
            0
        } else {
            self.plan.missing(&self.seen()[self.next..]).unwrap_or(1)
        }
    }

    fn seen(&self) -> &[u8] {
        if self.plan.mask7 { &self.masked } else { &self.held }
    }

    /// Tries frames from `next` on until more bytes are needed.
    fn scan(&mut self, at_end: bool, tell: &mut impl FnMut(Piece<'_>)) {
        let mut in_the_tail = false;
        loop {
            if self.doubted.is_some_and(|(end, _)| end == self.next) {
                self.reject(self.next, tell);
            }
            let Some(byte) = self.seen().get(self.next).copied() else {
                return;
            };
            if self.told == self.next && self.plan.may_stand_between(byte) {
                self.next += 1;
                self.told = self.next;
                continue;
            }
            match self.plan.attempt(&self.seen()[self.next..], self.byte_before_next()) {
                Attempt::Whole { len, found } => self.whole(len, found, tell),
                Attempt::Partial if !at_end => return,
                Attempt::Partial if self.doubted.is_none() && !in_the_tail => {
                    self.reject(self.next, tell);
                    self.next += 1;
                    in_the_tail = true;
                }
                Attempt::Partial => self.next += 1,
                Attempt::Broken { .. } if self.doubted.is_some() => self.next += 1,
                Attempt::Broken { matched } => self.pass_over(matched, tell),
            }
        }
    }

    fn byte_before_next(&self) -> Option<u8> {
        self.next
            .checked_sub(1)
            .map_or(self.before, |at| self.seen().get(at).copied())
    }

    /// A frame lies at `next`.
    fn whole(&mut self, len: usize, found: Found, tell: &mut impl FnMut(Piece<'_>)) {
        let end = self.next + len;
        if self.doubted.is_some_and(|(doubted, _)| end <= doubted) {
            self.next += 1;
            return;
        }
        self.reject(self.next, tell);
        if let Some(why) = found.misfit() {
            self.doubted = Some((end, why));
            self.next += 1;
            return;
        }
        let raw = &self.held[self.next..end];
        if found.facts.flags.any(Flags::NO_WEIGHING) {
            tell(Piece::Rejected {
                raw,
                why: Rejection::Device,
            });
        } else if !found.facts.flags.any(Flags::QUIET) {
            tell(Piece::Frame { raw, found });
        }
        (self.told, self.next, self.promising) = (end, end, (end, 0));
    }

    /// No frame begins at `next`. What lies before it may now be over as well.
    fn pass_over(&mut self, matched: usize, tell: &mut impl FnMut(Piece<'_>)) {
        let (best_at, best) = self.promising;
        let begins = self.plan.is_marked() && self.plan.was_meant(matched) && self.next >= best_at + best;
        if begins && self.plan.was_meant(best) {
            self.reject(self.next, tell);
        }
        if begins || matched > self.promising.1 {
            self.promising = (self.next, matched);
        }
        self.next += 1;
        let is_long = self.next - self.told >= HELD_FRAMES * self.plan.longest();
        if is_long || self.plan.ends(&self.seen()[self.told..self.next]) {
            self.reject(self.next, tell);
        }
    }

    /// Tells of what was not told yet, up to `to`, as no frame. What lies before the most promising try is told apart.
    fn reject(&mut self, to: usize, tell: &mut impl FnMut(Piece<'_>)) {
        let (best_at, matched) = self.promising;
        let was_meant = best_at < to && self.plan.was_meant(matched) && self.plan.was_meant(to - best_at);
        let split = if was_meant { best_at.max(self.told) } else { self.told };
        for (from, to) in [(self.told, split), (split, to)] {
            if from < to {
                let matched = if best_at == from { matched } else { 0 };
                let why = self.diagnose(&self.seen()[from..to], matched);
                tell(Piece::Rejected {
                    raw: &self.held[from..to],
                    why,
                });
            }
        }
        (self.told, self.doubted, self.promising) = (to, None, (to, 0));
    }

    /// `matched` of these bytes began a frame.
    fn diagnose(&self, stretch: &[u8], matched: usize) -> Rejection {
        if self.plan.attempt(stretch, None) == Attempt::Partial {
            Rejection::Incomplete
        } else if let Some((_, why)) = self.doubted {
            why
        } else if self.plan.has_length(stretch.len()) && (matched > 0 || self.plan.ends(stretch)) {
            Rejection::Format
        } else if self.plan.was_meant(matched) {
            Rejection::Length
        } else {
            Rejection::Noise
        }
    }

    /// Lets go of the bytes that were told of.
    fn forget(&mut self) {
        if let Some(last) = self.told.checked_sub(1) {
            self.before = Some(self.seen()[last]);
            self.held.drain(..self.told);
            self.masked.drain(..self.told.min(self.masked.len()));
            self.next -= self.told;
            self.doubted = self.doubted.map(|(end, why)| (end - self.told, why));
            self.promising.0 = self.promising.0.saturating_sub(self.told);
            self.told = 0;
        }
    }
}

impl Found {
    /// Why a frame of the right shape says nothing that can be believed.
    fn misfit(&self) -> Option<Rejection> {
        if self.checksum_wrong {
            Some(Rejection::Checksum)
        } else {
            (!self.is_readable()).then_some(Rejection::Format)
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
