//! The control port: one command a line over TCP on loopback, answered by lines of which the last is `ok` or `error: …`.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use weighbridge_protocol::Kilograms;

use crate::{SimError, board::Mood, fault::Fault, stand_in::trouble::Often};

/// What a simulator can be told while it runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    Help,
    /// What each station shows, and what is wrong with it.
    Stations,
    /// On one station, or on all.
    Fault(Option<i64>, Fault),
    Board(Mood),
    /// Puts a weight on the deck by hand.
    Lay(i64, Kilograms),
    /// A truck of this weight drives on, and stands until it is told to leave.
    Truck(i64, Kilograms),
    Leave(i64),
    /// A service's stand-in fails in the way of this name.
    Fail(String, Often),
    FailNoMore,
}

/// Who can be told.
pub trait Obeys: Send + Sync + 'static {
    /// Does it now. Answers what is to be said before `ok`.
    fn obey(&self, command: &Command) -> Result<String, SimError>;
}

/// A control port that serves. Dropping it closes it.
#[derive(Debug)]
pub struct Control {
    address: SocketAddr,
    work: JoinHandle<()>,
}

pub const HELP: &str = "\
stations                     what each station shows, and its faults
unplug STATION               pull the serial cable: the port is gone
plug STATION                 put it in again, under the same name
silence STATION [on|off]     the indicator says nothing
checksum STATION [on|off]    every checksum is wrong (formats that have one)
garbage STATION [SHARE|off]  random bytes before this share of frames (0.2)
flip STATION [CHANCE|off]    each byte has one bit flipped with this chance (0.001)
heal STATION                 end every fault
board on|off|slow [SECONDS]  the display board: well, without power, or reading after a pause (2)
lay STATION KILOGRAMS        put a weight on the deck by hand; 0 sweeps it
truck STATION KILOGRAMS      drive a truck on (an indicator alone; in a yard trucks come by themselves)
leave STATION                drive it off
fail HOW [TIMES|SHARE]       (stand-ins of services) the next requests (1), a share of all (0.3), or `always` fail so
fail off                     they are answered again
help                         this
STATION is a station's number or `all`.";

impl Control {
    /// Listens at `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// Where the address is taken, or no address of this machine alone.
    pub async fn start(address: SocketAddr, who: Arc<impl Obeys>) -> Result<Self, SimError> {
        if !address.ip().is_loopback() {
            return Err(SimError::Usage(format!(
                "the control port is {address}, expected a loopback address"
            )));
        }
        let cannot = |source| SimError::io(format!("listen for commands at {address}"), source);
        let listener = TcpListener::bind(address).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let work = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&who)));
            }
        });
        Ok(Self { address, work })
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.work.abort();
    }
}

impl Command {
    /// Reads one line; none where it is empty.
    pub fn parse(line: &str) -> Result<Option<Self>, SimError> {
        let mut words = line.split_whitespace();
        let Some(verb) = words.next() else { return Ok(None) };
        let rest: Vec<&str> = words.collect();
        let command = match (verb, rest.as_slice()) {
            ("help", []) => Self::Help,
            ("stations", []) => Self::Stations,
            ("board", ["on"]) => Self::Board(Mood::On),
            ("board", ["off"]) => Self::Board(Mood::Off),
            ("board", ["slow"]) => Self::Board(Mood::Slow(Duration::from_secs(2))),
            ("board", ["slow", pause]) => Self::Board(Mood::Slow(seconds(pause)?)),
            ("lay", [station, weight]) => Self::Lay(number(station)?, kilograms(weight)?),
            ("truck", [station, weight]) => Self::Truck(number(station)?, kilograms(weight)?),
            ("leave", [station]) => Self::Leave(number(station)?),
            ("fail", ["off"]) => Self::FailNoMore,
            ("fail", [how]) => Self::Fail((*how).to_owned(), Often::Next(1)),
            ("fail", [how, often]) => Self::Fail((*how).to_owned(), often.parse()?),
            ("help" | "stations" | "board" | "lay" | "truck" | "leave" | "fail", _) => {
                return Err(SimError::Usage(format!(
                    "{line:?} is not how {verb} is written; say help"
                )));
            }
            (_, rest) => fault(verb, rest)?,
        };
        Ok(Some(command))
    }
}

