//! The private PostgreSQL: made once, found again after a crash, started again when it dies, and nobody else's.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::Shutdown,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    },
    path::Path,
    process::{Command, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use secrecy::ExposeSecret;
use weighbridge::db::embedded::{Embedded, EmbeddedError};

use crate::support::folder::Folder;

const FAST: [&str; 1] = ["fsync=off"];
const SOON: Duration = Duration::from_secs(20);

/// Runs SQL and answers its first field as text, once the database can be reached.
fn ask(embedded: &Embedded, sql: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let deadline = Instant::now() + SOON;
        loop {
            match tokio_postgres::connect(embedded.url().expose_secret(), tokio_postgres::NoTls).await {
                Ok((client, connection)) => {
                    tokio::spawn(connection);
                    let rows = client.simple_query(sql).await.unwrap();
                    return rows.iter().find_map(first_field).unwrap_or_default();
                }
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
        }
    })
}

fn first_field(message: &tokio_postgres::SimpleQueryMessage) -> Option<String> {
    match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }
}

fn postmaster(data_dir: &Path) -> Option<Pid> {
    let pid_file = fs::read_to_string(data_dir.join("postgres/postmaster.pid")).ok()?;
    Some(Pid::from_raw(pid_file.lines().next()?.parse().ok()?))
}

