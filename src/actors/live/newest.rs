//! The newest value of everything that is watched, and the frames that a change of it makes. Plain: no socket, no clock.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use super::{
    DriverChanged, DriverNews, Json, QueueChanged, StationChanged, SummaryChanged, WeighingChanged, WeightChanged,
    frame::{Frame, Frames},
    json::push_list,
    seat::Parcel,
    topics::{Channel, Scope, Topic, Topics, Wants},
};

mod looked;
mod snapshot;

const MOST_WEIGHINGS: usize = 20;

/// A value, and when it was last announced rather than looked up.
#[derive(Debug)]
struct Kept<T> {
    value: T,
    site: i64,
    announced: Option<Instant>,
}

/// See the file's head. Handed on by a Live that panicked to the next, see [`Newest::begin_anew`].
#[derive(Debug, Default)]
pub struct Newest {
    weights: BTreeMap<i64, WeightChanged>,
    /// Stations whose weight has changed since the last frame of weights.
    changed: BTreeSet<i64>,
    stations: BTreeMap<i64, Kept<Json>>,
    queues: BTreeMap<i64, Kept<Vec<Json>>>,
    /// Newest first.
    weighings: Vec<(i64, Kept<Json>)>,
    summaries: BTreeMap<Option<i64>, Kept<Json>>,
    positions: BTreeMap<i64, Kept<Json>>,
    /// Topics of which everything was looked up once; before, no snapshot of them is true.
    known: Topics,
    seqs: BTreeMap<Channel, u64>,
    due: BTreeMap<Channel, Due>,
}

/// What is to be sent on one channel.
#[derive(Debug, Default)]
struct Due {
    frames: Frames,
    /// Whether there is nothing in it but weights.
    lossy: bool,
}

impl Newest {
    /// Keeps what cannot be looked up: the weights, and the counters, which never go back.
    pub fn begin_anew(&mut self) {
        let Self { weights, seqs, .. } = std::mem::take(self);
        *self = Self {
            weights,
            seqs,
            ..Self::default()
        };
    }

    pub fn has_due(&self) -> bool {
        !self.due.is_empty()
    }

    pub fn weight(&mut self, weight: WeightChanged) {
        self.changed.insert(weight.station);
        self.weights.insert(weight.station, weight);
    }

    pub fn station(
        &mut self,
        StationChanged { station, site, item }: StationChanged,
        announced: Option<Instant>,
        at: &str,
    ) {
        self.emit(Topic::Stations, &everywhere(site), "station", item.text(), at);
        self.stations.insert(
            station,
            Kept {
                value: item,
                site,
                announced,
            },
        );
    }

    pub fn queue(&mut self, QueueChanged { site, entries }: QueueChanged, announced: Option<Instant>, at: &str) {
        self.queues.insert(
            site,
            Kept {
                value: entries,
                site,
                announced,
            },
        );
        for scope in everywhere(site) {
            let data = self.queue_data(scope);
            self.emit(Topic::Queue, &[scope], "queue", &data, at);
        }
    }

