//! The work of a scale: a reading goes in, what it leads to is committed together with the cycle's state, and then told.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;
use tracing::{error, warn};
use weighbridge_protocol::{
    CycleId,
    link::{EventKind, event::IndicatorTrouble},
    reading::Reading,
    scale::{CaptureOverrides, CaptureSettings, CycleState, Scale as CaptureLogic, ScaleEvent, Unfit},
};
use weighbridge_supervision::{AskError, Handle};

use super::announcements::Announcements;
use crate::{
    buffer::{
        Buffer, Committed, Draft,
        keeper::{Commit, HasRoom, KeepState, RememberStation},
    },
    clock::Clock,
};

/// How long a commit may take before its outcome is uncertain.
const COMMIT_WITHIN: Duration = Duration::from_secs(20);
/// How soon a buffer that is starting anew is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// The time of the last reading is on disk at least every five seconds.
const KEEP_EVERY_MS: i64 = 4000;
/// How often a full disk is looked at while new weighings are refused.
const LOOK_FOR_ROOM_MS: i64 = 1000;
/// Events that wait for space; a cycle that cannot begin adds none, so there are never many.
const MOST_WAITING: usize = 16;

/// What a scale needs.
#[derive(Clone, Debug)]
pub struct Station {
    pub id: i64,
    /// Where capturing starts; the server's settings override it.
    pub capture: CaptureSettings,
    pub clock: Clock,
    pub buffer: Handle<Buffer>,
    pub announcements: Announcements,
}

/// A commit was asked for and not answered: it may have taken place or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uncertain;

/// A scale at work. Its logic never runs ahead of what is on disk, except for what waits for space.
#[derive(Debug)]
pub(super) struct Duty {
    station: Station,
    logic: CaptureLogic,
    /// What of the server's settings is not followed.
    unfit: Arc<[Unfit]>,
    /// Ends of cycles that a full disk did not take. If they are lost with the process, the next one infers them.
    waiting: Vec<Draft>,
    /// New weighings are refused, for the disk is full.
    refusing: bool,
    looked_for_room_ms: i64,
    kept_ms: i64,
    /// Whether the events told last that the indicator is up.
    indicator_up: Option<bool>,
}

impl Duty {
    /// Goes on from what the file says; waits for a buffer that is starting.
    pub(super) async fn begin(station: Station) -> Self {
        let memory = loop {
            match station.buffer.ask(RememberStation(station.id), COMMIT_WITHIN).await {
                Ok(memory) => break memory,
                Err(_) => sleep(ASK_AGAIN).await,
            }
        };
        let (settings, unfit) = overridden(&station, &memory.capture);
        let logic = CaptureLogic::resume(settings, memory.state, station.clock.boot());
        let now_ms = station.clock.mono_ms();
        Self {
            station,
            logic,
            unfit,
            waiting: Vec::new(),
            refusing: false,
            looked_for_room_ms: now_ms,
            kept_ms: now_ms,
            indicator_up: memory.indicator_up,
        }
    }

    pub(super) const fn state(&self) -> &CycleState {
        self.logic.state()
    }

    /// Takes a reading, or bytes that were none.
    pub(super) async fn take(&mut self, at_ms: i64, reading: Option<&Reading>) -> Result<(), Uncertain> {
        let before = self.logic.clone();
        let mut events = Vec::new();
        if let Some(reading) = reading {
            events = self.logic.push(at_ms, reading, || CycleId::from_bits(rand::random()));
        } else {
            self.logic.push_error(at_ms);
        }
        if self.logic.shows_net() {
            if self.indicator_up != Some(false) {
                warn!(
                    station.id = self.station.id,
                    "the indicator of station {} shows net, and nothing is weighed; press CLEAR (gross) on it",
                    self.station.id
                );
                let why = Some(IndicatorTrouble::Net);
                self.tell_indicator(EventKind::IndicatorDown { why }).await?;
            }
        } else if reading.is_some() && self.indicator_up == Some(false) {
            self.tell_indicator(EventKind::IndicatorUp {}).await?;
        }
        // A deck that is known to be empty again is no event, and a truck that drives on next is not found standing.
        let is_news = events.is_empty() && before.state().deck != self.logic.state().deck;
        self.settle(before, events).await?;
        if is_news || at_ms - self.kept_ms >= KEEP_EVERY_MS {
            self.keep().await;
        }
        if at_ms - self.looked_for_room_ms >= LOOK_FOR_ROOM_MS {
            self.look_for_room(at_ms).await;
        }
        self.announce(reading);
        Ok(())
    }

    /// The indicator says nothing.
    pub(super) async fn fall_silent(&mut self) -> Result<(), Uncertain> {
        self.logic.silent();
        self.announce(None);
        if self.indicator_up == Some(false) {
            return Ok(());
        }
        self.tell_indicator(EventKind::IndicatorDown { why: None }).await
    }

    /// The server has answered: cycles that begin from now on are ordinary ones.
    pub(super) async fn welcome(&mut self, capture: &CaptureOverrides) -> Result<(), Uncertain> {
        self.logic.welcomed();
        let (settings, unfit) = overridden(&self.station, capture);
        self.logic.set(settings);
        self.unfit = unfit;
        self.station.announcements.unfit(&self.unfit);
        self.keep().await;
        Ok(())
    }

