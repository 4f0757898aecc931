//! Lets the binary say which commit it was built from, and carries the frames that the decoders are tested with, so that
//! they can be timed from any folder.

use std::{
    env,
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

const CORPORA: &str = "../edge/protocol/tests/corpus";

fn main() -> io::Result<()> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let hash = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo:rustc-env=GIT_HASH={hash}");
    println!(
        "cargo:rustc-env=BUILD_PROFILE={}",
        env::var("PROFILE").unwrap_or_default()
    );
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo:rerun-if-changed={log}");
    }
    carry_corpora()
}

/// Writes `[(protocol, text)]` of every corpus, sorted by protocol.
fn carry_corpora() -> io::Result<()> {
    println!("cargo:rerun-if-changed={CORPORA}");
    let folder = fs::canonicalize(CORPORA)?;
    let mut files = fs::read_dir(&folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<PathBuf>>>()?;
    files.sort();
    let mut list = String::from("&[\n");
    for file in files {
        let protocol = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        writeln!(list, "({protocol:?}, include_str!({:?})),", file.display().to_string()).map_err(io::Error::other)?;
    }
    list.push(']');
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("corpora.rs"), list)
}
