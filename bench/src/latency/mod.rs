//! A weight's way from an indicator's cable to a screen, and a weighing's, through the real edge and the real server.
//!
//! - [`indicator`]: the indicators, one task each, on ptys
//! - [`trucks`]: weighings, one after the other
//! - [`calls`]: who sees a call, and when
//! - [`catching_up`]: an edge drains its file while its yard goes on

pub mod calls;
pub mod catching_up;
mod indicator;
mod trucks;

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};
use weighbridge_protocol::Kilograms;
use weighbridge_sim::{encode::Format, setup::write_secret, station::StationSpec};

use self::indicator::Indicator;
use crate::{
    Incomplete, cpu,
    dashboard::{self, Shown},
    figures::{Figure, Measurement},
    site::Site,
    stage::{Line, Stage, Start},
    times::Times,
};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// How long weights are watched.
    pub seconds: u64,
    pub trucks: u32,
}

/// What happened somewhere on the way, and when.
#[derive(Debug)]
struct Noted {
    at: Instant,
    what: What,
}

#[derive(Debug)]
enum What {
    /// The last byte of a frame is about to go onto the cable.
    Sent(Sent),
    Shown(Shown),
    /// The edge printed a line.
    Printed(String),
    /// The board said 저장.
    OnBoard,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    station: i64,
    weight: Kilograms,
    /// The how manieth frame of the truck that stands there, from 0; none while the deck is empty.
    of_truck: Option<u32>,
}

/// Everything that runs while it is measured.
struct Arranged {
    site: Site,
    indicators: Vec<Indicator>,
    noted: UnboundedReceiver<Noted>,
    /// For whoever notes more.
    tell: UnboundedSender<Noted>,
    edge_pid: u32,
}

const FORMATS: [Format; 3] = [Format::Cas22, Format::And18, Format::MtContinuous];
/// Frames come 50 ms apart, so the sixth fills this window, and a little jitter does not shift it to another.
const DWELL_MS: u32 = 225;
const SEEN_WITHIN: Duration = Duration::from_secs(30);
/// A weight that was not shown for so long was overtaken by a newer one.
const OVERTAKEN_AFTER: Duration = Duration::from_secs(1);

/// Measures both ways.
pub async fn measure(stage: &mut Stage, extent: Extent) -> anyhow::Result<Vec<Measurement>> {
    let mut arranged = arrange(stage, None, |_, _| Ok(())).await?;
    arranged.wait_until_shown().await?;
    eprintln!("latency: {} s of weights", extent.seconds);
    let before = (cpu::of_process(arranged.edge_pid)?, Instant::now());
    let weights = arranged.weights(Duration::from_secs(extent.seconds)).await?;
    let edge = cost_of_edge(arranged.edge_pid, before)?;
    eprintln!("latency: {} trucks, one after the other", extent.trucks);
    let weighings = trucks::weigh(&mut arranged, extent.trucks).await?;
    drop(arranged);
    stage.strike().await?;
    Ok(vec![weights, weighings, edge])
}

/// What the edge itself costs: processor time as a share of one core, and memory.
fn cost_of_edge(pid: u32, (spent, began): (Duration, Instant)) -> anyhow::Result<Measurement> {
    let (spent, took) = (cpu::of_process(pid)?.saturating_sub(spent), began.elapsed());
    let share = spent.as_secs_f64() / took.as_secs_f64() * 100.0;
    let mebibytes = f64::from(u32::try_from(cpu::resident_bytes(pid)? / 1024)?) / 1024.0;
    Ok(Measurement {
        what: "edge: what three indicators at 20 Hz cost".to_owned(),
        how: format!(
            "weighbridge-edge, linked, while the weights above were watched ({:.0} s): all its threads by /proc/PID/stat, whose ticks \
             are 10 ms; memory resident at the end",
            took.as_secs_f64()
        ),
        figures: vec![
            Figure::new("CPU of one core", share, "%").at_most(2.0),
            Figure::new("resident", mebibytes, "MiB").at_most(30.0),
        ],
    })
}

/// Everything, and `prepare` with the edge's folder and its stations before the edge starts.
async fn arrange(
    stage: &mut Stage,
    board: Option<SocketAddr>,
    prepare: impl FnOnce(&Path, &[i64]) -> anyhow::Result<()>,
) -> anyhow::Result<Arranged> {
    eprintln!("latency: starting a server, an edge and {} indicators", FORMATS.len());
    let site = Site::start(stage).await?;
    let (tell, noted) = unbounded_channel();
    let mut specs = Vec::new();
    for (number, format) in FORMATS.into_iter().enumerate() {
        let port = stage.path().join(format!("port-{number}"));
        specs.push(site.station(number, format, port).await?);
    }
    let indicators = specs
        .iter()
        .map(|spec| Indicator::plug_in(spec, tell.clone()))
        .collect::<Result<_, _>>()?;
    dashboard::watch(&site.api, tell.clone(), |at, shown| Noted {
        at,
        what: What::Shown(shown),
    })
    .await?;
    let ids: Vec<i64> = specs.iter().map(|spec| spec.id).collect();
    let edge_data = stage.path().join("edge");
    tokio::task::block_in_place(|| prepare(&edge_data, &ids))?;
    let edge_pid = start_edge(stage, &site, &specs, board, tell.clone()).await?;
    Ok(Arranged {
        site,
        indicators,
        noted,
        tell,
        edge_pid,
    })
}

