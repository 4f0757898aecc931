//! The actor that owns the file: everything that is written passes here, on a thread of its own, since each commit waits
//! for the disk.

use std::{path::PathBuf, sync::Arc, time::Duration};

use actix::{Actor, AsyncContext, Context, Handler, Message};
use chrono::{DateTime, FixedOffset};
use tokio::sync::Notify;
use tracing::{error, warn};
use weighbridge_protocol::{
    Epoch,
    link::{
        Output, Sender, Store,
        messages::{Ack, EdgeName, EpochState, Nack, Welcome},
    },
    scale::{CaptureOverrides, CycleState, Scale},
};

use super::{BufferError, BufferFile, Committed, Draft, NoSpace, Salvaged, commit::CommandOutcome};
use crate::{clock::Clock, exit::Exit};

/// How often old acknowledged events are let go, and the free space is looked at.
const HOUSEKEEPING_EVERY: Duration = Duration::from_mins(10);
/// Under which the server's name for this edge is kept.
const EDGE_NAME: &str = "edge";
const DATABASE: &str = "database";

/// The buffer. Under everything else: whoever commits waits for it.
#[derive(Debug)]
pub struct Buffer {
    directory: PathBuf,
    clock: Clock,
    /// Rings when there is something new to send.
    committed: Arc<Notify>,
    sender: Sender,
    file: Option<BufferFile>,
    salvaged: Option<Salvaged>,
    /// The server's clock when it was last heard, and our monotonic one then.
    server_clock: Option<(DateTime<FixedOffset>, i64)>,
}

/// Commits events of a station together with where its cycle stands; answers their identities when they are on disk.
#[derive(Debug, Message)]
#[rtype(result = "Result<Vec<Committed>, NoSpace>")]
pub struct Commit {
    pub station_id: i64,
    pub drafts: Vec<Draft>,
    pub scale: Box<Scale>,
}

/// Keeps where a station's cycle stands, at least every five seconds.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), NoSpace>")]
pub struct KeepState {
    pub station_id: i64,
    pub state: CycleState,
}

/// What the file remembers of a station. Asked by a scale that starts.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "StationMemory")]
pub struct RememberStation(pub i64);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StationMemory {
    pub state: CycleState,
    pub capture: CaptureOverrides,
    pub indicator_up: Option<bool>,
}

/// Whether new weighings may begin.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "bool")]
pub struct HasRoom;

/// A connection was made: answers what `hello` says of the file.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Vec<EpochState>")]
pub struct LinkOpened;

/// The server said something about events: answers what the link is to do. Where it could not be written down, that is
/// to connect anew, and begin from what the file says.
#[derive(Debug, Message)]
#[rtype(result = "Result<Vec<Output>, NoSpace>")]
pub enum LinkHeard {
    Welcome(Box<Welcome>),
    Ack(Ack),
    Nack(Nack),
}

/// Answers what the window has room for.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<Vec<Output>, NoSpace>")]
pub struct SendMore;

#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct LinkClosed;

/// Begins a command of the server; answers how it ended where it was begun before.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Option<CommandOutcome>")]
pub struct BeginCommand(pub i64);

#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct EndCommand(pub i64, pub CommandOutcome);

/// Asked by the status page.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<BufferStatus, NoSpace>")]
pub struct AskStatus;

/// The file at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BufferStatus {
    /// Who this edge is, as the server said last.
    pub edge: Option<EdgeName>,
    /// The open epoch.
    pub epoch: Epoch,
    pub next_seq: i64,
    pub acked: i64,
    /// Events of all epochs that the server has not acknowledged.
    pub unsent: i64,
    /// When the oldest of them was committed, by the wall clock of then.
    pub oldest_unsent: Option<DateTime<FixedOffset>>,
    /// Free bytes of the buffer's disk.
    pub disk_free: u64,
    /// New weighings are refused for want of space.
    pub refusing: bool,
    pub salvaged: Option<Salvaged>,
}

impl Buffer {
    /// The owner of the file in `directory`, which has been opened once, and `salvaged` then if it was damaged.
    pub fn new(directory: PathBuf, clock: Clock, committed: Arc<Notify>, salvaged: Option<Salvaged>) -> Self {
        Self {
            directory,
            clock,
            committed,
            sender: Sender::default(),
            file: None,
            salvaged,
            server_clock: None,
        }
    }

