//! The disk is full, damaged or taken: nothing that was told is lost, and what cannot be kept is refused.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::FileExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use weighbridge_edge::{
    buffer::{BufferError, BufferFile, Draft},
    clock::Clock,
};
use weighbridge_protocol::{
    CycleId, Kilograms,
    link::{EventKind, event::Capture},
    scale::{CaptureSettings, Scale},
};

use crate::support::{
    Board, Server, Site,
    disk::{SmallDisk, fill, fill_but},
    edge::Edge,
    eventually,
    server::State,
};

#[test]
fn a_full_disk_refuses_where_everyone_sees_it_and_weighs_again_when_space_returns() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mounted_at(folder.path(), 16) else {
        eprintln!("left out: this user may not mount a small disk; the buffer's own tests fill a file instead");
        return;
    };
    let (server, board) = (Server::new(), Board::new());
    let site = Site::new()
        .with_data_in(&folder.path().join("data"))
        .linked_to(&server)
        .with_board(&board);
    let edge = site.start();
    let filler = folder.path().join("filler");
    let mut told = 0;
    let refused = loop {
        fill(&filler);
        site.deck.weighs(18_340);
        let refused = eventually("told or refused", || match edge.told("committed").len() {
            count if count > told => Some(false),
            _ => (board.text() == "저장불가").then_some(true),
        });
        told = edge.told("committed").len();
        if refused {
            break true;
        }
        assert!(told < 500, "a disk of 16 MiB is full in time");
        site.deck.weighs(0);
        eventually("off the deck", || (!board.text().starts_with("저장 ")).then_some(()));
    };
    assert!(refused && site.status()["refusing"] == true);

    std::fs::remove_file(&filler).unwrap();
    edge.until_committed(told + 1);
    board.until_shows("저장 18340 kg");
    server.until_captures(told + 1);
    assert_eq!(
        server.captures().len(),
        told + 1,
        "what was told is at the server, and nothing else"
    );
    assert_eq!(edge.end(), 0);
    drop(disk);
}

#[test]
fn a_disk_full_of_events_weighs_again_when_the_server_has_them() {
    for kilobytes_left in [0, 64] {
        drain_a_disk_full_of_events(kilobytes_left);
    }
}

/// What an acknowledgement needs to be written down is there, whatever other programs leave.
fn drain_a_disk_full_of_events(kilobytes_left: u64) {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mounted_at(folder.path(), 16) else {
        eprintln!("left out: this user may not mount a small disk");
        return;
    };
    let data_dir = folder.path().join("data");
    let count = fill_with_events(&data_dir);
    let filler = folder.path().join("filler");
    fill_but(&filler, kilobytes_left);
    let server = Server::with(State {
        refuses: true,
        ..State::default()
    });
    let site = Site::new().with_data_in(&data_dir).linked_to(&server);
    let edge = site.start();
    site.deck.weighs(18_340);
    eventually("refusing", || (site.status()["refusing"] == true).then_some(()));
    assert!(edge.told("committed").is_empty());
    server.change(|state| state.refuses = false);
    // An edge that was refused comes back after half a minute; one that starts comes at once.
    edge.kill();
    let edge = site.start();
    site.until_all_acknowledged();
    edge.until_committed(1);
    assert_eq!(
        server.until_captures(count + 1).len(),
        count + 1,
        "nothing unsent was dropped"
    );
    assert_eq!(edge.end(), 0);
    drop(disk);
}

#[test]
fn an_edge_that_was_killed_starts_on_a_full_disk_and_sends_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mounted_at(folder.path(), 40) else {
        eprintln!("left out: this user may not mount a small disk");
        return;
    };
    let data_dir = folder.path().join("data");
    let site = Site::new().with_data_in(&data_dir);
    let edge = site.start();
    site.deck.weighs(18_340);
    edge.until_committed(1);
    site.deck.weighs(0);
    site.until_deck_is("empty");
    edge.kill();
    let filler = folder.path().join("filler");
    fill(&filler);

    let (server, board) = (Server::new(), Board::new());
    let site = site.linked_to(&server).with_board(&board);
    let edge = site.start();
    server.until_captures(1);
    site.until_all_acknowledged();
    site.deck.weighs(20_120);
    board.until_shows("저장불가");
    edge.until_logged(&format!("the disk of {} is full", data_dir.display()));
    assert!(site.status()["refusing"] == true && edge.told("committed").is_empty());

    std::fs::remove_file(&filler).unwrap();
    board.until_shows("저장 20120 kg");
    server.until_captures(2);
    assert!(data_dir.join("ballast").exists(), "space is set aside again");
    assert_eq!(edge.end(), 0);
    drop(disk);
}

