//! An edge that the bench itself is: registered at the server, with a story in memory instead of indicators and a buffer.

use std::time::Duration;

use crate::{
    link::{Clock, Holds, Link, Parcel},
    site::Site,
    story::Story,
};

/// See the file's head.
#[derive(Debug)]
pub struct Edge {
    pub stations: Vec<i64>,
    pub story: Story,
    api_key: String,
    clock: Clock,
}

impl Edge {
    /// Registers an edge with so many new stations, to which nobody is called but by us.
    pub async fn new(site: &Site, number: usize, stations: usize) -> anyhow::Result<Self> {
        let (edge, stations) = site.edge(number, stations).await?;
        let clock = Clock::start();
        Ok(Self {
            stations,
            story: Story::begin(clock),
            api_key: edge.api_key,
            clock,
        })
    }

    /// Connects and says what it holds: the story as far as it was told.
    pub async fn link(&self, url: &str) -> anyhow::Result<Link> {
        let holds = Holds {
            epoch: self.story.epoch,
            next_seq: self.story.next_seq,
            stations: &self.stations,
        };
        Link::open(url, &self.api_key, self.clock, holds).await
    }

    /// Connects, and delivers all of it as fast as the server takes it.
    pub async fn deliver(&self, url: &str, parcels: &[Parcel]) -> anyhow::Result<()> {
        let mut link = self.link(url).await?;
        link.deliver(parcels, Duration::ZERO).await.map(drop)
    }
}
