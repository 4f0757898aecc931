//! `detect`, `monitor` and `learn`: what they take from the command line.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use weighbridge_protocol::{
    indicators::{Line, bytes_from_hex},
    recognition::{Brief, Seen},
};

use super::{named, print};
use crate::{
    config::Choices,
    exit::Exit,
    port::PortAddress,
    technician::{
        detect::{self, Finding},
        learn, listening,
        monitor::{Picture, Watch},
        rehearsal::Rehearsal,
    },
};

/// No port can be that slow, and a file has as much at once.
const MOST_RECORDED: u64 = 4 * 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct Detect {
    /// The port: /dev/ttyUSB0 (every line setting), /dev/ttyUSB0?9600-8N1 (that one) or tcp://host:port.
    #[arg(long, value_name = "PORT", required_unless_present = "file", conflicts_with = "file")]
    port: Option<String>,
    /// How long each line setting is listened to.
    #[arg(long, value_name = "S", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// One JSON object.
    #[arg(long)]
    json: bool,
    /// Recorded bytes in place of a port, or - for stdin.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Monitor {
    /// The port: /dev/ttyUSB0?9600-8N1 or tcp://host:port; without a line setting the protocol's own is taken.
    #[arg(long, value_name = "PORT")]
    port: String,
    /// A protocol's id (`weighbridge-edge protocols` lists them), or the file of your own declaration.
    #[arg(long, value_name = "ID|FILE.toml")]
    protocol: String,
    /// A choice of the site, such as `terminator=CR` or `dwell_ms=500`; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct Learn {
    /// A weight as the display showed it while the bytes came; may be given several times, and at a port typed meanwhile.
    #[arg(long, value_name = "WEIGHT")]
    seen: Vec<String>,
    /// The id of the new protocol.
    #[arg(long, value_name = "ID", default_value = "learned")]
    id: String,
    /// The port to listen at: /dev/ttyUSB0?9600-8N1 or tcp://host:port.
    #[arg(long, value_name = "PORT", conflicts_with = "file")]
    port: Option<String>,
    /// How long to listen at the port.
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// What to send again and again to an indicator that speaks only when asked, in hex: 52 57 0D 0A.
    #[arg(long, value_name = "HEX")]
    ask: Option<String>,
    /// The file with recorded bytes, or - for stdin.
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
}

impl Detect {
    pub(super) fn run(&self) -> Result<(), Exit> {
        let finding = match (&self.port, &self.file) {
            (Some(port), _) => self.at(port)?,
            (None, Some(file)) => Finding::of_bytes(&recorded(file)?),
            (None, None) => return Err(Exit::Usage("neither --port nor a file is given".to_owned())),
        };
        let text = if self.json {
            format!("{}\n", finding.json())
        } else {
            finding.text()
        };
        print(&text)?;
        if finding.names_one() {
            Ok(())
        } else {
            Err(Exit::Found("no protocol is named".to_owned()))
        }
    }

    fn at(&self, port: &str) -> Result<Finding, Exit> {
        let address = listening::address(port)?;
        let mut say = |what: &str| eprintln!("{what}");
        let found = detect::detect(
            &address,
            listening::names_its_line(port),
            Duration::from_secs(self.seconds),
            &mut say,
        );
        let found = actix_rt::System::new().block_on(found);
        found.map_err(|error| listening::refused(&error))
    }
}

impl Monitor {
    pub(super) fn run(&self) -> Result<(), Exit> {
        let protocol = named(&self.protocol)?;
        let wrong = |problem: String| Exit::Usage(format!("--set: {problem}"));
        let choices = Choices::parse(&self.settings).map_err(wrong)?;
        let address = match listening::address(&self.port)? {
            PortAddress::Serial { device, .. } if !listening::names_its_line(&self.port) => PortAddress::Serial {
                device,
                line: protocol.line(),
            },
            other => other,
        };
        let watch = Watch {
            address: choices.carried_by(address, &protocol).map_err(wrong)?,
            poll: protocol
                .poll(&choices.options)
                .map_err(|error| wrong(error.to_string()))?,
        };
        let scale = Rehearsal::new(choices.capture_settings().map_err(wrong)?);
        let title = format!("{} at {}", protocol.id(), watch.address);
        let picture = Picture::new(title, choices.decoder(&protocol).map_err(wrong)?, scale);
        actix_rt::System::new().block_on(watch.show(picture))
    }
}

impl Learn {
    pub(super) fn run(&self) -> Result<(), Exit> {
        let weight = |text: &String| text.parse().map_err(|error| Exit::Usage(format!("--seen: {error}")));
        let mut seen: Vec<Seen> = self.seen.iter().map(weight).collect::<Result<_, _>>()?;
        let hex = |text: &String| {
            bytes_from_hex(text)
                .ok_or_else(|| Exit::Usage(format!("--ask is {text:?}, expected hex bytes such as 52 57 0D 0A")))
        };
        let mut brief = Brief {
            id: self.id.clone(),
            line: Line::USUAL,
            ask: self.ask.as_ref().map(hex).transpose()?,
        };
        let bytes = match &self.port {
            None => recorded(&self.file)?,
            Some(port) => {
                let address = listening::address(port)?;
                if let PortAddress::Serial { line, .. } = &address {
                    brief.line = *line;
                }
                let heard = learn::listen(&address, brief.ask.clone(), self.seconds, &mut seen);
                let heard = actix_rt::System::new().block_on(heard);
                heard.map_err(|error| listening::refused(&error))?
            }
        };
        print(&learn::proposal(&bytes, &seen, &brief)?)
    }
}

/// The bytes of a file, or of stdin.
fn recorded(file: &Path) -> Result<Vec<u8>, Exit> {
    let unreadable = |error: io::Error| format!("{} cannot be read: {error}", file.display());
    let mut bytes = Vec::new();
    let read = if file.as_os_str() == "-" {
        io::stdin().lock().take(MOST_RECORDED).read_to_end(&mut bytes)
    } else {
        let file = File::open(file).map_err(|error| Exit::Usage(unreadable(error)))?;
        file.take(MOST_RECORDED).read_to_end(&mut bytes)
    };
    read.map_err(|error| Exit::Io(unreadable(error)))?;
    Ok(bytes)
}