#[test]
fn a_damaged_file_waits_where_it_is_for_the_space_that_its_salvage_takes() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mounted_at(folder.path(), 40) else {
        eprintln!("left out: this user may not mount a small disk");
        return;
    };
    let server = Server::new();
    let site = Site::new().with_data_in(&folder.path().join("data")).linked_to(&server);
    std::fs::create_dir(site.data_dir()).unwrap();
    let (mut file, _) = BufferFile::open(site.data_dir(), Clock::of_this_machine().unwrap().boot()).unwrap();
    for cycle in 0..20 {
        commit_capture(&mut file, cycle).unwrap();
    }
    drop(file);
    let path = site.data_dir().join("buffer.db");
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let pages = file.metadata().unwrap().len() / 4096;
    file.write_all_at(&[0xA5; 4096], (pages - 1) * 4096).unwrap();
    File::create(site.data_dir().join("check-at-next-start")).unwrap();
    std::fs::remove_file(site.data_dir().join("ballast")).unwrap();
    std::fs::remove_file(site.data_dir().join("buffer.db-wal")).unwrap();
    let filler = folder.path().join("filler");
    // Enough to open the file, and not for another one.
    fill_but(&filler, 128);
    let mut edge = site.launch();
    assert_eq!(edge.finished(), 74);
    edge.until_logged("is full; free space on it");

    std::fs::remove_file(&filler).unwrap();
    let _edge = site.start();
    let salvaged = site.status()["salvaged"].clone();
    let kept = usize::try_from(salvaged["kept"].as_u64().unwrap()).unwrap();
    assert!(kept > 0, "{salvaged}");
    server.until_captures(kept);
    drop(disk);
}

#[test]
fn an_edge_that_finds_no_space_at_all_says_where_to_make_some() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mounted_at(folder.path(), 16) else {
        eprintln!("left out: this user may not mount a small disk");
        return;
    };
    let data_dir = folder.path().join("data");
    let site = Site::new().with_data_in(&data_dir);
    assert_eq!(site.start().end(), 0);
    std::fs::remove_file(data_dir.join("ballast")).unwrap();
    std::fs::remove_file(data_dir.join("buffer.db-wal")).unwrap();
    fill(&folder.path().join("filler"));
    let mut edge = site.launch();
    assert_eq!(edge.finished(), 74);
    edge.until_logged(&format!("the disk of {} is full; free space on it", data_dir.display()));
    drop(disk);
}

/// As many captures as the disk takes.
fn fill_with_events(data_dir: &Path) -> usize {
    std::fs::create_dir(data_dir).unwrap();
    let (mut file, _) = BufferFile::open(data_dir, Clock::of_this_machine().unwrap().boot()).unwrap();
    for count in 0.. {
        match commit_capture(&mut file, count) {
            Ok(()) => (),
            Err(BufferError::Full) => return count.try_into().unwrap(),
            Err(error) => panic!("{error:?}"),
        }
    }
    unreachable!("a disk is full in time")
}

fn commit_capture(file: &mut BufferFile, cycle: u128) -> Result<(), BufferError> {
    let clock = Clock::of_this_machine().unwrap();
    let draft = Draft {
        station_id: 1,
        cycle: Some(CycleId::from_bits(cycle)),
        at: clock.now(),
        kind: EventKind::Capture(Capture {
            weight: Kilograms::from_whole(18_340),
            gap: false,
            on_mono_ms: 0,
            raw: "00".repeat(9000),
            curve: Vec::new(),
            curve_steps: Vec::new(),
        }),
    };
    let scale = Scale::new(CaptureSettings::default(), clock.boot());
    file.commit(&[draft], 1, &scale).map(|_| ())
}

