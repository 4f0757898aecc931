//! What an unknown indicator speaks, found out from its bytes alone.
//!
//! - [`evidence`]: one protocol tried on the bytes, and how well it explains them
//! - [`verdict`]: the best of all protocols, and what the bytes cannot tell
//! - [`rhythm`]: frames in bytes that no protocol explains
//! - [`learn`]: a declaration proposed from such bytes and a few weights that the display showed

pub mod evidence;
pub mod learn;
pub mod rhythm;
pub mod verdict;

pub use evidence::{Evidence, Heard, Trial};
pub use learn::{Brief, CannotLearn, Proposal, Seen, learn};
pub use rhythm::Rhythm;
pub use verdict::{Difference, Ranking, Unexplained, Verdict, rank};
