//! A board's declaration with what its site chose: from lines to the bytes of messages.

use std::{collections::BTreeMap, path::Path, time::Duration};

use encoding_rs::EUC_KR;
use weighbridge_protocol::indicators::layout_text::Token;

use super::declaration::{Charset, Declaration, Reply, Texts, Way};
use crate::config::nearest;

/// Every shipped declaration, carried in the binary.
const SHIPPED: [(&str, &str); 4] = [
    ("plain.toml", include_str!("../../../config/boards/plain.toml")),
    ("dabit.toml", include_str!("../../../config/boards/dabit.toml")),
    ("repeater.toml", include_str!("../../../config/boards/repeater.toml")),
    (
        "toledo_repeater.toml",
        include_str!("../../../config/boards/toledo_repeater.toml"),
    ),
];
/// What `[board.options]` takes.
const OPTIONS: [&str; 4] = ["address", "checksum", "columns", "every_ms"];

/// How one board wants its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    pub declaration: Declaration,
    /// The most letters of a line, Korean ones counted twice; more are cut.
    columns: Option<usize>,
}

/// One line as it is to be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `called`, `weighing`, `saved`, `refused`, `overload` or `error`.
    pub state: &'static str,
    pub text: String,
}

impl Format {
    /// The declaration with this id, or the one in this file, whose name ends in `.toml`.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn named(name: &str, beside: &Path) -> Result<Self, String> {
        let declaration = if Path::new(name).extension().is_some_and(|ending| ending == "toml") {
            let path = beside.join(name);
            let text = std::fs::read_to_string(&path)
                .map_err(|error| format!("expected a readable file with a board's declaration: {error}"))?;
            Declaration::parse(&path.display().to_string(), &text).map_err(|error| error.to_string())?
        } else {
            shipped(name)?
        };
        Ok(Self {
            declaration,
            columns: None,
        })
    }

    /// Sets one key of `[board.options]` from its text.
    ///
    /// # Errors
    /// What is wrong with it, and what was expected.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let wrong = |expected: &str| Err(format!("{key} is {value:?}, expected {expected}"));
        let number = value.parse::<usize>().ok();
        let least_ms = self.declaration.every.as_millis();
        let texts = match &mut self.declaration.way {
            Way::Texts(texts) => Some(texts),
            Way::IndicatorFrames | Way::ToledoFrames => None,
        };
        match (key, texts) {
            ("every_ms", _) => match number.filter(|ms| *ms as u128 >= least_ms && *ms <= 60_000) {
                Some(ms) => self.declaration.every = Duration::from_millis(ms as u64),
                None => return wrong(&format!("{least_ms} to 60000")),
            },
            ("columns", Some(_)) => match number.filter(|columns| (1..=200).contains(columns)) {
                Some(columns) => self.columns = Some(columns),
                None => return wrong("1 to 200"),
            },
            ("address", Some(texts)) if texts.address.is_some() => {
                if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                    return wrong("letters and digits, as the board's switches are set");
                }
                texts.address = Some(value.to_owned());
            }
            ("checksum", Some(texts)) if texts.checksum.is_some() => {
                if value != "none" {
                    return wrong("none, or no such key for the declared one");
                }
                texts.checksum = None;
            }
            (known, _) if OPTIONS.contains(&known) => {
                return Err(format!("{key} is not for boards of protocol {}", self.declaration.id));
            }
            _ => return Err(format!("unknown key {key:?}, expected {}", nearest(key, &OPTIONS))),
        }
        Ok(())
    }

    /// Whether it shows the weight of one scale, frame by frame, and no texts.
    pub const fn repeats_frames(&self) -> bool {
        !matches!(self.declaration.way, Way::Texts(_))
    }

    pub const fn reply(&self) -> Option<&Reply> {
        match &self.declaration.way {
            Way::Texts(texts) => texts.reply.as_ref(),
            Way::IndicatorFrames | Way::ToledoFrames => None,
        }
    }

    /// The messages that show these lines: one, or one a line. None of them depends on what was shown before.
    pub fn messages(&self, lines: &[Shown]) -> Vec<Vec<u8>> {
        let Way::Texts(texts) = &self.declaration.way else {
            return Vec::new();
        };
        let written = |line: &Shown| texts.charset.bytes(&self.fitted(texts, &line.text));
        if texts.one_line_each {
            let message =
                |(number, line): (usize, &Shown)| texts.message(number, lines.len(), line.state, &written(line));
            return lines.iter().enumerate().map(message).collect();
        }
        let all: Vec<_> = lines.iter().map(written).collect();
        let state = lines.first().map_or("called", |line| line.state);
        vec![texts.message(0, lines.len(), state, &all.join(&texts.between_lines[..]))]
    }

    /// Without what the board would take for something else, and no wider than the board.
    fn fitted(&self, texts: &Texts, text: &str) -> String {
        let mut room = self.columns.unwrap_or(usize::MAX);
        let plain = |letter: char| match letter {
            letter if letter.is_control() || texts.never.contains(letter) => ' ',
            letter => letter,
        };
        let fits = |letter: &char| {
            let width = if letter.is_ascii() { 1 } else { 2 };
            let fits = width <= room;
            room = room.saturating_sub(width);
            fits
        };
        text.chars().map(plain).take_while(fits).collect()
    }
}

