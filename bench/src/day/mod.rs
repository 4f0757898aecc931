//! Simulated days of a line, without server and yard: how well drivers are told how long they will wait.
//!
//! Trucks come in two rushes, some are weighed twice, some do not follow their call, some give up, a scale is closed for a
//! while. Each is told its wait when it joins the line, by the rules that the server uses; what it then waits is compared
//! with that. All chance comes from the seed: the same seed is the same day.

mod yard;

use crate::figures::{Figure, Measurement};

use self::yard::{Told, Yard};

/// What is played.
#[derive(Clone, Copy, Debug)]
pub struct DaySpec {
    pub seed: u64,
    pub days: u32,
    /// A third of them are weighed twice.
    pub trucks: u32,
}

/// Greatest promised waits of the table's rows, in minutes.
const ROWS: [(u32, &str); 4] = [
    (5, "up to 5 min promised"),
    (15, "5 to 15 min"),
    (30, "15 to 30 min"),
    (u32::MAX, "more than 30 min"),
];

/// Plays the days and compares.
pub fn measure(spec: DaySpec) -> Vec<Measurement> {
    let told: Vec<Told> = (0..spec.days)
        .flat_map(|day| Yard::day(spec.seed, day, spec.trucks))
        .collect();
    let mut figures = vec![
        Figure::new("waits", count(&told), ""),
        Figure::new("called within eta_p80", share(&told, Told::within_p80), "%").at_least(75.0),
        Figure::new("not within eta_p80", 100.0 - share(&told, Told::within_p80), "%").at_least(15.0),
        Figure::new("called within eta_p50", share(&told, Told::within_p50), "%"),
        Figure::new("called within estimated_time", share(&told, Told::within_estimate), "%"),
    ];
    let mut above = 0;
    for (most, name) in ROWS {
        let of_row: Vec<Told> = (told.iter().copied())
            .filter(|told| (above..most.saturating_mul(60)).contains(&told.p80))
            .collect();
        above = most.saturating_mul(60);
        figures.push(Figure::new(format!("{name}: waits"), count(&of_row), ""));
        figures.push(Figure::new(
            format!("{name}: within eta_p80"),
            share(&of_row, Told::within_p80),
            "%",
        ));
    }
    vec![Measurement {
        what: format!(
            "How long drivers are told that they will wait ({} days of {} trucks, seed {})",
            spec.days, spec.trucks, spec.seed
        ),
        how: "simulated days on three scales, one of which takes deliveries alone; told when the truck joins the line, to the second"
            .to_owned(),
        figures,
    }]
}

fn count(told: &[Told]) -> f64 {
    f64::from(u32::try_from(told.len()).unwrap_or(u32::MAX))
}

/// In percent; of none all.
fn share(told: &[Told], of: fn(&Told) -> bool) -> f64 {
    if told.is_empty() {
        return 100.0;
    }
    let fitting: Vec<Told> = told.iter().filter(|told| of(told)).copied().collect();
    100.0 * count(&fitting) / count(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(seed: u64, days: u32) -> Vec<Told> {
        (0..days).flat_map(|day| Yard::day(seed, day, 500)).collect()
    }

    #[test]
    fn four_waits_in_five_are_within_what_is_told() {
        let told = days(1, 3);
        let (p50, p80) = (share(&told, Told::within_p50), share(&told, Told::within_p80));
        assert!((75.0..=85.0).contains(&p80), "{p80} % of {} waits", told.len());
        assert!((42.0..=60.0).contains(&p50), "{p50} % of {} waits", told.len());
    }

    #[test]
    fn the_same_seed_is_the_same_day() {
        assert_eq!(days(3, 1), days(3, 1));
        assert_ne!(days(3, 1), days(4, 1));
    }
}
