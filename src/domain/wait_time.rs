//! How long those who wait will wait yet.
//!
//! Two answers. The simple one is [`by_the_mean`]: those ahead × the mean time of a weighing ÷ the scales that are
//! open; it is late for about two drivers in three. [`forecast`] plays the rest of the line many times over, with times that
//! weighings really took of late and with what stands on the scales now, and says by when half and four fifths of those
//! plays had called each truck. It is a function of its arguments: chance comes from the entries' ids.

use super::wait_line::{Takes, Wish};

/// How often the line is played.
const PLAYS: u64 = 200;
/// What a weighing takes where none was seen yet, in seconds.
pub const USUAL_SERVICE: u32 = 180;

/// A scale, as far as waiting depends on it.
#[derive(Clone, Debug)]
pub struct Scale {
    pub takes: Takes,
    /// Seconds since somebody was called to it; none while it is free.
    pub busy_for: Option<u32>,
}

/// One who waits; a line is in the order in which it will be called.
#[derive(Clone, Debug)]
pub struct InLine {
    pub id: i64,
    pub wish: Wish,
}

/// Seconds until a truck is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// As likely sooner as later.
    pub p50: u32,
    /// Four times in five sooner.
    pub p80: u32,
}

/// Minutes; `services` are seconds from call to leaving.
pub fn by_the_mean(ahead: u64, services: &[u32], open_scales: u64) -> i32 {
    let count = u64::try_from(services.len()).unwrap_or(1);
    let sum: u64 = services.iter().map(|seconds| u64::from(*seconds)).sum();
    let (sum, count) = if count == 0 {
        (u64::from(USUAL_SERVICE), 1)
    } else {
        (sum, count)
    };
    let seconds_by_parts = ahead.saturating_mul(sum);
    let parts = count.saturating_mul(open_scales.max(1)).saturating_mul(60);
    i32::try_from(seconds_by_parts.div_ceil(parts)).unwrap_or(i32::MAX)
}

/// Whole minutes, as a driver is told them; rounded up, so that nobody is promised too much.
pub fn minutes(seconds: u32) -> i32 {
    i32::try_from(seconds.div_ceil(60)).unwrap_or(i32::MAX)
}

/// When each of a line will be called; none for one whom no scale takes.
///
/// `services` are the seconds that recent calls kept a scale busy. Where all scales take all trucks, one more ahead of a
/// truck never makes its forecast earlier.
pub fn forecast(scales: &[Scale], line: &[InLine], services: &[u32]) -> Vec<Option<Forecast>> {
    let mut services = services.to_vec();
    services.sort_unstable();
    if services.is_empty() {
        services.push(USUAL_SERVICE);
    }
    let mut waits: Vec<Vec<u32>> = vec![Vec::new(); line.len()];
    for play in 0..PLAYS {
        let called = Play {
            scales,
            services: &resampled(&services, play),
            number: play,
        };
        for (waits, at) in waits.iter_mut().zip(called.run(line)) {
            waits.extend(at);
        }
    }
    waits.into_iter().map(quantiles).collect()
}

/// As many of these times, drawn anew: what was seen of late is itself a matter of chance, and a long line adds that up.
fn resampled(services: &[u32], play: u64) -> Vec<u32> {
    let count = u64::try_from(services.len()).unwrap_or(1).max(1);
    let draw = |n: u64| {
        let at = scramble(scramble(n.wrapping_add(1 << 62)) ^ scramble(play)) % count;
        usize::try_from(at).ok().and_then(|at| services.get(at)).copied()
    };
    let mut drawn: Vec<u32> = (0..count).filter_map(draw).collect();
    drawn.sort_unstable();
    drawn
}

fn quantiles(mut waits: Vec<u32>) -> Option<Forecast> {
    let mut permille = |of: usize| {
        let at = (waits.len() * of).div_ceil(1000).checked_sub(1)?;
        waits.get(at)?;
        Some(*waits.select_nth_unstable(at).1)
    };
    Some(Forecast {
        p50: permille(500)?,
        p80: permille(800)?,
    })
}

/// The rest of the line, once.
struct Play<'a> {
    scales: &'a [Scale],
    /// Ascending, never empty.
    services: &'a [u32],
    number: u64,
}

