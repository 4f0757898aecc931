//! Processor time that processes have used, by /proc.

use std::{fs, io, time::Duration};

/// A tick of `/proc/PID/stat`, which Linux has fixed at a hundredth of a second.
const TICK: Duration = Duration::from_millis(10);

/// What `/proc/PID/stat` says of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    own: Duration,
    /// Of its children that have ended and were waited for.
    ended_children: Duration,
}

/// Processor time of one process, all its threads together.
pub fn of_process(pid: u32) -> io::Result<Duration> {
    stat(pid).map(|stat| stat.own)
}

/// Processor time of a process and its children, those that have ended included.
pub fn of_family(pid: u32) -> io::Result<Duration> {
    let head = stat(pid)?;
    let mut total = head.own + head.ended_children;
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(child) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // One that ends while we look is counted next time, with the ended.
        if let Ok(child) = stat(child)
            && child.parent == pid
        {
            total += child.own;
        }
    }
    Ok(total)
}

/// Memory that a process holds now, in bytes (`VmRSS`).
pub fn resident_bytes(pid: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map(|kib| kib * 1024)
        .ok_or_else(|| io::Error::other(format!("/proc/{pid}/status tells no VmRSS")))
}

fn stat(pid: u32) -> io::Result<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse(&text).ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat reads {text:?}")))
}

fn parse(text: &str) -> Option<Stat> {
    // The name, in brackets, may hold anything.
    let (_, fields) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u32>().ok();
    Some(Stat {
        parent: field(4)?,
        own: TICK * (field(14)? + field(15)?),
        ended_children: TICK * (field(16)? + field(17)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_brackets_does_not_shift_the_fields() {
        let text = "42 (a) b (c) S 7 42 42 0 -1 4194560 100 0 0 0 150 25 30 2 20 0 4 0 1000 0 0";
        let expected = Stat {
            parent: 7,
            own: Duration::from_millis(1750),
            ended_children: Duration::from_millis(320),
        };
        assert_eq!(parse(text), Some(expected));
        assert_eq!(parse("42 (cut off"), None);
    }

    #[test]
    fn this_process_can_be_looked_at() {
        let pid = std::process::id();
        // Asked first: it goes on working while the family is asked.
        let alone = of_process(pid).unwrap();
        assert!(of_family(pid).unwrap() >= alone);
        assert!(resident_bytes(pid).unwrap() > 1 << 20);
    }
}
