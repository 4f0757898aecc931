//! `run`: wires the actors, says READY, and ends when told to. The one place that knows them all.

use std::{sync::Arc, time::Duration};

use actix_rt::{Arbiter, System};
use futures_util::future::join_all;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{Notify, watch},
    time::timeout,
};
use tracing::{error, info};
use weighbridge_protocol::{indicators::Decoder, link::messages::StationState};
use weighbridge_supervision::{Handle, Policy, Spec, Tree};

use crate::{
    board::{Board, BoardState, Seen},
    buffer::{Buffer, BufferError, BufferFile, DirectoryLock, Salvaged},
    cli,
    clock::Clock,
    config::{self, Config},
    exit::Exit,
    indicator::{Hearing, Indicator},
    lamp::{self, Lamp, LampState, server::ServerWords},
    lines::Lines,
    link::{Link, LinkStatus, Needs},
    notify,
    port::{Claims, Plug, Port},
    scale::{self, Announcements, Deck, Scale},
    status::{BoardSource, LampSource, Page, Sources, StationSource, StatusSocket},
};

/// All that is in hand is finished within this after SIGTERM.
const DRAIN_WITHIN: Duration = Duration::from_secs(8);
/// Lamps have this long to show red before the rest ends.
const RED_WITHIN: Duration = Duration::from_secs(2);
/// An indicator that says nothing for this long is down,
const SILENCE_LIMIT: Duration = Duration::from_secs(3);
/// or one that is asked and leaves so many rounds of requests unanswered.
const UNANSWERED_ROUNDS: u32 = 4;

/// Weighs until SIGTERM or SIGINT.
pub fn run(config: Config) -> Result<(), Exit> {
    let lock = DirectoryLock::take(&config.data_dir).map_err(|error| refused(&error))?;
    let clock = Clock::of_this_machine().map_err(|error| Exit::Internal(error.to_string()))?;
    // Looking through a large file takes its time: it is done before anybody watches for a sign of life.
    let (file, opened) = BufferFile::open(&lock.directory, clock.boot()).map_err(|error| refused(&error))?;
    drop(file);
    System::new().block_on(async {
        let tree = Tree::new(Policy::default(), |why| {
            error!("{why}");
            Exit::Internal(why.to_string()).leave_at_once()
        })?;
        let mut told = Told::listen()?;
        let yard = Yard::start(&tree, config, clock, opened.salvaged)?;
        actix_rt::spawn(notify::keep_told(tree.clone(), yard.link.clone(), yard.ports));
        tokio::select! {
            ready = yard.say_ready() => {
                ready?;
                notify::ready();
                told.heard().await;
            }
            () = told.heard() => (),
        }
        notify::stopping();
        info!("ending: what is in hand is finished first");
        yard.lamps.end().await;
        let late = tree.drain(DRAIN_WITHIN).await;
        if late.is_empty() {
            Ok(())
        } else {
            Err(Exit::Internal(format!("not finished in time: {}", late.join(", "))))
        }
    })
}

fn refused(error: &BufferError) -> Exit {
    let cause = std::error::Error::source(error)
        .map(|cause| format!(": {cause}"))
        .unwrap_or_default();
    match error {
        BufferError::Newer { .. } => Exit::Usage(error.to_string()),
        _ => Exit::Io(format!("{error}{cause}")),
    }
}

/// The signals by which this process is told to end.
struct Told {
    term: Signal,
    interrupt: Signal,
}

impl Told {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn heard(&mut self) {
        tokio::select! {
            _ = self.term.recv() => (),
            _ = self.interrupt.recv() => (),
        }
    }
}

/// What is running.
#[derive(Debug)]
struct Yard {
    address: String,
    ports: usize,
    tried: watch::Receiver<usize>,
    lamps: Lamps,
    link: watch::Receiver<LinkStatus>,
}

/// The lamps that are to be red when this process ends.
#[derive(Debug)]
struct Lamps {
    ending: watch::Sender<bool>,
    states: Vec<watch::Receiver<LampState>>,
}

/// What one station has for the others.
struct Wired {
    scale: Handle<Scale>,
    deck: watch::Receiver<Option<Deck>>,
    source: StationSource,
}

/// What every station needs.
struct Common<'a> {
    tree: &'a Tree,
    clock: Clock,
    buffer: Handle<Buffer>,
    lines: Arc<Lines>,
    words: Arc<ServerWords>,
    tried: Arc<watch::Sender<usize>>,
    claims: Claims,
}

