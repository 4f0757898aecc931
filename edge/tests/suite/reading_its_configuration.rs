//! A configuration is judged as a whole, and every mistake says file, key, value and what is expected.

use crate::support::edge::{program, run};

const RIGHT: &str = r#"
data_dir = "/tmp/weighbridge-edge-test"
[server]
url = "ws://127.0.0.1:8080/api/v1/edge/link"
api_key = "wbk_1_secret"
[[station]]
id = 1
port = "serial:///dev/ttyUSB0?9600-8N1"
protocol = "and18"
[station.options]
terminator = "CRLF"
dwell_ms = 500
"#;

/// What `check` says of [`RIGHT`] with `from` replaced by `to`.
#[track_caller]
fn check(from: &str, to: &str, expected: &str) {
    assert!(RIGHT.contains(from), "{from}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("edge.toml");
    std::fs::write(&path, RIGHT.replacen(from, to, 1)).unwrap();
    let output = run(&["check", "--config", path.to_str().unwrap()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains(&format!("edge.toml: {expected}")), "{said}");
    assert!(!said.contains("wbk_1_secret"), "the key stays secret: {said}");
}

#[test]
fn a_right_configuration_is_said_without_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("edge.toml");
    std::fs::write(&path, RIGHT).unwrap();
    let output = run(&["check", "--config", path.to_str().unwrap()]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(
        said.ends_with("ok\n") && said.contains("and18") && !said.contains("secret"),
        "{said}"
    );
}

#[test]
fn mistakes_of_a_station_say_key_value_and_expectation() {
    let key = "unknown key \"protocl\" in station[0], expected \"protocol\", which is nearest";
    check("protocol =", "protocl =", key);
    check(
        "id = 1",
        "id = \"one\"",
        "station[0].id is string \"one\", expected i64",
    );
    check("id = 1", "id = 0", "station[0].id is 0, expected a number from 1 on");
    let port = "station[0].port is \"COM3\", expected serial:///dev/ttyUSB0?9600-8N1 or tcp://host:port";
    check("serial:///dev/ttyUSB0?9600-8N1", "COM3", port);
    let protocol = "station[0].protocol: \"and_18\" is no known protocol, did you mean \"and18\"?";
    check("\"and18\"", "\"and_18\"", protocol);
    check(
        "\"CRLF\"",
        "\"EOT\"",
        "station[0].options: terminator is \"EOT\", expected",
    );
    check(
        "dwell_ms = 500",
        "dwell = 500",
        "station[0].options: unknown key \"dwell\", expected",
    );
    check(
        "dwell_ms = 500",
        "dwell_ms = 0",
        "station[0].options: dwell_ms is 0, expected 1 to 60000",
    );
}

#[test]
fn mistakes_of_the_rest_say_key_value_and_expectation() {
    check(
        "data_dir =",
        "datadir =",
        "unknown key \"datadir\", expected \"data_dir\", which is nearest",
    );
    let key = "unknown key \"apikey\" in server, expected \"api_key\", which is nearest";
    check("api_key =", "apikey =", key);
    let url = "server.url is \"http://127.0.0.1:8080/api/v1/edge/link\", expected ws://host:port";
    check("ws://127", "http://127", url);
    let missing = "server.api_key is missing, expected api_key, api_key_file or WEIGHBRIDGE_EDGE__SERVER__API_KEY";
    check("api_key = \"wbk_1_secret\"", "", missing);
    check("/tmp/weighbridge-edge-test", "", "data_dir is \"\", expected a folder");
    check("data_dir =", "data_dir ", "TOML parse error");
}

#[test]
fn two_stations_share_neither_number_nor_port() {
    let second = "[[station]]\nid = 1\nport = \"serial:///dev/ttyUSB0?4800-7E1\"\nprotocol = \"and18\"\n[[station]]";
    check(
        "[[station]]",
        second,
        "station: id 1 is given twice, expected each once",
    );
    check(
        "[[station]]",
        second,
        "station: port /dev/ttyUSB0 is given twice, expected each once",
    );
}

#[test]
fn two_stations_share_no_device_by_two_of_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let (device, by_id) = (folder.path().join("ttyUSB0"), folder.path().join("by-id"));
    std::fs::write(&device, "").unwrap();
    std::os::unix::fs::symlink(&device, &by_id).unwrap();
    let (device, by_id) = (device.display(), by_id.display());
    let second = format!("serial://{device}\"\nprotocol = \"and18\"\n[[station]]\nid = 2\nport = \"serial://{by_id}");
    check(
        "serial:///dev/ttyUSB0?9600-8N1",
        &second,
        &format!("station: port {by_id} is the same device as {device}, expected each once"),
    );
}

#[test]
fn two_stations_share_no_peer_by_two_of_its_names() {
    let twice = |first: &str, second: &str| {
        let both = format!("tcp://{first}\"\nprotocol = \"and18\"\n[[station]]\nid = 2\nport = \"tcp://{second}");
        check(
            "serial:///dev/ttyUSB0?9600-8N1",
            &both,
            &format!("station: port tcp://{second} is the same device as tcp://{first}, expected each once"),
        );
    };
    twice("127.0.0.1:4001", "localhost:4001");
    twice("127.0.0.1:4001", "[::ffff:127.0.0.1]:4001");
    twice("Scale.invalid:4001", "scale.INVALID.:4001");
}

#[test]
fn a_board_names_stations_that_are_there() {
    let board =
        "[[board]]\nid = \"gate\"\naddress = \"192.168.0.50\"\nprotocol = \"plane\"\nstations = [4]\n[[station]]";
    check(
        "[[station]]",
        board,
        "board[0].address is \"192.168.0.50\", expected tcp://host:port",
    );
    check(
        "[[station]]",
        board,
        "board[0].protocol is \"plane\", expected a file such as \"board.toml\", or \"plain\", which is nearest",
    );
    check(
        "[[station]]",
        board,
        "board[0].stations names 4, expected the id of a [[station]]",
    );
}

#[test]
fn the_key_may_come_from_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("edge.toml");
    std::fs::write(&path, RIGHT.replacen("api_key = \"wbk_1_secret\"", "", 1)).unwrap();
    let mut command = program();
    command
        .args(["check", "--config"])
        .arg(&path)
        .env("WEIGHBRIDGE_EDGE__SERVER__API_KEY", "wbk_2");
    assert_eq!(command.output().unwrap().status.code(), Some(0));
}