#[test]
fn a_disk_that_fails_to_sync_ends_the_edge_and_the_next_one_weighs_the_truck_once() {
    if !Command::new("strace")
        .arg("-V")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        eprintln!("left out: strace is not there");
        return;
    }
    let site = Site::new();
    let mut edge = site.start();
    let mut tracer = Tracer::on(&edge, &["-e", "inject=fdatasync,fsync:error=EIO"]);
    site.deck.weighs(18_340);
    assert_eq!(edge.finished(), 74);
    tracer.end();
    assert!(
        edge.told("committed").is_empty(),
        "what may not be on the disk is not told"
    );
    edge.until_logged("the buffer's disk failed");
    let edge = site.start();
    edge.until_committed(1);
    edge.kill();
    let captures = site
        .events()
        .iter()
        .filter(|event| event.kind.name() == "capture")
        .count();
    assert_eq!(captures, 1);
}

/// strace on every thread of an edge.
struct Tracer {
    process: Child,
    log: tempfile::NamedTempFile,
}

impl Tracer {
    fn on(edge: &Edge, arguments: &[&str]) -> Self {
        let pid = edge.pid().to_string();
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut command = Command::new("strace");
        command
            .arg("-f")
            .args(arguments)
            .arg("-o")
            .arg(log.path())
            .args(["-p", &pid])
            .stderr(Stdio::null());
        let process = command.spawn().unwrap();
        eventually("every thread is watched", || {
            let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
            let mut states =
                threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap());
            states.all(|state| !state.contains("TracerPid:\t0\n")).then_some(())
        });
        Self { process, log }
    }

    /// What it has seen.
    fn end(&mut self) -> String {
        // It ends with what it watches.
        let _ = self.process.kill();
        self.process.wait().unwrap();
        std::fs::read_to_string(self.log.path()).unwrap()
    }
}

#[test]
fn a_damaged_file_is_set_aside_and_what_is_whole_of_it_still_arrives() {
    let server = Server::new();
    let mut site = Site::new();
    let edge = site.start();
    for count in 1..=5 {
        site.deck.weighs(18_340);
        edge.until_committed(count);
        site.deck.weighs(0);
        site.until_deck_is("empty");
    }
    let epoch = site.status()["epoch"].clone();
    assert_eq!(edge.end(), 0);
    let before = site.events();
    let file = OpenOptions::new()
        .write(true)
        .open(site.data_dir().join("buffer.db"))
        .unwrap();
    let pages = file.metadata().unwrap().len() / 4096;
    file.write_all_at(&[0xA5; 4096], (pages - 1) * 4096).unwrap();
    File::create(site.data_dir().join("check-at-next-start")).unwrap();

    site = site.linked_to(&server);
    let edge = site.start();
    edge.until_logged("the buffer file was damaged");
    let status = site.status();
    let counted = |what: &str| usize::try_from(status["salvaged"][what].as_u64().unwrap()).unwrap();
    assert_ne!(status["epoch"], epoch);
    assert_eq!(counted("kept") + counted("lost"), before.len());
    site.until_linked();
    site.until_all_acknowledged();
    assert_eq!(
        server.change(|state| state.events.keys().filter(|id| epoch == id.epoch.to_string()).count()),
        counted("kept")
    );
    assert!(Path::new(status["salvaged"]["set_aside"].as_str().unwrap()).exists());
}

#[test]
fn a_second_edge_on_the_same_directory_is_sent_away() {
    let site = Site::new();
    let first = site.start();
    let mut second = site.launch();
    assert_eq!(second.finished(), 74);
    second.until_logged("is in use by another weighbridge-edge (process");
    site.deck.weighs(18_340);
    first.until_committed(1);
}

#[test]
fn every_commit_is_forced_to_the_disk() {
    if !Command::new("strace")
        .arg("-V")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        eprintln!("left out: strace is not there; the buffer's own test reads the setting");
        return;
    }
    let site = Site::new();
    let edge = site.start();
    let mut tracer = Tracer::on(&edge, &["-e", "trace=fdatasync,fsync"]);
    site.deck.weighs(18_340);
    edge.until_committed(1);
    let syncs = tracer.end().lines().filter(|line| line.contains("sync(")).count();
    assert!(
        syncs >= 2,
        "vehicle_on and capture are two commits, forced {syncs} times"
    );
}