impl Yard {
    fn start(tree: &Tree, config: Config, clock: Clock, salvaged: Option<Salvaged>) -> Result<Self, Exit> {
        let committed = Arc::new(Notify::new());
        let buffer = start_buffer(tree, &config, clock, &committed, salvaged)?;
        let (tried, was_tried) = watch::channel(0);
        let common = Common {
            tree,
            clock,
            buffer: buffer.clone(),
            lines: Arc::default(),
            words: Arc::default(),
            tried: Arc::new(tried),
            claims: Claims::default(),
        };
        tree.supervisor("stations").map_err(internal)?;
        let stations = config.stations.iter().map(|station| common.start_station(station));
        let wired: Vec<Wired> = stations.collect::<Result<_, _>>()?;
        let link = common.start_link(&config, committed, &wired)?;
        let (ending, is_ending) = watch::channel(false);
        let lamps = common.start_lamps(config.signals, &wired, &link, &is_ending)?;
        let states = lamps.iter().map(|lamp| lamp.state.clone()).collect();
        let sources = Arc::new(Sources {
            directory: config.data_dir.clone(),
            clock,
            buffer,
            link: link.clone(),
            lamps,
            boards: common.start_boards(config.boards, &wired)?,
            stations: wired.into_iter().map(|wired| wired.source).collect(),
            tree: tree.clone(),
        });
        let asked = Arc::clone(&sources);
        let socket = move || StatusSocket::new(Arc::clone(&asked));
        tree.start(Spec::new("status", "status").on("status"), socket)
            .map_err(internal)?;
        if let Some(listen) = config.status_page {
            let page = move || Page::new(listen.clone(), Arc::clone(&sources));
            tree.start(Spec::new("page", "page").on("page"), page)
                .map_err(internal)?;
        }
        Ok(Self {
            address: config.data_dir.join("status.sock").display().to_string(),
            ports: config.stations.len(),
            tried: was_tried,
            lamps: Lamps { ending, states },
            link,
        })
    }

    /// A port that is not there does not hold up the others, but each has been looked at once.
    async fn say_ready(&self) -> Result<(), Exit> {
        let mut tried = self.tried.clone();
        tried.wait_for(|tried| *tried >= self.ports).await.map_err(internal)?;
        cli::print(&format!(
            "READY pid={} addr=unix:{}\n",
            std::process::id(),
            self.address
        ))
    }
}

impl Lamps {
    /// Lets every lamp show red for the last time. One whose unit is away is not waited for.
    async fn end(&self) {
        self.ending.send_replace(true);
        let shown = self.states.iter().cloned().map(|mut state| async move {
            // A lamp that is gone can show nothing more.
            drop(state.wait_for(|state| state.ended || !state.connected).await);
        });
        if timeout(RED_WITHIN, join_all(shown)).await.is_err() {
            error!("a lamp was not seen red within {RED_WITHIN:?}");
        }
    }
}

/// The file belongs to one thread: it cannot be given to another one while the first may still be writing.
fn start_buffer(
    tree: &Tree,
    config: &Config,
    clock: Clock,
    committed: &Arc<Notify>,
    salvaged: Option<Salvaged>,
) -> Result<Handle<Buffer>, Exit> {
    tree.bind("buffer", Arbiter::try_new()?.handle());
    let (directory, committed) = (config.data_dir.clone(), Arc::clone(committed));
    let make = move || Buffer::new(directory.clone(), clock, Arc::clone(&committed), salvaged.clone());
    tree.start(Spec::new("buffer", "buffer").on("buffer"), make)
        .map_err(internal)
}

