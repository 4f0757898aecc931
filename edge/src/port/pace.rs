//! When a serial line is worth a look. Waking for every byte of a frame costs more than all that is done with the frame,
//! so a port sleeps while a frame arrives, and from one frame to the next where they come at a steady beat.
//!
//! A frame that is complete is never left lying for longer than about the time of one byte: the end of a frame is either
//! waited for, byte by byte, or looked for at a moment that the last frames have foretold; and that is checked again and
//! again by waiting.

use std::time::{Duration, Instant};

/// What to do before the next read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Wait for the next byte.
    Byte,
    /// Sleep until then: nothing that matters comes before.
    Until(Instant),
}

/// What a read gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Whole frames.
    pub frames: usize,
    /// Bytes that the frame that is arriving lacks, at least; 0 between frames.
    pub missing: usize,
}

/// The pace of one line.
#[derive(Clone, Debug)]
pub struct Pace {
    /// What a byte takes on the line.
    byte: Duration,
    wait: Wait,
    rhythm: Rhythm,
}

/// How frames follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rhythm {
    /// Nothing is known.
    Unknown,
    /// So many frames have followed the first one with the same time between them.
    Forming {
        first: Instant,
        last: Instant,
        count: u32,
    },
    Steady(Beat),
}

/// Frames that end at `end`, `end + period`, `end + 2 × period` …
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Beat {
    /// The frame since which the period is measured, and how many frames ago that was.
    first: Instant,
    count: u32,
    period: Duration,
    /// Where a frame ended that was waited for, or nearly there, and how many frames ago that was.
    end: Instant,
    since: u32,
    /// How many frames are foretold before one is waited for.
    trust: u32,
    /// How many frames in a row came late.
    late: u32,
}

/// So many frames at one beat foretell the next.
const FORETELLING: u32 = 4;
/// At most so many frames are foretold before one is waited for.
const MOST_TRUST: u32 = 16;
/// A beat is lost when so many frames in a row come late.
const MOST_LATE: u32 = 3;
/// A beat is lost when a frame is so many times earlier than one that is on it may be.
const MOST_EARLY: u32 = 4;
/// How far from its beat a frame may end, where a byte takes less.
const LEAST_TOLERANCE: Duration = Duration::from_millis(1);
/// A foretold frame is looked for by so much of the tolerance later, for it may be a little late.
const SLACK: u32 = 4;

impl Pace {
    /// `byte` is what a byte takes on the line, start and stop bits included.
    pub const fn new(byte: Duration) -> Self {
        Self {
            byte,
            wait: Wait::Byte,
            rhythm: Rhythm::Unknown,
        }
    }

    /// What to do before the next read.
    pub const fn wait(&self) -> Wait {
        self.wait
    }

    /// A read found nothing: what was expected is late.
    pub const fn nothing(&mut self) {
        self.wait = Wait::Byte;
    }

    /// A read at `now` gave bytes.
    pub fn heard(&mut self, now: Instant, heard: Heard) {
        let was_awaited = self.wait == Wait::Byte;
        match heard.frames {
            0 => (),
            1 if was_awaited => self.rhythm = self.rhythm.seen(now, self.tolerance()),
            1 => self.rhythm = self.rhythm.met(),
            _ => self.rhythm = Rhythm::Unknown,
        }
        self.wait = self.next(now, heard, was_awaited);
    }

    fn next(&self, now: Instant, heard: Heard, was_awaited: bool) -> Wait {
        match self.rhythm {
            Rhythm::Steady(beat) if heard.frames == 1 => Wait::Until(beat.look_at(self.tolerance())),
            // It was foretold to be complete: what is left comes at once.
            Rhythm::Steady(_) if !was_awaited => Wait::Byte,
            _ if heard.missing > 2 => {
                let but_one = u32::try_from(heard.missing - 1).unwrap_or(u32::MAX);
                Wait::Until(now + self.byte.saturating_mul(but_one))
            }
            _ => Wait::Byte,
        }
    }

    fn tolerance(&self) -> Duration {
        self.byte.max(LEAST_TOLERANCE)
    }
}

