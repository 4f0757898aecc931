//! A `weighbridge-edge` that was cut off catches up: how fast it delivers what its file holds, and what its yard sees
//! meanwhile.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use chrono::TimeDelta;
use tokio::{sync::mpsc::UnboundedSender, time::Instant as TokioInstant};
use uuid::Uuid;
use weighbridge_edge::{
    buffer::{BufferFile, DirectoryLock, Draft},
    clock::Clock,
};
use weighbridge_protocol::{
    CycleId, Kilograms,
    scale::{CaptureSettings, CycleState, Scale},
};
use weighbridge_sim::board::Board;

use super::{Arranged, Noted, Sent, What, arrange, trucks::settling_frame};
use crate::{
    Incomplete,
    dashboard::Shown,
    figures::{Figure, Measurement},
    stage::Stage,
    story::{self, EVENTS_OF_A_STAY},
};

const GROSS: Kilograms = Kilograms::from_whole(20_000);
/// Stays that are committed at once when the file is filled.
const STAYS_A_COMMIT: usize = 100;
const LOOK_EVERY: Duration = Duration::from_millis(20);
const DRAINED_WITHIN: Duration = Duration::from_mins(20);

/// What was seen while the file was drained.
#[derive(Default)]
struct Seen {
    /// The sending time of each frame that was not shown yet.
    sent: HashMap<(i64, Kilograms), Instant>,
    /// The sending time of the newest frame that is shown, by station.
    newest: HashMap<i64, Instant>,
    stalest: Duration,
    settled: Option<Instant>,
    committed: Option<Instant>,
    on_board: Option<Instant>,
    /// The seq of the new weighing.
    seq: Option<i64>,
    drained: Option<Instant>,
    acknowledged: Option<Instant>,
}

