//! Others' words, made fit to be kept: PostgreSQL takes no NUL in a text or in JSON, and nobody reads a megabyte in a row.

use serde_json::{Map, Value};

/// Letters of a reason, and of a text within an answer.
const LONGEST_WORDS: usize = 500;
/// Bytes of an answer that is kept as it is.
const LONGEST_ANSWER: usize = 4096;
/// Members of a longer one that are kept.
const MOST_MEMBERS: usize = 20;

/// A reason in one line, cut where it is too long.
pub(super) fn words(text: &str) -> String {
    let plain = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter });
    plain.take(LONGEST_WORDS).collect()
}

/// An answer; of one that is too long what stands in it by itself: numbers, and the beginnings of texts.
pub(super) fn answer(answer: Value) -> Value {
    let answer = without_nul(answer);
    if answer.to_string().len() <= LONGEST_ANSWER {
        return answer;
    }
    let Value::Object(members) = answer else {
        return Value::String(words(&answer.to_string()));
    };
    let short = members.into_iter().filter_map(|(name, value)| match value {
        Value::Object(_) | Value::Array(_) => None,
        Value::String(text) => Some((words(&name), words(&text).into())),
        plain => Some((words(&name), plain)),
    });
    Value::Object(short.take(MOST_MEMBERS).collect::<Map<_, _>>())
}

/// A NUL becomes the sign for a letter that cannot be shown.
fn without_nul(value: Value) -> Value {
    let replaced = |text: String| {
        if text.contains('\0') {
            text.replace('\0', "\u{fffd}")
        } else {
            text
        }
    };
    match value {
        Value::String(text) => Value::String(replaced(text)),
        Value::Array(items) => items.into_iter().map(without_nul).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (replaced(name), without_nul(value)))
            .collect(),
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_nul_is_replaced_wherever_it_stands() {
        let found = answer(json!({ "re\0ceipt": ["E\0-1", { "a": "\0" }], "count": 1 }));
        assert_eq!(
            found,
            json!({ "re\u{fffd}ceipt": ["E\u{fffd}-1", { "a": "\u{fffd}" }], "count": 1 })
        );
        assert_eq!(words("422:\0 a\r\nb"), "422:  a  b");
    }

    #[test]
    fn of_an_overlong_answer_its_short_members_are_kept() {
        let found =
            answer(json!({ "receipt": "E-1", "count": 7, "log": ["x".repeat(5000)], "page": "가".repeat(5000) }));
        assert_eq!(found["receipt"], "E-1");
        assert_eq!(found["count"], 7);
        assert_eq!(found["log"], Value::Null);
        assert_eq!(found["page"], "가".repeat(LONGEST_WORDS));
        let list = answer(json!(["x".repeat(5000)]));
        assert_eq!(list.as_str().unwrap().len(), LONGEST_WORDS);
        assert_eq!(words(&"가".repeat(501)).chars().count(), LONGEST_WORDS);
    }
}