impl Rhythm {
    /// A frame ended at `now`, just when it was read.
    fn seen(self, now: Instant, tolerance: Duration) -> Self {
        match self {
            Self::Unknown => Self::Forming {
                first: now,
                last: now,
                count: 0,
            },
            Self::Forming { first, last, count } => {
                let period = now.saturating_duration_since(last);
                let usual = last.saturating_duration_since(first) / count.max(1);
                if count > 0 && period.abs_diff(usual) > tolerance {
                    Self::Forming {
                        first: last,
                        last: now,
                        count: 1,
                    }
                } else if count + 1 < FORETELLING {
                    Self::Forming {
                        first,
                        last: now,
                        count: count + 1,
                    }
                } else {
                    Self::Steady(Beat::new(first, now, count + 1))
                }
            }
            Self::Steady(beat) => beat.seen(now, tolerance).map_or(Self::Unknown, Self::Steady),
        }
    }

    /// A frame was there when it was looked for; it may have ended a little before.
    const fn met(self) -> Self {
        match self {
            Self::Steady(beat) if !beat.is_checked_next() => Self::Steady(Beat {
                since: beat.since + 1,
                count: beat.count + 1,
                late: 0,
                ..beat
            }),
            // It was looked for before its time, and was there.
            _ => Self::Unknown,
        }
    }
}

impl Beat {
    fn new(first: Instant, end: Instant, count: u32) -> Self {
        Self {
            first,
            count,
            period: end.saturating_duration_since(first) / count.max(1),
            end,
            since: 0,
            trust: 1,
            late: 0,
        }
    }

    const fn is_checked_next(&self) -> bool {
        self.since >= self.trust
    }

    fn next_end(&self) -> Instant {
        self.end + self.period * (self.since + 1)
    }

    /// When the next frame is looked for: when it must be there, or just before its end, to wait for that.
    fn look_at(&self, tolerance: Duration) -> Instant {
        if self.is_checked_next() {
            self.next_end().checked_sub(tolerance).unwrap_or(self.end)
        } else {
            self.next_end() + tolerance / SLACK
        }
    }