async fn start_edge(
    stage: &mut Stage,
    site: &Site,
    specs: &[StationSpec],
    board: Option<SocketAddr>,
    tell: UnboundedSender<Noted>,
) -> anyhow::Result<u32> {
    let ids: Vec<i64> = specs.iter().map(|spec| spec.id).collect();
    let key = site.api.make_edge("현장", &ids).await?.api_key;
    let toml: PathBuf = stage.path().join("edge.toml");
    write_secret(&toml, &edge_toml(stage, site, &key, specs, board))?;
    let edge = stage.programs.edge.clone();
    let arguments = ["run", "--config", &toml.display().to_string()]
        .map(str::to_owned)
        .to_vec();
    let mut ready = stage
        .start(Start {
            name: "edge",
            path: &edge,
            arguments,
            environment: Vec::new(),
        })
        .await?;
    let pid = ready.pid;
    tokio::spawn(async move {
        while let Some(Line { text, at }) = ready.lines.recv().await {
            let what = What::Printed(text);
            if tell.send(Noted { at, what }).is_err() {
                break;
            }
        }
    });
    Ok(pid)
}

fn edge_toml(stage: &Stage, site: &Site, key: &str, specs: &[StationSpec], board: Option<SocketAddr>) -> String {
    let data = stage.path().join("edge");
    let head = format!(
        "data_dir = \"{}\"\n[server]\nurl = \"{}\"\napi_key = \"{key}\"\n",
        data.display(),
        site.link_url(),
    );
    let station = |spec: &StationSpec| {
        let port = format!("serial://{}?9600-8N1", spec.port.display());
        let (id, protocol) = (spec.id, spec.format);
        format!(
            "[[station]]\nid = {id}\nport = \"{port}\"\nprotocol = \"{protocol}\"\n[station.options]\ndwell_ms = {DWELL_MS}\n"
        )
    };
    let board = board.map_or_else(String::new, |address| {
        format!("[[board]]\nid = \"gate\"\naddress = \"tcp://{address}\"\nprotocol = \"plain\"\n")
    });
    head + &specs.iter().map(station).collect::<String>() + &board
}

impl Arranged {
    /// What is noted next.
    async fn next(&mut self) -> anyhow::Result<Noted> {
        let noted = timeout(SEEN_WITHIN, self.noted.recv()).await;
        noted
            .ok()
            .flatten()
            .context(Incomplete("nothing is seen any more".to_owned()))
    }

    /// Waits until each station's weights reach the dashboard.
    async fn wait_until_shown(&mut self) -> anyhow::Result<()> {
        let mut unseen: Vec<i64> = self.indicators.iter().map(Indicator::station).collect();
        let began = Instant::now();
        while !unseen.is_empty() {
            if began.elapsed() > SEEN_WITHIN {
                return Err(Incomplete(format!("no weight of stations {unseen:?} reaches the dashboard")).into());
            }
            if let What::Shown(Shown::Weights(items)) = self.next().await?.what {
                unseen.retain(|station| items.iter().all(|item| item.station_id != *station));
            }
        }
        Ok(())
    }

    /// Every frame shows another weight, so each can be found again on the dashboard.
    async fn weights(&mut self, length: Duration) -> anyhow::Result<Measurement> {
        let (mut sent, mut took, mut overtaken) = (HashMap::new(), Vec::new(), 0_u32);
        let began = Instant::now();
        while began.elapsed() < length {
            let Noted { at, what } = self.next().await?;
            match what {
                What::Sent(Sent { station, weight, .. }) => {
                    overtaken += u32::from(sent.insert((station, weight), at).is_some());
                }
                What::Shown(Shown::Weights(items)) => {
                    let keys = items.iter().filter_map(|item| Some((item.station_id, item.weight?)));
                    took.extend(keys.filter_map(|key| Some(at.duration_since(sent.remove(&key)?))));
                }
                _ => {}
            }
        }
        overtaken += u32::try_from(sent.values().filter(|at| at.elapsed() > OVERTAKEN_AFTER).count())?;
        let times = Times::new(took).context(Incomplete("no weight reached the dashboard".to_owned()))?;
        let [p50, p90, p99, max] = Figure::of_times(&times);
        let shown = f64::from(u32::try_from(times.count())?);
        let mut figures = vec![p50.at_most(3.0), p90, p99.at_most(10.0), max];
        figures.push(Figure::new("frames shown", shown, "frames"));
        figures.push(Figure::new(
            "frames overtaken by a newer one",
            f64::from(overtaken),
            "frames",
        ));
        Ok(Measurement {
            what: "latency: a frame's last byte on the cable → its weight at a dashboard".to_owned(),
            how: format!(
                "3 indicators ({}) at 20 Hz on ptys paced as 9600 baud, each frame another weight, not in step; weighbridge-edge; \
                 weighbridge serve with its own PostgreSQL, default settings; one WebSocket client; {} s",
                FORMATS.map(Format::id).join(", "),
                length.as_secs(),
            ),
            figures,
        })
    }
}
