//! Each framing family is thrown damaged streams in arbitrary splits: no panic, no hang, no byte twice, and no reading from
//! a frame whose checksum is wrong. `WEIGHBRIDGE_FUZZ_SECONDS` says for how long each family is tried (`make fuzz`),
//! `WEIGHBRIDGE_FUZZ_SEED` where chance begins; a failure names both.

use std::time::{Duration, Instant};

use weighbridge_protocol::indicators::{Decoder, Garbled};
use weighbridge_protocol::reading::Reading;

use crate::corpus::{Sample, samples};

/// Chance that can be had again.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % (limit.max(1) as u64)).unwrap_or(0)
    }

    fn one<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    fn byte(&mut self) -> u8 {
        const NASTY: &[u8] = b"\x00\x02\x03\x04\x06\x0A\x0D\x11STUG,+- 0189.=&<>$w?\x80\xFF";
        if self.below(4) == 0 {
            self.next().to_le_bytes()[0]
        } else {
            *self.one(NASTY)
        }
    }

    /// Frames of the family one after the other, many of them damaged, with noise between them.
    fn stream(&mut self, of: &[&'static Sample]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for _ in 0..=self.below(12) {
            let mut frame = self.one(of).bytes.clone();
            for _ in 0..self.below(3) {
                self.damage(&mut frame);
            }
            bytes.extend(frame);
            if self.below(3) == 0 {
                bytes.extend((0..self.below(9)).map(|_| self.byte()).collect::<Vec<u8>>());
            }
        }
        bytes
    }

    fn damage(&mut self, frame: &mut Vec<u8>) {
        let at = self.below(frame.len());
        match self.below(6) {
            _ if frame.is_empty() => (),
            0 => frame.truncate(at),
            1 => drop(frame.remove(at)),
            2 => frame.insert(at, self.byte()),
            3 => frame[at] = self.byte(),
            4 => frame[at] ^= 1 << self.below(8),
            _ => frame.swap(at, 0),
        }
    }
}

/// Everything that is decoded, the stream pushed in pieces that `cut` chooses.
fn decoded(sample: &Sample, bytes: &[u8], mut cut: impl FnMut(usize) -> usize) -> Vec<Result<Reading, Garbled>> {
    let mut decoder: Decoder = sample.decoder();
    let (mut all, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(cut(rest.len()).clamp(1, rest.len()));
        decoder.push(piece, &mut |one| all.push(one));
        rest = after;
    }
    decoder.finish(&mut |one| all.push(one));
    all
}

/// Whether a checksum that these frames always carry is right, reckoned here and not by the decoder; true where none is.
fn is_right(id: &str, raw: &[u8]) -> bool {
    let xor = |bytes: &[u8]| bytes.iter().fold(0, |all, byte| all ^ byte);
    let sum = |bytes: &[u8]| bytes.iter().fold(0_u8, |all, byte| all.wrapping_add(*byte));
    let hex = |value: u8| format!("{value:02X}").into_bytes();
    let end = raw.len();
    match id {
        "yaohua_tf0" | "yaohua_cmd" => raw[end - 3..end - 1] == hex(xor(&raw[1..end - 3])),
        "yaohua_a12e" => raw[end - 4..end - 2] == hex(xor(&raw[..end - 4])),
        "laumas_rip" => raw[end - 3..end - 1] == hex(xor(&raw[1..end - 4])),
        "gicam" => raw[end - 3..end - 1] == hex(xor(&raw[..end - 4])),
        "sewha_rcwt" => raw[end - 2..] == hex(sum(&raw[..end - 2])),
        "flintec_cont" => sum(raw) == 0,
        "fairbanks_toledo" => raw[end - 1] == sum(&raw[..end - 1]),
        "modbus_laumas" => crc(&raw[..end - 2]).to_le_bytes() == raw[end - 2..],
        _ => true,
    }
}

