//! What the monitor knows, and how it becomes lines of text: no terminal here, so that tests can look at it.

use std::collections::{BTreeMap, VecDeque};

use weighbridge_protocol::{
    Kilograms,
    indicators::{Decoder, Garbled, Rejection, hex},
    link::messages::DeckState,
    reading::Reading,
};

use crate::technician::{rehearsal::Rehearsal, report::shown};

/// Everything that was heard of late.
#[derive(Debug)]
pub struct Picture {
    title: String,
    decoder: Decoder,
    scale: Rehearsal,
    began_ms: Option<i64>,
    drawn_ms: Option<i64>,
    trouble: Option<String>,
    recent: VecDeque<u8>,
    frames: VecDeque<String>,
    events: VecDeque<String>,
    curve: VecDeque<Kilograms>,
    latest: Option<Reading>,
    rejected: BTreeMap<&'static str, u64>,
    total: Count,
    /// What came in the last seconds: when, and how much.
    lately: VecDeque<(i64, Count)>,
    /// Lines that were not printed yet.
    news: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    bytes: u64,
    frames: u64,
}

const RECENT: usize = 512;
const KEPT: usize = 200;
/// Rates are of the last so many milliseconds.
const LATELY_MS: i64 = 3000;
const DRAW_EVERY_MS: i64 = 100;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const HIGHEST_BAR: i64 = 7;
/// Bytes in a row of the hex view.
const ROW: usize = 16;

impl Picture {
    /// `title` says port and protocol.
    pub fn new(title: String, decoder: Decoder, scale: Rehearsal) -> Self {
        Self {
            title,
            decoder,
            scale,
            began_ms: None,
            drawn_ms: None,
            trouble: None,
            recent: VecDeque::new(),
            frames: VecDeque::new(),
            events: VecDeque::new(),
            curve: VecDeque::new(),
            latest: None,
            rejected: BTreeMap::new(),
            total: Count::default(),
            lately: VecDeque::new(),
            news: Vec::new(),
        }
    }

    /// Bytes came, at this moment of the monotonic clock.
    pub fn hear(&mut self, t_ms: i64, bytes: &[u8]) {
        self.began_ms.get_or_insert(t_ms);
        keep(&mut self.recent, RECENT, bytes.iter().copied());
        let mut decoded = Vec::new();
        self.decoder.push(bytes, &mut |one| decoded.push(one));
        let frames = decoded.iter().filter(|one| one.is_ok()).count() as u64;
        for one in decoded {
            self.note(t_ms, one);
        }
        let count = Count {
            bytes: bytes.len() as u64,
            frames,
        };
        self.total.bytes += count.bytes;
        self.total.frames += count.frames;
        self.lately.push_back((t_ms, count));
    }

    /// The port went, or came back.
    pub fn trouble(&mut self, t_ms: i64, trouble: Option<String>) {
        let mut left = Vec::new();
        self.decoder.finish(&mut |one| left.push(one));
        for one in left {
            self.note(t_ms, one);
        }
        let said = trouble.clone().unwrap_or_else(|| "the port is back".to_owned());
        self.tell(t_ms, &format!("port      {said}"));
        self.trouble = trouble;
    }

