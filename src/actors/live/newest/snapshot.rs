//! How everything stands, as one frame of a channel.

use super::{MOST_WEIGHINGS, Newest, envelope};
use crate::actors::live::{
    Json,
    frame::Frame,
    json::push_list,
    topics::{Channel, Scope, Topic},
};

impl Newest {
    /// The channel's snapshot, with the `seq` at which it stands. `None` until the topic was looked up once.
    pub fn snapshot(&self, channel: Channel, at: &str) -> Option<Frame> {
        let (topic, scope) = channel;
        if !self.known.has(topic) {
            return None;
        }
        let data = match topic {
            Topic::Stations => self.stations_data(scope),
            Topic::Queue => self.queue_data(scope),
            Topic::Summary => self.summary_data(scope).text().to_vec(),
            Topic::Weighings => self.weighings_data(scope),
            Topic::Driver => self.position_data(scope).text().to_vec(),
        };
        let seq = self.seqs.get(&channel).copied().unwrap_or_default();
        Some(Frame::text(&envelope("snapshot", topic, seq, at, &data)))
    }

    fn stations_data(&self, scope: Scope) -> Vec<u8> {
        let mut data = br#"{"stations":"#.to_vec();
        let stations = self.stations.values().filter(|station| scope.covers(station.site));
        push_list(&mut data, stations.map(|station| &station.value));
        data.extend_from_slice(br#","weights":"#);
        let weights = self.weights.values().filter(|weight| scope.covers(weight.site));
        push_list(&mut data, weights.map(|weight| &weight.weight));
        data.push(b'}');
        data
    }

    pub(super) fn queue_data(&self, scope: Scope) -> Vec<u8> {
        let mut data = br#"{"entries":"#.to_vec();
        let queues = self.queues.values().filter(|queue| scope.covers(queue.site));
        push_list(&mut data, queues.flat_map(|queue| &queue.value));
        data.push(b'}');
        data
    }

    fn weighings_data(&self, scope: Scope) -> Vec<u8> {
        let mut data = br#"{"items":"#.to_vec();
        let weighings = self
            .weighings
            .iter()
            .map(|(_, kept)| kept)
            .filter(|kept| scope.covers(kept.site));
        push_list(&mut data, weighings.take(MOST_WEIGHINGS).map(|kept| &kept.value));
        data.push(b'}');
        data
    }

    fn summary_data(&self, scope: Scope) -> Json {
        let kept = match scope {
            Scope::Site(site) => self.summaries.get(&Some(site)),
            // The only site is all there is.
            _ => self
                .summaries
                .get(&None)
                .or_else(|| self.summaries.values().next().filter(|_| self.summaries.len() == 1)),
        };
        kept.map_or(Json::NULL, |kept| kept.value.clone())
    }

    fn position_data(&self, scope: Scope) -> Json {
        let kept = match scope {
            Scope::Driver(driver) => self.positions.get(&driver),
            _ => None,
        };
        kept.map_or(Json::NULL, |kept| kept.value.clone())
    }
}
