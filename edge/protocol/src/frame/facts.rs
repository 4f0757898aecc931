//! What the status characters and bits of a frame say, in one vocabulary for every maker.

use std::ops::BitOr;

use crate::reading::{Mode, Unit};

/// What one field, or a whole frame, says beside its numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub flags: Flags,
    pub unit: Option<Unit>,
    pub mode: Option<Mode>,
    pub shift: Option<Shift>,
}

/// Where the decimal point of digits without one belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    Decimals(u8),
    /// The digits leave out this many zeros.
    Zeros(u8),
}

/// A set of yes-or-no facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u16);

impl Flags {
    pub const STABLE: Self = Self(1);
    pub const MOVING: Self = Self(1 << 1);
    pub const OVERLOAD: Self = Self(1 << 2);
    pub const UNDERLOAD: Self = Self(1 << 3);
    /// Over or under, by the sign of the weight.
    pub const OUT_OF_RANGE: Self = Self(1 << 4);
    /// The digits mean nothing: an error, no zero yet, blank.
    pub const NO_WEIGHT: Self = Self(1 << 5);
    pub const ZERO: Self = Self(1 << 6);
    pub const NOT_ZERO: Self = Self(1 << 7);
    pub const NEGATIVE: Self = Self(1 << 8);
    /// As [`NEGATIVE`](Self::NEGATIVE), of a frame's gross weight alone.
    pub const GROSS_NEGATIVE: Self = Self(1 << 9);
    pub const NET_NEGATIVE: Self = Self(1 << 10);
    /// Pieces, microvolts, errors, answers to other commands: the indicator speaks, but of no weight.
    pub const NO_WEIGHING: Self = Self(1 << 11);
    /// Part of the conversation and neither reading nor error.
    pub const QUIET: Self = Self(1 << 12);

    /// Whether at least one flag of `other` is set.
    pub const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for Flags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Facts {
    pub fn flag(flags: Flags) -> Self {
        Self {
            flags,
            ..Self::default()
        }
    }

    /// Both together; of unit, mode and decimal point the later one counts.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        Self {
            flags: self.flags | later.flags,
            unit: later.unit.or(self.unit),
            mode: later.mode.or(self.mode),
            shift: later.shift.or(self.shift),
        }
    }

    /// Whether these facts rule out that the frame's digits are a weight.
    pub fn spoil_weight(self) -> bool {
        let spoiling = Flags::OVERLOAD | Flags::UNDERLOAD | Flags::OUT_OF_RANGE | Flags::NO_WEIGHT;
        self.flags.any(spoiling)
    }

    /// None where the frame says nothing of it. Motion wins over standstill, and what is no weight is never stable.
    pub fn stable(self) -> Option<bool> {
        if self.flags.any(Flags::MOVING) || self.spoil_weight() {
            Some(false)
        } else {
            self.flags.any(Flags::STABLE).then_some(true)
        }
    }

    pub fn zero(self) -> Option<bool> {
        if self.flags.any(Flags::ZERO) {
            Some(true)
        } else {
            self.flags.any(Flags::NOT_ZERO).then_some(false)
        }
    }
}
