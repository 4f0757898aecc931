//! What can be subscribed to: topics, and whose part of a topic.

use serde::{Deserialize, Serialize};

/// A stream of the live interface. The order is the one in which they are listed to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Topic {
    Stations,
    Queue,
    Summary,
    Weighings,
    Driver,
}

impl Topic {
    pub const ALL: [Self; 5] = [
        Self::Stations,
        Self::Queue,
        Self::Summary,
        Self::Weighings,
        Self::Driver,
    ];

    /// As clients name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stations => "stations",
            Self::Queue => "queue",
            Self::Summary => "summary",
            Self::Weighings => "weighings",
            Self::Driver => "driver",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name() == name)
    }
}

/// Whose part of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    AllSites,
    Site(i64),
    /// Only [`Topic::Driver`] has this one, and no other.
    Driver(i64),
}

impl Scope {
    /// Whether what belongs to `site` is seen in this scope.
    pub fn covers(self, site: i64) -> bool {
        match self {
            Self::AllSites => true,
            Self::Site(wanted) => wanted == site,
            Self::Driver(_) => false,
        }
    }
}

/// What one `seq` counts: a topic, narrowed to a scope. All who listen to a channel get the very same bytes.
pub type Channel = (Topic, Scope);

/// A set of topics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Topics(u8);

impl Topics {
    pub fn of(topics: impl IntoIterator<Item = Topic>) -> Self {
        Self(topics.into_iter().fold(0, |bits, topic| bits | 1 << topic as u8))
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub const fn has(self, topic: Topic) -> bool {
        self.0 & (1 << topic as u8) != 0
    }

    pub const fn meets(self, other: Self) -> bool {
        !self.both(other).is_empty()
    }

    #[must_use]
    pub const fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// What one socket has subscribed to: of each topic no part or one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wants([Option<Scope>; Topic::ALL.len()]);

impl Wants {
    pub fn set(&mut self, topic: Topic, scope: Option<Scope>) {
        self.0[topic as usize] = scope;
    }

    pub fn channels(&self) -> impl Iterator<Item = Channel> {
        Topic::ALL
            .into_iter()
            .zip(self.0)
            .filter_map(|(topic, scope)| Some((topic, scope?)))
    }

    pub fn topics(&self) -> Topics {
        Topics::of(self.channels().map(|(topic, _)| topic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_subscription_to_a_topic_replaces_the_first() {
        let mut wants = Wants::default();
        wants.set(Topic::Queue, Some(Scope::AllSites));
        wants.set(Topic::Queue, Some(Scope::Site(2)));
        wants.set(Topic::Stations, Some(Scope::Site(2)));
        let channels: Vec<_> = wants.channels().collect();
        assert_eq!(
            channels,
            [(Topic::Stations, Scope::Site(2)), (Topic::Queue, Scope::Site(2))]
        );
        wants.set(Topic::Queue, None);
        assert_eq!(wants.topics(), Topics::of([Topic::Stations]));
    }

    #[test]
    fn every_topic_is_found_by_its_name() {
        for topic in Topic::ALL {
            assert_eq!(Topic::named(topic.name()), Some(topic));
        }
        assert_eq!(Topic::named("weather"), None);
    }
}