    /// The next frame ended at `now`. None where that is no beat any more.
    fn seen(self, now: Instant, tolerance: Duration) -> Option<Self> {
        let due = self.next_end();
        let (early, delay) = (due.saturating_duration_since(now), now.saturating_duration_since(due));
        let count = self.count + 1;
        if delay > tolerance {
            let late = Self {
                since: self.since + 1,
                late: self.late + 1,
                count,
                ..self
            };
            return (late.late < MOST_LATE).then_some(late);
        }
        let on_time = Self {
            count,
            period: now.saturating_duration_since(self.first) / count,
            // One that is early shows where all may end; one that is late may be late alone.
            end: if delay.is_zero() {
                now + early / 2
            } else {
                due + delay / SLACK
            },
            since: 0,
            trust: (self.trust * 2).clamp(1, MOST_TRUST),
            late: 0,
            ..self
        };
        if early <= tolerance {
            Some(on_time)
        } else if early <= tolerance * MOST_EARLY {
            Some(Self {
                end: now,
                trust: 0,
                ..on_time
            })
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTE: Duration = Duration::from_micros(1042);
    const LENGTH: usize = 22;
    const PERIOD: Duration = Duration::from_millis(50);

    /// A line whose bytes arrive at known times.
    struct Line {
        bytes: Vec<Instant>,
        read: usize,
        /// The first frame whose lateness counts.
        judged_from: usize,
    }

    /// What it was like to read a line.
    #[derive(Debug, Default)]
    struct Seen {
        frames: u32,
        reads: u32,
        /// The longest that a complete frame lay unread.
        late: Duration,
    }

    impl Line {
        /// Frames that begin at these times, counted from one moment.
        fn of(starts: impl IntoIterator<Item = Duration>) -> Self {
            let began = Instant::now();
            let frame = |start| (1..=LENGTH).map(move |byte| began + start + BYTE * u32::try_from(byte).unwrap());
            Self {
                bytes: starts.into_iter().flat_map(frame).collect(),
                read: 0,
                judged_from: 0,
            }
        }

        /// Reads all of it at its pace; a wake takes `lag`.
        fn read_at_pace(mut self, lag: Duration) -> Seen {
            let (mut pace, mut seen) = (Pace::new(BYTE), Seen::default());
            let mut now = self.bytes[0].checked_sub(PERIOD).unwrap();
            while let Some(next) = self.bytes.get(self.read) {
                let woken = match pace.wait() {
                    Wait::Byte => *next,
                    Wait::Until(at) => at,
                };
                now = now.max(woken + lag);
                seen.reads += 1;
                let until = self.bytes.iter().take_while(|byte| **byte <= now).count();
                if until == self.read {
                    pace.nothing();
                    continue;
                }
                let frames = until / LENGTH - self.read / LENGTH;
                for frame in (self.read / LENGTH).max(self.judged_from)..until / LENGTH {
                    seen.late = seen.late.max(now - self.bytes[(frame + 1) * LENGTH - 1]);
                }
                self.read = until;
                seen.frames += u32::try_from(frames).unwrap();
                let missing = (LENGTH - until % LENGTH) % LENGTH;
                pace.heard(now, Heard { frames, missing });
            }
            seen
        }
    }

    /// `count` frames at the period, each put off by what `delay` says.
    fn frames(count: u32, delay: impl Fn(u32) -> Duration) -> Line {
        Line::of((0..count).map(|frame| PERIOD * frame + delay(frame)))
    }

    const LAG: Duration = Duration::from_micros(100);

    #[test]
    fn frames_at_a_steady_beat_are_read_little_more_than_once_each() {
        let seen = frames(400, |_| Duration::ZERO).read_at_pace(LAG);
        assert_eq!(seen.frames, 400);
        assert!(seen.reads < 400 * 13 / 10, "{seen:?}");
        assert!(seen.late < BYTE, "{seen:?}");
    }

    #[test]
    fn frames_that_sway_by_less_than_a_byte_are_still_on_their_beat() {
        let sway = |frame: u32| Duration::from_micros((frame * 7919 % 11 * 50).into());
        let seen = frames(400, sway).read_at_pace(LAG);
        assert!(seen.reads < 400 * 2, "{seen:?}");
        assert!(seen.late < BYTE * 3 / 2, "{seen:?}");
    }

    #[test]
    fn frames_without_a_beat_are_waited_for() {
        let any = |frame: u32| Duration::from_micros((frame * 7919 % 101 * 200).into());
        let seen = frames(400, any).read_at_pace(LAG);
        assert_eq!(seen.frames, 400);
        assert!(seen.late <= BYTE * 2, "{seen:?}");
        assert!(seen.reads < 400 * 7, "far fewer than bytes: {seen:?}");
    }

    #[test]
    fn frames_that_follow_each_other_without_a_gap_keep_their_beat() {
        let seen = Line::of((0..400).map(|frame| BYTE * 22 * frame)).read_at_pace(LAG);
        assert!(seen.reads < 400 * 13 / 10, "{seen:?}");
        assert!(seen.late < BYTE, "{seen:?}");
    }

    #[test]
    fn one_frame_that_is_late_does_not_end_the_beat_and_many_do() {
        let once = |frame: u32| Duration::from_millis(if frame % 50 == 40 { 5 } else { 0 });
        let seen = frames(400, once).read_at_pace(LAG);
        assert!(seen.reads < 400 * 15 / 10 && seen.late < BYTE, "{seen:?}");
        let from_then_on = |frame: u32| Duration::from_millis(if frame < 200 { 0 } else { 17 });
        let seen = frames(400, from_then_on).read_at_pace(LAG);
        assert!(seen.reads < 400 * 15 / 10 && seen.late < BYTE, "{seen:?}");
    }

    #[test]
    fn a_beat_that_moves_forward_is_noticed_when_it_is_next_checked() {
        let sooner = |frame: u32| Duration::from_millis(if frame < 200 { 3 } else { 0 });
        let mut line = frames(400, sooner);
        line.judged_from = 200 + 17;
        let seen = line.read_at_pace(LAG);
        assert!(seen.reads < 400 * 15 / 10 && seen.late < BYTE, "{seen:?}");
    }

    #[test]
    fn a_line_that_falls_silent_is_waited_for() {
        let mut pace = Pace::new(BYTE);
        let now = Instant::now();
        for frame in 0..20 {
            pace.heard(now + PERIOD * frame, Heard { frames: 1, missing: 0 });
        }
        assert!(matches!(pace.wait(), Wait::Until(_)));
        pace.nothing();
        assert_eq!(pace.wait(), Wait::Byte);
    }
}