    /// What was not printed yet, a line each.
    pub fn news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }

    /// Whether it is time to draw again.
    pub fn is_due(&self, t_ms: i64) -> bool {
        self.drawn_ms.is_none_or(|drawn_ms| t_ms - drawn_ms >= DRAW_EVERY_MS)
    }

    fn note(&mut self, t_ms: i64, decoded: Result<Reading, Garbled>) {
        let line = match &decoded {
            Ok(reading) => format!("{:<24} {}", said(reading), shown(&reading.raw)),
            Err(garbled) => {
                *self.rejected.entry(garbled.why.as_str()).or_default() += 1;
                format!(
                    "{:<24} {}",
                    format!("rejected: {}", garbled.why.as_str()),
                    shown(&garbled.raw)
                )
            }
        };
        self.tell(t_ms, &line);
        keep(&mut self.frames, KEPT, [line]);
        // Stray bytes between frames are no frame that could not be read.
        let is_stray = decoded.as_ref().is_err_and(|garbled| garbled.why == Rejection::Noise);
        if !is_stray {
            for event in self.scale.push(t_ms, decoded.as_ref().ok()) {
                let line = event.line(t_ms - self.began_ms.unwrap_or(t_ms));
                self.news.push(line.clone());
                keep(&mut self.events, KEPT, [line]);
            }
        }
        if let Ok(reading) = decoded {
            keep(&mut self.curve, KEPT, reading.kg);
            self.latest = Some(reading);
        }
    }

    fn tell(&mut self, t_ms: i64, line: &str) {
        let since = t_ms - self.began_ms.unwrap_or(t_ms);
        self.news
            .push(format!("{:>7}.{:03}  {line}", since / 1000, since % 1000));
    }

    /// The picture in so many columns and rows.
    pub fn lines(&mut self, t_ms: i64, (columns, rows): (usize, usize)) -> Vec<String> {
        self.drawn_ms = Some(t_ms);
        self.lately.retain(|(at, _)| t_ms - at < LATELY_MS);
        let mut lines = vec![self.title.clone(), String::new()];
        lines.extend(self.figures());
        lines.push(format!(
            "curve     {}",
            sparkline(&self.curve, columns.saturating_sub(10))
        ));
        lines.push(String::new());
        let hex_rows = if rows >= 20 { 4 } else { 1 };
        lines.extend(self.hex_rows(hex_rows));
        lines.push(String::new());
        let events = self
            .events
            .iter()
            .rev()
            .take(3)
            .rev()
            .map(|event| format!("event     {event}"));
        lines.extend(events);
        let room = rows.saturating_sub(lines.len() + 1);
        let frames = self.frames.iter().rev().take(room).rev().cloned();
        lines.extend(frames);
        lines.truncate(rows.saturating_sub(1));
        lines.push("q leaves".to_owned());
        lines
            .into_iter()
            .map(|line| line.chars().take(columns).collect())
            .collect()
    }

    fn figures(&self) -> Vec<String> {
        let weight = match (&self.trouble, &self.latest) {
            (Some(trouble), _) => trouble.clone(),
            (None, Some(reading)) => said(reading),
            (None, None) => "nothing was read yet".to_owned(),
        };
        let mut lately = Count::default();
        for (_, count) in &self.lately {
            lately.bytes += count.bytes;
            lately.frames += count.frames;
        }
        let rate = |count: u64| {
            let tenths = count * 10_000 / LATELY_MS.unsigned_abs();
            format!("{}.{}", tenths / 10, tenths % 10)
        };
        let reasons: Vec<String> = self
            .rejected
            .iter()
            .map(|(why, count)| format!("{why} {count}"))
            .collect();
        let rejected = if reasons.is_empty() {
            "none".to_owned()
        } else {
            reasons.join(", ")
        };
        vec![
            format!("weight    {weight}"),
            format!("deck      {}", deck(self.scale.deck())),
            format!(
                "rates     {} bytes/s, {} frames/s; {} bytes and {} frames in all",
                rate(lately.bytes),
                rate(lately.frames),
                self.total.bytes,
                self.total.frames
            ),
            format!("rejected  {rejected}"),
        ]
    }

    fn hex_rows(&self, rows: usize) -> Vec<String> {
        let recent: Vec<u8> = self.recent.iter().copied().collect();
        let from = recent.len().saturating_sub(rows * ROW);
        recent[from..]
            .chunks(ROW)
            .map(|row| {
                let digits: Vec<String> = row.iter().map(|byte| hex(&[*byte])).collect();
                let text = row.iter().map(|byte| {
                    if (b' '..=b'~').contains(byte) {
                        char::from(*byte)
                    } else {
                        '.'
                    }
                });
                format!("{:<48}  {}", digits.join(" "), text.collect::<String>())
            })
            .collect()
    }
}

