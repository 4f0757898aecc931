//! How many weighings a server completes a second, each one durable when it is acknowledged, and what one costs.
//!
//! The bench is the edges: it speaks the link itself, within its window. Each station's call is laid beforehand, straight
//! into the database, so that what is timed is the path that every weighing takes: event, transaction, acknowledgement.

use std::time::{Duration, Instant};

use anyhow::Context;
use chrono::TimeDelta;
use futures_util::future::try_join_all;
use tokio::time::sleep;

use crate::{
    Incomplete,
    edge::Edge,
    figures::{Figure, Measurement},
    queries::Queries,
    site::{Site, Spent},
    stage::Stage,
    story::EVENTS_OF_A_STAY,
    times::Times,
};

/// What rounds of weighings gave.
#[derive(Default)]
struct Tally {
    weighings: usize,
    took: Duration,
    spent: Spent,
    queries: Queries,
    /// Of captures alone.
    acknowledged: Vec<Duration>,
}

const EDGES: usize = 4;
/// More than any site has: a station takes one truck at a time, and a server is to be kept busy.
const STATIONS_OF_AN_EDGE: usize = 64;
const PACED_PER_SECOND: u32 = 100;
const PACED_FOR_SECONDS: u32 = 10;
/// What a weighing leaves to be done after its acknowledgement belongs to its cost.
const AFTERWARDS: Duration = Duration::from_millis(50);

/// Measures with one edge, with several, and with several at a moderate pace. `weighings` is the least number of each.
pub async fn measure(stage: &mut Stage, weighings: usize) -> anyhow::Result<Vec<Measurement>> {
    eprintln!("weighing: starting a server with {EDGES} edges of {STATIONS_OF_AN_EDGE} stations");
    let site = Site::start(stage).await?;
    let mut edges = Vec::new();
    for number in 0..EDGES {
        edges.push(Edge::new(&site, number, STATIONS_OF_AN_EDGE).await?);
    }
    lay_trucks(&site).await?;
    let mut measurements = Vec::new();
    for count in [1, EDGES] {
        eprintln!("weighing: {weighings} as fast as they go; edges: {count}");
        let rounds = weighings.div_ceil(count * STATIONS_OF_AN_EDGE);
        let tally = weigh(&site, &mut edges[..count], rounds, Duration::ZERO).await?;
        measurements.push(tally.at_full_speed(count)?);
    }
    eprintln!("weighing: {PACED_PER_SECOND} a second for {PACED_FOR_SECONDS} s");
    let events = PACED_PER_SECOND * u32::try_from(EVENTS_OF_A_STAY)?;
    let pace = Duration::from_secs(1) * u32::try_from(EDGES)? / events;
    let wanted = usize::try_from(PACED_PER_SECOND * PACED_FOR_SECONDS)?;
    let rounds = wanted.div_ceil(EDGES * STATIONS_OF_AN_EDGE);
    measurements.push(weigh(&site, &mut edges, rounds, pace).await?.paced()?);
    count(&site, &measurements).await?;
    drop((edges, site));
    stage.strike().await?;
    Ok(measurements)
}

async fn weigh(site: &Site, edges: &mut [Edge], rounds: usize, pace: Duration) -> anyhow::Result<Tally> {
    let url = site.link_url();
    let mut links = try_join_all(edges.iter().map(|edge| edge.link(&url))).await?;
    let stations: Vec<i64> = edges.iter().flat_map(|edge| edge.stations.clone()).collect();
    let mut tally = Tally::default();
    let queries = Queries::of(site.api.url()).await?;
    for _ in 0..rounds {
        lay_calls(site, &stations).await?;
        let mut stays = Vec::new();
        for Edge { story, stations, .. } in &mut *edges {
            stays.push(story.stays(stations, TimeDelta::zero())?);
        }
        let (spent, began) = (site.spent()?, Instant::now());
        let delivering = links.iter_mut().zip(&stays);
        let waited = try_join_all(delivering.map(|(link, stays)| link.deliver(stays, pace))).await?;
        tally.took += began.elapsed();
        sleep(AFTERWARDS).await;
        tally.spent += site.spent()?.since(spent);
        tally.weighings += stations.len();
        let captures = waited
            .iter()
            .flat_map(|waited| waited.iter().skip(1).step_by(EVENTS_OF_A_STAY));
        tally.acknowledged.extend(captures);
    }
    tally.queries = Queries::of(site.api.url()).await?.since(&queries);
    Ok(tally)
}

/// A truck with a registered tare and its driver for every station, named after it.
async fn lay_trucks(site: &Site) -> anyhow::Result<()> {
    let sql = "
        INSERT INTO vehicle (plate_number, tare_weight) SELECT '99바' || lpad(id::text, 4, '0'), 8000 FROM weigh_station;
        INSERT INTO driver (name, phone, phone_index) SELECT id::text, '', decode(lpad(id::text, 8, '0'), 'hex')
        FROM weigh_station;";
    Ok(site.database.batch_execute(sql).await?)
}

