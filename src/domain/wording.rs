//! The words that people read, from the catalogues in `config/messages`: Korean first, English second.

use std::{collections::HashMap, sync::LazyLock};

use serde::Deserialize;

/// A language that the catalogues are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Language {
    #[default]
    #[serde(rename = "ko")]
    Korean,
    #[serde(rename = "en")]
    English,
}

/// All sentences of a language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// By the codes of failed requests.
    pub errors: HashMap<String, String>,
    /// By what can be wrong with a field.
    pub fields: HashMap<String, String>,
    /// What drivers are told on their phones, with `{names}` to be filled in.
    pub messages: HashMap<String, String>,
    /// By why staff should look at a record.
    pub reviews: HashMap<String, String>,
}

static KOREAN: LazyLock<Option<Catalogue>> =
    LazyLock::new(|| toml::from_str(include_str!("../../config/messages/ko.toml")).ok());
static ENGLISH: LazyLock<Option<Catalogue>> =
    LazyLock::new(|| toml::from_str(include_str!("../../config/messages/en.toml")).ok());

/// The catalogue of a language.
pub fn catalogue(language: Language) -> Option<&'static Catalogue> {
    match language {
        Language::Korean => KOREAN.as_ref(),
        Language::English => ENGLISH.as_ref(),
    }
}

/// The message `name` with `{name}` of each value filled in; its name where a catalogue lacks it. What is filled in is not
/// looked through again.
pub fn message(language: Language, name: &str, values: &[(&str, &str)]) -> String {
    let sentence = catalogue(language).and_then(|catalogue| catalogue.messages.get(name));
    let mut rest = sentence.map_or(name, String::as_str);
    let mut text = String::new();
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let (wanted, after) = after.split_once('}').unwrap_or((after, ""));
        let value = values.iter().find(|(name, _)| *name == wanted);
        text.push_str(value.map_or("", |(_, value)| value));
        rest = after;
    }
    text + rest
}

/// Why staff should look at a record, in a sentence; the code itself where a catalogue lacks it.
pub fn review(language: Language, code: &str) -> &str {
    let sentence = catalogue(language).and_then(|catalogue| catalogue.reviews.get(code));
    sentence.map_or(code, String::as_str)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::weighing::review as reviews;

    #[test]
    fn every_reason_to_look_at_a_record_has_a_sentence_in_both_languages() {
        for language in [Language::Korean, Language::English] {
            for code in reviews::ALL {
                assert_ne!(review(language, code), code, "{language:?}");
            }
            assert_eq!(catalogue(language).unwrap().reviews.len(), reviews::ALL.len());
        }
    }

    /// What stands between braces.
    fn names(sentence: &str) -> BTreeSet<&str> {
        let after = sentence.split('{').skip(1);
        after
            .filter_map(|part| part.split_once('}'))
            .map(|(name, _)| name)
            .collect()
    }

    #[test]
    fn both_languages_have_the_same_messages_with_the_same_names_in_them() {
        let (korean, english) = (
            catalogue(Language::Korean).unwrap(),
            catalogue(Language::English).unwrap(),
        );
        let keys = |catalogue: &'static Catalogue| catalogue.messages.keys().collect::<BTreeSet<_>>();
        assert_eq!(keys(korean), keys(english));
        for (key, sentence) in &korean.messages {
            assert_eq!(names(sentence), names(&english.messages[key]), "{key}");
        }
    }

    #[test]
    fn values_are_filled_in_once() {
        let text = message(
            Language::English,
            "called_body",
            &[("number", "12"), ("station", "{number}"), ("deadline", "14:35")],
        );
        assert!(
            text.contains("12") && text.contains("{number}") && text.contains("14:35"),
            "{text}"
        );
        assert_eq!(message(Language::Korean, "no such message", &[]), "no such message");
    }
}
