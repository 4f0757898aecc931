//! What `detect` found, in words and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};
use weighbridge_protocol::{
    indicators::{Line, Parity, hex},
    recognition::{Difference, Trial, Unexplained, Verdict},
};

use super::detect::Finding;

/// How many runners-up are worth a line.
const RUNNERS_UP: usize = 5;

impl Finding {
    /// Whether one protocol is named.
    pub const fn names_one(&self) -> bool {
        matches!(self.ranking.verdict, Verdict::Named { .. })
    }

    /// The line setting to use: that which was heard, with the parity that came as the top bit.
    pub fn line_to_use(&self) -> Option<Line> {
        let line = self.line?;
        Some(match self.ranking.parity {
            Some(parity) if line.parity == Parity::None => Line {
                data_bits: 7,
                parity,
                ..line
            },
            _ => line,
        })
    }

    /// The settings that are still needed where the line takes the parity off.
    fn settings_to_use<'t>(&self, trial: &'t Trial) -> Vec<&'t str> {
        let line_takes_parity = self.line.is_some();
        let is_needed = |setting: &&str| !(line_takes_parity && *setting == "mask7=true");
        trial.settings.iter().map(String::as_str).filter(is_needed).collect()
    }

    /// For a person.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _: std::fmt::Result = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        match (&self.ranking.verdict, self.ranking.trials.first()) {
            (Verdict::Named { alike }, Some(best)) => {
                self.write_best(text, best)?;
                if !alike.is_empty() {
                    writeln!(
                        text,
                        "\nReads every frame alike, so that either will do here: {}",
                        alike.join(", ")
                    )?;
                }
            }
            (Verdict::Undecided { rivals }, Some(best)) => {
                writeln!(text, "The bytes cannot tell which of these it is:\n")?;
                self.write_best(text, best)?;
                for rival in rivals {
                    writeln!(text, "\n{}", open_question(best, rival))?;
                }
            }
            _ => writeln!(text, "{}", self.advice())?,
        }
        self.write_runners_up(text)
    }

    fn write_best(&self, text: &mut String, best: &Trial) -> std::fmt::Result {
        writeln!(text, "{}   {}", best.protocol.id(), best.protocol.title())?;
        if let Some(asked) = &self.asked {
            writeln!(text, "  asked     {} (as {} does)", hex(&asked.request), asked.protocol)?;
        }
        if let Some(line) = self.line_to_use() {
            writeln!(text, "  line      {line}")?;
        }
        let settings = self.settings_to_use(best);
        if !settings.is_empty() {
            writeln!(text, "  settings  {}", settings.join(", "))?;
        }
        writeln!(text, "  evidence  {}", evidence(best))?;
        for missing in missing(best) {
            writeln!(text, "  not said  {missing}")?;
        }
        Ok(())
    }

    fn write_runners_up(&self, text: &mut String) -> std::fmt::Result {
        let runners_up: Vec<&Trial> = self.runners_up().collect();
        if runners_up.is_empty() {
            return Ok(());
        }
        writeln!(text, "\nRunners-up:")?;
        for trial in runners_up {
            writeln!(text, "  {:<24} {}", trial.protocol.id(), evidence(trial))?;
        }
        Ok(())
    }

    fn runners_up(&self) -> impl Iterator<Item = &Trial> {
        let from = usize::from(!matches!(self.ranking.verdict, Verdict::Unexplained(_)));
        self.ranking.trials.iter().skip(from).take(RUNNERS_UP)
    }

    /// What to do where nothing is named.
    pub fn advice(&self) -> String {
        match &self.ranking.verdict {
            Verdict::Named { .. } => String::new(),
            Verdict::Undecided { rivals } => {
                let first = self.ranking.trials.first();
                let questions = rivals.iter().filter_map(|rival| Some(open_question(first?, rival)));
                questions.collect::<Vec<_>>().join("; ")
            }
            Verdict::Unexplained(Unexplained::NoBytes) => "No bytes came. Look at the indicator's power and its output setting \
                (stream or command), at the cable (receive and send may be crossed; RS-232 and RS-485 are not the same), and \
                at the port's name."
                .to_owned(),
            Verdict::Unexplained(Unexplained::NoFrames) => format!(
                "{} bytes came, and nothing in them repeats as frames do. Most likely the line setting is another: look it up \
                 in the indicator's menu and give it, such as --port '/dev/ttyUSB0?4800-7E2'. Noise does this too: see to \
                 shield and ground.",
                self.ranking.bytes
            ),
            Verdict::Unexplained(Unexplained::NoParse { len, count, sample }) => format!(
                "{count} frames of {len} bytes repeat, and no shipped protocol reads them: {}. The line setting is right. Note \
                 a few weights off the display and let `weighbridge-edge learn --seen WEIGHT` propose a declaration.",
                shown(sample)
            ),
        }
    }

    /// One JSON object.
    pub fn json(&self) -> Value {
        let verdict = match &self.ranking.verdict {
            Verdict::Named { .. } => "named",
            Verdict::Undecided { .. } => "undecided",
            Verdict::Unexplained(Unexplained::NoBytes) => "no_bytes",
            Verdict::Unexplained(Unexplained::NoFrames) => "no_frames",
            Verdict::Unexplained(Unexplained::NoParse { .. }) => "no_parse",
        };
        let best = self.ranking.trials.first();
        let named = best.filter(|_| self.names_one());
        let (alike, rivals) = match &self.ranking.verdict {
            Verdict::Named { alike } => (alike.clone(), &[][..]),
            Verdict::Undecided { rivals } => (Vec::new(), rivals.as_slice()),
            Verdict::Unexplained(_) => (Vec::new(), &[][..]),
        };
        let difference = |rival: &Difference| json!({"protocol": rival.rival, "raw": hex(&rival.raw), "reads": rival.rival_reads, "first_reads": rival.first_reads});
        json!({
            "verdict": verdict,
            "protocol": named.map(|best| best.protocol.id()),
            "settings": named.map(|best| self.settings_to_use(best)),
            "line": self.line_to_use().map(|line| line.to_string()),
            "asked": self.asked.as_ref().map(|asked| hex(&asked.request)),
            "bytes": self.ranking.bytes,
            "alike": alike,
            "differences": rivals.iter().map(difference).collect::<Vec<_>>(),
            "trials": self.ranking.trials.iter().map(trial_json).collect::<Vec<_>>(),
            "advice": self.advice(),
        })
    }
}