impl Texts {
    fn message(&self, line: usize, lines: usize, state: &str, text: &[u8]) -> Vec<u8> {
        let layout = self
            .layout_of_many
            .as_ref()
            .filter(|_| lines > 1)
            .unwrap_or(&self.layout);
        let look = self.looks.get(state);
        let mut bytes = Vec::new();
        for token in layout {
            match token {
                Token::Bytes(fixed) => bytes.extend_from_slice(fixed),
                Token::Check => {
                    if let Some(checksum) = self.checksum {
                        let check = checksum.bytes(&bytes);
                        bytes.extend_from_slice(&check[..checksum.width()]);
                    }
                }
                Token::Field { name, width } => {
                    let number =
                        |number: usize| format!("{number:0width$}", width = width.map_or(1, |width| width.most));
                    match name.as_str() {
                        "text" => bytes.extend_from_slice(text),
                        "address" => bytes.extend_from_slice(self.address.as_deref().unwrap_or_default().as_bytes()),
                        "checked" => bytes.push(if self.checksum.is_some() { b'1' } else { b'0' }),
                        "colour" => bytes.extend(look.iter().flat_map(|look| &look.colour)),
                        "effect" => bytes.extend(look.iter().flat_map(|look| &look.effect)),
                        "line" => bytes.extend(number(line).bytes()),
                        "top" => bytes.extend(number(line * self.steps_per_line).bytes()),
                        "bottom" => bytes.extend(number((line + 1) * self.steps_per_line).bytes()),
                        // Refused when the declaration was read.
                        _ => (),
                    }
                }
                Token::End | Token::Optional(_) => (),
            }
        }
        bytes
    }
}

impl Charset {
    /// What the charset lacks is shown as a question mark.
    fn bytes(self, text: &str) -> Vec<u8> {
        match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::EucKr => {
                let mut bytes = Vec::new();
                let mut letter = [0; 4];
                for character in text.chars() {
                    let (encoded, _, is_missing) = EUC_KR.encode(character.encode_utf8(&mut letter));
                    bytes.extend_from_slice(if is_missing { b"?" } else { &encoded });
                }
                bytes
            }
        }
    }
}