fn crc(bytes: &[u8]) -> u16 {
    let mut crc = 0xFFFF_u16;
    for byte in bytes {
        crc ^= u16::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xA001 } else { crc >> 1 };
        }
    }
    crc
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Throws streams at the decoders of these protocols until the time is over.
#[track_caller]
fn fuzz(family: &str, protocols: &[&str]) {
    let lasts = number("WEIGHBRIDGE_FUZZ_SECONDS").map_or(Duration::from_millis(400), Duration::from_secs);
    let mut seed = number("WEIGHBRIDGE_FUZZ_SEED").unwrap_or(1);
    let all: Vec<&'static Sample> = samples()
        .iter()
        .filter(|sample| protocols.contains(&sample.protocol.id()))
        .collect();
    assert!(!all.is_empty(), "{family} has no samples");
    let (began, mut streams, mut readings) = (Instant::now(), 0_u64, 0_u64);
    while began.elapsed() < lasts {
        let mut chance = Chance(seed);
        let chosen = *chance.one(&all);
        let id = chosen.protocol.id();
        let alike: Vec<&'static Sample> = all
            .iter()
            .filter(|sample| sample.protocol.id() == id)
            .copied()
            .collect();
        let bytes = chance.stream(&alike);
        let whole = decoded(chosen, &bytes, |rest| rest);
        let cut = decoded(chosen, &bytes, |_| 1 + chance.below(7));
        let place = format!(
            "{family}: {} with WEIGHBRIDGE_FUZZ_SEED={seed}: {bytes:02X?}",
            chosen.place
        );
        assert_eq!(whole, cut, "another split, another answer: {place}");
        let told: usize = whole
            .iter()
            .map(|one| {
                one.as_ref()
                    .map_or_else(|garbled| garbled.raw.len(), |reading| reading.raw.len())
            })
            .sum();
        assert!(told <= bytes.len(), "a byte was told twice: {place}");
        let insists = !chosen.options.keys().contains(&"checksum");
        for reading in whole.iter().flatten().filter(|_| insists) {
            assert!(
                is_right(id, &reading.raw),
                "{:02X?} has a wrong checksum: {place}",
                reading.raw
            );
            readings += 1;
        }
        seed = seed.wrapping_add(1);
        streams += 1;
    }
    println!("{family}: {streams} streams, {readings} readings, seeds up to {seed}");
}

#[test]
fn fuzzed_lines_that_end_with_cr_or_lf() {
    fuzz(
        "an end delimiter",
        &[
            "and18",
            "and_ek",
            "cas10",
            "cas22",
            "cas_rw",
            "dini_std",
            "dini_ext",
            "mt_sics",
            "radwag",
            "rinstrum_f1",
            "rinstrum_f4",
            "sbi16",
            "sbi22",
            "weightronix",
            "cardinal_sb",
            "flintec_bsi",
        ],
    );
}

#[test]
fn fuzzed_frames_between_a_start_and_an_end() {
    fuzz(
        "start and end",
        &[
            "rlws_stream",
            "sma",
            "yaohua_tf0",
            "yaohua_cmd",
            "laumas_rip",
            "systec_rn",
            "rinstrum_f2",
            "rinstrum_f3",
            "cas_ext",
            "cas_pos",
            "toledo_8217",
            "gicam",
            "bilanciai",
            "fairbanks_fbputr",
            "tscale_con3",
        ],
    );
}

#[test]
fn fuzzed_frames_that_begin_with_cr_and_end_with_etx() {
    fuzz("CR begins", &["cardinal_stream", "cardinal_sb200"]);
}

#[test]
fn fuzzed_frames_of_fixed_length_whose_checksum_may_be_a_start() {
    fuzz(
        "fixed length",
        &[
            "mt_continuous",
            "flintec_cont",
            "fairbanks_toledo",
            "fairbanks_consolidated",
            "flintec_fast",
        ],
    );
}

#[test]
fn fuzzed_frames_that_only_the_next_one_ends() {
    fuzz("separator only", &["yaohua_tf1", "yaohua_tf2", "yaohua_ww"]);
}

#[test]
fn fuzzed_frames_with_a_line_end_inside() {
    fuzz("inner CR LF", &["cas_ci100a", "fairbanks_ups"]);
}

#[test]
fn fuzzed_frames_with_the_checksum_behind_the_end() {
    fuzz("checksum behind", &["sewha_rcwt", "yaohua_a12e"]);
}

#[test]
fn fuzzed_binary_frames() {
    fuzz("binary", &["yousheng_bcd"]);
}

#[test]
fn fuzzed_modbus_answers() {
    fuzz("Modbus RTU", &["modbus_laumas"]);
}
