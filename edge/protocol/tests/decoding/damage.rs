//! A damaged frame is rejected, and the next good one is read.

use weighbridge_protocol::indicators::Decoder;

use crate::corpus::{Sample, decode, samples};

/// Protocols whose frames begin like any number. Behind a frame that lost its end they cannot tell where the next one
/// begins, so that one is dropped as well.
const UNMARKED: [&str; 6] = [
    "cardinal_sb",
    "cas10",
    "cas_rw",
    "fairbanks_ups",
    "rinstrum_f1",
    "sbi16",
];

/// Samples that are one frame and one reading.
fn good_frames() -> impl Iterator<Item = &'static Sample> {
    let is_one_reading = |sample: &&Sample| sample.expected.len() == 1 && sample.expected[0].contains("\"kg\":\"");
    samples().iter().filter(is_one_reading)
}

/// The frame cut off, with a byte lost, and with each byte turned into what hurts most.
fn damages(frame: &[u8]) -> Vec<Vec<u8>> {
    let cut = (1..frame.len()).map(|len| frame[..len].to_vec());
    let lost = (0..frame.len()).map(|at| [&frame[..at], &frame[at + 1..]].concat());
    let turned = (0..frame.len()).flat_map(|at| {
        [0x00, 0x02, 0x0D, 0xFF, frame[0]].map(|byte| [&frame[..at], &[byte], &frame[at + 1..]].concat())
    });
    cut.chain(lost).chain(turned).collect()
}

/// Whether this frame carries a checksum: it is also read where the site insists on one.
fn is_checked(sample: &Sample) -> bool {
    let kind = match sample.protocol.id() {
        "modbus_laumas" => return true,
        "cas_ext" => "sum8_hex2_excl_stx",
        "cas_pos" => "xor_raw",
        "fairbanks_toledo" => "sum8",
        "flintec_bsi" => "neg8_hex2",
        "flintec_cont" => "neg8",
        "gicam" | "laumas_rip" | "yaohua_a12e" | "yaohua_cmd" | "yaohua_tf0" => "xor_hex2",
        "mt_continuous" => "neg7",
        "sewha_rcwt" => "sum8_hex2_incl_stx_etx",
        _ => return false,
    };
    let mut insisting = sample.options.clone();
    let is_known = insisting.set("checksum", kind).is_ok();
    let Ok(mut decoder) = Decoder::new(sample.protocol, &insisting) else {
        return false;
    };
    // An ACK in front is no part of the frame.
    let is_bare = sample.bytes[0] != 6 && sample.options.checksum.is_none();
    is_known && is_bare && decode(&mut decoder, [sample.bytes.as_slice()]) == sample.expected
}

#[test]
fn behind_any_damaged_frame_the_next_good_one_is_read() {
    for sample in good_frames() {
        let mut decoder = sample.decoder();
        let good_ones = if UNMARKED.contains(&sample.protocol.id()) { 2 } else { 1 };
        for damaged in damages(&sample.bytes) {
            let bytes = [damaged.clone(), sample.bytes.repeat(good_ones)].concat();
            let printed = decode(&mut decoder, [bytes.as_slice()]);
            // What is left of a frame may pass for the address before the next one.
            let told = printed.last().and_then(|line| line.split(",\"device\"").next());
            let expected = sample.expected[0].split(",\"device\"").next();
            assert_eq!(told, expected, "{} behind {damaged:02X?}", sample.place);
        }
    }
}

#[test]
fn behind_noise_with_start_bytes_in_it_a_good_frame_is_read() {
    for sample in good_frames() {
        let mut decoder = sample.decoder();
        let start = &sample.bytes[..1];
        for noise in [
            b"\xFF\x00\x02".to_vec(),
            [b"\xF8", start, start].concat(),
            [start, b"\x03\xE0", start].concat(),
        ] {
            let is_lost = UNMARKED.contains(&sample.protocol.id()) && noise.ends_with(start);
            let bytes = [noise.clone(), sample.bytes.clone()].concat();
            let printed = decode(&mut decoder, [bytes.as_slice()]);
            assert!(
                is_lost || printed.last() == sample.expected.first(),
                "{} behind {noise:02X?}",
                sample.place
            );
        }
    }
}

#[test]
fn no_flipped_bit_passes_a_checksum() {
    let mut tried = 0;
    for sample in good_frames().filter(|sample| is_checked(sample)) {
        let mut decoder = sample.decoder();
        for bit in 0..sample.bytes.len() * 8 {
            // SOH with its parity bit is as good to cas_pos as without.
            if sample.protocol.id() == "cas_pos" && bit == 7 {
                continue;
            }
            let mut bytes = sample.bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let printed = decode(&mut decoder, [bytes.as_slice()]);
            let reading = printed.iter().find(|line| line.contains("\"kg\":\""));
            assert_eq!(reading, None, "{} with bit {bit} flipped", sample.place);
            tried += 1;
        }
    }
    assert!(tried > 3000, "{tried} flips");
}

#[test]
fn no_overload_is_ever_a_weight_or_stable() {
    for line in samples().iter().flat_map(|sample| &sample.expected) {
        let is_off = line.contains("\"overload\":true") || line.contains("\"underload\":true");
        let is_nothing =
            line.contains("\"weight\":null") && line.contains("\"kg\":null") && line.contains("\"stable\":false");
        assert!(!is_off || is_nothing, "{line}");
    }
}
