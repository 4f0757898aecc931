//! One display board: always the newest text of its lines, as soon as it can take them. Weighing never waits for it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actix::{Actor, AsyncContext, Context, WrapFuture};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    time::{sleep, timeout},
};
use tracing::{info, warn};

use crate::{
    config,
    lines::{Line, Lines},
};

const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// A board that does not take its text in this time is connected anew.
const WRITE_WITHIN: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Text is repeated this often, so that a board that was switched off and on shows it again.
const REPEAT_EVERY: Duration = Duration::from_secs(10);

/// A board. It takes no messages: it watches the lines.
#[derive(Debug)]
pub struct Board {
    settings: Arc<config::Board>,
    lines: Arc<Lines>,
    shown: Arc<watch::Sender<bool>>,
}

impl Board {
    /// `shown` tells the status page whether the board takes its text.
    pub const fn new(settings: Arc<config::Board>, lines: Arc<Lines>, shown: Arc<watch::Sender<bool>>) -> Self {
        Self { settings, lines, shown }
    }
}

impl Actor for Board {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let keeping = keep_shown(Arc::clone(&self.settings), self.lines.watch(), Arc::clone(&self.shown));
        ctx.spawn(keeping.into_actor(self));
    }
}

async fn keep_shown(
    board: Arc<config::Board>,
    mut lines: watch::Receiver<BTreeMap<i64, Line>>,
    shown: Arc<watch::Sender<bool>>,
) {
    let mut pause = FIRST_PAUSE;
    let mut said = None;
    loop {
        let end = match timeout(CONNECT_WITHIN, TcpStream::connect(board.address.to_string())).await {
            Ok(Ok(stream)) => {
                info!(board.id = board.id, "board {} is connected", board.id);
                shown.send_replace(true);
                (pause, said) = (FIRST_PAUSE, None);
                show(&board, stream, &mut lines).await.to_string()
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {CONNECT_WITHIN:?}"),
        };
        shown.send_replace(false);
        if said.as_ref() != Some(&end) {
            warn!(board.id = board.id, board.address = %board.address, "board {} is away: {end}", board.id);
            said = Some(end);
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Writes the newest text whenever it changes; ends when the board goes.
async fn show(
    board: &config::Board,
    stream: TcpStream,
    lines: &mut watch::Receiver<BTreeMap<i64, Line>>,
) -> std::io::Error {
    let (mut reader, mut writer) = stream.into_split();
    let mut unread = [0; 256];
    loop {
        let text = {
            let lines = lines.borrow_and_update();
            let of = |station: &i64| {
                lines
                    .get(station)
                    .map_or_else(String::new, |line| line.text().to_owned())
            };
            board
                .format
                .encode(&board.stations.iter().map(of).collect::<Vec<String>>())
        };
        match timeout(WRITE_WITHIN, writer.write_all(&text)).await {
            Ok(Ok(())) => (),
            Ok(Err(error)) => return error,
            Err(_) => return std::io::ErrorKind::TimedOut.into(),
        }
        tokio::select! {
            changed = lines.changed() => {
                if changed.is_err() {
                    return std::io::Error::other("nobody writes the lines any more");
                }
            }
            () = sleep(REPEAT_EVERY) => (),
            gone = until_gone(&mut reader, &mut unread) => return gone,
        }
    }
}

/// A board says nothing that matters, but its end shows.
async fn until_gone(reader: &mut tokio::net::tcp::OwnedReadHalf, unread: &mut [u8]) -> std::io::Error {
    loop {
        match reader.read(unread).await {
            Ok(0) => return std::io::ErrorKind::ConnectionReset.into(),
            Ok(_) => (),
            Err(error) => return error,
        }
    }
}
