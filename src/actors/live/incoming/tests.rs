//! Frames of good clients and of bad ones.

use super::*;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame as a client sends it: `first` byte, then the payload, masked.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    if let Ok(length @ 0..126) = u8::try_from(payload.len()) {
        bytes.push(0x80 | length);
    } else if let Ok(length) = u16::try_from(payload.len()) {
        bytes.push(0xfe);
        bytes.extend(length.to_be_bytes());
    } else {
        bytes.push(0xff);
        bytes.extend((payload.len() as u64).to_be_bytes());
    }
    bytes.extend(KEY);
    bytes.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// All that `bytes` say, pushed in pieces of `step` bytes.
fn hear(bytes: &[u8], step: usize) -> (Vec<Heard>, Option<Violation>) {
    let (mut reader, mut heard) = (Reader::default(), Vec::new());
    for piece in bytes.chunks(step) {
        reader.push(piece);
        loop {
            match reader.next_heard() {
                Ok(Some(message)) => heard.push(message),
                Ok(None) => break,
                Err(violation) => return (heard, Some(violation)),
            }
        }
    }
    (heard, None)
}

#[track_caller]
fn check(frames: &[Vec<u8>], expected: &[Heard]) {
    for step in [1, 3, 1 << 20] {
        assert_eq!(hear(&frames.concat(), step), (expected.to_vec(), None));
    }
}

#[track_caller]
fn refused(frames: &[Vec<u8>], violation: &Violation, code: u16) {
    for step in [1, 1 << 20] {
        assert_eq!(hear(&frames.concat(), step).1.as_ref(), Some(violation));
    }
    assert_eq!(violation.close_code(), code);
}

fn text(text: &str) -> Heard {
    Heard::Text(text.to_owned())
}

#[test]
fn messages_of_every_length_are_read_whatever_the_pieces() {
    for length in [0, 1, 125, 126, 127, 65_535, 65_536] {
        let payload = "x".repeat(length);
        check(
            &[frame(0x81, payload.as_bytes()), frame(0x81, b"next")],
            &[text(&payload), text("next")],
        );
    }
}

#[test]
fn fragments_are_put_together_and_control_frames_pass_between_them() {
    let parts = [
        frame(0x01, b"{\"type\":"),
        frame(0x89, b"still there?"),
        frame(0x00, b""),
        frame(0x8a, b""),
        frame(0x80, b"\"ping\"}"),
    ];
    let ping = Heard::Ping(Bytes::from_static(b"still there?"));
    check(&parts, &[ping, Heard::Pong, text(r#"{"type":"ping"}"#)]);
}

#[test]
fn a_character_may_be_split_between_fragments() {
    let truck = "트럭".as_bytes();
    for cut in 0..=truck.len() {
        check(
            &[frame(0x01, &truck[..cut]), frame(0x80, &truck[cut..])],
            &[text("트럭")],
        );
    }
}

#[test]
fn text_that_is_not_utf_8_is_refused_as_early_as_it_shows() {
    let refused = |frames: &[Vec<u8>]| refused(frames, &Violation::NotUtf8, 1007);
    refused(&[frame(0x81, &[0xff])]);
    refused(&[frame(0x81, &[0xed, 0xa0, 0x80])]); // a surrogate
    refused(&[frame(0x81, &[0xc0, 0xaf])]); // longer than need be
    refused(&[frame(0x01, b"good"), frame(0x00, &[0xf4, 0x90])]); // the message goes on
    refused(&[frame(0x01, &[0xec]), frame(0x80, b"")]); // cut off by the end
    refused(&[frame(0x88, &[0x03, 0xe8, 0xff])]);
}

#[test]
fn headers_that_break_the_protocol_are_refused_by_their_first_bytes() {
    let refused = |bytes: &[u8], violation: Violation| refused(&[bytes.to_vec()], &violation, 1002);
    for bit in [0x40, 0x20, 0x10] {
        refused(&[0x81 | bit, 0x80], Violation::ReservedBit);
    }
    for opcode in [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        refused(&[0x80 | opcode, 0x80], Violation::UnknownOpcode(opcode));
    }
    refused(&[0x81, 0x05], Violation::Unmasked);
    refused(&[0x89, 0x00], Violation::Unmasked);
    for opcode in [0x8, 0x9, 0xa] {
        refused(&[opcode, 0x80], Violation::FragmentedControl);
        refused(&[0x80 | opcode, 0xfe], Violation::LongControl);
    }
    refused(&[0x81, 0xfe, 0, 125], Violation::WrongLength);
    refused(&[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], Violation::WrongLength);
    refused(&[0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], Violation::WrongLength);
}

#[test]
fn what_is_out_of_turn_is_refused() {
    refused(&[frame(0x80, b"x")], &Violation::NothingToContinue, 1002);
    refused(&[frame(0x00, b"x")], &Violation::NothingToContinue, 1002);
    refused(
        &[frame(0x81, b"x"), frame(0x80, b"y")],
        &Violation::NothingToContinue,
        1002,
    );
    refused(&[frame(0x01, b"x"), frame(0x81, b"y")], &Violation::Interrupted, 1002);
    refused(&[frame(0x01, b"x"), frame(0x82, b"y")], &Violation::Interrupted, 1002);
    refused(&[frame(0x82, b"x")], &Violation::Binary, 1003);
    refused(&[frame(0x02, b"x")], &Violation::Binary, 1003);
}

#[test]
fn what_is_too_big_is_refused_before_it_is_taken_in() {
    let header = |length: u64| [&[0x81, 0xff][..], &length.to_be_bytes(), &KEY].concat();
    refused(&[header(65_537)], &Violation::TooBig, 1009);
    refused(&[header(i64::MAX as u64)], &Violation::TooBig, 1009);
    let quarter = vec![b'x'; 64 * 1024];
    let four = [
        frame(0x01, &quarter),
        frame(0, &quarter),
        frame(0, &quarter),
        frame(0, &quarter),
    ];
    refused(&[four.concat(), frame(0x80, b"x")], &Violation::TooBig, 1009);
    refused(
        &[frame(0x01, b""), frame(0, b"").repeat(1024)],
        &Violation::TooBig,
        1009,
    );
    let whole = String::from_utf8(vec![b'x'; 256 * 1024]).unwrap();
    assert_eq!(
        hear(&[four.concat(), frame(0x80, b"")].concat(), 1 << 20),
        (vec![text(&whole)], None)
    );
}

#[test]
fn close_codes_that_nobody_may_send_are_refused() {
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
        refused(
            &[frame(0x88, &u16::to_be_bytes(code))],
            &Violation::CloseCode(code),
            1002,
        );
    }
    refused(&[frame(0x88, &[0x03])], &Violation::HalfCloseCode, 1002);
    check(&[frame(0x88, b"")], &[Heard::Close(None)]);
    for code in [1000, 1001, 1003, 1007, 1014, 3000, 4999] {
        check(&[frame(0x88, &u16::to_be_bytes(code))], &[Heard::Close(Some(code))]);
    }
    check(
        &[frame(
            0x88,
            &[&1001_u16.to_be_bytes()[..], "가는 중".as_bytes()].concat(),
        )],
        &[Heard::Close(Some(1001))],
    );
}
