//! A display board (전광판) on TCP. It speaks `plain` (lines joined by LF, the whole text ended by CR LF, in UTF-8) or the
//! [`dabit`] protocol.

pub mod dabit;

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep},
};

use weighbridge_protocol::Kilograms;

use crate::SimError;

/// What a board shows. It keeps its text when the sender goes away, as real ones do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Screen {
    pub lines: Vec<String>,
    /// When the newest text came, none before the first.
    pub updated_at: Option<Instant>,
    /// How many texts came.
    pub texts: u64,
    /// Messages that were refused, and those that came sooner than the board can take them.
    pub refused: u64,
    pub hasty: u64,
    /// The colour of the newest text, where it has one.
    pub colour: Option<u8>,
}

/// How a board behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    #[default]
    On,
    /// No power: connections are refused, and open ones broken.
    Off,
    /// It reads a little, and then nothing for this long.
    Slow(Duration),
}

/// What a board understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Speech {
    #[default]
    Plain,
    Dabit,
    /// It refuses messages without a checksum.
    DabitChecked,
}

/// A running board. Dropping it switches it off.
#[derive(Debug)]
pub struct Board {
    address: SocketAddr,
    screen: watch::Receiver<Screen>,
    mood: watch::Sender<Mood>,
    work: JoinHandle<()>,
}

/// Within this a driver knows what his truck weighs.
const ABOUT: Kilograms = Kilograms::from_whole(100);
/// A board that gets so much without an end shows it, rather than keep more.
const LONGEST_TEXT: usize = 4096;
/// A DABIT board wants so long between two updates.
const DABIT_PAUSE: Duration = Duration::from_millis(300);
/// How much sooner a message may seem to come, by the delays of this machine.
const JITTER: Duration = Duration::from_millis(20);

impl Board {
    /// Listens at `address` for plain texts; port 0 takes a free one.
    pub async fn start(address: SocketAddr) -> Result<Self, SimError> {
        Self::speaking(Speech::Plain, address).await
    }