    /// Does something with the file. A full disk is the caller's business; whatever else fails ends the process, for
    /// only a fresh one can know what the disk holds.
    fn with_file<T>(
        &mut self,
        work: impl FnOnce(&mut BufferFile, &mut Sender) -> Result<T, BufferError>,
    ) -> Result<T, NoSpace> {
        if self.file.is_none() {
            match BufferFile::open(&self.directory, self.clock.boot()) {
                Ok((file, _)) => self.file = Some(file),
                Err(error) => leave(&self.directory, &error),
            }
        }
        let Some(file) = &mut self.file else {
            return Err(NoSpace::on_disk_of(&self.directory));
        };
        match work(file, &mut self.sender) {
            Ok(answer) => Ok(answer),
            Err(BufferError::Full) => Err(NoSpace::on_disk_of(&self.directory)),
            Err(error) => leave(&self.directory, &error),
        }
    }

    fn link(
        &mut self,
        work: impl FnOnce(&mut Sender, &mut BufferFile) -> Result<Vec<Output>, BufferError>,
    ) -> Result<Vec<Output>, NoSpace> {
        let outputs = self.with_file(|file, sender| work(sender, file));
        if outputs.is_err() {
            self.sender.disconnected();
        }
        outputs
    }

    /// Keeps what holds also while the server is away. On a full disk that may wait: the link is what makes space.
    fn note(&mut self, welcome: &Welcome) {
        let noted = self.with_file(|file, _| {
            file.write_curves_as(welcome.curve_form())?;
            if let Some(database) = welcome.database.map(|name| name.to_string()) {
                if file.fact(DATABASE)?.is_some_and(|before| before != database) {
                    error!(
                        "this edge was with another server before: what it weighed there waits for staff at this one"
                    );
                }
                file.set_fact(DATABASE, &database)?;
            }
            file.set_fact(EDGE_NAME, &serde_json::to_string(&welcome.edge).unwrap_or_default())?;
            for station in &welcome.stations {
                file.keep_settings(station.station_id, &station.capture)?;
            }
            Ok(())
        });
        if let Err(full) = noted {
            warn!("the server's settings are not kept: {full}");
        }
    }

    fn keep_house(&mut self) {
        if let Some(file) = &self.file {
            file.warn_of_little_space();
        }
        self.retain();
    }

    fn retain(&mut self) {
        let Some((heard, at_ms)) = self.server_clock else {
            return;
        };
        let now = heard + chrono::Duration::milliseconds(self.clock.mono_ms() - at_ms);
        match self.with_file(|file, _| file.retain(now)) {
            Ok(0) | Err(NoSpace { .. }) => (),
            Ok(dropped) => tracing::info!(dropped, "{dropped} acknowledged events were let go after their time"),
        }
    }
}

/// Leaves at once. Nothing is closed in order: after a failed write SQLite's own tidying could hide what is missing.
fn leave(directory: &std::path::Path, failure: &BufferError) -> ! {
    let cause = std::error::Error::source(failure)
        .map(|cause| format!(": {cause}"))
        .unwrap_or_default();
    error!(directory = %directory.display(), "{failure}{cause}");
    let exit = match failure {
        BufferError::Mistake(_) | BufferError::Unreadable { .. } => Exit::Internal(failure.to_string()),
        BufferError::Newer { .. } => Exit::Usage(failure.to_string()),
        _ => Exit::Io(failure.to_string()),
    };
    if matches!(
        failure,
        BufferError::Damaged(_) | BufferError::ReadsBackOtherwise { .. }
    ) && let Err(error) = BufferFile::mark_suspect(directory)
    {
        error!(%error, "the next start cannot be asked to look through the file");
    }
    exit.leave_at_once()
}

impl Actor for Buffer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(HOUSEKEEPING_EVERY, |buffer, _| buffer.keep_house());
    }
}

impl Handler<Commit> for Buffer {
    type Result = Result<Vec<Committed>, NoSpace>;

    fn handle(
        &mut self,
        Commit {
            station_id,
            drafts,
            scale,
        }: Commit,
        _: &mut Context<Self>,
    ) -> Self::Result {
        let committed = self.with_file(|file, _| file.commit(&drafts, station_id, &scale))?;
        self.committed.notify_one();
        Ok(committed)
    }
}

