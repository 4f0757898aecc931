//! Every line of the corpora decodes to what stands behind it.
//!
//! A corpus is named for its protocol. `set KEY=VALUE …` chooses options for the lines that follow (`set` alone none),
//! `hex bytes | JSON | JSON …` are bytes and everything that `decode` prints for them, and `#` names the source.

use std::{path::Path, sync::OnceLock};

use weighbridge_protocol::indicators::{Decoder, Options, Protocol};

/// One line of a corpus.
pub struct Sample {
    pub protocol: &'static Protocol,
    pub options: Options,
    pub place: String,
    pub bytes: Vec<u8>,
    pub expected: Vec<String>,
}

impl Sample {
    pub fn decoder(&self) -> Decoder {
        Decoder::new(self.protocol, &self.options).unwrap_or_else(|error| panic!("{}: {error}", self.place))
    }
}

/// All lines of all corpora.
pub fn samples() -> &'static [Sample] {
    static SAMPLES: OnceLock<Vec<Sample>> = OnceLock::new();
    SAMPLES.get_or_init(|| Protocol::shipped().iter().flat_map(of_protocol).collect())
}

/// What `decode` prints for bytes that arrive in these pieces.
pub fn decode<'a>(decoder: &mut Decoder, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut print = |decoded: Result<_, _>| {
        lines.push(decoded.map_or_else(
            |garbled: weighbridge_protocol::indicators::Garbled| garbled.to_json_line(),
            |reading: weighbridge_protocol::reading::Reading| reading.to_json_line(),
        ));
    };
    for piece in pieces {
        decoder.push(piece, &mut print);
    }
    decoder.finish(&mut print);
    lines
}

fn of_protocol(protocol: &'static Protocol) -> Vec<Sample> {
    let file = format!("{}.txt", protocol.id());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(&file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (mut options, mut samples) = (Options::default(), Vec::new());
    for (index, line) in text.lines().enumerate() {
        let place = format!("{file}:{}", index + 1);
        if let Some(settings) = line.strip_prefix("set") {
            options = Options::parse(settings.split_whitespace()).unwrap_or_else(|error| panic!("{place}: {error}"));
        } else if !line.is_empty() && !line.starts_with('#') {
            let mut parts = line.split(" | ");
            let bytes = hex(parts.next().unwrap_or_default());
            let expected = parts.map(str::to_owned).collect();
            samples.push(Sample {
                protocol,
                options: options.clone(),
                place,
                bytes,
                expected,
            });
        }
    }
    samples
}

fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap_or_else(|_| panic!("{byte} is no byte")))
        .collect()
}

#[test]
fn every_corpus_decodes_to_what_its_source_says() {
    let mut wrong = Vec::new();
    for sample in samples() {
        let printed = decode(&mut sample.decoder(), [sample.bytes.as_slice()]);
        if printed != sample.expected {
            wrong.push(format!("{}\n  {}", sample.place, printed.join(" | ")));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_protocol_has_a_corpus_with_a_reading_in_it() {
    for protocol in Protocol::shipped() {
        let samples = of_protocol(protocol);
        assert!(
            samples
                .iter()
                .any(|sample| sample.expected.iter().any(|line| line.contains("\"kg\":\""))),
            "{}",
            protocol.id()
        );
    }
}
