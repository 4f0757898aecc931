//! `detect`: which shipped protocol explains the bytes best, and when they cannot tell.

use proptest::prelude::*;
use weighbridge_protocol::{
    indicators::Parity,
    recognition::{Ranking, Unexplained, Verdict, rank},
};

use crate::streams::{PLAYED, standing, stream, two_trucks};

/// The protocol that is named, and those that read the bytes alike.
fn named(ranking: &Ranking) -> Vec<&'static str> {
    match &ranking.verdict {
        Verdict::Named { alike } => std::iter::once(ranking.trials[0].protocol.id())
            .chain(alike.iter().copied())
            .collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_indicator_is_named_or_one_that_reads_alike() {
    for id in PLAYED {
        let ranking = rank(&stream(id, &two_trucks()));
        let found = named(&ranking);
        assert!(found.contains(&id), "{id}: {:?} {found:?}", ranking.verdict);
        let best = &ranking.trials[0].evidence;
        assert!(
            best.share() == 100 && best.frames == two_trucks().len(),
            "{id}: {best:?}"
        );
    }
}

/// `and18` and `cas_rw` have one frame; the bytes came by themselves.
#[test]
fn of_two_that_read_alike_the_one_that_speaks_unasked_comes_first() {
    let ranking = rank(&stream("and18", &standing(0)));
    let found = named(&ranking);
    assert_eq!(found[0], "and18", "{found:?}");
    assert!(found.contains(&"cas_rw"), "{found:?}");
}

#[test]
fn those_with_a_checksum_are_named_alone() {
    for id in [
        "gicam",
        "laumas_rip",
        "modbus_laumas",
        "sewha_rcwt",
        "yaohua_a12e",
        "yaohua_tf0",
        "cas_ext",
    ] {
        let ranking = rank(&stream(id, &two_trucks()));
        assert_eq!(named(&ranking), [id], "{id}");
        assert_eq!(ranking.trials[0].evidence.checksums, two_trucks().len(), "{id}");
    }
}

#[test]
fn a_truck_that_stands_still_leaves_the_order_of_digits_open() {
    let ranking = rank(&stream("yaohua_tf2", &standing(12_320)));
    let Verdict::Undecided { rivals } = &ranking.verdict else {
        panic!("{:?}", ranking.verdict)
    };
    let reads = [rivals[0].first_reads.as_str(), rivals[0].rival_reads.as_str()];
    assert!(
        reads.contains(&"12320 kg") && reads.contains(&"2321000 kg"),
        "{reads:?}"
    );
}

#[test]
fn weights_that_drive_on_and_off_tell_the_order_of_digits() {
    for id in ["yaohua_tf1", "yaohua_tf2"] {
        assert_eq!(named(&rank(&stream(id, &two_trucks()))), [id]);
    }
}

#[test]
fn parity_that_came_as_the_top_bit_is_seen_through() {
    let even = |byte: u8| if byte.count_ones() % 2 == 1 { byte | 0x80 } else { byte };
    let bytes: Vec<u8> = stream("mt_continuous", &two_trucks()).into_iter().map(even).collect();
    let ranking = rank(&bytes);
    assert_eq!(ranking.parity, Some(Parity::Even));
    assert!(named(&ranking).contains(&"mt_continuous"), "{:?}", ranking.verdict);
    assert!(ranking.trials[0].settings.contains(&"mask7=true".to_owned()));
}

#[test]
fn a_form_that_must_be_chosen_is_found_with_its_settings() {
    let short: Vec<u8> = two_trucks()
        .iter()
        .flat_map(|(kg, _)| format!("\x02*0 {kg:06}\r").into_bytes())
        .collect();
    let ranking = rank(&short);
    assert_eq!(ranking.trials[0].protocol.id(), "mt_continuous");
    assert_eq!(ranking.trials[0].settings, ["length=short"]);
    let cr = String::from_utf8(stream("and18", &two_trucks()))
        .unwrap()
        .replace('\n', "");
    let ranking = rank(cr.as_bytes());
    assert!(named(&ranking).contains(&"and18"), "{:?}", ranking.verdict);
    assert_eq!(ranking.trials[0].settings, ["terminator=CR"]);
}

#[test]
fn what_is_not_named_is_diagnosed() {
    let verdict = |bytes: &[u8]| rank(bytes).verdict;
    assert_eq!(verdict(b""), Verdict::Unexplained(Unexplained::NoBytes));
    // What a line at the wrong speed brings.
    let garbled: Vec<u8> = (0..600_u32)
        .map(|n| [0xF8, 0xE0, 0xFF, 0x00, 0xC0][(n * n * 7 % 31 % 5) as usize])
        .collect();
    assert!(matches!(verdict(&garbled), Verdict::Unexplained(_)));
    let unknown: Vec<u8> = two_trucks()
        .iter()
        .flat_map(|(kg, _)| format!("#W;{kg};X\r\n").into_bytes())
        .collect();
    let fixed: Vec<u8> = two_trucks()
        .iter()
        .flat_map(|(kg, _)| format!("#W;{kg:05};X\r\n").into_bytes())
        .collect();
    assert!(matches!(verdict(&unknown), Verdict::Unexplained(_)));
    let verdict = verdict(&fixed);
    let is_rhythm = matches!(verdict, Verdict::Unexplained(Unexplained::NoParse { len: 12, .. }));
    assert!(is_rhythm, "{verdict:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(8) })]

    #[test]
    fn cut_anywhere_and_with_noise_between_frames_it_is_still_named(
        chosen in 0..PLAYED.len(),
        cut in 0_usize..30,
        noise in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 1..6)), 0..3),
    ) {
        let id = PLAYED[chosen];
        let mut bytes = stream(id, &two_trucks())[cut..].to_vec();
        for (index, noise) in noise {
            let at = index.index(bytes.len());
            bytes.splice(at..at, noise);
        }
        let ranking = rank(&bytes);
        prop_assert!(named(&ranking).contains(&id), "{} {:?} {:?}", id, ranking.verdict, named(&ranking));
    }

    #[test]
    fn noise_is_never_named(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let verdict = rank(&bytes).verdict;
        prop_assert!(matches!(verdict, Verdict::Unexplained(_)), "{:?}", verdict);
    }

    #[test]
    fn evidence_counts_what_is_there(chosen in 0..PLAYED.len(), frames in 2_usize..30) {
        let id = PLAYED[chosen];
        let shown = &two_trucks()[..frames];
        let bytes = stream(id, shown);
        for trial in rank(&bytes).trials {
            let evidence = &trial.evidence;
            prop_assert!(evidence.explained <= evidence.bytes && evidence.bytes == bytes.len());
            prop_assert_eq!(evidence.frames, trial.heard.len());
            prop_assert_eq!(evidence.stable + evidence.moving + evidence.unflagged + evidence.out_of_range, evidence.frames);
            prop_assert!(evidence.checksums == 0 || evidence.checksums == evidence.frames);
        }
    }
}
