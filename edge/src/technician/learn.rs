//! `learn`: listens while somebody types what the display shows, or takes recorded bytes, and prints a declaration.

use std::{
    io::{BufRead, IsTerminal},
    time::Duration,
};

use weighbridge_protocol::{
    indicators::Poll,
    recognition::{Brief, Proposal, Seen, learn},
};

use super::listening::hear;
use crate::{
    exit::Exit,
    port::{PortAddress, PortError},
};

/// More bytes teach no more.
const ENOUGH: usize = 64 * 1024;
/// How often an indicator is asked while it teaches.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Listens for so long, or until no more weights are typed.
///
/// # Errors
/// Where the port cannot be opened, or goes.
pub async fn listen(
    address: &PortAddress,
    ask: Option<Vec<u8>>,
    seconds: u64,
    seen: &mut Vec<Seen>,
) -> Result<Vec<u8>, PortError> {
    let poll = ask.map(|request| Poll {
        requests: vec![request],
        every: ASK_EVERY,
    });
    let within = Duration::from_secs(seconds);
    if !seen.is_empty() || !std::io::stdin().is_terminal() {
        return hear(address, poll.as_ref(), within, ENOUGH).await;
    }
    eprintln!(
        "Listening at {address} for {seconds} s. Type what the display shows, Enter after each weight, while it is empty, loaded \
         and moving."
    );
    let typed = std::thread::spawn(typed);
    let bytes = hear(address, poll.as_ref(), within, ENOUGH).await;
    eprintln!("Enough was heard: an empty line ends it.");
    seen.extend(typed.join().unwrap_or_default());
    bytes
}

/// The weights typed until an empty line.
fn typed() -> Vec<Seen> {
    let mut seen = Vec::new();
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        if line.trim().is_empty() {
            break;
        }
        match line.parse() {
            Ok(weight) => seen.push(weight),
            Err(error) => eprintln!("{error}"),
        }
    }
    seen
}

/// Proposes a declaration; the text for stdout.
///
/// # Errors
/// Why nothing can be proposed.
pub fn proposal(bytes: &[u8], seen: &[Seen], brief: &Brief) -> Result<String, Exit> {
    let proposal = learn(bytes, seen, brief).map_err(|error| Exit::Found(error.to_string()))?;
    Ok(text(&proposal, bytes.len()))
}

/// The declaration under what speaks for it.
fn text(proposal: &Proposal, bytes: usize) -> String {
    let mut lines = vec![format!(
        "{} of {} frames are read, {} % of {bytes} bytes.",
        proposal.read, proposal.found, proposal.share
    )];
    lines.extend(proposal.seen.iter().map(|(weight, frames)| match frames {
        0 => format!("{weight} stands in no frame: was it typed while these bytes came?"),
        1 => format!("{weight} stands in 1 frame."),
        some => format!("{weight} stands in {some} frames."),
    }));
    lines.extend(proposal.remarks.iter().map(|remark| format!("Look at: {remark}.")));
    lines.push("Correct title, maker and source, then: weighbridge-edge check --protocol THIS_FILE.toml".to_owned());
    format!("# {}\n{}", lines.join("\n# "), proposal.toml)
}
