//! Whether two gateways have one key: each that comes takes the link from the other, and neither stays.

use std::{collections::VecDeque, fmt, net::IpAddr};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;
use weighbridge_protocol::{Epoch, link::messages::Hello};

/// So far back it is looked. A gateway that lost its link to another one comes back after half a minute or so.
const WITHIN: TimeDelta = TimeDelta::minutes(5);
/// So often within that a gateway takes back what another had taken, and it is no chance: the second one of two that
/// were swapped comes back once.
const TAKEN_BACK: usize = 3;

/// A gateway, as its connection shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    pub address: IpAddr,
    pub version: String,
    /// The machine, since it was switched on,
    boot: Uuid,
    /// and the file: two programs may run on one machine.
    file: Option<Epoch>,
}

/// Who has held the link of one key.
#[derive(Clone, Debug, Default)]
pub struct Holders {
    /// Each that took the link from another one, and when; the last one holds it.
    taken: VecDeque<(DateTime<Utc>, Gateway)>,
    told_at: Option<DateTime<Utc>>,
}

/// Two that take the link from each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rivals(pub Gateway, pub Gateway);

impl Gateway {
    pub fn new(address: IpAddr, hello: &Hello) -> Self {
        Self {
            address,
            version: hello.version.chars().take(50).collect(),
            boot: hello.clock.boot,
            file: hello.epochs.last().map(|state| state.epoch),
        }
    }

    fn is(&self, other: &Self) -> bool {
        (self.boot, self.file) == (other.boot, other.file)
    }
}

impl Holders {
    /// `gateway` has the link from now on. Answers the two where it has gone to and fro, once in five minutes.
    pub fn take(&mut self, gateway: Gateway, now: DateTime<Utc>) -> Option<Rivals> {
        let is_recent = |at: &DateTime<Utc>| now - *at < WITHIN;
        let holder = self.taken.back().map(|(_, holder)| holder.clone());
        if holder.as_ref().is_some_and(|holder| holder.is(&gateway)) {
            return None;
        }
        // The holder stays, however long it has been that.
        while self.taken.len() > 1 && !is_recent(&self.taken[0].0) {
            self.taken.pop_front();
        }
        self.taken.push_back((now, gateway.clone()));
        let taken = |n: usize| self.taken.get(n).map(|(_, holder)| holder);
        let is_back = |n: &usize| taken(*n).zip(taken(n + 2)).is_some_and(|(one, again)| one.is(again));
        let taken_back = (0..self.taken.len()).filter(is_back).count();
        if taken_back < TAKEN_BACK || self.told_at.as_ref().is_some_and(is_recent) {
            return None;
        }
        self.told_at = Some(now);
        Some(Rivals(gateway, holder?))
    }
}

impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            address,
            version,
            boot,
            file,
        } = self;
        write!(f, "one at {address} (version {version}, boot {boot}")?;
        if let Some(file) = file {
            write!(f, ", epoch {file}")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateway(boot: u128) -> Gateway {
        Gateway {
            address: IpAddr::from([10, 0, 0, 7]),
            version: "1.0.0".to_owned(),
            boot: Uuid::from_u128(boot),
            file: Some(Epoch::from_bits(1)),
        }
    }

    /// At these seconds these come; answers when two were named.
    fn named(comings: &[(i64, u128)]) -> Vec<i64> {
        let mut holders = Holders::default();
        let take = |(second, boot): &(i64, u128)| {
            let now = DateTime::from_timestamp(1_795_000_000 + second, 0).unwrap();
            holders.take(gateway(*boot), now).map(|_| *second)
        };
        comings.iter().filter_map(take).collect()
    }

    #[test]
    fn two_that_take_the_link_from_each_other_are_named_once() {
        let comings: Vec<_> = (0..10).map(|n| (n * 30, u128::from(n % 2 == 0))).collect();
        assert_eq!(named(&comings), [120]);
        let mut holders = Holders::default();
        let rivals = comings
            .iter()
            .find_map(|(_, boot)| holders.take(gateway(*boot), DateTime::default()));
        assert_eq!(rivals, Some(Rivals(gateway(1), gateway(0))));
    }

    #[test]
    fn one_that_comes_again_and_again_has_no_rival() {
        let comings: Vec<_> = (0..100).map(|n| (n, 1)).collect();
        assert!(named(&comings).is_empty());
    }

    #[test]
    fn machines_that_are_swapped_or_start_anew_are_no_rivals() {
        assert!(named(&[(0, 1), (10, 2), (20, 3), (30, 4), (40, 5), (50, 6)]).is_empty());
        assert!(named(&[(0, 1), (10, 2), (20, 1), (30, 2)]).is_empty());
        let seldom: Vec<_> = (0..20).map(|n| (n * 200, u128::from(n % 2 == 0))).collect();
        assert!(named(&seldom).is_empty());
    }
}
