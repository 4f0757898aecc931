//! Frames as they should not be, and the close code that answers each.

use super::{
    Client, Server,
    client::{CLOSE, PING, TEXT, frame},
};

const PING_MESSAGE: &[u8] = br#"{"type":"ping"}"#;

fn close(code: u16) -> Vec<u8> {
    frame(CLOSE, &code.to_be_bytes())
}

/// A header that promises `length` bytes, in the longest form.
fn promise(length: u64) -> Vec<u8> {
    [&[TEXT, 0xff][..], &length.to_be_bytes(), &[0; 4]].concat()
}

#[actix_web::test]
async fn every_breach_of_the_protocol_is_answered_by_its_close_code() {
    let server = Server::start().await;
    let kib64 = vec![b'x'; 64 * 1024];
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        (
            "first reserved bit, as a compressed message has it",
            frame(0xc1, b"x"),
            1002,
        ),
        ("second reserved bit", frame(0xa1, b"x"), 1002),
        ("third reserved bit", frame(0x91, b"x"), 1002),
        ("reserved bit on a ping", frame(0xc9, b""), 1002),
        ("opcode 3", frame(0x83, b""), 1002),
        ("opcode 4", frame(0x84, b""), 1002),
        ("opcode 5", frame(0x85, b""), 1002),
        ("opcode 6", frame(0x86, b""), 1002),
        ("opcode 7", frame(0x87, b""), 1002),
        ("opcode 11", frame(0x8b, b""), 1002),
        ("opcode 15", frame(0x8f, b""), 1002),
        ("unmasked text", vec![TEXT, 2, b'{', b'}'], 1002),
        ("unmasked ping", vec![PING, 0], 1002),
        ("unmasked close", vec![CLOSE, 2, 3, 0xe8], 1002),
        ("fragmented ping", frame(0x09, b""), 1002),
        ("fragmented close", frame(0x08, &[3, 0xe8]), 1002),
        ("ping of 126 bytes", frame(PING, &[b'x'; 126]), 1002),
        ("close of 126 bytes", frame(CLOSE, &[b'x'; 126]), 1002),
        ("5 bytes, length in 16 bits", vec![TEXT, 0xfe, 0, 5, 0, 0, 0, 0], 1002),
        ("65535 bytes, length in 64 bits", promise(65_535), 1002),
        ("2^63 bytes", promise(1 << 63), 1002),
        ("2^64 - 1 bytes", promise(u64::MAX), 1002),
        ("continuation of nothing", frame(0x80, b"x"), 1002),
        ("unfinished continuation of nothing", frame(0x00, b"x"), 1002),
        (
            "a message inside a message",
            [frame(0x01, b"x"), frame(TEXT, b"y")].concat(),
            1002,
        ),
        ("close with half a code", frame(CLOSE, &[3]), 1002),
        ("close 0", close(0), 1002),
        ("close 999", close(999), 1002),
        ("close 1004", close(1004), 1002),
        ("close 1005", close(1005), 1002),
        ("close 1006", close(1006), 1002),
        ("close 1015", close(1015), 1002),
        ("close 2000", close(2000), 1002),
        ("close 5000", close(5000), 1002),
        ("binary", frame(0x82, b"x"), 1003),
        ("binary fragment", frame(0x02, b"x"), 1003),
        ("no UTF-8", frame(TEXT, &[0xff, 0xfe]), 1007),
        ("a surrogate", frame(TEXT, &[0xed, 0xa0, 0x80]), 1007),
        (
            "no UTF-8, split",
            [frame(0x01, &[0xf0]), frame(0x00, &[0x28])].concat(),
            1007,
        ),
        (
            "a character cut off by the end",
            [frame(0x01, &[0xec]), frame(0x80, b"")].concat(),
            1007,
        ),
        (
            "close with a reason that is no UTF-8",
            frame(CLOSE, &[3, 0xe8, 0xff]),
            1007,
        ),
        ("65537 bytes", promise(65_537), 1009),
        ("2^63 - 1 bytes", promise(i64::MAX as u64), 1009),
        (
            "a message of over 256 KiB",
            [frame(0x01, &kib64), frame(0, &kib64).repeat(4)].concat(),
            1009,
        ),
        (
            "a message in 2000 pieces",
            [frame(0x01, b""), frame(0, b"").repeat(2000)].concat(),
            1009,
        ),
        ("malformed, of 65536 bytes", frame(TEXT, &kib64), 4400),
        (
            "malformed, of 256 KiB",
            [frame(0x01, &kib64), frame(0, &kib64).repeat(2), frame(0x80, &kib64)].concat(),
            4400,
        ),
    ];
    for (what, bytes, code) in cases {
        let mut client = Client::staff(&server).await;
        client.send(&bytes).await;
        let reason = client.is_closed(code).await;
        assert!(!reason.is_empty(), "{what}");
    }
}

#[actix_web::test]
async fn a_close_is_answered_with_its_code() {
    let server = Server::start().await;
    for (bytes, code) in [
        (frame(CLOSE, b""), 1000),
        (close(1001), 1001),
        (close(3000), 3000),
        (close(4999), 4999),
    ] {
        let mut client = Client::staff(&server).await;
        client.send(&bytes).await;
        client.is_closed(code).await;
    }
}

#[actix_web::test]
async fn a_message_may_come_in_pieces_with_pings_between_and_byte_by_byte() {
    let server = Server::start().await;
    let mut client = Client::staff(&server).await;
    let (begin, end) = PING_MESSAGE.split_at(5);
    let pieces = [
        frame(0x01, begin),
        frame(0x00, b""),
        frame(0x8a, b"unasked"),
        frame(0x80, end),
    ]
    .concat();
    client.send(&pieces).await;
    client.hears("pong").await;
    for byte in pieces {
        client.send(&[byte]).await;
    }
    client.hears("pong").await;
}