/// `garbage 1 0.2` is the fault `garbage 0.2` on station 1.
fn fault(verb: &str, rest: &[&str]) -> Result<Command, SimError> {
    let fault: Fault = match rest {
        [_, amount @ ..] => format!("{verb} {}", amount.join(" ")).parse()?,
        [] => verb.parse()?,
    };
    match rest {
        [] => Err(SimError::Usage(format!(
            "{verb} whom? expected a station's number or all"
        ))),
        ["all", ..] => Ok(Command::Fault(None, fault)),
        [station, ..] => Ok(Command::Fault(Some(number(station)?), fault)),
    }
}

fn number(word: &str) -> Result<i64, SimError> {
    word.parse()
        .map_err(|_| SimError::Usage(format!("{word:?} is no station, expected its number")))
}

fn kilograms(word: &str) -> Result<Kilograms, SimError> {
    word.parse()
        .map_err(|error| SimError::Usage(format!("{error}, expected kilograms")))
}

fn seconds(word: &str) -> Result<Duration, SimError> {
    let seconds = word
        .parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| SimError::Usage(format!("{word:?} is no pause, expected seconds")))
}

async fn serve(stream: TcpStream, who: Arc<impl Obeys>) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = match Command::parse(&line) {
            Ok(None) => continue,
            Ok(Some(Command::Help)) => Ok(HELP.to_owned()),
            Ok(Some(command)) => who.obey(&command),
            Err(error) => Err(error),
        };
        let answer = match answer {
            Ok(said) if said.is_empty() => "ok\n".to_owned(),
            Ok(said) => format!("{said}\nok\n"),
            Err(error) => format!("error: {error}\n"),
        };
        if writer.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &Command) {
        assert_eq!(Command::parse(line).unwrap().as_ref(), Some(expected));
    }

    #[track_caller]
    fn check_refused(line: &str, because: &str) {
        let refusal = Command::parse(line).unwrap_err().to_string();
        assert!(refusal.contains(because), "{refusal}");
    }

    #[test]
    fn commands_are_read_or_refused_with_the_way_they_are_written() {
        check("unplug 1", &Command::Fault(Some(1), Fault::Unplug));
        check(" garbage  all  0.5 ", &Command::Fault(None, Fault::Garbage(0.5)));
        check(
            "board slow 0.5",
            &Command::Board(Mood::Slow(Duration::from_millis(500))),
        );
        check("lay 2 18340", &Command::Lay(2, Kilograms::from_whole(18_340)));
        assert_eq!(Command::parse("").unwrap(), None);
        check(
            "truck 1 31200.5",
            &Command::Truck(1, Kilograms::from_hundredths(3_120_050)),
        );
        check("leave 1", &Command::Leave(1));
        check_refused("leave", "say help");
        check_refused("unplug", "unplug whom?");
        check_refused("unplug one", "no station");
        check_refused("explode 1", "is no fault");
        check_refused("board dim", "say help");
        check_refused("lay 1 heavy", "no decimal number");
    }

    struct Ears(Mutex<Vec<Command>>);

    impl Obeys for Ears {
        fn obey(&self, command: &Command) -> Result<String, SimError> {
            self.0.lock().push(command.clone());
            match command {
                Command::Stations => Ok("1 empty".to_owned()),
                Command::Fault(Some(9), _) => Err(SimError::Usage("no station 9".to_owned())),
                _ => Ok(String::new()),
            }
        }
    }

    #[tokio::test]
    async fn every_line_is_answered_and_the_answers_end_in_ok_or_error() {
        let ears = Arc::new(Ears(Mutex::default()));
        let control = Control::start(SocketAddr::from(([127, 0, 0, 1], 0)), Arc::clone(&ears))
            .await
            .unwrap();
        let mut stream = TcpStream::connect(control.address()).await.unwrap();
        stream
            .write_all(b"stations\n\nheal 1\nplug 9\nhello 1\n")
            .await
            .unwrap();
        let mut answers = BufReader::new(stream).lines();
        let expected = [
            "1 empty",
            "ok",
            "ok",
            "error: no station 9",
            "error: \"hello\" is no fault",
        ];
        for expected in expected {
            let answer = answers.next_line().await.unwrap().unwrap();
            assert!(answer.starts_with(expected), "{answer}, expected {expected}");
        }
        assert_eq!(ears.0.lock().len(), 3);
    }

    #[tokio::test]
    async fn a_control_port_is_not_offered_to_other_machines() {
        let ears = Arc::new(Ears(Mutex::default()));
        let refused = Control::start(SocketAddr::from(([0, 0, 0, 0], 0)), ears)
            .await
            .unwrap_err();
        assert!(refused.to_string().contains("loopback"));
    }
}
