//! What is wrong with a configuration, said so that the person who wrote it can mend it: file, key, value, expectation.

use std::{fmt, path::PathBuf};

use figment::error::Kind;

/// All that is wrong with a configuration, a line each.
#[derive(Debug, thiserror::Error)]
pub struct ConfigError {
    pub file: PathBuf,
    pub problems: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self
            .problems
            .iter()
            .map(|problem| format!("{}: {problem}", self.file.display()));
        f.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}

/// Says what figment found, with the nearest known key where one is unknown.
pub(super) fn said_by(error: &figment::Error) -> String {
    let key = key_of(&error.path);
    let from_environment = error
        .metadata
        .as_ref()
        .is_some_and(|source| source.source.is_none() && source.name.contains("environment"));
    let key = if from_environment {
        format!(
            "{key} (from {}{})",
            super::ENVIRONMENT,
            error.path.join("__").to_uppercase()
        )
    } else {
        key
    };
    match &error.kind {
        Kind::UnknownField(field, known) => {
            let within = if error.path.len() > 1 {
                format!(" in {}", key_of(&error.path[..error.path.len() - 1]))
            } else {
                String::new()
            };
            format!("unknown key {field:?}{within}, expected {}", nearest(field, known))
        }
        Kind::MissingField(field) => {
            let within = if key.is_empty() {
                String::new()
            } else {
                format!(" in {key}")
            };
            format!("{field} is missing{within}")
        }
        Kind::InvalidType(actual, expected) | Kind::InvalidValue(actual, expected) => {
            format!("{key} is {actual}, expected {expected}")
        }
        Kind::Message(message) => message.trim_end().replace('\n', "\n  "),
        other => format!("{key}: {other}"),
    }
}

/// `station[0].port` from figment's path, which counts members of a list like keys.
fn key_of(path: &[String]) -> String {
    path.iter()
        .fold(String::new(), |key, part| match part.parse::<usize>() {
            Ok(index) => format!("{key}[{index}]"),
            Err(_) if key.is_empty() => part.clone(),
            Err(_) => format!("{key}.{part}"),
        })
}

/// The known word that a mistyped one most likely meant, or all of them where none is near.
pub(crate) fn nearest(word: &str, known: &[&str]) -> String {
    let near = known
        .iter()
        .map(|candidate| (strsim::levenshtein(word, candidate), *candidate))
        .min();
    match near {
        Some((distance, candidate)) if distance <= 2.max(word.len() / 3) => format!("{candidate:?}, which is nearest"),
        _ => format!("one of {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_word_finds_its_neighbour() {
        assert_eq!(
            nearest("statoin", &["station", "server", "board"]),
            "\"station\", which is nearest"
        );
        assert_eq!(nearest("cas_22", &["and18", "cas22"]), "\"cas22\", which is nearest");
        assert_eq!(nearest("zzz", &["and18", "cas22"]), "one of and18, cas22");
    }
}
