//! `detect`: listens with one line setting after the other, then asks, and ranks what it heard.

use std::time::Duration;

use weighbridge_protocol::{
    indicators::{Line, Options, Parity, Poll, Protocol},
    recognition::{Ranking, Unexplained, Verdict, rank},
};

use super::listening::hear;
use crate::{
    config::Choices,
    port::{PortAddress, PortError},
};

/// What was heard, and how it was come by.
#[derive(Clone, Debug)]
pub struct Finding {
    pub ranking: Ranking,
    /// The line setting that was tried; none over TCP and for recorded bytes.
    pub line: Option<Line>,
    /// What was sent before the answer came.
    pub asked: Option<Asked>,
}

/// A request, and the protocol that declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub protocol: &'static str,
    pub request: Vec<u8>,
}

/// Speeds, the likelier ones first. 8N1 hears 7E1, 7O1 and 8N2 as well, parity as the top bit.
const SPEEDS: [u32; 9] = [9600, 2400, 4800, 1200, 19_200, 600, 38_400, 57_600, 115_200];
/// A line at the wrong speed brings bytes too: so many settings without any, and it is silent.
const SILENT_AFTER: usize = 2;
/// More bytes tell no more.
const ENOUGH: usize = 1500;
/// How long an answer is waited for, a few requests included.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);
/// An answer may be as short as this.
const ANSWERS: usize = 120;
const SURE: usize = 90;

impl Finding {
    /// What recorded bytes tell.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self {
            ranking: rank(bytes),
            line: None,
            asked: None,
        }
    }

    /// Whether nothing better is to be expected.
    fn is_sure(&self) -> bool {
        let explains = !matches!(self.ranking.verdict, Verdict::Unexplained(_));
        let best = self.ranking.trials.first();
        explains && best.is_some_and(|best| best.evidence.share() >= SURE)
    }

    /// How much it is worth beside what other settings brought.
    fn worth(&self) -> (u8, usize, usize) {
        let kind = match &self.ranking.verdict {
            Verdict::Named { .. } => 4,
            Verdict::Undecided { .. } => 3,
            Verdict::Unexplained(Unexplained::NoParse { .. }) => 2,
            Verdict::Unexplained(Unexplained::NoFrames) => 1,
            Verdict::Unexplained(Unexplained::NoBytes) => 0,
        };
        let share = self.ranking.trials.first().map_or(0, |best| best.evidence.share());
        (kind, share, self.ranking.bytes)
    }
}

/// Listens at the port, and asks if it is silent. `say` tells what is being tried.
///
/// # Errors
/// Where the port cannot be opened, or goes.
pub async fn detect(
    address: &PortAddress,
    line_is_known: bool,
    listen: Duration,
    say: &mut dyn FnMut(&str),
) -> Result<Finding, PortError> {
    let best = listened(address, line_is_known, listen, say).await?;
    if best.ranking.bytes > 0 {
        return Ok(best);
    }
    say("nothing comes by itself: asking, with commands that only read");
    Ok(asked(address, line_is_known, say).await?.unwrap_or(best))
}

/// The settings in which a port can be opened, with their lines.
fn settings(address: &PortAddress, line_is_known: bool, lines: &[Line]) -> Vec<(PortAddress, Option<Line>)> {
    match address {
        PortAddress::Serial { device, .. } if !line_is_known => {
            let at = |line: &Line| PortAddress::Serial {
                device: device.clone(),
                line: *line,
            };
            lines.iter().map(|line| (at(line), Some(*line))).collect()
        }
        PortAddress::Serial { line, .. } => vec![(address.clone(), Some(*line))],
        PortAddress::Tcp(_) | PortAddress::ModbusTcp(_) => vec![(address.clone(), None)],
    }
}

const fn line(baud: u32, parity: Parity) -> Line {
    Line {
        baud,
        data_bits: 8,
        parity,
        stop_bits: 1,
    }
}

async fn listened(
    address: &PortAddress,
    line_is_known: bool,
    listen: Duration,
    say: &mut dyn FnMut(&str),
) -> Result<Finding, PortError> {
    let plain = SPEEDS.map(|baud| line(baud, Parity::None));
    // Eight bits and parity are heard as framing errors at 8N1; they are rare.
    let checked = SPEEDS
        .into_iter()
        .flat_map(|baud| [line(baud, Parity::Even), line(baud, Parity::Odd)]);
    let lines: Vec<Line> = plain.into_iter().chain(checked).collect();
    let mut best = Finding::of_bytes(&[]);
    for (tried, (at, line)) in settings(address, line_is_known, &lines).into_iter().enumerate() {
        if tried >= SILENT_AFTER && best.ranking.bytes == 0 {
            break;
        }
        let bytes = hear(&at, None, listen, ENOUGH).await?;
        let finding = Finding {
            line,
            ..Finding::of_bytes(&bytes)
        };
        say(&format!(
            "listened at {at}: {} bytes{}",
            bytes.len(),
            best_guess(&finding.ranking)
        ));
        if finding.worth() > best.worth() {
            best = finding;
        }
        if best.is_sure() {
            break;
        }
    }
    Ok(best)
}

fn best_guess(ranking: &Ranking) -> String {
    let explained = |best: &weighbridge_protocol::recognition::Trial| {
        format!(", {} explains {} % of them", best.protocol.id(), best.evidence.share())
    };
    ranking.trials.first().map(explained).unwrap_or_default()
}

/// Sends every declared request at every setting that its protocols have; the usual one is tried for all.
async fn asked(
    address: &PortAddress,
    line_is_known: bool,
    say: &mut dyn FnMut(&str),
) -> Result<Option<Finding>, PortError> {
    let usual = line(9600, Parity::None);
    let mut lines = vec![usual];
    for (protocol, _) in polls() {
        if !lines.contains(&protocol.line()) {
            lines.push(protocol.line());
        }
    }
    let choices = Choices::default();
    for (at, line) in settings(address, line_is_known, &lines) {
        let mut sent: Vec<Vec<Vec<u8>>> = Vec::new();
        for (protocol, poll) in polls() {
            let fits = line.is_none_or(|line| line_is_known || line == usual || line == protocol.line());
            if !fits || sent.contains(&poll.requests) {
                continue;
            }
            let carried = choices.carried_by(at.clone(), protocol).unwrap_or_else(|_| at.clone());
            let bytes = hear(&carried, Some(&poll), ANSWER_WITHIN, ANSWERS).await?;
            let request = poll.requests.last().cloned().unwrap_or_default();
            sent.push(poll.requests);
            if bytes.is_empty() {
                continue;
            }
            say(&format!(
                "asked at {at} as {} does: {} bytes",
                protocol.id(),
                bytes.len()
            ));
            let mut finding = Finding {
                line,
                ..Finding::of_bytes(&bytes)
            };
            finding.ranking.prefer(protocol.id());
            finding.asked = Some(Asked {
                protocol: protocol.id(),
                request,
            });
            if finding.is_sure() {
                return Ok(Some(finding));
            }
        }
    }
    Ok(None)
}

/// The protocols whose indicators speak when asked.
fn polls() -> impl Iterator<Item = (&'static Protocol, Poll)> {
    Protocol::shipped().iter().filter_map(|protocol| {
        let poll = protocol.poll(&Options::default()).ok().flatten()?;
        Some((protocol, poll))
    })
}