    pub(super) fn unlink(&mut self) {
        self.logic.unlinked();
    }

    pub(super) async fn rearm(&mut self) -> Result<Result<(), String>, Uncertain> {
        let before = self.logic.clone();
        match self.logic.rearm() {
            Ok(events) => self.settle(before, events).await?,
            Err(error) => return Ok(Err(error.to_string())),
        }
        self.keep().await;
        self.announce(None);
        Ok(Ok(()))
    }

    /// Commits what the logic says and then tells it. On a full disk a cycle that would begin does not; one that ends
    /// has ended all the same.
    async fn settle(&mut self, before: CaptureLogic, events: Vec<ScaleEvent>) -> Result<(), Uncertain> {
        let drafts: Vec<Draft> = events
            .iter()
            .filter_map(|event| Some(self.draft(event.cycle(), event.kind()?)))
            .collect();
        if !drafts.is_empty() {
            let begins = drafts.iter().any(Draft::begins);
            match self.commit(&drafts).await? {
                Some(committed) => self.tell(&committed),
                None if begins => {
                    self.logic = before;
                    self.refusing = true;
                    return Ok(());
                }
                None => {
                    self.waiting.extend(drafts);
                    self.waiting.truncate(MOST_WAITING);
                }
            }
        }
        for event in events {
            if let ScaleEvent::Recovered { cycle, event, .. } = event {
                Announcements::recovered(event, cycle);
            }
        }
        Ok(())
    }

    /// What was committed, after what had waited; none if the disk is full.
    async fn commit(&mut self, drafts: &[Draft]) -> Result<Option<Vec<Committed>>, Uncertain> {
        let drafts = [self.waiting.as_slice(), drafts].concat();
        loop {
            let commit = Commit {
                station_id: self.station.id,
                drafts: drafts.clone(),
                scale: Box::new(self.logic.clone()),
            };
            match self.station.buffer.ask(commit, COMMIT_WITHIN).await {
                Ok(Ok(committed)) => {
                    self.waiting.clear();
                    self.refusing = false;
                    self.kept_ms = self.station.clock.mono_ms();
                    return Ok(Some(committed));
                }
                Ok(Err(full)) => {
                    if !std::mem::replace(&mut self.refusing, true) {
                        error!(
                            station.id = self.station.id,
                            "station {} refuses new weighings: {full}", self.station.id
                        );
                    }
                    return Ok(None);
                }
                // Nothing was taken: the truck stands, and its commit waits for the buffer.
                Err(AskError::Down | AskError::Full) => sleep(ASK_AGAIN).await,
                Err(AskError::Crashed | AskError::TimedOut) => return Err(Uncertain),
            }
        }
    }

    /// What is on disk may be told.
    fn tell(&mut self, committed: &[Committed]) {
        for (id, cycle) in self.logic.written(committed) {
            Announcements::committed(id, cycle);
        }
    }

    async fn tell_indicator(&mut self, kind: EventKind) -> Result<(), Uncertain> {
        let up = kind == EventKind::IndicatorUp {};
        if self.commit(&[self.draft(None, kind)]).await?.is_some() {
            self.indicator_up = Some(up);
        }
        Ok(())
    }

    async fn keep(&mut self) {
        let keep = KeepState {
            station_id: self.station.id,
            state: self.logic.state().clone(),
        };
        self.kept_ms = self.station.clock.mono_ms();
        // What is not kept now is kept in five seconds: the state is the newest whenever it is written.
        match self.station.buffer.ask(keep, COMMIT_WITHIN).await {
            Ok(Ok(())) => (),
            Ok(Err(full)) => warn!(
                station.id = self.station.id,
                "station {} is not noted: {full}", self.station.id
            ),
            Err(error) => warn!(
                station.id = self.station.id,
                "station {} is not noted: {error}", self.station.id
            ),
        }
    }

    async fn look_for_room(&mut self, at_ms: i64) {
        self.looked_for_room_ms = at_ms;
        if let Ok(has_room) = self.station.buffer.ask(HasRoom, COMMIT_WITHIN).await {
            self.refusing = !has_room;
        }
    }

    fn draft(&self, cycle: Option<CycleId>, kind: EventKind) -> Draft {
        Draft {
            station_id: self.station.id,
            cycle,
            at: self.station.clock.now(),
            kind,
        }
    }

    fn announce(&self, reading: Option<&Reading>) {
        self.station.announcements.deck(
            self.station.id,
            &self.logic,
            reading,
            (self.refusing, &self.unfit),
            self.station.clock.wall(),
        );
    }
}

/// The station's own settings with those of the server's in their place that fit, and those that do not.
fn overridden(station: &Station, capture: &CaptureOverrides) -> (CaptureSettings, Arc<[Unfit]>) {
    let (settings, unfit) = station.capture.fitted(capture);
    for unfit in &unfit {
        warn!(
            station.id = station.id,
            "the server's setting for station {} is not used: {unfit}", station.id
        );
    }
    (settings, unfit.into())
}