    pub fn weighing(
        &mut self,
        WeighingChanged { site, record, item }: WeighingChanged,
        announced: Option<Instant>,
        at: &str,
    ) {
        let data = [br#"{"record":"#, item.text(), b"}"].concat();
        self.emit(Topic::Weighings, &everywhere(site), "weighing", &data, at);
        let kept = Kept {
            value: item,
            site,
            announced,
        };
        match self.weighings.iter_mut().find(|(known, _)| *known == record) {
            Some((_, known)) => *known = kept,
            None => self.weighings.insert(0, (record, kept)),
        }
        let of_site = self
            .weighings
            .iter()
            .enumerate()
            .filter(|(_, (_, kept))| kept.site == site);
        if let Some((oldest, _)) = of_site.clone().nth(MOST_WEIGHINGS) {
            self.weighings.remove(oldest);
        }
    }

    pub fn summary(&mut self, SummaryChanged { site, summary }: SummaryChanged, announced: Option<Instant>, at: &str) {
        let text = summary.clone();
        self.summaries.insert(
            site,
            Kept {
                value: summary,
                site: site.unwrap_or_default(),
                announced,
            },
        );
        let scopes: &[Scope] = match site {
            None => &[Scope::AllSites],
            // The only site is all there is.
            Some(site) if self.summaries.len() == 1 => &everywhere(site),
            Some(site) => &[Scope::Site(site)],
        };
        self.emit(Topic::Summary, scopes, "summary", text.text(), at);
    }

    pub fn driver(&mut self, DriverChanged { driver, news }: DriverChanged, announced: Option<Instant>, at: &str) {
        let (kind, data) = match news {
            DriverNews::Called(data) => ("called", data),
            DriverNews::Completed(data) => ("completed", data),
            DriverNews::Position(position) => {
                let data = position.unwrap_or(Json::NULL);
                self.positions.insert(
                    driver,
                    Kept {
                        value: data.clone(),
                        site: 0,
                        announced,
                    },
                );
                ("position", data)
            }
        };
        self.emit(Topic::Driver, &[Scope::Driver(driver)], kind, data.text(), at);
    }

    /// Makes one frame of all weights that have changed, for each scope in which one did.
    pub fn gather_weights(&mut self, at: &str) {
        let changed = std::mem::take(&mut self.changed);
        let changed: Vec<_> = changed
            .iter()
            .filter_map(|station| self.weights.get(station))
            .cloned()
            .collect();
        let sites: BTreeSet<i64> = changed.iter().map(|weight| weight.site).collect();
        let scopes = sites
            .into_iter()
            .map(Scope::Site)
            .chain((!changed.is_empty()).then_some(Scope::AllSites));
        for scope in scopes {
            let mut data = br#"{"items":"#.to_vec();
            let items = changed.iter().filter(|weight| scope.covers(weight.site));
            push_list(&mut data, items.map(|weight| &weight.weight));
            data.push(b'}');
            let lossy = !self.due.contains_key(&(Topic::Stations, scope));
            self.emit(Topic::Stations, &[scope], "weights", &data, at);
            if let Some(due) = self.due.get_mut(&(Topic::Stations, scope)) {
                due.lossy = lossy;
            }
        }
    }

    /// Takes what is to be sent; afterwards nothing is due.
    pub fn take_due(&mut self) -> Outgoing {
        let due = std::mem::take(&mut self.due);
        Outgoing(
            due.into_iter()
                .map(|(channel, due)| (channel, (due.frames.join(), due.lossy)))
                .collect(),
        )
    }

    fn emit(&mut self, topic: Topic, scopes: &[Scope], kind: &str, data: &[u8], at: &str) {
        for &scope in scopes {
            let channel = (topic, scope);
            let seq = self.seqs.entry(channel).or_default();
            *seq += 1;
            let due = self.due.entry(channel).or_default();
            due.frames.push(&envelope(kind, topic, *seq, at, data));
            due.lossy = false;
        }
    }
}

/// The frames of one sending.
#[derive(Debug)]
pub struct Outgoing(BTreeMap<Channel, (Frame, bool)>);

impl Outgoing {
    /// Everything in it for a socket that wants `wants`; `None` if that is nothing.
    pub fn parcel(&self, wants: &Wants) -> Option<Parcel> {
        let mut topics = Vec::new();
        let (mut frames, mut lossy) = (Vec::new(), true);
        for channel in wants.channels() {
            if let Some((frame, only_newest)) = self.0.get(&channel) {
                topics.push(channel.0);
                frames.push(frame);
                lossy &= only_newest;
            }
        }
        (!frames.is_empty()).then(|| Parcel {
            frame: Frame::joined(&frames),
            topics: Topics::of(topics),
            lossy,
        })
    }
}

fn everywhere(site: i64) -> [Scope; 2] {
    [Scope::AllSites, Scope::Site(site)]
}

fn envelope(kind: &str, topic: Topic, seq: u64, at: &str, data: &[u8]) -> Vec<u8> {
    let topic = topic.name();
    let head = format!(r#"{{"type":"{kind}","topic":"{topic}","seq":{seq},"at":"{at}","data":"#);
    [head.as_bytes(), data, b"}"].concat()
}

#[cfg(test)]
mod tests;
