//! One display board: always the newest text of its lines, as soon as it can take them. Weighing never waits for it.
//!
//! - [`declaration`]: how a kind of board is spoken to, read from its file
//! - [`format`]: from lines to the bytes of messages
//! - `reply`: what a board answers
//! - `toledo`: frames for remote displays that know only Toledo's

pub mod declaration;
pub mod format;
mod reply;
mod toledo;

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use actix::{Actor, AsyncContext, Context, WrapFuture};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};
use tracing::{info, warn};

use crate::{config, lines::Line, scale::Deck};
use declaration::{Reply, Way};
pub use format::{Format, Shown};
use reply::Replies;

const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// A board that does not take its text in this time is connected anew.
const WRITE_WITHIN: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Text is repeated this often, so that a board that was switched off and on shows it again.
const REPEAT_EVERY: Duration = Duration::from_secs(10);

/// A board. It takes no messages: it watches the lines, or a deck.
#[derive(Debug)]
pub struct Board {
    settings: Arc<config::Board>,
    seen: Seen,
    shown: Arc<watch::Sender<BoardState>>,
}

/// What a board looks at.
#[derive(Clone, Debug)]
pub struct Seen {
    pub lines: watch::Receiver<BTreeMap<i64, Line>>,
    /// The deck of its first station, for boards that repeat an indicator's frames.
    pub deck: watch::Receiver<Option<Deck>>,
}

/// How a board is, for the status page.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct BoardState {
    pub connected: bool,
    /// Messages that it took; for boards that answer nothing, that were written.
    pub sent: u64,
    /// Messages that it answered with a refusal.
    pub refused: u64,
    /// Messages that it should have answered.
    pub unanswered: u64,
    /// Why it is away, or what it did not take last.
    pub trouble: Option<String>,
}

impl Board {
    pub const fn new(settings: Arc<config::Board>, seen: Seen, shown: Arc<watch::Sender<BoardState>>) -> Self {
        Self { settings, seen, shown }
    }
}

impl Actor for Board {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let keeping = keep_shown(Arc::clone(&self.settings), self.seen.clone(), Arc::clone(&self.shown));
        ctx.spawn(keeping.into_actor(self));
    }
}

