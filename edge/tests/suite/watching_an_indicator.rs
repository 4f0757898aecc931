//! `monitor`: what comes in is shown live, in a terminal or as lines, and the terminal is given back.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    process::Stdio,
    time::Duration,
};

use nix::{
    sys::{
        signal::{Signal, kill},
        termios::{LocalFlags, SetArg, tcgetattr, tcsetattr},
    },
    unistd::Pid,
};

use crate::support::{
    SOON, Site,
    edge::{program, run},
    line::pair,
};

fn arguments(site: &Site) -> [String; 7] {
    let port = site.deck.device.display().to_string();
    [
        "monitor",
        "--port",
        &port,
        "--protocol",
        "and18",
        "--set",
        "dwell_ms=100",
    ]
    .map(str::to_owned)
}

#[test]
fn what_is_piped_is_a_line_for_everything_that_comes() {
    let site = Site::new();
    let mut child = program().args(arguments(&site)).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    site.deck.weighs(18_340);
    let mut until = |text: &str| {
        lines
            .by_ref()
            .map(Result::unwrap)
            .find(|line| line.contains(text))
            .unwrap()
    };
    assert!(until("18340 kg stable").ends_with("ST,GS,+0018340kg<0D><0A>"));
    until("\"event\":\"settled\",\"kg\":\"18340.00\"");
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_terminal_shows_the_picture_and_is_given_back_on_q() {
    let site = Site::new();
    site.deck.weighs(18_340);
    let (master, slave, _) = pair();
    // As a shell leaves it: lines, echoed.
    let cooked = LocalFlags::ICANON | LocalFlags::ECHO;
    let mut settings = tcgetattr(&slave).unwrap();
    settings.local_flags |= cooked;
    tcsetattr(&slave, SetArg::TCSANOW, &settings).unwrap();
    let mut child = program()
        .args(arguments(&site))
        .stdin(slave.try_clone().unwrap())
        .stdout(slave.try_clone().unwrap())
        .spawn()
        .unwrap();
    let mut terminal = File::from(std::os::fd::OwnedFd::from(master));
    let mut shown = Vec::new();
    let began = std::time::Instant::now();
    let mut asked = false;
    let code = loop {
        let mut bytes = [0; 4096];
        if let Ok(count) = terminal.read(&mut bytes) {
            shown.extend(&bytes[..count]);
        }
        if !asked && String::from_utf8_lossy(&shown).contains("18340 kg stable") {
            terminal.write_all(b"q").unwrap();
            asked = true;
        }
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        assert!(began.elapsed() < SOON, "{}", String::from_utf8_lossy(&shown));
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut rest = [0; 4096];
    if let Ok(count) = terminal.read(&mut rest) {
        shown.extend(&rest[..count]);
    }
    let shown = String::from_utf8_lossy(&shown).into_owned();
    assert_eq!(code, Some(0), "{shown}");
    for expected in ["\x1b[?1049h", "rates", "curve", "q leaves", "\x1b[?25h", "\x1b[?1049l"] {
        assert!(shown.contains(expected), "{expected:?}");
    }
    assert!(tcgetattr(&slave).unwrap().local_flags.contains(cooked));
}

#[test]
fn a_port_that_the_running_edge_holds_is_refused_with_what_to_do() {
    let site = Site::new();
    let edge = site.start();
    edge.until_logged("port of station 1 is open");
    let arguments = arguments(&site);
    let output = run(&arguments.each_ref().map(String::as_str));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(74), "{said}");
    assert!(
        said.contains("is held by another process") && said.contains("systemctl stop weighbridge-edge"),
        "{said}"
    );
}

#[test]
fn whoever_reads_only_the_first_line_is_no_failure() {
    for arguments in [
        ["protocols"].as_slice(),
        &["check", "--protocol", "cas22"],
        &["detect", "--json", "/dev/null"],
    ] {
        let mut child = program()
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            !said.contains("panicked") && output.status.code().is_some_and(|code| code <= 1),
            "{said}"
        );
    }
}
