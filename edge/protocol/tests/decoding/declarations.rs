//! A site's own declaration: it works like a shipped one, and its mistakes are named with file, line and key.

use weighbridge_protocol::indicators::{Decoder, OptionError, Options, Protocol};

use crate::corpus::decode;

/// What a new maker needs at least.
const OWN: &str = r#"
id = "own"
title = "Our own"
maker = "Somebody"
source = "manual p. 1"
checked = "inferred"
line = "9600 8N1"
terminator = "CRLF"

[[frame]]
layout = "STX stability weight:6 end"

[field.stability]
means = { S = "stable", U = "moving" }
"#;

#[track_caller]
fn refused(line: &str, instead: &str, expected: &str) {
    let text = OWN.replace(line, instead);
    assert_ne!(text, OWN, "{line} is not in the declaration");
    let error =
        Protocol::from_toml("own.toml", &text).map_or_else(|error| error.to_string(), |_| "accepted".to_owned());
    assert_eq!(error, expected);
}

#[test]
fn a_site_can_bring_its_own_protocol() {
    let own = Protocol::from_toml("own.toml", OWN).unwrap();
    let mut decoder = Decoder::new(&own, &Options::default()).unwrap();
    let printed = decode(&mut decoder, [&b"\x02S 18340\r\n"[..]]);
    assert!(
        printed[0].starts_with(r#"{"weight":"18340","unit":"kg""#),
        "{printed:?}"
    );
    assert!(own.has_stable_flag() && !own.is_verified());
}

#[test]
fn the_example_of_the_guide_works() {
    let guide = include_str!("../../../../docs/adding-an-indicator.md");
    let example = guide
        .split("```toml")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let acme = Protocol::from_toml("acme_k1.toml", example).unwrap();
    let mut decoder = Decoder::new(&acme, &Options::default()).unwrap();
    let printed = decode(&mut decoder, [&b"\x02SG+018340kg\r\n"[..]]);
    assert!(
        printed[0].contains(r#""kg":"18340.00","mode":"gross","stable":true"#),
        "{printed:?}"
    );
}

#[test]
fn mistakes_in_keys_and_values_are_named() {
    refused(
        "maker",
        "makr",
        "own.toml:4: makr: unknown key, expected one of: id, title, maker, source, checked, line, \
        terminator, checksum, checksum_over, between, options, frame, message, field, poll, address, modbus",
    );
    refused(
        "\"9600 8N1\"",
        "9600",
        "own.toml:7: line: 9600 is not understood, expected a line setting such as \"9600 8N1\"",
    );
    refused(
        "\"CRLF\"",
        "\"ETX\"",
        "own.toml:8: terminator: \"ETX\" is not understood, expected \"CR\", \"LF\" or \"CRLF\"",
    );
    refused(
        "id = \"own\"",
        "id = \"Own 1\"",
        "own.toml:2: id: \"Own 1\" is not understood, expected small letters, digits and _, such as \"cas22\"",
    );
    refused(
        "title = \"Our own\"",
        "",
        "own.toml:1: title: is missing, expected a text",
    );
}

#[test]
fn mistakes_in_layouts_are_named() {
    refused(
        "weight:6",
        "Weight:6",
        "own.toml:11: frame.layout: \"Weight:6\" is not understood, expected a control character \
        (NUL SOH STX ETX EOT ENQ ACK LF CR DC1 NAK ESC SP), a byte such as 0x1B, text in single quotes, a field such as \
        weight:8, check, end, or [ ] around what may be missing",
    );
    refused(
        "weight:6",
        "weight",
        "own.toml:11: layout: weight has no width, expected such as weight:8",
    );
    refused(
        "weight:6",
        "state:6",
        "own.toml:11: layout: state is no field, expected a table [field.state]",
    );
    refused(
        "weight:6",
        "text:6",
        "own.toml:11: layout: there is no weight in it, expected a field weight, gross or net",
    );
    refused(
        "end",
        "check end",
        "own.toml:11: layout: check is used, expected a key checksum, such as \"xor_hex2\"",
    );
    refused(
        "terminator = \"CRLF\"",
        "",
        "own.toml:11: layout: end is used, expected a key terminator, such as \"CRLF\"",
    );
}

#[test]
fn mistakes_in_fields_are_named() {
    refused(
        "\"moving\"",
        "\"movin\"",
        "own.toml:14: field.stability.means.U: \"movin\" is not understood, expected words \
        separated by commas out of: stable, moving, held, overload, underload, out of range, no weight, zero, not zero, \
        negative, gross negative, net negative, gross, net, tare, unknown, kg, t, g, lb, N decimals, times 10, times 100, \
        no weighing, ignore, nothing",
    );
    refused(
        "U =",
        "US =",
        "own.toml:13: field.stability: its texts differ in width, expected a table \
        means = { TEXT = \"meaning\" } with texts of one width",
    );
    refused(
        "means = {",
        "bit9 = \"moving\" # {",
        "own.toml:14: field.stability.bit9: is not understood, expected bit0 to \
        bit7 (bit15 in a register), or bits0-2 within one byte",
    );
    refused(
        "means = { S",
        "means = { S = 1, V",
        "own.toml:14: field.stability.means.S: 1 is not understood, expected words \
        separated by commas out of: stable, moving, held, overload, underload, out of range, no weight, zero, not zero, \
        negative, gross negative, net negative, gross, net, tare, unknown, kg, t, g, lb, N decimals, times 10, times 100, \
        no weighing, ignore, nothing",
    );
}

#[test]
fn what_is_no_toml_is_named_as_well() {
    let error = Protocol::from_toml("own.toml", "id = \"own\"\ntitle = Our own\n").unwrap_err();
    assert_eq!((error.file.as_str(), error.line), ("own.toml", 2));
}

#[test]
fn an_option_that_a_protocol_does_not_know_is_refused_with_those_that_it_knows() {
    let error = Decoder::new(
        Protocol::named("cas10").unwrap(),
        &Options::parse(["length=short"]).unwrap(),
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "cas10 has no option length, expected one of: terminator, unit, decimals, decimal_separator, mask7, request"
    );
    let error = Decoder::new(
        Protocol::named("mt_continuous").unwrap(),
        &Options::parse(["length=long"]).unwrap(),
    );
    assert_eq!(error.unwrap_err().to_string(), "length is \"long\", expected short");
}

#[test]
fn polls_carry_address_and_checksum() {
    let poll = |id: &str, settings: &[&str]| -> Result<Vec<Vec<u8>>, OptionError> {
        let options = Options::parse(settings.iter().copied())?;
        Ok(Protocol::named(id).unwrap().poll(&options)?.unwrap().requests)
    };
    assert_eq!(poll("cas_ext", &[]), Ok(vec![b"\x0201RCWTA1\x03".to_vec()]));
    assert_eq!(poll("cas_rw", &["address=7"]), Ok(vec![b"07RW\r\n".to_vec()]));
    assert_eq!(poll("cas_pos", &[]), Ok(vec![vec![5], vec![0x11]]));
    assert_eq!(poll("yaohua_cmd", &[]), Ok(vec![b"\x02AB03\x03".to_vec()]));
    assert_eq!(poll("sewha_rcwt", &[]), Ok(vec![b"\x0201RCWT\x03A6".to_vec()]));
    assert_eq!(
        poll("sewha_rcwt", &["checksum=none"]),
        Ok(vec![b"\x0201RCWT\x03".to_vec()])
    );
    assert_eq!(poll("flintec_bsi", &[]), Ok(vec![b"01P4F\r\n".to_vec()]));
    assert_eq!(poll("gicam", &["address=2"]), Ok(vec![b"\x82N\x04".to_vec()]));
    assert_eq!(poll("modbus_laumas", &[]), Ok(vec![vec![1, 3, 0, 6, 0, 5, 0x65, 0xC8]]));
    assert_eq!(
        poll("modbus_laumas", &["address=2"]),
        Ok(vec![vec![2, 3, 0, 6, 0, 5, 0x65, 0xFB]])
    );
    assert_eq!(poll("and18", &["request=52 57 0D 0A"]), Ok(vec![b"RW\r\n".to_vec()]));
    assert_eq!(Protocol::named("and18").unwrap().poll(&Options::default()), Ok(None));
    assert_eq!(
        poll("yaohua_cmd", &["address=7"]).unwrap_err().to_string(),
        "address is \"7\", expected a letter from A to Z"
    );
    assert!(
        poll("modbus_laumas", &["request=01 03 00 06 00 05 65 C9"])
            .unwrap_err()
            .to_string()
            .contains("CRC")
    );
}