/// Calls each station's own truck to it.
async fn lay_calls(site: &Site, stations: &[i64]) -> anyhow::Result<()> {
    let sql = "
        WITH called AS (
            INSERT INTO weigh_record (site_id, station_id, vehicle_id, driver_id, weighed_at)
            SELECT s.site_id, s.id, v.id, d.id, now() FROM weigh_station s
            JOIN vehicle v ON v.plate_number = '99바' || lpad(s.id::text, 4, '0') JOIN driver d ON d.name = s.id::text
            WHERE s.id = ANY($1) RETURNING id, site_id, station_id, vehicle_id, driver_id),
        taken AS (SELECT coalesce(max(queue_number), 0) AS number FROM wait_queue)
        INSERT INTO wait_queue (site_id, station_id, vehicle_id, driver_id, record_id, queue_number, day, position, status,
            called_at, deadline_at, calls_made)
        SELECT site_id, station_id, vehicle_id, driver_id, id, taken.number + row_number() OVER (), current_date,
            row_number() OVER (), 'CALLED', now() - interval '1 minute', now() + interval '10 minutes', 1 FROM called, taken";
    let laid = site
        .database
        .execute(sql, &[&stations])
        .await
        .context("cannot lay calls")?;
    anyhow::ensure!(
        laid == u64::try_from(stations.len())?,
        "{laid} calls of {} were laid",
        stations.len()
    );
    Ok(())
}

/// Whatever was acknowledged must be a completed record with a slip of its own.
async fn count(site: &Site, measurements: &[Measurement]) -> anyhow::Result<()> {
    let figures = measurements.iter().flat_map(|measurement| &measurement.figures);
    let wanted: f64 = figures
        .filter(|figure| figure.name == WEIGHINGS)
        .map(|figure| figure.value)
        .sum();
    let sql =
        "SELECT count(*)::float8, count(DISTINCT slip_number)::float8 FROM weigh_record WHERE status = 'COMPLETED'";
    let row = site.database.query_one(sql, &[]).await?;
    let (complete, slips): (f64, f64) = (row.get(0), row.get(1));
    if [complete, slips].iter().any(|found| (found - wanted).abs() > 0.5) {
        let text = format!("of {wanted} acknowledged weighings {complete} are complete, with {slips} slips");
        return Err(Incomplete(text).into());
    }
    Ok(())
}

const WEIGHINGS: &str = "weighings";

impl Tally {
    fn count(&self) -> anyhow::Result<f64> {
        Ok(f64::from(u32::try_from(self.weighings)?))
    }

    fn at_full_speed(self, edges: usize) -> anyhow::Result<Measurement> {
        let a_second = Figure::new("completed", self.count()? / self.took.as_secs_f64(), "weighings/s");
        let mut figures = vec![if edges > 1 { a_second.at_least(8000.0) } else { a_second }];
        figures.extend(self.costs()?);
        Ok(Measurement {
            what: format!(
                "weighing: completed through the link, {edges} edge{}",
                if edges > 1 { "s" } else { "" }
            ),
            how: format!(
                "{edges} × {STATIONS_OF_AN_EDGE} stations, one truck each a round; the bench speaks the link within its window \
                 (vehicle_on, capture with a curve of 80 points, vehicle_off); calls laid by SQL between rounds and not timed; \
                 from the first event to the last acknowledgement, each after its commit; CPU until {} ms later",
                AFTERWARDS.as_millis()
            ),
            figures,
        })
    }

    fn paced(self) -> anyhow::Result<Measurement> {
        let [p50, p90, p99, max] = Figure::of_times(&self.times()?);
        let mut figures = vec![p50, p90, p99.at_most(4.0), max];
        figures.extend(
            self.costs()?
                .into_iter()
                .filter(|figure| !figure.name.starts_with("ack")),
        );
        Ok(Measurement {
            what: format!("weighing: a capture's acknowledgement at {PACED_PER_SECOND} weighings a second"),
            how: format!(
                "as above, {EDGES} edges, events evenly spaced; CPU includes {EDGES} × {STATIONS_OF_AN_EDGE} idle stations"
            ),
            figures,
        })
    }

    fn costs(&self) -> anyhow::Result<Vec<Figure>> {
        let count = self.count()?;
        let cost = |name: &str, spent: Duration| Figure::new(name, spent.as_secs_f64() * 1e6 / count, "µs");
        let times = self.times()?;
        let ms = |permille| times.permille(permille).as_secs_f64() * 1000.0;
        let mut figures = vec![
            cost("CPU of the server a weighing", self.spent.server),
            cost("CPU of PostgreSQL a weighing", self.spent.postgresql),
            Figure::new("ack of a capture, p50 (window full)", ms(500), "ms"),
            Figure::new("ack of a capture, p99 (window full)", ms(990), "ms"),
            Figure::new(WEIGHINGS, count, ""),
        ];
        figures.extend(self.queries.figures(count));
        Ok(figures)
    }

    fn times(&self) -> anyhow::Result<Times> {
        Times::new(self.acknowledged.clone()).context("nothing was weighed")
    }
}