#[test]
fn wrong_usage_and_a_missing_file_are_64() {
    let code = |arguments: &[&str]| run(arguments).status.code();
    assert_eq!(code(&["check", "--config", "/nowhere/edge.toml"]), Some(64));
    assert_eq!(code(&["run", "--config", "/nowhere/edge.toml"]), Some(64));
    assert_eq!(code(&["weigh"]), Some(64));
    assert_eq!(code(&["decode"]), Some(64));
    assert_eq!(code(&[]), Some(64));
    assert_eq!(code(&["--help"]), Some(0));
    assert_eq!(code(&["--version"]), Some(0));
}

#[test]
fn the_version_names_a_sqlite_that_does_not_corrupt() {
    let output = run(&["--version", "--json"]);
    let facts: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let version: Vec<u32> = facts["sqlite_version"]
        .as_str()
        .unwrap()
        .split('.')
        .map(|part| part.parse().unwrap())
        .collect();
    assert!(version >= vec![3, 51, 3], "{facts}");
    assert!(facts["git_hash"].is_string() && facts["build"].is_string());
}

#[test]
fn without_an_edge_the_status_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("edge.toml");
    std::fs::write(&path, RIGHT).unwrap();
    let output = run(&["status", "--config", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(74));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("no weighbridge-edge runs with data_dir")
    );
}

#[test]
fn mistakes_of_boards_and_lamps_say_key_value_and_expectation() {
    let section = |text: &str| format!("{text}\n[[station]]");
    let board = |more: &str| {
        section(&format!(
            "[[board]]\nid = \"gate\"\naddress = \"tcp://192.168.0.50:5000\"\n{more}"
        ))
    };
    check(
        "[[station]]",
        &board("protocol = \"dabit\"\nlanguage = \"kr\""),
        "board[0].language is \"kr\", expected \"ko\", which is nearest",
    );
    check(
        "[[station]]",
        &board("protocol = \"dabit\"\n[board.options]\nevery_ms = 50"),
        "board[0].options: every_ms is \"50\", expected 300 to 60000",
    );
    check(
        "[[station]]",
        &board("protocol = \"repeater\"\nstations = [1, 1]"),
        "board[0].stations is [1, 1], expected one station",
    );
    check(
        "[[station]]",
        &board("protocol = \"none.toml\""),
        "board[0].protocol is \"none.toml\", expected a readable file",
    );
    let signal = |more: &str| {
        section(&format!(
            "[[signal]]\nid = \"gate\"\nstation = 1\naddress = \"tcp://192.168.0.60:502\"\n{more}"
        ))
    };
    check(
        "[[station]]",
        &signal("red = 1\ngreen = 3"),
        "signal[0].green is 3, expected a neighbour of red (1)",
    );
    check(
        "[[station]]",
        &signal("count_from = 1\nred = 0\ngreen = 1"),
        "signal[0].red is 0, expected a number from 1 on",
    );
    check(
        "[[station]]",
        &signal("red = 0\ngreen = 1\n[signal.barrier]\nopen = 2\nclose = 3"),
        "signal[0].barrier.close is given without barrier.occupied",
    );
    check(
        "[[station]]",
        &signal("red = 0\ngreen = 1\n[signal.barrier]\nopen = 1"),
        "signal[0].barrier: a coil is given twice",
    );
}
