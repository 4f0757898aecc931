//! How the bytes are cut into pieces changes nothing.

use proptest::prelude::*;

use weighbridge_protocol::indicators::{Decoder, Options, Protocol};

use crate::corpus::{Sample, decode, samples};

/// Bytes that hurt: starts and ends of frames, digits, and what noise leaves.
const NASTY: &[u8] = b"\x00\x02\x03\x06\x0A\x0D\x11SUTG,+- 0189.=&<>$w?\x80\xFF";

/// All samples with the same protocol and options as `first`, joined with noise between them.
fn stream(first: &Sample, all: &[Sample], noise: &[Vec<u8>]) -> Vec<u8> {
    let alike = |sample: &&Sample| sample.protocol.id() == first.protocol.id() && sample.options == first.options;
    let noise = noise.iter().map(Vec::as_slice).chain(std::iter::repeat(&[][..]));
    all.iter()
        .filter(alike)
        .zip(noise)
        .flat_map(|(sample, noise)| [noise, &sample.bytes].concat())
        .collect()
}

fn pieces<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts
        .iter()
        .map(|cut| cut % (bytes.len() + 1))
        .chain([0, bytes.len()])
        .collect();
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

fn noise() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let byte = prop_oneof![4 => prop::sample::select(NASTY), 1 => any::<u8>()];
    prop::collection::vec(prop::collection::vec(byte, 0..40), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn any_cut_of_any_stream_of_any_protocol_decodes_alike(
        chosen in any::<prop::sample::Index>(),
        noise in noise(),
        cuts in prop::collection::vec(any::<usize>(), 0..30),
    ) {
        let all = samples();
        let sample = chosen.get(all);
        let bytes = stream(sample, all, &noise);
        let mut decoder = sample.decoder();
        let whole = decode(&mut decoder, [bytes.as_slice()]);
        prop_assert_eq!(&whole, &decode(&mut decoder, pieces(&bytes, &cuts)), "{}", sample.place);
        prop_assert_eq!(&whole, &decode(&mut decoder, bytes.chunks(1)), "{} byte by byte", sample.place);
    }

    #[test]
    fn noise_alone_never_makes_it_panic_and_little_is_kept(
        chosen in any::<prop::sample::Index>(),
        noise in prop::collection::vec(any::<u8>(), 0..5000),
    ) {
        let all = samples();
        let sample = chosen.get(all);
        let mut decoder = sample.decoder();
        decoder.push(&noise, &mut |_| ());
        prop_assert!(decoder.held() <= 1300, "{} holds {}", sample.place, decoder.held());
    }
}

#[test]
fn every_sample_decodes_alike_byte_by_byte() {
    for sample in samples() {
        assert_eq!(
            decode(&mut sample.decoder(), sample.bytes.chunks(1)),
            sample.expected,
            "{}",
            sample.place
        );
    }
}

#[test]
fn no_frame_is_complete_before_the_bytes_that_it_was_said_to_lack_have_come() {
    for sample in samples() {
        let (mut decoder, mut lacks) = (sample.decoder(), 0_usize);
        for byte in &sample.bytes {
            let mut is_reading = false;
            decoder.push(&[*byte], &mut |decoded| is_reading |= decoded.is_ok());
            assert!(
                !is_reading || lacks <= 1,
                "{}: a reading, {lacks} bytes too early",
                sample.place
            );
            lacks = decoder.missing();
        }
    }
}

#[test]
fn what_a_frame_of_one_length_lacks_is_counted_down_and_nothing_between_frames() {
    let mut decoder = Decoder::new(Protocol::named("and18").unwrap(), &Options::default()).unwrap();
    let said: Vec<usize> = b"ST,GS,+0018340kg\r\nST"
        .iter()
        .map(|byte| {
            decoder.push(&[*byte], &mut |_| ());
            decoder.missing()
        })
        .collect();
    let expected: Vec<usize> = (0..18).rev().chain([17, 16]).collect();
    assert_eq!(said, expected);
    decoder.finish(&mut |_| ());
    assert_eq!(decoder.missing(), 0);
}

#[test]
fn endless_bytes_without_a_frame_are_told_of_in_pieces_and_not_kept() {
    for protocol in Protocol::shipped() {
        let mut decoder = Decoder::new(protocol, &Options::default()).unwrap();
        let mut told = 0;
        for _ in 0..20 {
            decoder.push(&b"\xFFA".repeat(500), &mut |decoded| {
                told += decoded.map_or_else(|garbled| garbled.raw.len(), |_| 0);
            });
            assert!(decoder.held() <= 1300, "{} holds {}", protocol.id(), decoder.held());
        }
        assert!(told > 18_000, "{} told of {told} bytes", protocol.id());
    }
}
