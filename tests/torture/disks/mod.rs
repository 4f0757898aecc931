//! SF-09 to SF-11: the edge's disk fills, fails, and loses what was not synced.
//!
//! - [`power`]: power cuts, replayed from a recording

mod power;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use tokio::time::{Instant, sleep};
use uuid::Uuid;
use weighbridge_edge::buffer::BufferFile;
use weighbridge_protocol::link::Store;
use weighbridge_sim::{chance::Chance, yard::YardEvent};

use self::power::{RECORDED, Recording, Survives, Told};
use crate::{
    frame::Case,
    yard::{
        judgement::{drained, judge},
        proxy::{Cut, Proxy},
        twin::copy,
        world::{Spec, World},
    },
};

/// What a full disk says on the board.
const REFUSED: &str = "저장불가";
const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_fails_or_loses_power_costs_nothing_that_was_told() {
    let case = Case::begin("SF-10").await;
    let spec = Spec::of(&case).await;
    let proxy = Proxy::before(spec.listen, case.chance());
    let front = Some(proxy.address);
    let mut world = World::start(Spec { front, ..spec }).await;
    power_cuts(&mut world, case).await;
    failing_calls(&mut world, Case::begin("SF-11").await).await;
    full_disk(&mut world, &proxy, Case::begin("SF-09").await).await;
    world.stop().await;
}

/// Every moment of a recording is a power cut, and every board-confirmed event is in the file that is left.
async fn power_cuts(world: &mut World, mut case: Case) {
    if !is_there("strace") {
        return case.left_out("strace is not there");
    }
    let log = world.folder().join("recording");
    let log_path = log.display().to_string();
    world.edge.kill();
    fs::remove_dir_all(world.edge_data()).unwrap();
    let under = [
        "strace", "-D", "-f", "-y", "-xx", "-s", "1048576", "-e", RECORDED, "-o", &log_path,
    ];
    world.edge.start_under(&under);
    world.edge.start_again();
    world.edge.ready().await;
    world.empty_decks().await;
    world.rounds(case.pick(3, 60)).await;
    world.edge.kill();
    until_written(&log).await;
    let recording = Recording::read(&log, &world.edge_data());
    case.did("syncs recorded", recording.syncs());
    let mut chance = case.chance();
    let image = world.folder().join("crash");
    let most = u64::try_from(recording.len()).unwrap();
    for point in 0..case.pick(60, 500) {
        let until = usize::try_from(chance.below(most + 1)).unwrap();
        let survives = [Survives::Nothing, Survives::All, Survives::Some][point % 3];
        let told = cut_at(
            &recording,
            until,
            survives,
            case.seed + u64::try_from(point).unwrap(),
            &image,
        );
        case.did("power cuts", 1);
        case.did("told before them", told);
    }
    // The edge goes on with what the last moment leaves.
    fs::remove_dir_all(world.edge_data()).unwrap();
    cut_at(&recording, recording.len(), Survives::Nothing, case.seed, &image);
    copy(&image, &world.edge_data());
    world.edge.start_under(&[]);
    world.edge.start_again();
    world.edge.ready().await;
    judge(world, &mut case).await;
    case.passed();
}

/// Opens the image as the edge does, and looks for what had been told. Answers how many that were.
fn cut_at(recording: &Recording, until: usize, survives: Survives, seed: u64, image: &Path) -> usize {
    // What lay there before is another power cut's.
    fs::remove_dir_all(image).unwrap_or_default();
    fs::create_dir(image).unwrap();
    let told = recording.cut_at(until, survives, Chance::of_seed(seed), image);
    let (file, opened) = BufferFile::open(image, Uuid::nil()).unwrap();
    assert!(
        opened.salvaged.is_none(),
        "a power cut behind step {until} ({survives:?}) damaged the file: {opened:?}"
    );
    for Told { epoch, seq, .. } in &told {
        let kept = file.next_row(epoch.parse().unwrap(), *seq).unwrap();
        assert_eq!(
            kept.map(|event| event.seq),
            Some(*seq),
            "told before a power cut behind step {until} ({survives:?}), and gone after it"
        );
    }
    told.len()
}