impl Handler<KeepState> for Buffer {
    type Result = Result<(), NoSpace>;

    fn handle(&mut self, KeepState { station_id, state }: KeepState, _: &mut Context<Self>) -> Self::Result {
        self.with_file(|file, _| file.keep_state(station_id, &state))
    }
}

impl Handler<RememberStation> for Buffer {
    type Result = actix::MessageResult<RememberStation>;

    fn handle(&mut self, RememberStation(id): RememberStation, _: &mut Context<Self>) -> Self::Result {
        let memory = self.with_file(|file, _| {
            Ok(StationMemory {
                state: file.state(id)?,
                capture: file.capture_overrides(id)?,
                indicator_up: file.indicator_was_up(id)?,
            })
        });
        actix::MessageResult(memory.unwrap_or_default())
    }
}

impl Handler<HasRoom> for Buffer {
    type Result = bool;

    fn handle(&mut self, _: HasRoom, _: &mut Context<Self>) -> bool {
        self.with_file(|file, _| file.has_room()).unwrap_or(false)
    }
}

impl Handler<LinkOpened> for Buffer {
    type Result = Vec<EpochState>;

    fn handle(&mut self, _: LinkOpened, _: &mut Context<Self>) -> Vec<EpochState> {
        self.with_file(|file, sender| sender.hello(file)).unwrap_or_default()
    }
}

impl Handler<LinkHeard> for Buffer {
    type Result = Result<Vec<Output>, NoSpace>;

    fn handle(&mut self, heard: LinkHeard, _: &mut Context<Self>) -> Self::Result {
        let new_epoch = || Epoch::from_bits(rand::random());
        match heard {
            LinkHeard::Welcome(welcome) => {
                self.server_clock = Some((welcome.server_time, self.clock.mono_ms()));
                self.note(&welcome);
                self.link(|sender, file| sender.welcome(file, &welcome, new_epoch))
            }
            LinkHeard::Ack(ack) => self.link(|sender, file| sender.ack(file, &ack)),
            LinkHeard::Nack(nack) => self.link(|sender, file| sender.nack(file, &nack, new_epoch)),
        }
    }
}

impl Handler<SendMore> for Buffer {
    type Result = Result<Vec<Output>, NoSpace>;

    fn handle(&mut self, _: SendMore, _: &mut Context<Self>) -> Self::Result {
        self.link(Sender::pump)
    }
}

impl Handler<LinkClosed> for Buffer {
    type Result = ();

    fn handle(&mut self, _: LinkClosed, _: &mut Context<Self>) {
        self.sender.disconnected();
    }
}

impl Handler<BeginCommand> for Buffer {
    type Result = Option<CommandOutcome>;

    fn handle(&mut self, BeginCommand(id): BeginCommand, _: &mut Context<Self>) -> Option<CommandOutcome> {
        self.with_file(|file, _| file.begin_command(id)).unwrap_or_else(|full| {
            Some(CommandOutcome {
                error: Some(full.to_string()),
            })
        })
    }
}

impl Handler<EndCommand> for Buffer {
    type Result = ();

    fn handle(&mut self, EndCommand(id, outcome): EndCommand, _: &mut Context<Self>) {
        if self.with_file(|file, _| file.end_command(id, &outcome)).is_err() {
            warn!(
                command.id = id,
                "the outcome of command {id} is not written down, for the disk is full"
            );
        }
    }
}

impl Handler<AskStatus> for Buffer {
    type Result = Result<BufferStatus, NoSpace>;

    fn handle(&mut self, _: AskStatus, _: &mut Context<Self>) -> Self::Result {
        let salvaged = self.salvaged.clone();
        self.with_file(|file, _| {
            let open = file
                .epochs()?
                .pop()
                .ok_or(BufferError::Unreadable { what: "the open epoch" })?;
            let edge = file.fact(EDGE_NAME)?;
            Ok(BufferStatus {
                edge: edge.and_then(|text| serde_json::from_str(&text).ok()),
                epoch: open.epoch,
                next_seq: open.next_seq,
                acked: open.acked,
                unsent: file.unsent()?,
                oldest_unsent: file.oldest_unsent()?,
                disk_free: file.free_bytes().unwrap_or(0),
                refusing: !file.has_room()?,
                salvaged,
            })
        })
    }
}
