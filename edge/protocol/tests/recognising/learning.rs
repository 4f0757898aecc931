//! `learn`: from bytes and a few weights to a declaration that reads the same weights.

use proptest::prelude::*;
use weighbridge_protocol::{
    indicators::{Decoder, Line, Options, Protocol},
    reading::Reading,
    recognition::{Brief, CannotLearn, Proposal, Seen, learn},
};

use crate::streams::{PLAYED, stream, two_trucks};

fn brief() -> Brief {
    Brief {
        id: "learned".to_owned(),
        line: "9600 8N1".parse::<Line>().unwrap(),
        ask: None,
    }
}

fn seen(weights: &[&str]) -> Vec<Seen> {
    weights.iter().map(|weight| weight.parse().unwrap()).collect()
}

/// What `protocol` reads.
fn read(protocol: &Protocol, bytes: &[u8]) -> Vec<Reading> {
    let mut readings = Vec::new();
    let mut decoder = Decoder::new(protocol, &Options::default()).unwrap();
    decoder.push(bytes, &mut |decoded| readings.extend(decoded.ok()));
    decoder.finish(&mut |decoded| readings.extend(decoded.ok()));
    readings
}

fn learned(proposal: &Proposal) -> Protocol {
    Protocol::from_toml("learned.toml", &proposal.toml).unwrap_or_else(|error| panic!("{error}\n{}", proposal.toml))
}

#[test]
fn what_is_learned_of_a_shipped_protocol_reads_the_same_weights() {
    for id in PLAYED {
        let bytes = stream(id, &two_trucks());
        let proposal =
            learn(&bytes, &seen(&["18340", "42180", "0"]), &brief()).unwrap_or_else(|error| panic!("{id}: {error}"));
        let said = |readings: Vec<Reading>| readings.into_iter().map(|reading| reading.kg).collect::<Vec<_>>();
        let expected = said(read(Protocol::named(id).unwrap(), &bytes));
        assert_eq!(expected.len(), two_trucks().len(), "{id}");
        assert_eq!(
            said(read(&learned(&proposal), &bytes)),
            expected,
            "{id}\n{}",
            proposal.toml
        );
        assert!(proposal.share >= 99, "{id}: {} %", proposal.share);
        assert!(
            proposal.seen.iter().all(|(_, frames)| *frames > 0),
            "{id}: {:?}",
            proposal.seen
        );
    }
}

#[test]
fn the_status_that_follows_the_motion_is_learned() {
    let told = [
        "and18",
        "cardinal_stream",
        "cas22",
        "cas_ext",
        "dini_std",
        "flintec_cont",
        "gicam",
        "modbus_laumas",
        "mt_continuous",
        "rinstrum_f2",
        "rlws_stream",
        "sbi16",
        "sewha_rcwt",
        "sma",
        "yousheng_bcd",
    ];
    for id in told {
        let bytes = stream(id, &two_trucks());
        let proposal = learn(&bytes, &seen(&["18340", "42180"]), &brief()).unwrap();
        let stable = |readings: Vec<Reading>| readings.into_iter().map(|reading| reading.stable).collect::<Vec<_>>();
        let expected = stable(read(Protocol::named(id).unwrap(), &bytes));
        assert_eq!(
            stable(read(&learned(&proposal), &bytes)),
            expected,
            "{id}\n{}",
            proposal.toml
        );
    }
    for id in ["cas10", "laumas_rip", "yaohua_tf0", "yaohua_tf2", "bilanciai"] {
        let proposal = learn(&stream(id, &two_trucks()), &seen(&["18340"]), &brief()).unwrap();
        assert!(!learned(&proposal).has_stable_flag(), "{id}\n{}", proposal.toml);
        assert!(
            proposal.remarks.iter().any(|remark| remark.contains("numbers alone")),
            "{id}"
        );
    }
}

