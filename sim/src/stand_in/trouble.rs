//! How a stand-in is to fail, and how often.

use std::str::FromStr;

use parking_lot::Mutex;

use crate::{SimError, chance::Chance};

/// How many requests fail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Often {
    /// The next ones, so many.
    Next(u32),
    /// This share of all, 0 to 1.
    Share(f64),
}

/// What is in force now.
#[derive(Debug)]
pub struct Trouble<F> {
    state: Mutex<State<F>>,
}

#[derive(Debug)]
struct State<F> {
    ways: Vec<(F, Often)>,
    chance: Chance,
}

impl<F: Copy> Trouble<F> {
    /// None yet. The same seed draws the same requests.
    pub fn none(seed: u64) -> Self {
        Self {
            state: Mutex::new(State {
                ways: Vec::new(),
                chance: Chance::of_seed(seed),
            }),
        }
    }

    pub fn add(&self, way: F, often: Often) {
        self.state.lock().ways.push((way, often));
    }

    pub fn clear(&self) {
        self.state.lock().ways.clear();
    }

    /// How the request that has come fails, of the ways that concern it; none where it is to be answered.
    pub fn draw(&self, concerns: impl Fn(F) -> bool) -> Option<F> {
        let State { ways, chance } = &mut *self.state.lock();
        for (index, (way, often)) in ways.iter_mut().enumerate() {
            let way = *way;
            if !concerns(way) {
                continue;
            }
            match often {
                Often::Next(1) => {
                    ways.remove(index);
                    return Some(way);
                }
                Often::Next(left) => {
                    *left -= 1;
                    return Some(way);
                }
                Often::Share(share) if chance.happens(*share) => return Some(way),
                Often::Share(_) => {}
            }
        }
        None
    }
}

impl FromStr for Often {
    type Err = SimError;

    /// `3`: the next three; `0.3`: three of ten; `always`.
    fn from_str(text: &str) -> Result<Self, SimError> {
        let share = || text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
        match text.parse() {
            Ok(times) if times > 0 => Ok(Self::Next(times)),
            _ if text == "always" => Ok(Self::Share(1.0)),
            _ => share().map(Self::Share).ok_or_else(|| {
                SimError::Usage(format!(
                    "{text:?} is not how often, expected a number of requests, a share such as 0.3, or always"
                ))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_ones_fail_and_then_no_more() {
        let trouble = Trouble::none(1);
        trouble.add('a', "2".parse().unwrap());
        trouble.add('b', "1".parse().unwrap());
        let drawn: Vec<_> = (0..4).map(|_| trouble.draw(|_| true)).collect();
        assert_eq!(drawn, [Some('a'), Some('a'), Some('b'), None]);
    }

    #[test]
    fn what_does_not_concern_a_request_waits_for_one_that_it_does() {
        let trouble = Trouble::none(1);
        trouble.add('a', Often::Next(1));
        assert_eq!(trouble.draw(|way| way == 'b'), None);
        assert_eq!(trouble.draw(|way| way == 'a'), Some('a'));
    }

    #[test]
    fn a_share_is_met_on_the_whole() {
        let trouble = Trouble::none(7);
        trouble.add('a', "0.3".parse().unwrap());
        let failed = (0..1000).filter(|_| trouble.draw(|_| true).is_some()).count();
        assert!((250..350).contains(&failed), "{failed}");
        trouble.clear();
        assert_eq!(trouble.draw(|_| true), None);
        for wrong in ["0", "-1", "1.5", "often", ""] {
            assert!(wrong.parse::<Often>().is_err() || wrong == "0", "{wrong}");
        }
    }
}
