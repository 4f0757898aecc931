//! What was measured, beside what is to be reached, as a table and as JSON.

use std::fmt;

use serde::Serialize;

use crate::times::Times;

/// What one arrangement gave.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    pub what: String,
    /// The arrangement: what ran, where the clock started and stopped, what was left out.
    pub how: String,
    pub figures: Vec<Figure>,
}

/// One number.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    pub name: String,
    pub value: f64,
    pub unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
}

/// What the number ought to be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    AtMost(f64),
    AtLeast(f64),
}

impl Figure {
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            target: None,
        }
    }

    #[must_use]
    pub const fn at_most(mut self, limit: f64) -> Self {
        self.target = Some(Target::AtMost(limit));
        self
    }

    #[must_use]
    pub const fn at_least(mut self, limit: f64) -> Self {
        self.target = Some(Target::AtLeast(limit));
        self
    }

    /// Median, 90th and 99th percentile and the greatest, in milliseconds.
    pub fn of_times(times: &Times) -> [Self; 4] {
        let of = |name: &str, permille| Self::new(name, times.permille(permille).as_secs_f64() * 1000.0, "ms");
        [of("p50", 500), of("p90", 900), of("p99", 990), of("max", 1000)]
    }
}

impl Target {
    pub fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }
}

impl fmt::Display for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}\n  {}", self.what, self.how)?;
        self.figures.iter().try_for_each(|figure| writeln!(f, "{figure}"))
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = number(self.value);
        write!(f, "    {:<44} {value:>12} {:<12}", self.name, self.unit)?;
        let Some(target) = self.target else { return Ok(()) };
        let verdict = if target.is_met(self.value) { "met" } else { "MISSED" };
        write!(f, " target {target:<10} {verdict}")
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::AtMost(limit) => format!("≤ {}", number(*limit)),
            Self::AtLeast(limit) => format!("≥ {}", number(*limit)),
        };
        f.pad(&text)
    }
}

/// Whole from a thousand on, with its thousands parted; else with two decimals where it has any.
fn number(value: f64) -> String {
    if value.abs() < 1000.0 {
        let text = format!("{value:.2}");
        return text.strip_suffix(".00").map_or(text.clone(), str::to_owned);
    }
    let digits = format!("{value:.0}");
    let mut parted = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && digits.len().saturating_sub(place) % 3 == 0 {
            parted.push(',');
        }
        parted.push(digit);
    }
    parted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_fine_as_they_are_of_use() {
        let shown = [0.126, 3.0, 999.5, 1000.4, 20_000.0, 1_234_567.0].map(number);
        assert_eq!(shown, ["0.13", "3", "999.50", "1,000", "20,000", "1,234,567"]);
    }

    #[test]
    fn a_row_says_what_was_to_be_reached_and_whether_it_was() {
        let row = |figure: Figure| figure.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(
            row(Figure::new("p50", 2.5, "ms").at_most(3.0)),
            "p50 2.50 ms target ≤ 3 met"
        );
        assert_eq!(
            row(Figure::new("drained", 900.0, "events/s").at_least(1000.0)),
            "drained 900 events/s target ≥ 1,000 MISSED"
        );
        assert_eq!(row(Figure::new("p90", 2.5, "ms")), "p90 2.50 ms");
    }
}
