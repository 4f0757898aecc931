//! The server as a process: what it prints, how it leaves, and with which exit code.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use secrecy::ExposeSecret;

use crate::support::{database::Database, folder::Folder};

/// The binary with a data folder and a database of its own.
struct Yard {
    database: Database,
    folder: Folder,
}

impl Yard {
    fn new() -> Self {
        Self {
            database: Database::new(),
            folder: Folder::new(),
        }
    }

    fn weighbridge(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weighbridge"));
        command
            .args(arguments)
            .env("WEIGHBRIDGE__DATA_DIR", self.folder.path())
            .env("WEIGHBRIDGE__DATABASE__URL", self.database.url().expose_secret())
            .env("WEIGHBRIDGE__DATABASE__WAIT", "1s")
            .env("WEIGHBRIDGE__SERVER__LISTEN", "127.0.0.1:0")
            .env("WEIGHBRIDGE__AUTH__BCRYPT_COST", "4")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.weighbridge(arguments).output().unwrap()
    }

    /// A serving server and its address.
    fn serve(&self) -> (Child, String) {
        let mut server = self.weighbridge(&["serve"]).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let (head, address) = line.trim().rsplit_once(" addr=").unwrap();
        assert_eq!(head, format!("READY pid={}", server.id()));
        (server, address.to_owned())
    }
}

#[track_caller]
fn check(output: &Output, code: i32, said: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert!(errors.contains(said), "{errors}");
}

fn terminate(server: &Child) {
    kill(Pid::from_raw(server.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
}

#[test]
fn a_server_says_when_it_is_ready_and_leaves_when_it_is_told_to() {
    let yard = Yard::new();
    let (mut server, address) = yard.serve();
    let mut idle = TcpStream::connect(&address).unwrap();
    idle.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    idle.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    let told = Instant::now();
    terminate(&server);
    while TcpStream::connect(&address).is_ok() {
        assert!(told.elapsed() < Duration::from_secs(2), "it still accepts");
    }
    terminate(&server);
    assert!(server.wait().unwrap().success());
    assert!(told.elapsed() < Duration::from_secs(10));
}

#[test]
fn what_the_operator_has_to_change_is_said_with_code_64() {
    let yard = Yard::new();
    check(&yard.run(&["serv"]), 64, "unrecognized subcommand");
    check(&yard.run(&["serve", "--config", "/nowhere.toml"]), 64, "/nowhere.toml");
    let mut wrong = yard.weighbridge(&["serve"]);
    wrong.env("WEIGHBRIDGE__SERVER__LISTENN", "x");
    check(&wrong.output().unwrap(), 64, "did you mean server.listen?");
    let empty = Database::empty();
    let mut pending = yard.weighbridge(&["serve"]);
    pending
        .env("WEIGHBRIDGE__DATABASE__URL", empty.url().expose_secret())
        .env("WEIGHBRIDGE__DATABASE__MIGRATE_ON_START", "false");
    check(&pending.output().unwrap(), 64, "run `weighbridge migrate`");
    let mut checked = yard.weighbridge(&["verify"]);
    checked.env("WEIGHBRIDGE__DATABASE__URL", empty.url().expose_secret());
    check(&checked.output().unwrap(), 64, "run `weighbridge migrate`");
    let mut listening = yard.weighbridge(&["serve"]);
    listening.env("WEIGHBRIDGE__SERVER__LISTEN", "everywhere");
    check(
        &listening.output().unwrap(),
        64,
        "\"everywhere\" is no address, expected one such as",
    );
    let mut elsewhere = yard.weighbridge(&["serve"]);
    elsewhere.env("WEIGHBRIDGE__DATA_DIR", "/etc/hostname");
    check(&elsewhere.output().unwrap(), 64, "cannot use /etc/hostname as data_dir");
}

#[test]
fn a_database_that_does_not_come_and_a_port_that_is_taken_are_said_with_code_74() {
    let yard = Yard::new();
    let mut nowhere = yard.weighbridge(&["serve"]);
    nowhere.env("WEIGHBRIDGE__DATABASE__URL", "postgres://127.0.0.1:1/none");
    check(
        &nowhere.output().unwrap(),
        74,
        "the database at 127.0.0.1:1/none cannot be used, 1 s were given to it; database.url says where it is",
    );
    let (mut server, address) = yard.serve();
    let mut taken = yard.weighbridge(&["serve"]);
    taken.env("WEIGHBRIDGE__SERVER__LISTEN", &address);
    check(&taken.output().unwrap(), 74, &format!("cannot listen on {address}"));
    terminate(&server);
    assert!(server.wait().unwrap().success());
}

#[test]
fn a_check_of_a_database_that_is_not_there_makes_none() {
    let yard = Yard::new();
    let mut verify = yard.weighbridge(&["verify"]);
    verify.env_remove("WEIGHBRIDGE__DATABASE__URL");
    check(&verify.output().unwrap(), 64, "there is no database in");
    assert!(!yard.folder.path().join("postgres").exists());
}

#[test]
fn accounts_and_edges_are_made_without_the_server() {
    let yard = Yard::new();
    let create = |password: &str| {
        let mut create = yard.weighbridge(&["admin", "create", "--login", "kim"]);
        let mut create = create.stdin(Stdio::piped()).spawn().unwrap();
        create.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
        create.wait_with_output().unwrap()
    };
    check(&create("short\n"), 64, "shorter than 8 characters");
    check(&create("kim12345!\n"), 0, "");
    check(&create("kim12345!\n"), 64, "kim exists already");
    let edge = yard.run(&["edge", "create", "--name", "edge-1"]);
    assert!(String::from_utf8_lossy(&edge.stdout).starts_with("wbk_1_"));
    check(
        &yard.run(&["edge", "create", "--name", "edge-2", "--stations", "7"]),
        64,
        "0 of 1 stations",
    );
}

#[test]
fn the_settings_in_force_are_told_without_their_secrets() {
    let yard = Yard::new();
    let told = yard.run(&["config"]);
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(
        told.contains("database.url = \"********\"  # WEIGHBRIDGE__DATABASE__URL"),
        "{told}"
    );
    assert!(told.contains("weighing.min_net_kg = 100  # default"), "{told}");
}

#[test]
fn a_reader_that_has_gone_away_is_no_failure() {
    let yard = Yard::new();
    for command in ["config", "openapi", "--version"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let told = yard.weighbridge(&[command]).stdout(writer).output().unwrap();
        check(&told, 0, "");
        assert!(told.stderr.is_empty(), "{command}: {told:?}");
    }
}
