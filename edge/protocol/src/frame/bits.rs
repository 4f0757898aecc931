//! How unlikely it is that bytes pass for a frame by chance, so that protocols can be compared.

use super::{
    layout::{Fit, Layout, Op},
    number::NumberForm,
    plan::Plan,
};

/// In tenths of a bit, so that no fraction is needed: one byte that must have one value.
const BYTE: usize = 80;

impl Plan {
    /// Tenths of bits by which these bytes, one whole frame, are more than chance; 0 where no layout fits them.
    pub fn tenths_of_bits(&self, raw: &[u8]) -> usize {
        let masked: Vec<u8> = raw.iter().map(|byte| byte & 0x7F).collect();
        let seen = if self.mask7 { &masked } else { raw };
        let fits = |layout: &&Layout| matches!(layout.fit(seen), Fit::Whole { len, .. } if len == seen.len());
        let best = self.layouts().iter().filter(fits).map(Layout::tenths_of_bits).max();
        best.unwrap_or(0).saturating_sub(one_of(self.layouts().len()))
    }

    /// Whether every frame with a weight carries a checksum.
    pub fn is_checked(&self) -> bool {
        self.layouts()
            .iter()
            .filter(|layout| !layout.is_message)
            .all(|layout| layout.ops.iter().any(|op| matches!(op, Op::Check { .. })))
    }
}

impl Layout {
    fn tenths_of_bits(&self) -> usize {
        self.ops.iter().map(Op::tenths_of_bits).sum()
    }
}

impl Op {
    fn tenths_of_bits(&self) -> usize {
        match self {
            Self::Byte(_) => BYTE,
            Self::Word { width, meanings } | Self::Padded { width, meanings } => {
                (BYTE * width).saturating_sub(one_of(meanings.len()))
            }
            Self::Bits(values) => BYTE - one_of(values.iter().flatten().count()),
            // A digit, a sign, a point, a letter: a third of all bytes may stand there.
            Self::Number { width, form, .. } => match form {
                NumberForm::Text(_) => 40 * width,
                NumberForm::Bcd => 13 * width,
                NumberForm::Binary => 0,
            },
            Self::Device { width, .. } => 40 * width,
            Self::Check { kind, .. } => BYTE * kind.width(),
            Self::Text(width) => 2 * width,
            Self::Any(_) | Self::Rest { .. } => 0,
        }
    }
}

/// What is lost where one of several is as good.
fn one_of(count: usize) -> usize {
    count.checked_ilog2().map_or(0, |bits| 10 * bits as usize)
}