impl Play<'_> {
    /// Seconds after which each is called.
    fn run(&self, line: &[InLine]) -> Vec<Option<u32>> {
        let mut called = vec![None; line.len()];
        let mut free: Vec<Option<u32>> = (0..)
            .zip(self.scales)
            .map(|(n, scale)| Some(self.rest(n, scale)))
            .collect();
        let mut first = 0;
        while first < line.len() {
            let earliest = (0..).zip(&free).filter_map(|(n, at)| at.map(|at| (at, n))).min();
            let Some((at, n)) = earliest else { break };
            let (Some(scale), Some(slot)) = (self.scales.get(n), free.get_mut(n)) else {
                break;
            };
            let waiting = (first..)
                .zip(line.iter().skip(first))
                .zip(called.iter_mut().skip(first));
            let next = waiting
                .filter(|(_, called)| called.is_none())
                .find(|((_, one), _)| scale.takes.takes(&one.wish));
            match next {
                Some(((_, one), called)) => {
                    *called = Some(at);
                    *slot = Some(at.saturating_add(self.draw(one.id.cast_unsigned(), self.services)));
                }
                // Nobody is left whom it takes.
                None => *slot = None,
            }
            while called.get(first).is_some_and(Option::is_some) {
                first += 1;
            }
        }
        called
    }

    /// How long a scale is still busy: as long as those that took longer than it has taken by now.
    fn rest(&self, number: u64, scale: &Scale) -> u32 {
        let Some(busy_for) = scale.busy_for else { return 0 };
        let shorter = self.services.partition_point(|service| *service <= busy_for);
        let chance = number.wrapping_add(1 << 63);
        match self.services.get(shorter..) {
            Some(longer) if !longer.is_empty() => self.draw(chance, longer) - busy_for,
            // Longer than any of late: nothing is known of such, so a quarter of a usual one more.
            _ => self.draw(chance, self.services) / 4,
        }
    }

    /// One of `times`, by chance that depends on whose time it is and on the play alone.
    fn draw(&self, whose: u64, times: &[u32]) -> u32 {
        let chance = scramble(scramble(whose) ^ self.number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let count = u64::try_from(times.len()).unwrap_or(1).max(1);
        let at = usize::try_from(chance % count).unwrap_or(0);
        times.get(at).copied().unwrap_or(USUAL_SERVICE)
    }
}

/// The finish of `SplitMix64`: neighbours come out unlike.
const fn scramble(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scale(directions: &[&str], busy_for: Option<u32>) -> Scale {
        Scale {
            takes: Takes {
                directions: directions.iter().map(|name| (*name).to_owned()).collect(),
                product_ids: Vec::new(),
            },
            busy_for,
        }
    }

    fn line(ids: impl IntoIterator<Item = i64>) -> Vec<InLine> {
        let wish = Wish::default();
        ids.into_iter().map(|id| InLine { id, wish: wish.clone() }).collect()
    }

    #[test]
    fn the_requirements_rule_counts_those_ahead() {
        assert_eq!(by_the_mean(4, &[180], 3), 4);
        assert_eq!(by_the_mean(4, &[150, 210], 2), 6);
        assert_eq!(by_the_mean(1, &[61], 1), 2, "a minute begun is a minute");
        assert_eq!(by_the_mean(0, &[180], 3), 0);
        assert_eq!(by_the_mean(2, &[], 0), 6, "three minutes each on one scale");
    }

    #[test]
    fn a_free_scale_calls_at_once_and_a_busy_one_when_it_is_free() {
        let of = |busy: Option<u32>, ids: i64| forecast(&[scale(&["IN"], busy)], &line(1..=ids), &[100]);
        assert_eq!(of(None, 1), [Some(Forecast { p50: 0, p80: 0 })]);
        let at = |seconds| {
            Some(Forecast {
                p50: seconds,
                p80: seconds,
            })
        };
        assert_eq!(of(Some(30), 2), [at(70), at(170)]);
        assert_eq!(of(Some(500), 1), [at(25)], "longer than any before");
    }

    #[test]
    fn who_is_taken_by_no_scale_has_no_forecast_and_holds_up_nobody() {
        let mut waiting = line(1..=3);
        waiting[0].wish.direction = Some("OUT".to_owned());
        let told = forecast(&[scale(&["IN"], None)], &waiting, &[100]);
        assert_eq!(
            told.iter().map(|told| told.map(|told| told.p50)).collect::<Vec<_>>(),
            [None, Some(0), Some(100)]
        );
        assert_eq!(forecast(&[], &line([1]), &[100]), [None]);
    }

    proptest! {
        #[test]
        fn one_more_ahead_makes_nobody_earlier(
            ids in proptest::collection::hash_set(1i64..10_000, 2..30), at in 0usize..30,
            busy in proptest::collection::vec(proptest::option::of(0u32..700), 1..4),
            services in proptest::collection::vec(30u32..600, 1..60),
        ) {
            let scales: Vec<_> = busy.iter().map(|busy| scale(&["IN", "OUT"], *busy)).collect();
            let ids: Vec<i64> = ids.into_iter().collect();
            let at = at % ids.len();
            let without: Vec<i64> = ids.iter().copied().enumerate().filter(|(n, _)| *n != at).map(|(_, id)| id).collect();
            let (with, without) = (forecast(&scales, &line(ids), &services), forecast(&scales, &line(without), &services));
            for (with, without) in with[at + 1..].iter().zip(&without[at..]) {
                let (with, without) = (with.unwrap(), without.unwrap());
                prop_assert!(with.p50 >= without.p50 && with.p80 >= without.p80, "{with:?} {without:?}");
            }
        }

        #[test]
        fn the_line_is_called_in_its_order(
            count in 1i64..30, busy in proptest::collection::vec(proptest::option::of(0u32..700), 1..4),
            services in proptest::collection::vec(30u32..600, 1..60),
        ) {
            let scales: Vec<_> = busy.iter().map(|busy| scale(&["IN"], *busy)).collect();
            let told = forecast(&scales, &line(1..=count), &services);
            let told: Vec<Forecast> = told.into_iter().map(Option::unwrap).collect();
            prop_assert!(told.iter().all(|told| told.p50 <= told.p80));
            prop_assert!(told.windows(2).all(|pair| pair[0].p50 <= pair[1].p50 && pair[0].p80 <= pair[1].p80));
            prop_assert_eq!(&told, &forecast(&scales, &line(1..=count), &services).into_iter().flatten().collect::<Vec<_>>());
        }
    }
}
