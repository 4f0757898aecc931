//! Slip numbers: the site's prefix, the local date of the weighing, and a number that counts from 1 within that day.

use std::fmt;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use chrono_tz::Tz;

/// `WR20260125001`: at least three digits of number, more where a day needs them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlipNumber {
    prefix: String,
    day: NaiveDate,
    number: i32,
}

impl SlipNumber {
    /// `number` counts from 1.
    pub fn new(prefix: &str, day: NaiveDate, number: i32) -> Self {
        Self {
            prefix: prefix.to_owned(),
            day,
            number,
        }
    }

    /// Reads a number that this site may have issued; `None` for any other text, also one with needless zeros.
    pub fn parse(text: &str, prefix: &str) -> Option<Self> {
        let digits = text.strip_prefix(prefix)?;
        if digits.len() < 11 || digits.len() > 17 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let day = NaiveDate::parse_from_str(&digits[..8], "%Y%m%d").ok()?;
        let number = digits[8..].parse().ok().filter(|number| *number >= 1)?;
        let slip = Self::new(prefix, day, number);
        (slip.to_string() == text).then_some(slip)
    }

    pub const fn day(&self) -> NaiveDate {
        self.day
    }

    pub const fn number(&self) -> i32 {
        self.number
    }
}

impl fmt::Display for SlipNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { prefix, day, number } = self;
        write!(
            f,
            "{prefix}{:04}{:02}{:02}{number:03}",
            day.year(),
            day.month(),
            day.day()
        )
    }
}

/// How far numbers jump when a database is found to have been restored. `timelines` is how many timelines it is behind: a second
/// restore of the same backup must pass by what was issued after the first.
pub fn room(jump: i32, timelines: i32) -> i32 {
    jump.saturating_mul(timelines.clamp(1, 1_000))
}

/// The day to which a moment belongs at a site: slips, queue numbers and statistics are counted by it.
pub fn local_day(moment: DateTime<Utc>, zone: Tz) -> NaiveDate {
    moment.with_timezone(&zone).date_naive()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, 25).unwrap()
    }

    #[test]
    fn a_number_has_three_digits_and_more_past_999() {
        assert_eq!(SlipNumber::new("WR", day(), 1).to_string(), "WR20260125001");
        assert_eq!(SlipNumber::new("WR", day(), 1000).to_string(), "WR202601251000");
    }

    #[test]
    fn only_what_a_site_could_have_issued_is_read() {
        for good in ["WR20260125001", "WR202601251000"] {
            assert_eq!(
                SlipNumber::parse(good, "WR").map(|slip| slip.to_string()).as_deref(),
                Some(good)
            );
        }
        for bad in [
            "WR20260125000",
            "WR2026012501",
            "WR202601250001",
            "XX20260125001",
            "WR20261325001",
            "WR2026012500a",
            "",
        ] {
            assert_eq!(SlipNumber::parse(bad, "WR"), None, "{bad}");
        }
    }

    #[test]
    fn each_timeline_has_room_of_its_own() {
        assert_eq!([0, 1, 2].map(|timelines| room(500, timelines)), [500, 500, 1_000]);
    }

    #[test]
    fn the_day_changes_at_midnight_in_seoul() {
        let before = DateTime::parse_from_rfc3339("2026-01-25T23:59:59+09:00")
            .unwrap()
            .to_utc();
        assert_eq!(local_day(before, chrono_tz::Asia::Seoul), day());
        assert_eq!(
            local_day(before + chrono::TimeDelta::seconds(1), chrono_tz::Asia::Seoul),
            day().succ_opt().unwrap()
        );
    }
}
