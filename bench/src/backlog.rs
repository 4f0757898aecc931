//! How fast an edge that was cut off delivers what it kept: the server's side of it, with the bench as the edge.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use futures_util::future::try_join_all;

use crate::{
    Incomplete,
    edge::Edge,
    figures::{Figure, Measurement},
    link::Parcel,
    queries::Queries,
    site::Site,
    stage::Stage,
    story::EVENTS_OF_A_STAY,
};

/// An edge, and what it kept while it was cut off.
struct Cut {
    edge: Edge,
    parcels: Vec<Parcel>,
}

const STATIONS_OF_AN_EDGE: usize = 3;
const MANY: usize = 10;

/// Drains one edge with `events` events, and then ten that share as many.
pub async fn measure(stage: &mut Stage, events: usize) -> anyhow::Result<Vec<Measurement>> {
    eprintln!("backlog: starting a server with {} edges", MANY + 1);
    let site = Site::start(stage).await?;
    let mut stored = 0;
    let mut measurements = Vec::new();
    for (edges, first) in [(1, 0), (MANY, 1)] {
        let mut cut = Vec::new();
        for number in first..first + edges {
            cut.push(Cut::off(&site, number, events / edges).await?);
        }
        let count: usize = cut.iter().map(|edge| edge.parcels.len()).sum();
        stored += count;
        eprintln!("backlog: {count} events through {edges} edges");
        measurements.push(drain(&site, cut, count).await?);
    }
    count_stored(&site, stored).await?;
    drop(site);
    stage.strike().await?;
    Ok(measurements)
}

impl Cut {
    async fn off(site: &Site, number: usize, events: usize) -> anyhow::Result<Self> {
        let mut edge = Edge::new(site, number, STATIONS_OF_AN_EDGE).await?;
        let rounds = events.div_ceil(STATIONS_OF_AN_EDGE * EVENTS_OF_A_STAY);
        let mut parcels = Vec::new();
        for round in (0..rounds).rev() {
            let ago = TimeDelta::seconds(i64::try_from(round)?);
            parcels.extend(edge.story.stays(&edge.stations, ago)?);
        }
        Ok(Self { edge, parcels })
    }
}

async fn drain(site: &Site, edges: Vec<Cut>, count: usize) -> anyhow::Result<Measurement> {
    let url = site.link_url();
    let queries = Queries::of(site.api.url()).await?;
    let (spent, began) = (site.spent()?, Instant::now());
    try_join_all(edges.iter().map(|Cut { edge, parcels }| edge.deliver(&url, parcels))).await?;
    let (took, spent) = (began.elapsed(), site.spent()?.since(spent));
    let queries = Queries::of(site.api.url()).await?.since(&queries);
    let count = f64::from(u32::try_from(count)?);
    let target = if edges.len() == 1 { 1000.0 } else { 10_000.0 };
    let cost = |name: &str, spent: Duration| Figure::new(name, spent.as_secs_f64() * 1e6 / count, "µs");
    Ok(Measurement {
        what: format!(
            "backlog: drained through {} edge{}",
            edges.len(),
            if edges.len() > 1 { "s" } else { "" }
        ),
        how: format!(
            "{STATIONS_OF_AN_EDGE} stations an edge, no truck called, so captures wait for staff; the server's side alone: the bench \
             speaks the link from memory within its window (a weighbridge-edge reads its SQLite besides); from connecting to \
             the last acknowledgement",
        ),
        figures: vec![
            Figure::new("drained", count / took.as_secs_f64(), "events/s").at_least(target),
            cost("CPU of the server an event", spent.server),
            cost("CPU of PostgreSQL an event", spent.postgresql),
            Figure::new("events", count, ""),
        ]
        .into_iter()
        .chain(queries.figures(count))
        .collect(),
    })
}

async fn count_stored(site: &Site, wanted: usize) -> anyhow::Result<()> {
    let sql = "SELECT count(*) FROM edge_event WHERE status = 'STORED'";
    let stored: i64 = site.database.query_one(sql, &[]).await?.get(0);
    if usize::try_from(stored)? == wanted {
        return Ok(());
    }
    Err(Incomplete(format!("of {wanted} acknowledged events {stored} are stored")).into())
}
