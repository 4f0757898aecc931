//! All layouts of a protocol together, and what the stream needs to know of them.

use super::{
    facts::Flags,
    layout::{Amount, Fit, Found, Layout},
};

/// The layouts of one protocol with one set of options, ready to be tried on bytes.
#[derive(Clone, Debug)]
pub struct Plan {
    layouts: Vec<Layout>,
    /// For each layout, whether it begins like any number.
    unmarked: Vec<bool>,
    starts: [bool; 256],
    /// The bytes that end every frame; empty where frames do not end alike.
    ending: Vec<u8>,
    /// Bytes that may stand between frames and mean nothing.
    between: Vec<u8>,
    /// The lengths of frames that are no messages.
    lengths: Vec<usize>,
    longest: usize,
    marked: bool,
    /// Whether only the low seven bits of a byte count.
    pub mask7: bool,
}

/// What stands at one place of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    Whole {
        len: usize,
        found: Found,
    },
    Partial,
    /// No frame begins here; the best layout fitted so many bytes.
    Broken {
        matched: usize,
    },
}

impl Plan {
    /// `between` are bytes that may stand between frames and mean nothing.
    pub fn new(layouts: Vec<Layout>, between: Vec<u8>, mask7: bool) -> Self {
        let weighings = || layouts.iter().filter(|layout| !layout.is_message);
        let ending = weighings()
            .map(Layout::ending)
            .reduce(|one, other| common_end(&one, &other))
            .unwrap_or_default();
        Self {
            starts: std::array::from_fn(|byte| {
                u8::try_from(byte).is_ok_and(|byte| layouts.iter().any(|layout| layout.can_start_with(byte)))
            }),
            ending,
            between,
            lengths: weighings().filter_map(Layout::length).collect(),
            longest: layouts.iter().map(Layout::longest).max().unwrap_or(0),
            marked: weighings().all(|layout| !layout.begins_like_a_number()),
            unmarked: layouts.iter().map(Layout::begins_like_a_number).collect(),
            layouts,
            mask7,
        }
    }

    /// Tries every layout at the beginning of `bytes`. The shortest frame counts, then one that can be read, then the one
    /// declared first; so the answer does not depend on how many bytes have arrived.
    ///
    /// `before` is the byte in front of them: a frame that begins like any number is not taken from within a longer one.
    pub fn attempt(&self, bytes: &[u8], before: Option<u8>) -> Attempt {
        let Some(first) = bytes.first() else {
            return Attempt::Partial;
        };
        let mut best = Attempt::Broken { matched: 0 };
        if !self.starts[usize::from(*first)] {
            return best;
        }
        let in_a_number = before.is_some_and(|byte| matches!(byte, b'0'..=b'9' | b' ' | b'.' | b'+' | b'-'));
        for (layout, unmarked) in self.layouts.iter().zip(&self.unmarked) {
            if in_a_number && *unmarked {
                continue;
            }
            best = match (best, layout.fit(bytes)) {
                (
                    Attempt::Whole {
                        len: shortest,
                        found: other,
                    },
                    Fit::Whole { len, found },
                ) => {
                    let better = len < shortest || (len == shortest && !other.is_readable() && found.is_readable());
                    if better { Attempt::Whole { len, found } } else { best }
                }
                (_, Fit::Whole { len, found }) => Attempt::Whole { len, found },
                (Attempt::Whole { .. } | Attempt::Partial, _) => best,
                (Attempt::Broken { .. }, Fit::Partial) => Attempt::Partial,
                (Attempt::Broken { matched: most }, Fit::Broken { matched }) => Attempt::Broken {
                    matched: most.max(matched),
                },
            };
        }
        best
    }

    /// How many bytes the shortest frame that these may begin lacks, at least; none where they begin none, or are one.
    pub fn missing(&self, bytes: &[u8]) -> Option<usize> {
        let begun = self.layouts.iter().filter(|layout| layout.fit(bytes) == Fit::Partial);
        begun
            .map(|layout| {
                layout
                    .length()
                    .map_or(1, |length| length.saturating_sub(bytes.len()).max(1))
            })
            .min()
    }

    pub fn layouts(&self) -> &[Layout] {
        &self.layouts
    }

    pub fn may_stand_between(&self, byte: u8) -> bool {
        self.between.contains(&byte)
    }

    /// Whether these bytes are closed by what ends every frame.
    pub fn ends(&self, bytes: &[u8]) -> bool {
        !self.ending.is_empty() && bytes.ends_with(&self.ending)
    }

    pub fn has_length(&self, len: usize) -> bool {
        self.lengths.contains(&len)
    }

    /// Whether so many matching bytes show that a frame was meant.
    pub fn was_meant(&self, matched: usize) -> bool {
        self.lengths
            .iter()
            .min()
            .is_some_and(|shortest| matched * 2 >= *shortest)
    }

    /// Whether frames begin with something that cannot be in a number.
    pub const fn is_marked(&self) -> bool {
        self.marked
    }

    /// The most bytes that a frame can have.
    pub const fn longest(&self) -> usize {
        self.longest
    }
}

impl Found {
    /// Whether this is a frame that says something, not a misfit of the right shape.
    pub fn is_readable(&self) -> bool {
        let facts = self.facts;
        let spoken = facts.spoil_weight() || facts.flags.any(Flags::NO_WEIGHING | Flags::QUIET);
        let unreadable = self.weight == Amount::Unreadable || self.tare == Amount::Unreadable || self.other_unreadable;
        !self.checksum_wrong && (spoken || !unreadable)
    }
}

fn common_end(one: &[u8], other: &[u8]) -> Vec<u8> {
    let count = one
        .iter()
        .rev()
        .zip(other.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    one[one.len() - count..].to_vec()
}
