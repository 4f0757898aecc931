//! When a barrier moves. Pure: it never closes while something stands in its way, or while that cannot be known.

use std::time::Duration;

use tokio::time::Instant;

use super::rule::Colour;

/// The way must have been free for so long before the barrier closes.
const FREE_FOR: Duration = Duration::from_secs(1);

/// What is to be done at the barrier's coils.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    Open,
    Close,
    /// Something has come into its way while it closed: stop closing, and open.
    Reopen,
}

/// A barrier that opens with green and closes with red.
#[derive(Debug, Default)]
pub(super) struct Barrier {
    /// What it was moved for last; none before the first green, for at the start it is left as it stands.
    moved_for: Option<Colour>,
    free_since: Option<Instant>,
    closing_until: Option<Instant>,
}

impl Barrier {
    /// `occupied` is what the input says, none where it cannot be read or there is none.
    pub(super) fn step(
        &mut self,
        now: Instant,
        colour: Colour,
        occupied: Option<bool>,
        pulse: Duration,
    ) -> Option<Move> {
        match occupied {
            Some(false) => self.free_since = self.free_since.or(Some(now)),
            Some(true) | None => self.free_since = None,
        }
        let is_closing = self.closing_until.is_some_and(|until| now < until);
        if is_closing && occupied != Some(false) {
            self.closing_until = None;
            // It is closed again when the way is free.
            self.moved_for = Some(Colour::Green);
            return Some(Move::Reopen);
        }
        match (colour, self.moved_for) {
            (Colour::Green, None | Some(Colour::Red)) => {
                self.moved_for = Some(Colour::Green);
                self.closing_until = None;
                Some(Move::Open)
            }
            (Colour::Red, Some(Colour::Green)) => {
                self.free_since.filter(|since| now.duration_since(*since) >= FREE_FOR)?;
                self.moved_for = Some(Colour::Red);
                // A little longer than the pulse: the arm moves on.
                self.closing_until = Some(now + pulse * 4);
                Some(Move::Close)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PULSE: Duration = Duration::from_millis(700);

    /// Steps every 100 ms: `g` or `r` is the lamp, `.` a free input, `#` an occupied one, `?` an unreadable one.
    #[track_caller]
    fn check(steps: &str, expected: &str) {
        let (mut barrier, mut now) = (Barrier::default(), Instant::now());
        let mut moves = String::new();
        let mut colour = Colour::Red;
        for step in steps.chars() {
            let occupied = match step {
                'g' | 'r' => {
                    colour = if step == 'g' { Colour::Green } else { Colour::Red };
                    continue;
                }
                '.' => Some(false),
                '#' => Some(true),
                _ => None,
            };
            now += Duration::from_millis(100);
            moves.push(match barrier.step(now, colour, occupied, PULSE) {
                None => '-',
                Some(Move::Open) => 'O',
                Some(Move::Close) => 'C',
                Some(Move::Reopen) => 'R',
            });
        }
        assert_eq!(moves, expected);
    }

    #[test]
    fn it_opens_with_green_and_closes_once_the_way_has_been_free_for_a_second() {
        check("g..r.............", "O---------C----");
    }

    #[test]
    fn it_never_closes_on_what_stands_there_or_while_nobody_can_know() {
        check("g.r####################", "O--------------------");
        check("g.r????????????????????", "O--------------------");
        check("g.r#.#.#.#.#.#.#.#.#.#.", "O--------------------");
    }

    #[test]
    fn it_opens_again_when_something_comes_while_it_closes() {
        check("g.r..........#........", "O---------CR--------");
    }

    #[test]
    fn a_start_leaves_it_as_it_stands() {
        check("r...............", "---------------");
    }
}
