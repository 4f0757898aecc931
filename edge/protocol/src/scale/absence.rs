//! Whether a vehicle has left: one reading below the threshold under a standing truck is noise on the line, a dip of the
//! power or a key that was pressed.

/// Where the deck was last seen loaded so long ago, the indicator is asked so seldom that its next word would come late:
/// the first reading is believed.
const SELDOM_MS: i64 = 3_000;

/// A stretch of readings that show nothing on a deck where something stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Absence {
    /// When something was last seen there; of a deck that was out of sight, when it was first seen without.
    since_ms: i64,
    readings: u32,
    /// Whether nobody had seen the vehicle since an outage.
    pub(super) unseen: bool,
}

impl Absence {
    pub(super) const fn new(since_ms: i64, unseen: bool) -> Self {
        Self {
            since_ms,
            readings: 0,
            unseen,
        }
    }

    /// Takes a reading that shows nothing; answers whether that is certain now.
    pub(super) fn lasts(&mut self, t_ms: i64, leave_ms: u32) -> bool {
        self.readings = self.readings.saturating_add(1);
        let away_ms = t_ms.saturating_sub(self.since_ms);
        let leave_ms = i64::from(leave_ms);
        let needed = if away_ms >= SELDOM_MS.max(leave_ms) || leave_ms == 0 {
            1
        } else {
            2
        };
        self.readings >= needed && away_ms >= leave_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each reading, at so many milliseconds since the deck was last seen loaded, says.
    #[track_caller]
    fn check(leave_ms: u32, readings: &[i64], expected: &[bool]) {
        let mut absence = Absence::new(0, false);
        let said: Vec<bool> = readings.iter().map(|&t_ms| absence.lasts(t_ms, leave_ms)).collect();
        assert_eq!(said, expected);
    }

    #[test]
    fn a_vehicle_has_left_when_it_is_away_for_long_enough_in_two_readings() {
        check(500, &[100, 200, 300, 400, 500], &[false, false, false, false, true]);
        check(500, &[1_000, 2_000], &[false, true]);
    }

    #[test]
    fn an_indicator_that_speaks_seldom_is_believed_at_once() {
        check(500, &[2_999], &[false]);
        check(500, &[3_000], &[true]);
        check(5_000, &[4_000, 4_999, 5_000], &[false, false, true]);
    }

    #[test]
    fn a_site_may_believe_the_first_reading() {
        check(0, &[10], &[true]);
    }
}