/// `18340 kg gross stable`.
fn said(reading: &Reading) -> String {
    let weight = match &reading.weight {
        Some(weight) => format!("{weight} {}", reading.unit.name()),
        None if reading.overload => "overload".to_owned(),
        None if reading.underload => "underload".to_owned(),
        None => "no weight".to_owned(),
    };
    let stability = match reading.stable {
        Some(true) => " stable",
        Some(false) => " moving",
        None => "",
    };
    format!("{weight}{stability}")
}

const fn deck(state: DeckState) -> &'static str {
    match state {
        DeckState::Empty => "empty",
        DeckState::Loaded => "loaded",
        DeckState::Settling => "settling",
        DeckState::Captured => "captured (a real edge would have stored it)",
        DeckState::Overload => "overload",
        DeckState::Error => "error",
    }
}

/// The newest weights as bars from the least to the greatest of them.
fn sparkline(curve: &VecDeque<Kilograms>, width: usize) -> String {
    let newest: Vec<i64> = curve.iter().rev().take(width).rev().map(|kg| kg.hundredths()).collect();
    let (Some(low), Some(high)) = (newest.iter().min(), newest.iter().max()) else {
        return String::new();
    };
    let span = (high - low).max(1);
    let bar = |weight: &i64| {
        usize::try_from((weight - low) * HIGHEST_BAR / span)
            .ok()
            .and_then(|step| BARS.get(step))
            .copied()
            .unwrap_or(' ')
    };
    newest.iter().map(bar).collect()
}

fn keep<T>(list: &mut VecDeque<T>, most: usize, more: impl IntoIterator<Item = T>) {
    list.extend(more);
    let over = list.len().saturating_sub(most);
    list.drain(..over);
}

#[cfg(test)]
mod tests {
    use weighbridge_protocol::{
        indicators::{Options, Protocol},
        scale::CaptureSettings,
    };

    use super::*;

    fn picture() -> Picture {
        let decoder = Decoder::new(Protocol::named("and18").unwrap(), &Options::default()).unwrap();
        let settings = CaptureSettings {
            dwell_ms: 200,
            ..CaptureSettings::default()
        };
        Picture::new(
            "and18 at tcp://10.0.0.9:4001".to_owned(),
            decoder,
            Rehearsal::new(settings),
        )
    }

    #[test]
    fn everything_that_was_heard_is_in_the_picture() {
        let mut picture = picture();
        for (n, kg) in (0..).zip([0, 0, 9000, 18_340, 18_340, 18_340, 18_340]) {
            picture.hear(n * 100, format!("ST,GS,+{kg:07}kg\r\n").as_bytes());
        }
        picture.hear(700, b"\xFF\xFFST,GS,+00183X0kg\r\n");
        let lines = picture.lines(800, (100, 30));
        let text = lines.join("\n");
        for expected in [
            "weight    18340 kg stable",
            "deck      ",
            "rates     ",
            "146 bytes and 7 frames in all",
            "curve     ▁▁▄████",
            "53 54 2c 47",
            "format 1",
            "\"event\":\"settled\",\"kg\":\"18340.00\"",
            "rejected: format",
            "q leaves",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
        assert!(lines.len() <= 30 && lines.iter().all(|line| line.chars().count() <= 100));
    }

    #[test]
    fn a_small_terminal_gets_what_fits() {
        let mut picture = picture();
        picture.hear(0, &b"ST,GS,+0018340kg\r\n".repeat(50));
        for size in [(10, 5), (1, 1), (40, 12)] {
            let lines = picture.lines(0, size);
            assert!(lines.len() <= size.1 && lines.iter().all(|line| line.chars().count() <= size.0));
        }
    }

    #[test]
    fn what_is_piped_is_told_once() {
        let mut picture = picture();
        picture.hear(0, &b"ST,GS,+0018340kg\r\n".repeat(2));
        let news = picture.news();
        assert!(news[0].starts_with("      0.000  18340 kg stable"), "{news:?}");
        assert!(news.iter().any(|line| line.contains("vehicle_on")), "{news:?}");
        assert_eq!(picture.news(), Vec::<String>::new());
        picture.trouble(1500, Some("/dev/ttyUSB0 has gone".to_owned()));
        assert_eq!(picture.news(), ["      1.500  port      /dev/ttyUSB0 has gone"]);
    }
}