/// One system call fails. A failed sync or a failing disk ends the edge with 74, a full one does not; the truck is
/// weighed once in any case.
async fn failing_calls(world: &mut World, mut case: Case) {
    if !is_there("strace") {
        return case.left_out("strace is not there");
    }
    let kinds = [
        ("fdatasync,fsync", "EIO"),
        ("pwrite64", "EIO"),
        ("pwrite64", "ENOSPC"),
        ("fdatasync,fsync", "ENOSPC"),
    ];
    let (most, step) = case.pick((60, 15), (200, 3));
    for (number, call) in (1..=most).step_by(step).enumerate() {
        let (calls, error) = kinds[number % kinds.len()];
        let log = world.folder().join(format!("failing-{number}"));
        let (log_path, trace) = (log.display().to_string(), format!("trace={calls}"));
        let inject = format!("inject={calls}:error={error}:when={call}");
        drained(world).await;
        world.edge.kill();
        let under = [
            "strace",
            "-D",
            "-f",
            "--seccomp-bpf",
            "-y",
            "-e",
            &trace,
            "-e",
            &inject,
            "-o",
            &log_path,
        ];
        world.edge.start_under(&under);
        world.edge.start_again();
        let yard = Arc::clone(&world.site.yard);
        let mut weighing = tokio::spawn(World::weigh_everywhere(yard, u32::try_from(number).unwrap()));
        let began = Instant::now();
        let ended = loop {
            if let Some(status) = world.edge.ended() {
                break Some(status);
            }
            if weighing.is_finished() {
                break None;
            }
            assert!(began.elapsed() < SOON * 2, "{call}: {}", world.edge.log_tail());
            sleep(Duration::from_millis(10)).await;
        };
        let injected = || {
            fs::read_to_string(&log)
                .unwrap_or_default()
                .matches("(INJECTED)")
                .count()
        };
        // The truck may be told in the instant in which the edge begins to end.
        let ended = match ended {
            None if injected() > 0 && error != "ENOSPC" => Some(world.edge.until_ended().await),
            ended => ended,
        };
        let injected = injected();
        case.did("faults injected", injected);
        if let Some(status) = ended {
            assert_eq!(status.code(), Some(74), "{call} {error}: {}", world.edge.log_tail());
            case.did("ends with 74", 1);
        } else {
            world.edge.kill();
        }
        world.edge.start_under(&[]);
        world.edge.start_again();
        world.edge.ready().await;
        (&mut weighing).await.unwrap();
    }
    judge(world, &mut case).await;
    case.passed();
}

/// Without a link and without space nothing is told that is not kept, and both come back by themselves.
async fn full_disk(world: &mut World, proxy: &Proxy, mut case: Case) {
    drained(world).await;
    world.edge.kill();
    let data = world.edge_data();
    fs::remove_dir_all(&data).unwrap();
    fs::create_dir(&data).unwrap();
    let Some(disk) = SmallDisk::mounted_at(&data) else {
        return case.left_out("this user may not mount a small disk");
    };
    proxy.open(false);
    proxy.cut(Cut::Closed);
    world.edge.start_again();
    world.edge.ready().await;
    world.empty_decks().await;
    world.rounds(case.pick(1, 20)).await;
    let mut news = world.site.yard.events();
    fill(&data.join("filler"));
    let visit = u32::try_from(world.site.yard.truth().len()).unwrap();
    let weighing = tokio::spawn(World::weigh_everywhere(Arc::clone(&world.site.yard), visit));
    let refused = async {
        let mut screen = world.site.yard.board(0).unwrap().screen();
        let refuses = |screen: &weighbridge_sim::board::Screen| screen.lines.iter().any(|line| line.contains(REFUSED));
        screen.wait_for(refuses).await.unwrap();
    };
    assert!(
        tokio::time::timeout(SOON, refused).await.is_ok(),
        "{}",
        world.edge.log_tail()
    );
    case.did("refusals shown", 1);
    while let Ok(event) = news.try_recv() {
        assert!(
            !matches!(event, YardEvent::Confirmed(_)),
            "told on a full disk: {event:?}"
        );
    }
    let began = Instant::now();
    fs::remove_file(data.join("filler")).unwrap();
    weighing.await.unwrap();
    case.recovered(began.elapsed());
    proxy.open(true);
    judge(world, &mut case).await;
    world.edge.kill();
    drop(disk);
    world.edge.start_again();
    world.edge.ready().await;
    case.passed();
}

/// Waits until strace has written all that it saw of a process that was killed.
async fn until_written(log: &Path) {
    let began = Instant::now();
    loop {
        let text = fs::read_to_string(log).unwrap_or_default();
        if text.trim_end().ends_with("+++ killed by SIGKILL +++") {
            return;
        }
        assert!(began.elapsed() < SOON, "the recording has no end");
        sleep(Duration::from_millis(50)).await;
    }
}

fn is_there(program: &str) -> bool {
    Command::new(program)
        .arg("-V")
        .output()
        .is_ok_and(|output| output.status.success())
}

/// 16 MiB, until it is dropped.
#[derive(Debug)]
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mounted_at(folder: &Path) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"])
            .arg(folder)
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then(|| Self(folder.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

/// Fills the disk to its last byte.
fn fill(path: &Path) {
    use std::io::Write;

    let mut file = fs::File::create(path).unwrap();
    let mut piece = vec![0x55; 65_536];
    while !piece.is_empty() {
        if file.write(&piece).is_err() {
            piece.truncate(piece.len() / 2);
        }
    }
}
