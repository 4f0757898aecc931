//! `detect` and `learn`: what an unknown indicator speaks is found out at the port or from a recording.

use std::{
    io::Write,
    process::{Output, Stdio},
};

use serde_json::Value;

use crate::support::{
    edge::{program, run},
    line::Line,
};

fn fed(arguments: &[&str], bytes: &[u8]) -> Output {
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

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A truck drives on and off; `frame` is told its weight and whether it stands still.
fn truck(frame: impl Fn(u32, bool) -> String) -> Vec<u8> {
    let still = |kg: u32, count| std::iter::repeat_n((kg, true), count);
    let moving = [540, 3_200, 8_800, 14_120, 17_900].map(|kg| (kg, false));
    let back = [15_060, 9_920, 2_360].map(|kg| (kg, false));
    let shown = still(0, 6)
        .chain(moving)
        .chain(still(18_340, 8))
        .chain(back)
        .chain(still(0, 6));
    shown.flat_map(|(kg, still)| frame(kg, still).into_bytes()).collect()
}

#[test]
fn a_streaming_indicator_is_named_with_the_line_setting_at_which_it_is_heard() {
    let line = Line::streaming(4800, || {
        let frame = b"ST,GS,1\xE4,00018340 kg\r\n";
        frame.repeat(2)
    });
    let device = line.device.to_str().unwrap();
    let output = run(&["detect", "--port", device, "--seconds", "1", "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{found}");
    assert_eq!(
        (&found["protocol"], &found["line"]),
        (&"cas22".into(), &"4800 8N1".into()),
        "{found}"
    );
    assert!(found["trials"][0]["frames"].as_u64().unwrap() > 10);
}

#[test]
fn a_silent_indicator_is_asked_and_only_by_commands_that_read() {
    let request = b"\x0201RCWTA1\x03";
    let line = Line::new(move |speed, heard| {
        let is_asked = speed == 9600 && heard.windows(request.len()).any(|window| window == request);
        if is_asked {
            b"\x0201RCWTST,GS,+0018340kg97\x03".to_vec()
        } else {
            Vec::new()
        }
    });
    let port = format!("{}?9600-8N1", line.device.display());
    let output = run(&["detect", "--port", &port, "--seconds", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let said = said(&output);
    assert!(
        said.starts_with("cas_ext ") && said.contains("asked     02303152435754413103"),
        "{said}"
    );
    assert!(
        said.contains("checksums right") && said.contains("always 18340 kg"),
        "{said}"
    );
}

#[test]
fn what_the_bytes_cannot_tell_is_said_with_what_would() {
    let output = fed(&["detect", "-"], &b"=00012340".repeat(20));
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("The bytes cannot tell"), "{said}");
    assert!(
        said.contains("=00012340 is read as ") && said.contains("12340 kg by yaohua_tf2"),
        "{said}"
    );
    assert!(
        said.contains("4321000 kg by yaohua_tf1") && said.contains("compare it with the display"),
        "{said}"
    );
}

#[test]
fn each_failure_has_its_own_diagnosis() {
    let nothing = fed(&["detect", "-"], b"");
    assert!(said(&nothing).contains("No bytes came") && nothing.status.code() == Some(1));
    let mut state = 1_u64;
    let noise: Vec<u8> = (0..900)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        })
        .collect();
    let garbage = fed(&["detect", "-"], &noise);
    assert!(
        said(&garbage).contains("the line setting is another"),
        "{}",
        said(&garbage)
    );
    let unknown = truck(|kg, still| format!("~{}{kg:06}#\r", if still { 'A' } else { 'B' }));
    let unknown = fed(&["detect", "-"], &unknown);
    assert!(
        said(&unknown).contains("frames of 10 bytes repeat, and no shipped protocol reads them"),
        "{}",
        said(&unknown)
    );
    let absent = run(&["detect", "--port", "/dev/ttyThatIsNotThere"]);
    assert_eq!(absent.status.code(), Some(74));
}

#[test]
fn what_is_learned_from_a_recording_is_taken_by_check_and_decodes() {
    let bytes = truck(|kg, still| format!("~{}{kg:06}#\r", if still { 'A' } else { 'B' }));
    let folder = tempfile::tempdir().unwrap();
    let (recording, declaration) = (folder.path().join("heard.bin"), folder.path().join("acme.toml"));
    std::fs::write(&recording, bytes).unwrap();
    let learned = run(&[
        "learn",
        "--id",
        "acme",
        "--seen",
        "0",
        "--seen",
        "18340",
        recording.to_str().unwrap(),
    ]);
    assert_eq!(learned.status.code(), Some(0));
    let text = said(&learned);
    assert!(
        text.contains("28 of 28 frames are read, 100 % of 280 bytes") && text.contains("18340 stands in 8 frames"),
        "{text}"
    );
    std::fs::write(&declaration, &text).unwrap();

    let declaration = declaration.to_str().unwrap();
    assert!(said(&run(&["check", "--protocol", declaration])).ends_with("ok\n"));
    let decoded = said(&run(&[
        "decode",
        "--protocol",
        declaration,
        recording.to_str().unwrap(),
    ]));
    let weighed = decoded
        .lines()
        .filter(|line| line.contains("\"weight\":\"18340\"") && line.contains("\"stable\":true"));
    assert_eq!((weighed.count(), decoded.lines().count()), (8, 28), "{decoded}");

    let refused = run(&["learn", "--seen", "777", recording.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(run(&["learn", "--seen", "heavy", "-"]).status.code(), Some(64));
}