#[test]
fn a_checksum_is_learned_and_then_insisted_on() {
    let checked = [
        ("cas_ext", "sum8_hex2_excl_stx"),
        ("flintec_cont", "neg8"),
        ("gicam", "xor_hex2"),
        ("laumas_rip", "xor_hex2"),
        ("modbus_laumas", "crc16_modbus"),
        ("mt_continuous", "neg7"),
        ("sewha_rcwt", "sum8_hex2_incl_stx_etx"),
        ("yaohua_a12e", "xor_hex2"),
        ("yaohua_tf0", "xor_hex2"),
    ];
    for (id, checksum) in checked {
        let bytes = stream(id, &two_trucks());
        let proposal = learn(&bytes, &seen(&["18340"]), &brief()).unwrap();
        let named = proposal.toml.contains(&format!("checksum = \"{checksum}\""));
        let as_well = proposal
            .remarks
            .iter()
            .any(|remark| remark.contains(&format!("may be {checksum} as well")));
        assert!(named || as_well, "{id}\n{}", proposal.toml);
        let frame = crate::streams::frame(id, (18_340, true));
        let damaged = |at: usize| [&frame[..at], &[frame[at] ^ 1], &frame[at + 1..]].concat();
        for at in 0..frame.len() {
            assert_eq!(
                read(&learned(&proposal), &damaged(at)),
                [],
                "{id} with byte {at} damaged\n{}",
                proposal.toml
            );
        }
    }
}

#[test]
fn decimals_that_the_frame_leaves_out_come_from_the_display() {
    let bytes = stream("cas10", &two_trucks());
    let proposal = learn(&bytes, &seen(&["1834.0"]), &brief()).unwrap();
    let weights: Vec<_> = read(&learned(&proposal), &bytes)
        .into_iter()
        .filter_map(|reading| reading.weight)
        .collect();
    assert!(
        weights.contains(&"1834.0".to_owned()) && weights.contains(&"4218.0".to_owned()),
        "{}",
        proposal.toml
    );
}

#[test]
fn digits_that_come_last_first_are_learned() {
    let bytes = stream("yaohua_tf1", &two_trucks());
    let proposal = learn(&bytes, &seen(&["18340", "42180"]), &brief()).unwrap();
    assert!(proposal.toml.contains("reversed = true"), "{}", proposal.toml);
    assert!(proposal.seen.iter().all(|(_, frames)| *frames > 0));
}

#[test]
fn what_cannot_be_learned_is_said() {
    let refusal = |bytes: &[u8], weights: &[&str]| learn(bytes, &seen(weights), &brief()).unwrap_err();
    assert_eq!(refusal(b"", &["18340"]), CannotLearn::NoBytes);
    assert_eq!(refusal(b"abc", &["0"]), CannotLearn::NothingSeen);
    assert_eq!(refusal(b"\x01\x5A\xC3\x77", &["1"]), CannotLearn::NoFrames(4));
    let error = refusal(&stream("and18", &two_trucks()), &["777"]).to_string();
    assert!(error.contains("of 18 bytes repeat") && error.contains("ST"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(16) })]

    #[test]
    fn a_recording_that_begins_and_ends_anywhere_and_is_noisy_still_teaches(
        chosen in 0..PLAYED.len(),
        cut in 0_usize..40,
        lost in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let id = PLAYED[chosen];
        let mut bytes = stream(id, &two_trucks())[cut..].to_vec();
        for index in lost {
            let at = index.index(bytes.len());
            bytes.remove(at);
        }
        // A few bytes may fool it into another layout, never into other weights.
        if let Ok(proposal) = learn(&bytes, &seen(&["18340", "42180"]), &brief()) {
            let allowed: Vec<String> = two_trucks().iter().map(|(kg, _)| kg.to_string()).collect();
            for reading in read(&learned(&proposal), &bytes) {
                let weight = reading.weight.unwrap_or_default();
                prop_assert!(weight.is_empty() || allowed.contains(&weight), "{} reads {}\n{}", id, weight, proposal.toml);
            }
        } else {
            prop_assert!(false, "{} was not learned", id);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(
        bytes in prop::collection::vec(prop_oneof![3 => prop::sample::select(&b"\x02\r\n0123 .-=kgST"[..]), 1 => any::<u8>()], 0..400),
    ) {
        drop(learn(&bytes, &seen(&["12", "0"]), &brief()));
    }
}
