//! A stand-in for somebody else's service: a process of its own, told to fail and asked what it got.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use weighbridge_sim::http::client;

use super::folder::Folder;

/// It is killed when this is dropped.
#[derive(Debug)]
pub struct StandIn {
    child: Child,
    /// `127.0.0.1:40123`
    pub address: String,
    control: String,
    received: String,
    folder: Folder,
}

impl StandIn {
    /// `weighbridge-sim KIND …`
    pub fn start(kind: &str, arguments: &[&str]) -> Self {
        let folder = Folder::new();
        let mut command = Command::new(built("weighbridge-sim"));
        command.arg(kind).args(arguments);
        if kind == "fcm" {
            command.arg("--credentials").arg(folder.path().join("fcm.json"));
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let word = |name: &str| {
            let found = line
                .split_whitespace()
                .find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            found.map(str::to_owned)
        };
        let address = word("addr").unwrap();
        Self {
            child,
            control: word("control").unwrap(),
            received: word("received").unwrap_or_else(|| address.clone()),
            address,
            folder,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The service account's file, of FCM.
    pub fn credentials(&self) -> PathBuf {
        self.folder.path().join("fcm.json")
    }

    /// A command on its control port, `fail unavailable 3`.
    pub fn told(&self, command: &str) {
        let mut stream = TcpStream::connect(&self.control).unwrap();
        writeln!(stream, "{command}").unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        assert_eq!(answer.trim(), "ok", "{command}");
    }

    /// What came and matches, once there are so many. Gives up after half a minute.
    pub async fn got(&self, count: usize, matching: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut seen = 0;
        let mut found = Vec::new();
        for _ in 0..30 {
            let lines = self.lines(seen, 1).await;
            seen += lines.len();
            found.extend(lines.into_iter().filter(|line| matching(line)));
            if found.len() >= count {
                return found;
            }
        }
        panic!("{} of {count} came: {found:#?}", found.len());
    }

    /// What has come by now and matches.
    pub async fn all(&self, matching: impl Fn(&Value) -> bool) -> Vec<Value> {
        self.lines(0, 0).await.into_iter().filter(matching).collect()
    }

    async fn lines(&self, since: usize, wait: u32) -> Vec<Value> {
        let url = format!("http://{}/received?since={since}&wait={wait}", self.received);
        let text = client()
            .build()
            .unwrap()
            .get(url)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A message that FCM was asked to send.
pub fn is_send(line: &Value) -> bool {
    line["what"].as_str().unwrap().ends_with("messages:send")
}

/// A program of this workspace, beside this test's folder.
fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().unwrap().parent().unwrap().join(name);
    assert!(
        program.is_file(),
        "{} is missing: cargo build --workspace --bins",
        program.display()
    );
    program
}
