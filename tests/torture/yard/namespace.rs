//! A network of its own for the edge, so that the kernel itself cuts it off. For root alone.
//!
//! Two wires lead there: one to the server, which is cut, and one to the board, which a truck looks at.

use std::{net::Ipv4Addr, process::Command};

/// Gone when it is dropped.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    number: u8,
    has_nft: bool,
}

/// How the kernel cuts the wire to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `ip link set down`: silence.
    LinkDown,
    /// `nft drop`: silence.
    Drop,
    /// `nft reject with tcp reset`.
    Reset,
    /// This percentage of packets is lost.
    Loss(u8),
    /// `tc tbf`: 32 kbit a second.
    Slow,
}

impl Namespace {
    /// None, with the reason, where this user or this machine cannot have one.
    pub fn new() -> Result<Self, String> {
        let number = rand::random_range(1..250);
        let namespace = Self {
            name: format!("weighbridge-{:08x}", rand::random::<u32>()),
            number,
            has_nft: does("nft", &["--version"]),
        };
        let name = namespace.name.clone();
        if !does("ip", &["netns", "add", &name]) {
            std::mem::forget(namespace);
            return Err("no network namespace can be made".to_owned());
        }
        for (wire, net) in [("s", 77), ("b", 78)] {
            let (here, there) = (format!("w{wire}{number}h"), format!("w{wire}{number}e"));
            namespace.ip(&["link", "add", &here, "type", "veth", "peer", "name", &there]);
            namespace.ip(&["link", "set", &there, "netns", &name]);
            namespace.ip(&["addr", "add", &format!("10.{net}.{number}.1/24"), "dev", &here]);
            namespace.ip(&["link", "set", &here, "up"]);
            namespace.inside(
                "ip",
                &["addr", "add", &format!("10.{net}.{number}.2/24"), "dev", &there],
            );
            namespace.inside("ip", &["link", "set", &there, "up"]);
        }
        namespace.inside("ip", &["link", "set", "lo", "up"]);
        if namespace.has_nft {
            namespace.inside(
                "nft",
                &["add table inet f; add chain inet f o { type filter hook output priority 0; }"],
            );
        }
        Ok(namespace)
    }

    /// Where the server is to listen.
    pub const fn server(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.number, 1)
    }

    /// Where the board is to listen.
    pub const fn board(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 78, self.number, 1)
    }

    /// What the edge is to be started by.
    pub fn under(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.name].map(str::to_owned).to_vec()
    }

    /// The cuts that this machine can make.
    pub fn cuts(&self) -> Vec<Fault> {
        let with_nft = [Fault::LinkDown, Fault::Drop, Fault::Reset];
        with_nft[..if self.has_nft { 3 } else { 1 }].to_vec()
    }

    /// What makes a link slow or lossy here.
    pub fn troubles(&self) -> Vec<Fault> {
        let with_nft = [Fault::Slow, Fault::Loss(5), Fault::Loss(20)];
        with_nft[..if self.has_nft { 3 } else { 1 }].to_vec()
    }

    pub fn make(&self, fault: Fault) {
        // The server's address alone: a reset goes to the edge's own, and has to arrive.
        let rule = |what: &str| {
            self.inside(
                "nft",
                &[&format!("add rule inet f o ip daddr {} {what}", self.server())],
            );
        };
        match fault {
            Fault::LinkDown => self.ip(&["link", "set", &self.wire(), "down"]),
            Fault::Drop => rule("drop"),
            Fault::Reset => rule("meta l4proto tcp reject with tcp reset"),
            Fault::Loss(percent) => rule(&format!("numgen random mod 100 < {percent} drop")),
            Fault::Slow => {
                let end = format!("ws{}e", self.number);
                let shape = ["tbf", "rate", "32kbit", "burst", "4k", "latency", "400ms"];
                self.inside("tc", &[&["qdisc", "replace", "dev", &end, "root"], &shape[..]].concat());
            }
        }
    }

    pub fn heal(&self, fault: Fault) {
        match fault {
            Fault::LinkDown => self.ip(&["link", "set", &self.wire(), "up"]),
            Fault::Slow => self.inside("tc", &["qdisc", "del", "dev", &format!("ws{}e", self.number), "root"]),
            Fault::Drop | Fault::Reset | Fault::Loss(_) => self.inside("nft", &["flush chain inet f o"]),
        }
    }

    fn wire(&self) -> String {
        format!("ws{}h", self.number)
    }

    fn ip(&self, words: &[&str]) {
        assert!(does("ip", words), "ip {words:?}");
    }

    fn inside(&self, program: &str, words: &[&str]) {
        let all = [&["netns", "exec", &self.name, program], words].concat();
        assert!(does("ip", &all), "ip {all:?}");
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Its ends of the wires go with it, and so do ours.
        assert!(does("ip", &["netns", "del", &self.name]));
    }
}

fn does(program: &str, words: &[&str]) -> bool {
    Command::new(program)
        .args(words)
        .output()
        .is_ok_and(|output| output.status.success())
}
