//! Captured bytes tell again what an indicator said, and what would have been weighed.

use std::{
    io::Write,
    process::{Output, Stdio},
};

use crate::support::edge::{program, run};

fn replay(arguments: &[&str], bytes: &[u8]) -> Output {
    let mut child = program()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    child.wait_with_output().unwrap()
}

fn frames(weights: &[(i32, usize)]) -> Vec<u8> {
    let frames = weights
        .iter()
        .flat_map(|&(kg, count)| std::iter::repeat_n(format!("ST,GS,+{kg:07}kg\r\n"), count));
    frames.collect::<String>().into_bytes()
}

#[test]
fn every_frame_is_a_line_and_so_is_every_stretch_that_is_none() {
    let output = replay(
        &["decode", "--protocol", "and18"],
        b"\xFF\xFFST,GS,+0018340kg\r\nST,GS,+00",
    );
    let lines: Vec<serde_json::Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(output.status.code(), Some(0));
    let last = lines.last().unwrap();
    let reading = lines.iter().find(|line| line["weight"] == "18340").unwrap();
    assert_eq!(
        (reading["kg"].as_str(), reading["stable"].as_bool()),
        (Some("18340.00"), Some(true))
    );
    assert_eq!(last["error"], "incomplete");
    let raw: String = lines.iter().map(|line| line["raw"].as_str().unwrap()).collect();
    assert!(
        raw.starts_with("ffff") && raw.ends_with("2b3030"),
        "no byte is passed over in silence: {raw}"
    );
}

#[test]
fn the_capture_logic_tells_its_events_with_their_times() {
    let bytes = frames(&[(0, 5), (18_340, 10), (0, 5)]);
    let output = replay(
        &[
            "capture",
            "--protocol",
            "and18",
            "--interval-ms",
            "100",
            "--set",
            "dwell_ms=500",
        ],
        &bytes,
    );
    let expected = r#"{"t_ms":600,"event":"vehicle_on","kg":"18340.00"}
{"t_ms":1000,"event":"settled","kg":"18340.00"}
{"t_ms":1900,"event":"vehicle_off","kg":"0.00"}
"#;
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn a_file_is_read_like_stdin() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&frames(&[(18_340, 2)])).unwrap();
    let output = run(&["decode", "--protocol", "and18", file.path().to_str().unwrap()]);
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 2);
}

#[test]
fn wrong_choices_say_what_is_expected() {
    let refusal = |arguments: &[&str]| {
        let output = replay(arguments, b"");
        assert_eq!(output.status.code(), Some(64));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refusal(&["decode", "--protocol", "cas_22"]).contains("did you mean \"cas22\"?"));
    assert!(
        refusal(&["decode", "--protocol", "and18", "--set", "terminater=CR"])
            .contains("expected \"terminator\", which is nearest")
    );
    assert!(refusal(&["decode", "--protocol", "and18", "/nowhere/bytes"]).contains("/nowhere/bytes cannot be read"));
    assert!(refusal(&["capture", "--protocol", "and18", "--interval-ms", "0"]).contains("--interval-ms"));
}

#[test]
fn the_protocols_are_listed_a_line_each() {
    let output = run(&["protocols"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for id in ["and18", "cas22", "mt_continuous"] {
        assert!(
            text.lines().any(|line| line.split_whitespace().next() == Some(id)),
            "{text}"
        );
    }
}