impl Common<'_> {
    fn start_station(&self, station: &config::Station) -> Result<Wired, Exit> {
        let id = station.id;
        let (deck, seen) = watch::channel(None);
        let (hearing, heard) = watch::channel(Hearing::default());
        let needs = scale::Station {
            id,
            capture: station.capture,
            clock: self.clock,
            buffer: self.buffer.clone(),
            announcements: Announcements {
                lines: Arc::clone(&self.lines),
                deck: Arc::new(deck),
            },
        };
        let scale = self.start("scale", id, move || Scale::new(needs.clone()))?;
        let decoder = Decoder::new(&station.protocol, &station.options).map_err(internal)?;
        let poll = station.protocol.poll(&station.options).map_err(internal)?;
        let silence_limit = poll.as_ref().map_or(SILENCE_LIMIT, |poll| {
            let round = poll.every * u32::try_from(poll.requests.len()).unwrap_or(u32::MAX);
            SILENCE_LIMIT.max(round.saturating_mul(UNANSWERED_ROUNDS))
        });
        let (told, hearing) = (scale.clone(), Arc::new(hearing));
        let indicator = self.start("indicator", id, move || {
            Indicator::new(id, decoder.clone(), silence_limit, told.clone(), Arc::clone(&hearing))
        })?;
        let plug = Plug {
            station_id: id,
            address: station.port.clone(),
            poll,
            clock: self.clock,
            indicator,
            claims: self.claims.clone(),
            tried: Arc::clone(&self.tried),
        };
        self.start("port", id, move || Port::new(plug.clone()))?;
        let source = StationSource {
            station_id: id,
            port: station.port.to_string(),
            protocol: station.protocol.id().to_owned(),
            deck: seen.clone(),
            hearing: heard,
        };
        Ok(Wired {
            scale,
            deck: seen,
            source,
        })
    }

    fn start_link(
        &self,
        config: &Config,
        committed: Arc<Notify>,
        wired: &[Wired],
    ) -> Result<watch::Receiver<LinkStatus>, Exit> {
        let said = |station: &config::Station| StationState {
            station_id: station.id,
            protocol: station.protocol.id().to_owned(),
        };
        let scale = |wired: &Wired| (wired.source.station_id, wired.scale.clone());
        let needs = Arc::new(Needs {
            server: config.server.clone(),
            stations: config.stations.iter().map(said).collect(),
            clock: self.clock,
            buffer: self.buffer.clone(),
            committed,
            scales: wired.iter().map(scale).collect(),
            decks: wired.iter().map(|wired| wired.deck.clone()).collect(),
            lines: Arc::clone(&self.lines),
            lamps: Arc::clone(&self.words),
            shown: watch::Sender::new(LinkStatus::default()),
        });
        let shown = needs.shown.subscribe();
        let link = move || Link::new(Arc::clone(&needs));
        // Beside the scales: a weight that had to wake another thread would cost twice as much to send.
        self.tree
            .start(Spec::new("link", "link").on("stations"), link)
            .map_err(internal)?;
        Ok(shown)
    }

    fn start_lamps(
        &self,
        signals: Vec<config::Signal>,
        wired: &[Wired],
        link: &watch::Receiver<LinkStatus>,
        ending: &watch::Receiver<bool>,
    ) -> Result<Vec<LampSource>, Exit> {
        let mut sources = Vec::new();
        for signal in signals {
            let at_station = |wired: &&Wired| wired.source.station_id == signal.station;
            let Some(deck) = wired.iter().find(at_station).map(|wired| wired.deck.clone()) else {
                continue;
            };
            let seen = lamp::Seen {
                deck,
                link: link.clone(),
                words: self.words.watch(),
                ending: ending.clone(),
            };
            let (state, shown) = watch::channel(LampState::default());
            sources.push(LampSource {
                id: signal.id.clone(),
                station_id: signal.station,
                state: shown,
            });
            let (signal, state) = (Arc::new(signal), Arc::new(state));
            let spec = Spec::new("lamp", format!("lamp-{}", signal.id)).on("boards");
            self.tree
                .start(spec, move || {
                    Lamp::new(Arc::clone(&signal), seen.clone(), Arc::clone(&state))
                })
                .map_err(internal)?;
        }
        Ok(sources)
    }

    fn start_boards(&self, boards: Vec<config::Board>, wired: &[Wired]) -> Result<Vec<BoardSource>, Exit> {
        let mut sources = Vec::new();
        for board in boards {
            let of_board = |wired: &&Wired| board.stations.first() == Some(&wired.source.station_id);
            // A board without stations shows nothing, whichever deck it looks at.
            let Some(deck) = wired
                .iter()
                .find(of_board)
                .or(wired.first())
                .map(|wired| wired.deck.clone())
            else {
                continue;
            };
            let (state, seen) = watch::channel(BoardState::default());
            sources.push(BoardSource {
                id: board.id.clone(),
                state: seen,
            });
            let lines = self.lines.watch();
            let (board, seen, state) = (Arc::new(board), Seen { lines, deck }, Arc::new(state));
            let spec = Spec::new("board", format!("board-{}", board.id)).on("boards");
            self.tree
                .start(spec, move || {
                    Board::new(Arc::clone(&board), seen.clone(), Arc::clone(&state))
                })
                .map_err(internal)?;
        }
        Ok(sources)
    }

    fn start<A>(
        &self,
        kind: &'static str,
        station_id: i64,
        make: impl Fn() -> A + Send + Sync + 'static,
    ) -> Result<Handle<A>, Exit>
    where
        A: actix::Actor<Context = actix::Context<A>>,
    {
        let spec = Spec::new(kind, format!("{kind}-{station_id}"))
            .under("stations")
            .on("stations");
        self.tree.start(spec, make).map_err(internal)
    }
}

fn internal(error: impl std::error::Error) -> Exit {
    Exit::Internal(error.to_string())
}