    pub async fn speaking(speech: Speech, address: SocketAddr) -> Result<Self, SimError> {
        let listener = listen(address).await?;
        let address = listener
            .local_addr()
            .map_err(|source| SimError::io("read the board's address", source))?;
        let mood = watch::Sender::new(Mood::On);
        let (show, screen) = watch::channel(Screen::default());
        let work = tokio::spawn(work(address, listener, mood.subscribe(), speech, show));
        Ok(Self {
            address,
            screen,
            mood,
            work,
        })
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn screen(&self) -> watch::Receiver<Screen> {
        self.screen.clone()
    }

    pub fn set_mood(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// Waits until a text that came after `since` tells on `line` (from 0) that a weighing of about `weight` is stored. A
    /// text of several lines is sent whole when one of them changes, so a word that comes now may still be for the truck
    /// before: an edge that reads late, on a machine that has much else to do, has not seen that one leave.
    pub async fn stored(&self, line: usize, weight: Kilograms, since: Instant) {
        let mut screen = self.screen();
        let told = |screen: &Screen| {
            screen.updated_at.is_some_and(|at| at > since)
                && screen
                    .lines
                    .get(line)
                    .is_some_and(|text| says_stored(text) && is_about(text, weight))
        };
        if screen.wait_for(told).await.is_err() {
            // The board was dropped: its word never comes.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.work.abort();
    }
}

/// Whether a driver who reads this may leave: 저장 (stored), and not 저장불가 (cannot be stored).
pub fn says_stored(text: &str) -> bool {
    text.contains("저장") && !text.contains("불가")
}

/// Whether a driver whose truck weighs so much takes the word for his own: it names about that weight, or none.
fn is_about(text: &str, weight: Kilograms) -> bool {
    let mut named = text
        .split_whitespace()
        .filter_map(|word| word.parse::<Kilograms>().ok());
    named.next().is_none_or(|named| named.distance(weight) <= ABOUT)
}

async fn listen(address: SocketAddr) -> Result<TcpListener, SimError> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|source| SimError::io(format!("listen for the board at {address}"), source))
}

async fn work(
    address: SocketAddr,
    listener: TcpListener,
    mut mood: watch::Receiver<Mood>,
    speech: Speech,
    show: watch::Sender<Screen>,
) {
    let mut listener = Some(listener);
    while let Some(open) = next(&mut listener, address, &mut mood).await {
        let mut sender = JoinSet::new();
        let off = loop {
            let accepted = tokio::select! {
                accepted = open.accept() => accepted,
                off = mood.wait_for(|mood| *mood == Mood::Off) => break off.is_ok(),
            };
            if let Ok((stream, _)) = accepted {
                // A board listens to one sender, the newest: the one before may be gone without a word.
                sender.abort_all();
                sender.spawn(serve(stream, mood.clone(), speech, show.clone()));
            }
        };
        if !off {
            return;
        }
    }
}

async fn next(
    first: &mut Option<TcpListener>,
    address: SocketAddr,
    mood: &mut watch::Receiver<Mood>,
) -> Option<TcpListener> {
    match first.take() {
        Some(listener) => Some(listener),
        None => powered(address, mood).await,
    }
}

/// Waits for power and listens again; none where nobody holds the board any more.
async fn powered(address: SocketAddr, mood: &mut watch::Receiver<Mood>) -> Option<TcpListener> {
    loop {
        mood.wait_for(|mood| *mood != Mood::Off).await.ok()?;
        match listen(address).await {
            Ok(listener) => return Some(listener),
            Err(error) => tracing::warn!("the board at {address} does not come back yet: {error}"),
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// Shows what one sender sends, until it goes or is replaced.
async fn serve(mut stream: TcpStream, mut mood: watch::Receiver<Mood>, speech: Speech, show: watch::Sender<Screen>) {
    let mut text = Vec::new();
    let mut bytes = [0; 2048];
    loop {
        let now = *mood.borrow_and_update();
        if let Mood::Slow(pause) = now {
            tokio::select! {
                () = sleep(pause) => {}
                _ = mood.changed() => continue,
            }
        }
        match stream.read(&mut bytes).await {
            Ok(count) if count > 0 => text.extend_from_slice(&bytes[..count]),
            _ => return,
        }
        if speech == Speech::Plain {
            for lines in texts(&mut text) {
                show.send_modify(|shown| shown.take(lines));
            }
            continue;
        }
        for answered in dabit::messages(&mut text, b'0', speech == Speech::DabitChecked) {
            show.send_modify(|shown| shown.take_one(answered.shown));
            if stream.write_all(&answered.reply).await.is_err() {
                return;
            }
        }
    }
}

impl Screen {
    fn take(&mut self, lines: Vec<String>) {
        self.lines = lines;
        self.updated_at = Some(Instant::now());
        self.texts += 1;
    }

    fn take_one(&mut self, shown: Option<dabit::Shown>) {
        let pause = self.updated_at.map(|at| at.elapsed());
        self.hasty += u64::from(pause.is_some_and(|pause| pause + JITTER < DABIT_PAUSE));
        let Some(dabit::Shown { section, colour, text }) = shown else {
            self.refused += 1;
            return;
        };
        let mut lines = std::mem::take(&mut self.lines);
        lines.resize(lines.len().max(section + 1), String::new());
        lines[section] = text;
        self.colour = colour;
        self.take(lines);
    }
}

/// Takes the whole texts out of what has come so far.
fn texts(come: &mut Vec<u8>) -> Vec<Vec<String>> {
    let mut texts = Vec::new();
    while let Some(end) = come.windows(2).position(|pair| pair == b"\r\n") {
        let text = String::from_utf8_lossy(&come[..end]).into_owned();
        texts.push(text.split('\n').map(str::to_owned).collect());
        come.drain(..end + 2);
    }
    if come.len() > LONGEST_TEXT {
        come.clear();
    }
    texts
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    const HIS: Kilograms = Kilograms::from_whole(20_347);

    async fn board() -> Board {
        Board::start(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap()
    }

    #[test]
    fn a_text_is_whole_however_it_is_cut() {
        let mut come = "1번 저장\n2".as_bytes().to_vec();
        assert!(texts(&mut come).is_empty());
        come.extend("번 대기\r\n1번\n2번\r\n다".as_bytes());
        assert_eq!(texts(&mut come), [["1번 저장", "2번 대기"], ["1번", "2번"]]);
        assert_eq!(come, "다".as_bytes());
    }

    #[test]
    fn only_the_word_itself_lets_a_driver_go() {
        assert!(says_stored("18,340 kg 저장"));
        assert!(!says_stored("저장불가"));
        assert!(!says_stored("계량중"));
    }

    #[tokio::test]
    async fn a_word_from_before_is_not_believed() {
        let board = board().await;
        let mut sender = TcpStream::connect(board.address()).await.unwrap();
        sender.write_all("저장\n대기\r\n".as_bytes()).await.unwrap();
        let mut screen = board.screen();
        screen.wait_for(|screen| screen.texts == 1).await.unwrap();
        let since = Instant::now();
        assert!(
            tokio::time::timeout(Duration::from_millis(50), board.stored(0, HIS, since))
                .await
                .is_err()
        );
        sender.write_all("저장\n대기\r\n".as_bytes()).await.unwrap();
        board.stored(0, HIS, since).await;
    }

    #[tokio::test]
    async fn a_word_for_the_truck_before_that_is_sent_again_is_not_believed() {
        let board = board().await;
        let mut sender = TcpStream::connect(board.address()).await.unwrap();
        let since = Instant::now();
        sender.write_all("저장 18340 kg\n계량중\r\n".as_bytes()).await.unwrap();
        let mut screen = board.screen();
        screen.wait_for(|screen| screen.texts == 1).await.unwrap();
        assert!(
            tokio::time::timeout(Duration::from_millis(50), board.stored(0, HIS, since))
                .await
                .is_err()
        );
        sender.write_all("저장 20360 kg\n계량중\r\n".as_bytes()).await.unwrap();
        board.stored(0, HIS, since).await;
    }

    #[tokio::test]
    async fn a_board_without_power_breaks_the_line_and_comes_back_at_the_same_address() {
        let board = board().await;
        let mut sender = TcpStream::connect(board.address()).await.unwrap();
        sender.write_all(b"one\r\n").await.unwrap();
        board.screen().wait_for(|screen| screen.texts == 1).await.unwrap();
        board.set_mood(Mood::Off);
        assert_eq!(sender.read(&mut [0; 8]).await.unwrap_or(0), 0);
        board.set_mood(Mood::On);
        let mut again = loop {
            match TcpStream::connect(board.address()).await {
                Ok(stream) => break stream,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        again.write_all(b"two\r\n").await.unwrap();
        let shown = board
            .screen()
            .wait_for(|screen| screen.texts == 2)
            .await
            .unwrap()
            .clone();
        assert_eq!(shown.lines, ["two"]);
    }
}
