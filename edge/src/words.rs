//! What the edge says to people, by language: the catalogues `config/messages/edge.*.toml`, carried in the binary.

use std::{collections::BTreeMap, fmt, sync::LazyLock};

use serde::Deserialize;

const KOREAN: &str = include_str!("../../config/messages/edge.ko.toml");
const ENGLISH: &str = include_str!("../../config/messages/edge.en.toml");

/// A language that boards and the status page speak. Korean where nobody chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    #[default]
    Ko,
    En,
}

/// Sections, keys and texts of one language.
type Catalogue = BTreeMap<String, BTreeMap<String, String>>;

static CATALOGUES: LazyLock<[Catalogue; 2]> =
    LazyLock::new(|| [KOREAN, ENGLISH].map(|text| toml::from_str(text).unwrap_or_default()));

impl Language {
    pub const ALL: [Self; 2] = [Self::Ko, Self::En];

    /// The text at `key` of `section`; the key itself where the catalogue has none, so that something is seen.
    pub fn text(self, section: &str, key: &str) -> String {
        self.section(section)
            .and_then(|texts| texts.get(key))
            .map_or_else(|| key.to_owned(), Clone::clone)
    }

    /// All texts of a section.
    pub fn section(self, section: &str) -> Option<&'static BTreeMap<String, String>> {
        let [korean, english] = &*CATALOGUES;
        match self {
            Self::Ko => korean.get(section),
            Self::En => english.get(section),
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.to_string() == name)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ko => "ko",
            Self::En => "en",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_have_the_same_texts() {
        let keys = |language: Language| {
            let sections = ["board", "status", "lamp", "alarm"].into_iter();
            let all = sections.flat_map(|section| {
                let texts = language.section(section).into_iter().flatten();
                texts.map(move |(key, _)| format!("{section}.{key}"))
            });
            all.collect::<Vec<_>>()
        };
        assert!(keys(Language::Ko).len() > 5);
        assert_eq!(keys(Language::Ko), keys(Language::En));
    }
}
