//! A new maker's indicator needs no build: its declaration is a file beside the configuration.

use std::io::Write;

use crate::support::{
    Site,
    deck::Says,
    edge::{program, run},
    eventually,
};

const ACME: &str = r#"
id = "acme_k1"
title = "Acme K1"
maker = "Acme"
source = "K1 manual p. 12"
checked = "verified"
line = "9600 8N1"
terminator = "CRLF"
[[frame]]
layout = "'K1' stability weight:7 unit end"
[field.stability]
means = { S = "stable", U = "moving" }
"#;

fn written(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn a_station_weighs_by_a_declaration_beside_its_configuration() {
    let site = Site::new();
    site.write("acme.toml", ACME);
    let port = site.port();
    let site = site.with_indicator(&port, "./acme.toml");
    site.deck.says(Says::Bytes(b"K1S0000000kg\r\n".to_vec()));
    let edge = site.start();
    site.until_deck_is("empty");
    site.deck.says(Says::Bytes(b"K1S0018340kg\r\n".to_vec()));
    edge.until_committed(1);
    let protocol = eventually("a status", || {
        site.status()["stations"][0]["protocol"].as_str().map(str::to_owned)
    });
    assert_eq!(protocol, "acme_k1");
}

#[test]
fn a_declaration_alone_is_judged_and_decodes() {
    let file = written(ACME);
    let path = file.path().to_str().unwrap();
    let judged = run(&["check", "--protocol", path]);
    let said = String::from_utf8(judged.stdout).unwrap();
    assert!(
        said.contains("acme_k1") && said.contains("said by the frames") && said.ends_with("ok\n"),
        "{said}"
    );

    let bytes = written("K1S0018340kg\r\n");
    let decoded = run(&["decode", "--protocol", path, bytes.path().to_str().unwrap()]);
    assert!(
        String::from_utf8(decoded.stdout)
            .unwrap()
            .contains("\"weight\":\"18340\"")
    );
}

#[test]
fn a_mistake_in_it_is_named_with_file_line_and_key_wherever_it_is_used() {
    let wrong = ACME.replace("\"moving\"", "\"movin\"");
    let file = written(&wrong);
    let path = file.path().to_str().unwrap();
    let expected = format!("{path}:12: field.stability.means.U: \"movin\" is not understood, expected words");
    for arguments in [
        vec!["check", "--protocol", path],
        vec!["decode", "--protocol", path],
        vec!["capture", "--protocol", path, "--interval-ms", "100"],
        vec!["monitor", "--protocol", path, "--port", "/dev/null"],
    ] {
        let output = program().args(&arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{said}");
        assert!(said.contains(&expected), "{arguments:?}: {said}");
    }
    let site = Site::new();
    site.write("acme.toml", &wrong);
    let port = site.port();
    let site = site.with_indicator(&port, "acme.toml");
    let mut edge = site.launch();
    assert_eq!(edge.finished(), 64);
    let said = edge.lines().join("\n");
    assert!(
        said.contains("station[0].protocol: ") && said.contains("acme.toml:12: field.stability.means.U"),
        "{said}"
    );
}
