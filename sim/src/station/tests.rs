//! Stations are tested through the port, as the edge sees them.

use std::{fs::File, io::Read, os::unix::fs::OpenOptionsExt, path::Path, time::Duration};

use nix::libc::O_NOCTTY;
use tokio::time::{Instant, sleep, timeout};

use super::*;

fn spec(folder: &Path, format: Format) -> StationSpec {
    StationSpec {
        id: 1,
        format,
        calibration: Calibration::default(),
        rate_hz: 50,
        line: Line { baud: Some(115_200) },
        port: folder.join("station-1"),
    }
}

fn open(port: &Path) -> std::io::Result<File> {
    File::options().read(true).write(true).custom_flags(O_NOCTTY).open(port)
}

/// Reads until `wanted` has come.
async fn hear(mut port: File, wanted: &'static [u8]) -> (File, Vec<u8>, usize) {
    let reading = tokio::task::spawn_blocking(move || {
        let (mut heard, mut chunk, mut reads) = (Vec::new(), [0; 4096], 0);
        while !heard.windows(wanted.len()).any(|bytes| bytes == wanted) {
            let count = port.read(&mut chunk).unwrap();
            assert_ne!(count, 0, "the line was cut");
            heard.extend_from_slice(&chunk[..count]);
            reads += 1;
        }
        (port, heard, reads)
    });
    timeout(Duration::from_secs(20), reading).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_weight_on_the_deck_trickles_out_of_the_port() {
    let folder = crate::scratch::Folder::new();
    let slow = StationSpec {
        line: Line::default(),
        ..spec(folder.path(), Format::Cas22)
    };
    let station = Station::start(slow, Chance::of_seed(1)).unwrap();
    station.lay(Kilograms::from_whole(18_340));
    let port = open(&folder.path().join("station-1")).unwrap();
    let (_, heard, reads) = hear(port, b" kg\r\n").await;
    assert!(reads > 3, "{} bytes came in {reads} reads", heard.len());
    let port = open(&folder.path().join("station-1")).unwrap();
    hear(port, b"00018340 kg\r\n").await;
    let mut sent = station.sent();
    let weight = Kilograms::from_whole(18_340);
    sent.wait_for(|sent| sent.is_some_and(|sent| sent.shown.weight == weight))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_unplugged_port_is_gone_and_comes_back_under_its_name() {
    let folder = crate::scratch::Folder::new();
    let name = folder.path().join("station-1");
    let station = Station::start(spec(folder.path(), Format::And18), Chance::of_seed(1)).unwrap();
    let (mut port, ..) = hear(open(&name).unwrap(), b"kg\r\n").await;
    station.change(Fault::Unplug);
    let ended = tokio::task::spawn_blocking(move || {
        let mut chunk = [0; 4096];
        while port.read(&mut chunk).is_ok_and(|count| count > 0) {}
    });
    timeout(Duration::from_secs(10), ended).await.unwrap().unwrap();
    assert!(open(&name).is_err());
    station.change(Fault::Plug);
    let again = loop {
        match open(&name) {
            Ok(port) => break port,
            Err(_) => sleep(Duration::from_millis(2)).await,
        }
    };
    hear(again, b"kg\r\n").await;
    station.stop().await;
    assert!(std::fs::symlink_metadata(&name).is_err(), "the name is left behind");
}

#[tokio::test]
async fn an_indicator_that_answers_says_nothing_until_it_is_asked() {
    use std::io::Write;
    let folder = crate::scratch::Folder::new();
    let _station = Station::start(spec(folder.path(), Format::SewhaRcwt), Chance::of_seed(1)).unwrap();
    let mut port = open(&folder.path().join("station-1")).unwrap();
    sleep(Duration::from_millis(100)).await;
    port.write_all(b"\x0201RCWT\x03").unwrap();
    let (_, heard, _) = hear(port, b"kg\x03").await;
    assert_eq!(
        heard.split(|byte| *byte == 0x02).count(),
        2,
        "one answer to one question"
    );
}

#[tokio::test]
async fn a_stopped_reader_gets_the_present_and_not_the_past() {
    let folder = crate::scratch::Folder::new();
    let station = Station::start(spec(folder.path(), Format::Cas10), Chance::of_seed(1)).unwrap();
    station.lay(Kilograms::from_whole(5000));
    let mut shown = station.shown();
    shown
        .wait_for(|shown| shown.weight == Kilograms::from_whole(5000))
        .await
        .unwrap();
    station.lay(Kilograms::ZERO);
    shown.wait_for(|shown| shown.weight == Kilograms::ZERO).await.unwrap();
    let opened_at = Instant::now();
    let (_, heard, _) = hear(open(&folder.path().join("station-1")).unwrap(), b"00000000\r\n").await;
    assert!(
        !heard.windows(8).any(|bytes| bytes == b"00005000"),
        "old frames after {:?}",
        opened_at.elapsed()
    );
}