async fn keep_shown(board: Arc<config::Board>, mut seen: Seen, shown: Arc<watch::Sender<BoardState>>) {
    let mut pause = FIRST_PAUSE;
    let mut said = None;
    loop {
        let end = match timeout(CONNECT_WITHIN, TcpStream::connect(board.address.to_string())).await {
            Ok(Ok(stream)) => {
                info!(board.id = board.id, "board {} is connected", board.id);
                shown.send_modify(|state| (state.connected, state.trouble) = (true, None));
                (pause, said) = (FIRST_PAUSE, None);
                Showing::on(stream, &board, &shown).go_on(&mut seen).await.to_string()
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {CONNECT_WITHIN:?}"),
        };
        if said.as_ref() != Some(&end) {
            warn!(board.id = board.id, board.address = %board.address, "board {} is away: {end}", board.id);
        }
        shown.send_modify(|state| (state.connected, state.trouble) = (false, Some(end.clone())));
        said = Some(end);
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// A connection to a board, and what was sent on it.
struct Showing<'a> {
    board: &'a config::Board,
    shown: &'a watch::Sender<BoardState>,
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    replies: Replies,
    /// By the place of the message among all; none where it is to be sent again.
    sent: Vec<Option<Vec<u8>>>,
    /// A message that is not taken is tried once more, and then with the next repetition.
    tried: Vec<u8>,
}

impl<'a> Showing<'a> {
    fn on(stream: TcpStream, board: &'a config::Board, shown: &'a watch::Sender<BoardState>) -> Self {
        let (reader, writer) = stream.into_split();
        Self {
            board,
            shown,
            reader,
            writer,
            replies: Replies::default(),
            sent: Vec::new(),
            tried: Vec::new(),
        }
    }

    /// Sends what is new, one message at a time and never sooner than the board can take it; ends when the board goes.
    async fn go_on(mut self, seen: &mut Seen) -> io::Error {
        let mut repeat_at = Instant::now() + REPEAT_EVERY;
        let mut last = 0;
        loop {
            if Instant::now() >= repeat_at {
                self.sent.clear();
                self.tried.clear();
                repeat_at = Instant::now() + REPEAT_EVERY;
            }
            let messages = seen.messages(self.board);
            self.sent.resize(messages.len(), None);
            self.tried.resize(messages.len(), 0);
            // In turn, so that one line that changes all the time does not hold up the others.
            let turn = (0..messages.len()).map(|step| (last + 1 + step) % messages.len());
            let due = turn.into_iter().find(|n| self.sent[*n].as_ref() != Some(&messages[*n]));
            let (pause_until, is_done) = match due {
                Some(n) => {
                    last = n;
                    if let Err(error) = self.send(n, &messages[n]).await {
                        return error;
                    }
                    (Instant::now() + self.board.format.declaration.every, false)
                }
                None => (repeat_at, true),
            };
            let gone = until_gone(&mut self.reader);
            tokio::select! {
                () = sleep_until(pause_until) => (),
                ended = seen.changed(self.board), if is_done => if let Err(error) = ended { return error },
                gone = gone => return gone,
            }
        }
    }

    async fn send(&mut self, n: usize, message: &[u8]) -> io::Result<()> {
        self.replies.clear();
        match timeout(WRITE_WITHIN, self.writer.write_all(message)).await {
            Ok(written) => written?,
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        }
        let taken = match self.board.format.reply() {
            Some(reply) => self.answer(reply).await?,
            None => Some(true),
        };
        let id = &self.board.id;
        let trouble = match taken {
            Some(true) => None,
            Some(false) => {
                Some("a message was refused; compare address, checksum and charset with the board's settings")
            }
            None => Some("a message was not answered; look at the board's address and wiring"),
        };
        self.shown.send_modify(|state| {
            state.sent += u64::from(taken == Some(true));
            state.refused += u64::from(taken == Some(false));
            state.unanswered += u64::from(taken.is_none());
            if let (Some(trouble), true) = (trouble, state.trouble.as_deref() != trouble) {
                warn!(board.id = id, "board {id}: {trouble}");
            }
            state.trouble = trouble.map(str::to_owned);
        });
        let is_first = self.tried[n] == 0;
        if taken == Some(true) || !is_first {
            self.sent[n] = Some(message.to_vec());
            self.tried[n] = 0;
        } else {
            self.tried[n] = 1;
        }
        Ok(())
    }

    /// Whether the board took the message; none where it says nothing in time.
    async fn answer(&mut self, reply: &Reply) -> io::Result<Option<bool>> {
        let deadline = Instant::now() + reply.within;
        let mut bytes = [0; 256];
        loop {
            let read = tokio::select! {
                read = self.reader.read(&mut bytes) => read?,
                () = sleep_until(deadline) => return Ok(None),
            };
            if read == 0 {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            if let Some(taken) = self.replies.push(&bytes[..read], reply) {
                return Ok(Some(taken));
            }
        }
    }
}

impl Seen {
    /// All messages that show what there is now.
    fn messages(&mut self, board: &config::Board) -> Vec<Vec<u8>> {
        if board.format.repeats_frames() {
            let deck = self.deck.borrow_and_update();
            let frame = deck.as_ref().and_then(|deck| match board.format.declaration.way {
                Way::ToledoFrames => toledo::frame(deck),
                _ => Some(deck.raw.to_vec()).filter(|raw| !raw.is_empty()),
            });
            return frame.into_iter().collect();
        }
        let lines = self.lines.borrow_and_update();
        let of = |station: &i64| {
            let (state, text) = lines.get(station).cloned().unwrap_or_default().shown(board.language);
            Shown { state, text }
        };
        board
            .format
            .messages(&board.stations.iter().map(of).collect::<Vec<_>>())
    }

    async fn changed(&mut self, board: &config::Board) -> io::Result<()> {
        let changed = if board.format.repeats_frames() {
            self.deck.changed().await
        } else {
            self.lines.changed().await
        };
        changed.map_err(|_| io::Error::other("nobody writes the lines any more"))
    }
}

/// A board says nothing that matters here, but its end shows.
async fn until_gone(reader: &mut OwnedReadHalf) -> io::Error {
    let mut unread = [0; 256];
    loop {
        match reader.read(&mut unread).await {
            Ok(0) => return io::ErrorKind::ConnectionReset.into(),
            Ok(_) => (),
            Err(error) => return error,
        }
    }
}