fn is_alive(pid: Pid) -> bool {
    // Where nobody reaps orphans, one that has ended stays as a zombie.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[test]
fn it_is_made_once_and_keeps_what_it_is_told() {
    let folder = Folder::new();
    let embedded = Embedded::start(folder.path(), &FAST).unwrap();
    let pid = postmaster(folder.path()).unwrap();
    ask(&embedded, "CREATE TABLE kept AS SELECT 42 AS answer");
    embedded.stop().unwrap();
    assert!(!is_alive(pid), "stopped with the server");

    let again = Embedded::start(folder.path(), &FAST).unwrap();
    assert!(!again.was_adopted());
    assert_eq!(ask(&again, "SELECT answer FROM kept"), "42");
    assert_ne!(postmaster(folder.path()).unwrap(), pid);
}

#[test]
fn it_is_started_again_when_it_dies() {
    let folder = Folder::new();
    let embedded = Embedded::start(folder.path(), &FAST).unwrap();
    ask(&embedded, "CREATE TABLE kept AS SELECT 42 AS answer");
    let pid = postmaster(folder.path()).unwrap();
    kill(pid, Signal::SIGKILL).unwrap();
    let deadline = Instant::now() + SOON;
    while embedded.restarts() == 0 {
        assert!(Instant::now() < deadline);
    }
    assert_eq!(ask(&embedded, "SELECT answer FROM kept"), "42");
    embedded.stop().unwrap();
}

#[test]
fn a_second_server_is_refused_its_data_dir() {
    let folder = Folder::new();
    let _embedded = Embedded::start(folder.path(), &FAST).unwrap();
    let error = Embedded::start(folder.path(), &FAST).unwrap_err();
    let expected = std::process::id().to_string();
    assert!(
        matches!(&error, EmbeddedError::InUse { holder, .. } if *holder == expected),
        "{error}"
    );
}

#[test]
fn nobody_else_may_reach_it() {
    let folder = Folder::new();
    let embedded = Embedded::start(folder.path(), &FAST).unwrap();
    for secret in ["postgres.password", "database.url"] {
        let mode = fs::metadata(folder.path().join(secret)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    let socket_dir = fs::metadata(folder.path().join("postgres.socket")).unwrap();
    assert_eq!(socket_dir.mode() & 0o777, 0o700);
    assert_eq!(ask(&embedded, "SHOW listen_addresses"), "");
    let wrong = embedded.url().expose_secret().replace("weighbridge:", "weighbridge:x");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let error = runtime
        .block_on(tokio_postgres::connect(&wrong, tokio_postgres::NoTls))
        .err()
        .unwrap();
    assert!(
        error.as_db_error().unwrap().message().contains("authentication"),
        "{error}"
    );
}

#[test]
fn a_data_dir_with_a_long_path_has_its_socket_elsewhere() {
    let folder = Folder::new();
    let deep = folder.path().join("d".repeat(120));
    fs::create_dir(&deep).unwrap();
    let embedded = Embedded::start(&deep, &FAST).unwrap();
    assert_eq!(ask(&embedded, "SELECT 42"), "42");
    let socket_dir = ask(&embedded, "SHOW unix_socket_directories");
    embedded.stop().unwrap();
    fs::remove_dir(socket_dir).unwrap();
}

/// Not a test of its own: the server that the test below kills.
#[test]
fn a_server_to_be_killed() {
    let Some(data_dir) = env::var_os("WEIGHBRIDGE_TEST_SERVE_AND_DIE") else {
        return;
    };
    let embedded = Embedded::start(Path::new(&data_dir), &FAST).unwrap();
    ask(&embedded, "CREATE TABLE kept AS SELECT 42 AS answer");
    println!("SERVING");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// A PostgreSQL that a server which was killed has left behind.
fn orphan(folder: &Folder) -> Pid {
    let mut server = Command::new(env::current_exe().unwrap())
        .args(["owning_a_postgresql::a_server_to_be_killed", "--exact", "--nocapture"])
        .env("WEIGHBRIDGE_TEST_SERVE_AND_DIE", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines();
    assert!(lines.map(Result::unwrap).any(|line| line.contains("SERVING")));
    let pid = postmaster(folder.path()).unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(is_alive(pid), "it outlives its server");
    pid
}

#[test]
fn it_is_taken_over_after_its_server_was_killed() {
    let folder = Folder::new();
    let pid = orphan(&folder);
    let embedded = Embedded::start(folder.path(), &FAST).unwrap();
    assert!(embedded.was_adopted());
    assert_eq!(ask(&embedded, "SELECT answer FROM kept"), "42");
    embedded.stop().unwrap();
    assert!(!is_alive(pid), "and ends with the one that took it over");
}

/// Stands before the socket of `pid` and passes everything on, until `word` is asked of it: then `pid` is killed.
fn kill_when_asked(folder: &Folder, pid: Pid, word: &'static str) -> JoinHandle<()> {
    let socket = folder.path().join("postgres.socket/.s.PGSQL.5432");
    let behind = socket.with_file_name("behind");
    fs::rename(&socket, &behind).unwrap();
    let listener = UnixListener::bind(&socket).unwrap();
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut server = UnixStream::connect(&behind).unwrap();
        let (mut answers, mut to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let answering = thread::spawn(move || io::copy(&mut answers, &mut to_client).unwrap_or_default());
        let mut asked = [0; 8192];
        while let Ok(count @ 1..) = client.read(&mut asked) {
            if String::from_utf8_lossy(&asked[..count]).contains(word) {
                kill(pid, Signal::SIGKILL).unwrap();
                break;
            }
            server.write_all(&asked[..count]).unwrap();
        }
        drop(client);
        server.shutdown(Shutdown::Both).unwrap_or_default();
        answering.join().unwrap();
    })
}

#[test]
fn one_that_is_killed_while_it_is_taken_over_is_started_anew() {
    let folder = Folder::new();
    let pid = orphan(&folder);
    let killing = kill_when_asked(&folder, pid, "pg_database");
    let embedded = Embedded::start(folder.path(), &FAST).unwrap();
    killing.join().unwrap();
    assert!(embedded.was_adopted());
    assert!(embedded.restarts() > 0);
    assert_eq!(ask(&embedded, "SELECT answer FROM kept"), "42");
    assert_ne!(postmaster(folder.path()).unwrap(), pid);
}

/// As a start finds it in the instant in which another server's PostgreSQL takes the directory: its file says nothing yet.
#[test]
fn one_that_was_faster_is_stopped_with_the_server_too() {
    let folder = Folder::new();
    let pid = orphan(&folder);
    let pid_file = folder.path().join("postgres/postmaster.pid");
    let written = fs::read(&pid_file).unwrap();
    fs::write(&pid_file, "").unwrap();
    let embedded = Embedded::start(folder.path(), &FAST).unwrap();
    fs::write(&pid_file, written).unwrap();
    assert!(!embedded.was_adopted());
    assert_eq!(ask(&embedded, "SELECT answer FROM kept"), "42");
    embedded.stop().unwrap();
    assert!(!is_alive(pid));
}

/// As after a power cut, when the numbers of processes are given out anew.
#[test]
fn another_program_that_has_its_number_is_left_alone() {
    let (folder, others) = (Folder::new(), Folder::new());
    let other = Embedded::start(others.path(), &FAST).unwrap();
    Embedded::start(folder.path(), &FAST).unwrap().stop().unwrap();
    let number = postmaster(others.path()).unwrap();
    let data = folder.path().join("postgres");
    let stale = format!("{number}\n{}\n", data.display());
    fs::write(data.join("postmaster.pid"), &stale).unwrap();
    fs::write(folder.path().join("postgres.socket/.s.PGSQL.5432.lock"), &stale).unwrap();
    let embedded = Embedded::start(folder.path(), &FAST).unwrap();
    assert!(!embedded.was_adopted());
    assert_eq!(ask(&embedded, "SELECT 42"), "42");
    embedded.stop().unwrap();
    assert!(is_alive(number));
    assert_eq!(ask(&other, "SELECT 42"), "42");
}
