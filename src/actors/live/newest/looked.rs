//! What was looked up set against what was announced: a difference is news, unless it was announced after the look began.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use super::{Kept, MOST_WEIGHINGS, Newest};
use crate::actors::live::{
    DriverChanged, DriverNews, Json, Looked, QueueChanged, StationChanged, SummaryChanged, WeighingChanged,
    topics::{Topic, Topics},
};

impl Newest {
    /// Takes over what the database has. Answers the topics from which something vanished, which only a snapshot can say.
    pub fn looked(&mut self, looked: Looked, began: Instant, at: &str) -> Topics {
        let mut vanished = Topics::default();
        let Looked {
            stations,
            queues,
            weighings,
            summaries,
            positions,
        } = looked;
        if let Some(stations) = stations {
            if self.looked_stations(stations, began, at) {
                vanished = Topics::of([Topic::Stations]);
            }
            self.now_known(Topic::Stations);
        }
        if let Some(queues) = queues {
            self.looked_queues(queues, began, at);
            self.now_known(Topic::Queue);
        }
        if let Some(weighings) = weighings {
            self.looked_weighings(weighings, began, at);
            self.now_known(Topic::Weighings);
        }
        if let Some(summaries) = summaries {
            self.looked_summaries(summaries, began, at);
            self.now_known(Topic::Summary);
        }
        if let Some(positions) = positions {
            self.looked_positions(positions, began, at);
            self.now_known(Topic::Driver);
        }
        vanished
    }

    fn now_known(&mut self, topic: Topic) {
        self.known = self.known.with(Topics::of([topic]));
    }

    /// Whether a station is there no more.
    fn looked_stations(&mut self, stations: Vec<StationChanged>, began: Instant, at: &str) -> bool {
        let there: BTreeSet<i64> = stations.iter().map(|station| station.station).collect();
        let gone: Vec<i64> = (self.stations.iter())
            .filter(|(station, kept)| !there.contains(station) && !kept.announced_since(began))
            .map(|(station, _)| *station)
            .collect();
        for station in &gone {
            self.stations.remove(station);
            self.weights.remove(station);
        }
        for station in stations {
            let kept = self.stations.get(&station.station);
            if !kept.is_some_and(|kept| kept.stands(&station.item, station.site, began)) {
                self.station(station, None, at);
            }
        }
        !gone.is_empty()
    }

    fn looked_queues(&mut self, queues: Vec<QueueChanged>, began: Instant, at: &str) {
        for queue in queues {
            let kept = self.queues.get(&queue.site);
            if !kept.is_some_and(|kept| kept.stands(&queue.entries, queue.site, began)) {
                self.queue(queue, None, at);
            }
        }
    }

    fn looked_weighings(&mut self, mut weighings: Vec<WeighingChanged>, began: Instant, at: &str) {
        let order: BTreeMap<i64, usize> = weighings.iter().map(|weighing| weighing.record).zip(0..).collect();
        weighings.reverse(); // what came first is told first
        for weighing in weighings {
            let kept = self.weighings.iter().find(|(record, _)| *record == weighing.record);
            if !kept.is_some_and(|(_, kept)| kept.stands(&weighing.item, weighing.site, began)) {
                self.weighing(weighing, None, at);
            }
        }
        self.weighings
            .retain(|(record, kept)| order.contains_key(record) || kept.announced_since(began));
        // What was announced meanwhile is the newest of all.
        self.weighings.sort_by_key(|(record, _)| order.get(record).copied());
        let mut of_site: BTreeMap<i64, usize> = BTreeMap::new();
        self.weighings.retain(|(_, kept)| {
            let seen = of_site.entry(kept.site).or_default();
            *seen += 1;
            *seen <= MOST_WEIGHINGS
        });
    }

    fn looked_summaries(&mut self, summaries: Vec<SummaryChanged>, began: Instant, at: &str) {
        for summary in summaries {
            let kept = self.summaries.get(&summary.site);
            let site = summary.site.unwrap_or_default();
            if !kept.is_some_and(|kept| kept.stands(&summary.summary, site, began)) {
                self.summary(summary, None, at);
            }
        }
    }

    fn looked_positions(&mut self, positions: Vec<(i64, Json)>, began: Instant, at: &str) {
        let positions: BTreeMap<i64, Json> = positions.into_iter().collect();
        let gone: Vec<i64> = (self.positions.iter())
            .filter(|(driver, kept)| !positions.contains_key(driver) && !kept.announced_since(began))
            .map(|(driver, _)| *driver)
            .collect();
        for driver in gone {
            let last = self.positions.get(&driver).map(|kept| kept.value.clone());
            if last.is_some_and(|last| last != Json::NULL) {
                self.driver(
                    DriverChanged {
                        driver,
                        news: DriverNews::Position(None),
                    },
                    None,
                    at,
                );
            }
            self.positions.remove(&driver);
        }
        for (driver, position) in positions {
            let kept = self.positions.get(&driver);
            if !kept.is_some_and(|kept| kept.stands(&position, 0, began)) {
                self.driver(
                    DriverChanged {
                        driver,
                        news: DriverNews::Position(Some(position)),
                    },
                    None,
                    at,
                );
            }
        }
    }
}

impl<T: PartialEq> Kept<T> {
    /// Whether a look that began at `began` and saw `looked` changes nothing.
    fn stands(&self, looked: &T, site: i64, began: Instant) -> bool {
        (self.value == *looked && self.site == site) || self.announced_since(began)
    }

    fn announced_since(&self, began: Instant) -> bool {
        self.announced.is_some_and(|announced| announced >= began)
    }
}
