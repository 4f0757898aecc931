//! Programs are tested with shell scripts in their place.

use std::{fs, os::unix::fs::PermissionsExt};

use tokio::time::sleep;

use super::*;
use crate::scratch;

fn program(folder: &scratch::Folder, script: &str) -> Program {
    let path = folder.path().join("program");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    Program {
        name: "server",
        path,
        arguments: Vec::new(),
        environment: Vec::new(),
        folder: folder.path().to_owned(),
        ready_within: Duration::from_secs(20),
    }
}

#[tokio::test]
async fn a_program_is_ready_when_it_says_so_and_stops_when_asked() {
    let folder = scratch::Folder::new();
    let script = "trap 'echo bye; exit 0' TERM\necho READY pid=$$ addr=127.0.0.1:9\nwhile :; do sleep 0.02; done";
    let mut running = program(&folder, script).start();
    running.ready().await.unwrap();
    assert_eq!(running.address(), "127.0.0.1:9");
    running.stop().await.unwrap();
    assert!(!folder.path().join("server.pid").exists());
}

#[tokio::test]
async fn a_program_that_dies_is_started_again() {
    let folder = scratch::Folder::new();
    let script = "n=$(cat \"$0.count\" 2>/dev/null || echo 0)\necho $((n+1)) > \"$0.count\"\n\
        echo READY addr=127.0.0.1:$n\n[ $n -gt 0 ] || exit 3\nexec sleep 1000";
    let running = program(&folder, script).start();
    while running.address() != "127.0.0.1:1" {
        sleep(Duration::from_millis(5)).await;
    }
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_program_that_cannot_start_says_why() {
    let folder = scratch::Folder::new();
    let script = "echo the port is taken >&2; exit 64";
    let mut running = program(&folder, script).start();
    let failed = running.ready().await.unwrap_err().to_string();
    assert!(
        failed.contains("exit code 64") && failed.contains("the port is taken"),
        "{failed}"
    );
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_taken_port_gives_way_to_a_free_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = listener.local_addr().unwrap();
    let free = free_address(taken).await.unwrap();
    assert_ne!(free.port(), taken.port());
    assert_eq!(free.ip(), taken.ip());
}
