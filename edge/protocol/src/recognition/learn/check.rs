//! Which of the known checksums stands in the frames, and over which bytes.

use std::collections::BTreeSet;

use super::number::Weight;
use crate::frame::{Checksum, Over};

/// A checksum that is right in the frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The column of its first byte, from 0.
    pub at: usize,
    pub kind: Checksum,
    pub over: Over,
    /// Others that are right in every frame as well.
    pub also: Vec<&'static str>,
}

/// Fewer different checksums could be right by chance.
const FEWEST: usize = 3;
/// So many different frames are looked at.
const LOOKED_AT: usize = 60;
/// A frame that was damaged on the way has a wrong one.
const RIGHT: usize = 90;

impl Check {
    pub const fn end(&self) -> usize {
        self.at + self.kind.width()
    }
}

/// The checksum, where bytes behind the weight change as one does.
pub fn find(frames: &[&[u8]], weight: &Weight) -> Option<Check> {
    let distinct: BTreeSet<&[u8]> = frames.iter().copied().collect();
    let distinct: Vec<&[u8]> = distinct.into_iter().take(LOOKED_AT).collect();
    let len = distinct.first()?.len();
    let places = (weight.end()..len).rev();
    let mut right = places
        .flat_map(|at| Checksum::all().map(move |kind| (at, kind)))
        .filter(|(at, kind)| changes(&distinct, *at, *kind))
        .filter_map(|(at, kind)| {
            let right = |over: &Over| {
                let matching = distinct.iter().filter(|frame| is_right(frame, at, kind, *over)).count();
                matching * 100 >= distinct.len() * RIGHT
            };
            Some((at, kind, ranges(kind, at, weight).find(right)?))
        });
    let (at, kind, over) = right.next()?;
    let also = right
        .take_while(|(other, ..)| *other == at)
        .map(|(_, kind, _)| kind.name())
        .collect();
    Some(Check { at, kind, over, also })
}

/// Whether a checksum of that kind can stand there.
fn changes(frames: &[&[u8]], at: usize, kind: Checksum) -> bool {
    let sent: BTreeSet<&[u8]> = frames
        .iter()
        .filter_map(|frame| frame.get(at..at + kind.width()))
        .collect();
    let is_hex = |byte: &u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(byte);
    sent.len() >= FEWEST
        && (!kind.is_text() || sent.iter().filter(|sent| sent.iter().all(is_hex)).count() * 100 >= sent.len() * RIGHT)
}

/// The ranges that makers use first, then every other that covers the weight.
fn ranges(kind: Checksum, at: usize, weight: &Weight) -> impl Iterator<Item = Over> {
    let usual = (1..=3).map(|first| Over { first, last: None });
    let (from, to) = (weight.start + 1, weight.end());
    let others = (1..=from).flat_map(move |first| {
        (to..=at).map(move |last| Over {
            first,
            last: Some(last),
        })
    });
    let is_named = kind.states_its_range();
    let named = kind.over(Over { first: 1, last: None });
    let all = usual.chain(others).filter(move |_| !is_named);
    std::iter::once(named).filter(move |_| is_named).chain(all)
}

fn is_right(frame: &[u8], at: usize, kind: Checksum, over: Over) -> bool {
    frame
        .get(at..at + kind.width())
        .is_some_and(|sent| kind.matches(over.of(frame, at), sent))
}