fn shipped(id: &str) -> Result<Declaration, String> {
    let mut known = BTreeMap::new();
    for (file, text) in SHIPPED {
        let declaration =
            Declaration::parse(file, text).map_err(|error| format!("a shipped declaration is wrong: {error}"))?;
        known.insert(declaration.id.clone(), declaration);
    }
    known.remove(id).ok_or_else(|| {
        let ids: Vec<&str> = known.keys().map(String::as_str).collect();
        format!("expected a file such as \"board.toml\", or {}", nearest(id, &ids))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(name: &str, options: &[(&str, &str)]) -> Format {
        let mut format = Format::named(name, Path::new(".")).unwrap();
        for (key, value) in options {
            format.set(key, value).unwrap();
        }
        format
    }

    fn line(state: &'static str, text: &str) -> Shown {
        Shown {
            state,
            text: text.to_owned(),
        }
    }

    fn one(format: &Format, state: &'static str, text: &str) -> Vec<u8> {
        format.messages(&[line(state, text)]).concat()
    }

    #[test]
    fn plain_text_is_lines_joined_by_lf_and_ended_by_crlf() {
        let lines = [line("weighing", "1 계량중"), line("called", "2\n")];
        assert_eq!(format("plain", &[]).messages(&lines), ["1 계량중\n2 \r\n".as_bytes()]);
    }

    #[test]
    fn the_makers_own_messages_come_out() {
        let without = format("dabit", &[("checksum", "none")]);
        assert_eq!(one(&without, "overload", "18340 kg"), b"![000/C118340 kg!]");
        let with = format("dabit", &[]);
        assert_eq!(one(&with, "overload", "18340 kg"), b"![010/C118340 kg!]78");
        // 2.8.1 of the maker's manual: the checksum covers the whole packet.
        assert_eq!(one(&with, "none", "ABCD"), b"![010ABCD!]33");
        assert_eq!(one(&with, "called", "ABCD"), b"![010/C2ABCD!]6D");
        let addressed = format("dabit", &[("address", "A"), ("checksum", "none")]);
        assert_eq!(one(&addressed, "called", "ABCD"), b"![A00/C2ABCD!]");
    }

    #[test]
    fn korean_goes_as_euc_kr_and_what_that_lacks_as_a_question_mark() {
        let dabit = format("dabit", &[("checksum", "none")]);
        let expected = [b"![000/C2".as_slice(), &[0xC1, 0xF8, 0xC0, 0xD4], b" ?!]"].concat();
        assert_eq!(one(&dabit, "saved", "진입 😀"), expected);
    }

    #[test]
    fn no_text_can_be_read_as_an_attribute_or_an_end() {
        let dabit = format("dabit", &[("checksum", "none")]);
        assert_eq!(one(&dabit, "called", "a/C1b!]c"), b"![000/C2a C1b ]c!]");
    }

    #[test]
    fn several_lines_are_sections_one_below_the_other() {
        let dabit = format("dabit", &[("checksum", "none")]);
        let messages = dabit.messages(&[line("called", "A"), line("weighing", "B")]);
        assert_eq!(
            messages,
            [b"![000/P0000/Y0004/C2A!]".to_vec(), b"![000/P0001/Y0408/C3B!]".to_vec()]
        );
    }

    #[test]
    fn a_line_is_cut_at_the_boards_width_and_korean_counts_twice() {
        let plain = format("plain", &[("columns", "7")]);
        assert_eq!(one(&plain, "called", "12가3456 진입"), "12가345\r\n".as_bytes());
    }

    #[test]
    fn options_that_a_board_does_not_have_are_refused() {
        let refused = |name, key, value| {
            Format::named(name, Path::new("."))
                .unwrap()
                .set(key, value)
                .unwrap_err()
        };
        assert_eq!(
            refused("plain", "address", "1"),
            "address is not for boards of protocol plain"
        );
        assert_eq!(
            refused("dabit", "every_ms", "100"),
            "every_ms is \"100\", expected 300 to 60000"
        );
        assert_eq!(
            refused("dabit", "adress", "1"),
            "unknown key \"adress\", expected \"address\", which is nearest"
        );
        assert_eq!(
            refused("dabit", "checksum", "crc"),
            "checksum is \"crc\", expected none, or no such key for the declared one"
        );
        let unknown = Format::named("dabt", Path::new(".")).unwrap_err();
        assert_eq!(
            unknown,
            "expected a file such as \"board.toml\", or \"dabit\", which is nearest"
        );
    }
}
