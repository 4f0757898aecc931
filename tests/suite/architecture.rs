//! The architecture is a test: who may import whom, how long a file may be, and what names stay where.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Which folders of `src` may use which others; all may use the protocol crate.
const ALLOWED: [(&str, &[&str]); 6] = [
    ("domain", &[]),
    ("clients", &["domain", "config"]),
    ("db", &["domain", "config"]),
    ("actors", &["domain", "config", "clients", "db"]),
    ("http", &["domain", "config", "db", "actors"]),
    ("keys", &["domain", "config"]),
];

/// Crates that only these places may name.
const ONLY_IN: [(&str, &[&str]); 5] = [
    ("diesel", &["src/db"]),
    ("diesel_async", &["src/db"]),
    ("actix", &["src/actors", "supervision", "edge/src", "src/startup"]),
    (
        "actix_web",
        &["edge/src/status", "src/http", "src/startup", "sim/src/stand_in"],
    ),
    ("rusqlite", &["edge/src/buffer"]),
];

/// Generated files may be longer.
const GENERATED: [&str; 1] = ["src/db/schema.rs"];
const LONGEST: usize = 400;

#[test]
fn folders_import_only_what_they_may() {
    let mut wrong = Vec::new();
    for file in sources("src") {
        let Some(folder) = folder_of(&file) else { continue };
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == folder) else {
            continue;
        };
        for used in used_modules(&read(&file)) {
            let ours = ALLOWED.iter().any(|(name, _)| *name == used) || used == "config" || used == "startup";
            if ours && used != folder && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{} uses crate::{used}", file.display()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "imports against the architecture:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn crates_are_named_only_where_they_belong() {
    let mut wrong = Vec::new();
    for file in ["src", "edge", "supervision", "sim", "bench"]
        .into_iter()
        .flat_map(sources)
    {
        let text = read(&file);
        for (name, places) in ONLY_IN {
            let here = places
                .iter()
                .any(|place| file.starts_with(place) || file.starts_with(format!("{place}.rs")));
            if !here && names_crate(&text, name) {
                wrong.push(format!("{} names {name}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "crates out of their place:\n{}", wrong.join("\n"));
}

#[test]
fn the_protocol_crate_knows_no_clock_and_no_outside() {
    let forbidden = [
        "tokio",
        "actix",
        "std::net",
        "std::fs",
        "std::thread",
        "Instant::now",
        "SystemTime",
        "Utc::now",
        "rand::rng",
        "rand::random",
    ];
    for file in sources("edge/protocol/src").into_iter().chain(sources("src/domain")) {
        let text = read(&file);
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let found: Vec<_> = forbidden
            .iter()
            .filter(|word| code.lines().any(|line| mentions(line, word)))
            .collect();
        assert!(found.is_empty(), "{} mentions {found:?}", file.display());
    }
}

#[test]
fn no_file_needs_scrolling_to_understand_and_each_says_what_it_is_for() {
    for file in ["src", "edge", "supervision", "sim", "bench", "tests"]
        .into_iter()
        .flat_map(sources)
    {
        let text = read(&file);
        let generated = GENERATED.iter().any(|path| file.ends_with(path));
        assert!(
            generated || text.lines().count() <= LONGEST,
            "{} is longer than {LONGEST} lines",
            file.display()
        );
        assert!(
            text.starts_with("//!"),
            "{} does not say what it is for",
            file.display()
        );
    }
}

#[test]
fn a_panic_unwinds_in_every_profile() {
    let manifest = read(Path::new("Cargo.toml"));
    assert!(!manifest.contains("panic = \"abort\""));
    assert_eq!(
        manifest.matches("panic = \"unwind\"").count(),
        2,
        "dev and release say so"
    );
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &Path) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Every Rust file below a folder, by its path from the root.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// `src/db/slip.rs` and `src/db.rs` belong to `db`.
fn folder_of(file: &Path) -> Option<String> {
    let first = file.strip_prefix("src").ok()?.components().next()?;
    Some(Path::new(first.as_os_str()).file_stem()?.to_str()?.to_owned())
}

/// The modules after `crate::`, also those in braces right behind it.
fn used_modules(text: &str) -> BTreeSet<String> {
    let word = |text: &str| {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    let mut used = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(list) => used.extend(top_level_names(list)),
            None => drop(used.insert(word(rest))),
        }
    }
    used
}

/// `domain::{slip, plate}, db}` names `domain` and `db`.
fn top_level_names(list: &str) -> Vec<String> {
    let (mut depth, mut name, mut names) = (0, String::new(), Vec::new());
    let mut done = false;
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(std::mem::take(&mut name));
                done = false;
            }
            c if depth == 0 && !done && (c.is_alphanumeric() || c == '_') => name.push(c),
            ':' if depth == 0 => done = true,
            _ => {}
        }
    }
    names.push(name);
    names
}

fn names_crate(text: &str, name: &str) -> bool {
    text.lines().any(|line| {
        let code = line.split("//").next().unwrap_or_default();
        mentions(code, &format!("{name}::"))
    })
}

/// Whether a word stands in a line of code, not as the tail of a longer one.
fn mentions(line: &str, word: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !joins(before) && before != Some(':') && (word.ends_with(':') || !joins(after))
    })
}

/// `make mutants` would say so too, but is rarely run.
#[test]
fn each_break_of_the_mutants_still_finds_what_it_breaks() {
    let mut stale = Vec::new();
    for patch in fs::read_dir(root().join("tests/mutants")).unwrap() {
        let path = patch.unwrap().path();
        for (file, wanted) in wanted_by(&read(&path)) {
            if !read(&root().join(&file)).contains(&wanted) {
                stale.push(format!("{}: {file} has no such lines:\n{wanted}", path.display()));
            }
        }
    }
    assert!(stale.is_empty(), "{}", stale.join("\n"));
}

/// What each hunk of a patch expects to find, and in which file.
fn wanted_by(patch: &str) -> Vec<(String, String)> {
    let (mut file, mut hunks) = (String::new(), Vec::new());
    for line in patch.lines() {
        match line.split_at_checked(1) {
            _ if line.starts_with("--- ") => (),
            Some(("+", _)) => {
                if let Some(name) = line.strip_prefix("+++ b/") {
                    name.clone_into(&mut file);
                }
            }
            Some(("@", _)) => hunks.push((file.clone(), String::new())),
            Some((" " | "-", found)) => {
                if let Some((_, wanted)) = hunks.last_mut() {
                    wanted.push_str(found);
                    wanted.push('\n');
                }
            }
            _ => (),
        }
    }
    assert!(!hunks.is_empty(), "a patch without a hunk");
    hunks
}

#[test]
fn the_reader_of_imports_reads_imports() {
    let text = "use crate::{db::{self, slip}, domain::plate};\nuse crate::http::error;\ncrate::config::X";
    let used: Vec<_> = used_modules(text).into_iter().collect();
    assert_eq!(used, ["config", "db", "domain", "http"]);
    assert!(mentions("use actix::Actor;", "actix::"));
    assert!(!mentions("use my_actix::Actor;", "actix::"));
    assert!(!names_crate("// actix::Actor is mentioned", "actix"));
}