fn trial_json(trial: &Trial) -> Value {
    let evidence = &trial.evidence;
    json!({
        "protocol": trial.protocol.id(),
        "settings": trial.settings,
        "frames": evidence.frames,
        "messages": evidence.messages,
        "share_percent": evidence.share(),
        "checksums": evidence.checksums,
        "plausible": evidence.plausible,
        "implausible": evidence.implausible,
        "stable": evidence.stable,
        "moving": evidence.moving,
        "unflagged": evidence.unflagged,
        "rejected": evidence.rejected,
    })
}

fn evidence(trial: &Trial) -> String {
    let evidence = &trial.evidence;
    let checksums = match evidence.checksums {
        0 => "no checksum".to_owned(),
        right => format!("{right} checksums right"),
    };
    let weights = trial.heard.iter().filter_map(|heard| heard.kg.map(|kg| (kg, heard)));
    let low = weights.clone().min_by_key(|(kg, _)| *kg).map(|(_, heard)| heard.text());
    let high = weights.max_by_key(|(kg, _)| *kg).map(|(_, heard)| heard.text());
    let weights = match (low, high) {
        (Some(low), Some(high)) if low == high => format!("always {low}"),
        (Some(low), Some(high)) => format!("{low} to {high}"),
        _ => "no weights".to_owned(),
    };
    let plausible = match evidence.implausible {
        0 => String::new(),
        some => format!(", {some} of them beyond a truck scale"),
    };
    let stability = if evidence.stable + evidence.moving == 0 {
        "no stability flag".to_owned()
    } else {
        format!("{} stable, {} moving", evidence.stable, evidence.moving)
    };
    format!(
        "{} frames, {} % of {} bytes, {checksums}, {weights}{plausible}, {stability}",
        evidence.frames,
        evidence.share(),
        evidence.bytes
    )
}

/// What the best protocol's frames leave to the site.
fn missing(trial: &Trial) -> Vec<&'static str> {
    let evidence = &trial.evidence;
    let mut missing = Vec::new();
    if evidence.unflagged > 0 && evidence.stable + evidence.moving == 0 {
        missing.push("whether the weight stands still: the scale judges by the numbers");
    }
    if evidence.distinct <= 1 {
        missing.push("anything but one weight: load the scale and try again to be surer");
    }
    missing
}

fn open_question(best: &Trial, rival: &Difference) -> String {
    format!(
        "{} is read as {} by {} and as {} by {}: compare it with the display while something known lies on the scale, or \
         record a truck driving on",
        shown(&rival.raw),
        rival.first_reads,
        best.protocol.id(),
        rival.rival_reads,
        rival.rival
    )
}

/// Bytes as a person reads them: text as it is, the rest in hex.
pub fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        match byte {
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => {
                let _: std::fmt::Result = write!(text, "<{byte:02X}>");
            }
        }
    }
    text
}