/// Fills a file with so many events, starts the edge on it, and weighs a truck while it is drained.
pub async fn measure(stage: &mut Stage, events: usize) -> anyhow::Result<Measurement> {
    eprintln!("catching up: filling a file with {events} events");
    let board = Board::start(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let mut last_seq = 0;
    let mut arranged = arrange(stage, Some(board.address()), |directory, stations| {
        last_seq = fill(directory, stations, events)?;
        Ok(())
    })
    .await?;
    eprintln!("catching up: draining it");
    let began = Instant::now();
    let seen = arranged.drain(&board, last_seq).await?;
    let weighed_at = arranged
        .indicators
        .first()
        .map_or(0, super::indicator::Indicator::station);
    arranged.stand(weighed_at, None);
    drop(arranged);
    stage.strike().await?;
    seen.figures(began, last_seq)
}

/// Answers the last seq. Everything happened an hour ago and more, in this boot, one stay a second.
fn fill(directory: &Path, stations: &[i64], events: usize) -> anyhow::Result<i64> {
    let clock = Clock::of_this_machine()?;
    // Let go before the edge takes it.
    let lock = DirectoryLock::take(directory)?;
    let (mut file, _) = BufferFile::open(&lock.directory, clock.boot())?;
    let scale = Scale::new(CaptureSettings::default(), clock.boot());
    let stays = events.div_ceil(EVENTS_OF_A_STAY);
    let mut last_seq = 0;
    for first in (0..stays).step_by(STAYS_A_COMMIT) {
        let station_id = stations[first / STAYS_A_COMMIT % stations.len()];
        let mut drafts = Vec::new();
        for stay in first..stays.min(first + STAYS_A_COMMIT) {
            let ago = TimeDelta::seconds(3600 + i64::try_from(stays - stay)?);
            let mut at = clock.now();
            at.wall -= ago;
            at.mono_ms -= ago.num_milliseconds();
            let cycle = Some(CycleId::from_bits(Uuid::new_v4().as_u128()));
            drafts.extend(story::kinds(at.mono_ms).map(|kind| Draft {
                station_id,
                cycle,
                at,
                kind,
            }));
        }
        let committed = file.commit(&drafts, station_id, &scale)?;
        last_seq = committed.last().map_or(last_seq, |event| event.id.seq);
    }
    for station in stations {
        // As if nobody had looked at the deck since.
        file.keep_state(*station, &CycleState::default())?;
    }
    Ok(last_seq)
}

impl Arranged {
    /// Until all of the file, and the weighing that came on top of it, is stored by the server.
    async fn drain(&mut self, board: &Board, last_seq: i64) -> anyhow::Result<Seen> {
        let settling = settling_frame()?;
        let station = self.indicators.first().context("there is no indicator")?.station();
        let (mut seen, mut stands) = (Seen::default(), false);
        let began = Instant::now();
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while seen.acknowledged.is_none() {
            if began.elapsed() > DRAINED_WITHIN {
                return Err(Incomplete("the file is not drained".to_owned()).into());
            }
            tokio::select! {
                noted = self.noted.recv() => match noted {
                    Some(noted) => seen.note(noted, station, settling),
                    None => return Err(Incomplete("nothing is seen any more".to_owned()).into()),
                },
                _ = look.tick() => {
                    let have = self.have().await?;
                    if !stands && have >= last_seq / 10 {
                        self.stand(station, Some(GROSS));
                        self.watch_board(board);
                        stands = true;
                    }
                    seen.stored(have, last_seq);
                }
            }
        }
        Ok(seen)
    }

    /// The highest seq up to which the server has stored everything.
    async fn have(&self) -> anyhow::Result<i64> {
        let row = self
            .site
            .database
            .query_one("SELECT COALESCE(max(have), 0) FROM edge_epoch", &[])
            .await?;
        Ok(row.get(0))
    }

    fn watch_board(&self, board: &Board) {
        let (tell, since): (UnboundedSender<Noted>, _) = (self.tell.clone(), TokioInstant::now());
        let mut screen = board.screen();
        tokio::spawn(async move {
            let is_saved = |text: &String| weighbridge_sim::board::says_stored(text);
            let told = screen
                .wait_for(|screen| screen.updated_at.is_some_and(|at| at > since) && screen.lines.iter().any(is_saved));
            if told.await.is_ok() {
                // The measurement may have ended.
                drop(tell.send(Noted {
                    at: Instant::now(),
                    what: What::OnBoard,
                }));
            }
        });
    }
}

impl Seen {
    fn note(&mut self, Noted { at, what }: Noted, station: i64, settling: u32) {
        match what {
            What::Sent(Sent {
                station: from,
                weight,
                of_truck,
            }) => {
                self.sent.insert((from, weight), at);
                if from == station && of_truck == Some(settling) {
                    self.settled.get_or_insert(at);
                }
            }
            // The station with the truck shows the same weight again and again, which is no news to a dashboard.
            What::Shown(Shown::Weights(items)) => {
                let others = items.iter().filter(|item| item.station_id != station);
                for key in others.filter_map(|item| Some((item.station_id, item.weight?))) {
                    let Some(sent) = self.sent.remove(&key) else { continue };
                    if let Some(before) = self.newest.insert(key.0, sent).filter(|_| self.drained.is_none()) {
                        self.stalest = self.stalest.max(at.duration_since(before));
                    }
                }
            }
            What::Printed(line) if self.settled.is_some() && line.contains(r#""ev":"committed""#) => {
                self.committed.get_or_insert(at);
                let told: Option<serde_json::Value> = serde_json::from_str(&line).ok();
                self.seq = self.seq.or_else(|| told?.get("seq")?.as_i64());
            }
            What::OnBoard => drop(self.on_board.get_or_insert(at)),
            _ => {}
        }
    }

    fn stored(&mut self, have: i64, last_seq: i64) {
        if have >= last_seq {
            self.drained.get_or_insert_with(Instant::now);
        }
        if self.on_board.is_some() && self.drained.is_some() && self.seq.is_some_and(|seq| have >= seq) {
            self.acknowledged = Some(Instant::now());
        }
    }

    fn figures(&self, began: Instant, events: i64) -> anyhow::Result<Measurement> {
        let at = |what: &str, at: Option<Instant>| at.with_context(|| Incomplete(format!("{what} was not seen")));
        let settled = at("a settled truck", self.settled)?;
        let drained = at("the end of the backlog", self.drained)?;
        let acknowledged = at("an acknowledgement", self.acknowledged)?;
        let seconds = |from: Instant, to: Instant| to.saturating_duration_since(from).as_secs_f64();
        let ms = |from, to| seconds(from, to) * 1000.0;
        let count = f64::from(u32::try_from(events)?);
        Ok(Measurement {
            what: "backlog: a weighbridge-edge catches up from its file".to_owned(),
            how: format!(
                "{events} events in the edge's SQLite, 3 indicators at 20 Hz on ptys, a board, one WebSocket client; from READY of \
                 the edge until the server has stored the last; when a tenth is through, a truck stands on a deck. The age is that \
                 of the weight that the dashboard shows when the next one comes"
            ),
            figures: vec![
                Figure::new("drained", count / seconds(began, drained), "events/s").at_least(1000.0),
                Figure::new(
                    "oldest live weight meanwhile",
                    self.stalest.as_secs_f64() * 1000.0,
                    "ms",
                )
                .at_most(1000.0),
                Figure::new(
                    "new weighing: settled → committed",
                    ms(settled, at("a commit", self.committed)?),
                    "ms",
                ),
                Figure::new(
                    "new weighing: settled → 저장 on the board",
                    ms(settled, at("저장", self.on_board)?),
                    "ms",
                ),
                Figure::new(
                    "new weighing: end of the backlog → stored by the server",
                    ms(drained, acknowledged),
                    "ms",
                )
                .at_most(2000.0),
                Figure::new("events", count, ""),
            ],
        })
    }
}
