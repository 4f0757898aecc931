//! The line in which a declaration writes a frame: `STX status weight:6 [check] CR`.
//!
//! Words are separated by blanks. Control characters go by their names (`STX`, `CR`, `SP`), others by `0xFF`; text stands in
//! single quotes; `name` or `name:width` is a field, `name:8-10` one of several widths; `[ … ]` may be missing; `check` is
//! the checksum and `end` the terminator.

/// One word of a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    Bytes(Vec<u8>),
    Field { name: String, width: Option<Width> },
    Check,
    End,
    Optional(Vec<Token>),
}

/// The widths that a field may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Width {
    pub least: usize,
    pub most: usize,
}

/// Control characters by the names that manuals use.
const CONTROLS: [(&str, u8); 12] = [
    ("NUL", 0),
    ("SOH", 1),
    ("STX", 2),
    ("ETX", 3),
    ("EOT", 4),
    ("ENQ", 5),
    ("ACK", 6),
    ("LF", 10),
    ("CR", 13),
    ("DC1", 17),
    ("NAK", 21),
    ("ESC", 27),
];

const EXPECTED: &str = "a control character (NUL SOH STX ETX EOT ENQ ACK LF CR DC1 NAK ESC SP), a byte such as 0x1B, \
    text in single quotes, a field such as weight:8, check, end, or [ ] around what may be missing";

/// Reads a layout. The error says which word is wrong, and what is expected.
pub fn parse(text: &str) -> Result<Vec<Token>, (String, String)> {
    let mut open: Vec<Vec<Token>> = vec![Vec::new()];
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (word, after) = next_word(rest)?;
        rest = after.trim_start();
        match word {
            "[" => open.push(Vec::new()),
            "]" => {
                let inner = open.pop().unwrap_or_default();
                let outer = open.last_mut().ok_or_else(|| wrong("]", "a [ before it"))?;
                outer.push(Token::Optional(inner));
            }
            word => {
                if let Some(tokens) = open.last_mut() {
                    tokens.push(token(word)?);
                }
            }
        }
    }
    match (open.pop(), open.is_empty()) {
        (Some(tokens), true) => Ok(tokens),
        _ => Err(wrong("[", "a ] behind it")),
    }
}

/// Every frame that `tokens` allow, each field of one width and nothing optional.
pub fn spelled_out(tokens: &[Token]) -> Vec<Vec<Token>> {
    tokens.iter().fold(vec![Vec::new()], |done, token| {
        let choices: Vec<Vec<Token>> = match token {
            Token::Optional(inner) => spelled_out(inner).into_iter().chain([Vec::new()]).collect(),
            Token::Field {
                name,
                width: Some(width),
            } => (width.least..=width.most)
                .map(|one| {
                    vec![Token::Field {
                        name: name.clone(),
                        width: Some(Width { least: one, most: one }),
                    }]
                })
                .collect(),
            other => vec![vec![other.clone()]],
        };
        let appended = |start: &Vec<Token>| {
            choices
                .iter()
                .map(|end| [start.as_slice(), end].concat())
                .collect::<Vec<_>>()
        };
        done.iter().flat_map(appended).collect()
    })
}

/// Whether `wanted` is among them, optional or not; a field by its name alone.
pub fn contains(tokens: &[Token], wanted: &Token) -> bool {
    tokens.iter().any(|token| match (token, wanted) {
        (Token::Optional(inner), _) => contains(inner, wanted),
        (Token::Field { name, .. }, Token::Field { name: other, .. }) => name == other,
        _ => token == wanted,
    })
}

fn next_word(rest: &str) -> Result<(&str, &str), (String, String)> {
    if let Some(inner) = rest.strip_prefix('\'') {
        let end = inner
            .find('\'')
            .ok_or_else(|| wrong(rest, "a second ' that closes the text"))?;
        return Ok(rest.split_at(end + 2));
    }
    let is_bracket = |letter: char| matches!(letter, '[' | ']');
    if rest.starts_with(is_bracket) {
        return Ok(rest.split_at(1));
    }
    let end = rest.find(|letter: char| letter.is_whitespace() || is_bracket(letter) || letter == '\'');
    Ok(rest.split_at(end.unwrap_or(rest.len())))
}

fn token(word: &str) -> Result<Token, (String, String)> {
    if let Some(text) = word.strip_prefix('\'') {
        return Ok(Token::Bytes(text.trim_end_matches('\'').as_bytes().to_vec()));
    }
    match word {
        "check" => return Ok(Token::Check),
        "end" => return Ok(Token::End),
        _ => (),
    }
    if let Some(byte) = byte(word) {
        return Ok(Token::Bytes(vec![byte]));
    }
    let (name, width) = match word.split_once(':') {
        Some((name, width)) => (
            name,
            Some(widths(width).ok_or_else(|| wrong(word, "a width such as 8 or 8-10, up to 200"))?),
        ),
        None => (word, None),
    };
    let is_name = name.starts_with(|letter: char| letter.is_ascii_lowercase())
        && name
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
    if is_name {
        Ok(Token::Field {
            name: name.to_owned(),
            width,
        })
    } else {
        Err(wrong(word, EXPECTED))
    }
}

/// `STX` or `0x02`.
pub fn byte(word: &str) -> Option<u8> {
    let control = CONTROLS
        .iter()
        .chain(&[("SP", b' ')])
        .find(|(name, _)| *name == word)
        .map(|(_, byte)| *byte);
    let hex = || {
        word.strip_prefix("0x")
            .filter(|hex| hex.len() == 2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok())
    };
    control.or_else(hex)
}

/// The name by which layouts call a control character.
pub fn control_name(byte: u8) -> Option<&'static str> {
    CONTROLS.iter().find(|(_, known)| *known == byte).map(|(name, _)| *name)
}

fn widths(text: &str) -> Option<Width> {
    let number = |text: &str| text.parse::<usize>().ok().filter(|width| (1..=200).contains(width));
    let (least, most) = text
        .split_once('-')
        .map_or((number(text), number(text)), |(a, b)| (number(a), number(b)));
    Some(Width {
        least: least?,
        most: most?,
    })
    .filter(|width| width.least <= width.most)
}

fn wrong(word: &str, expected: &str) -> (String, String) {
    (format!("{word:?} is not understood"), expected.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_is_read_word_by_word() {
        let field = |name: &str, least, most| Token::Field {
            name: name.to_owned(),
            width: Some(Width { least, most }),
        };
        assert_eq!(
            parse("STX 'A B'weight:8-10 [check]end 0xFF lamp"),
            Ok(vec![
                Token::Bytes(vec![2]),
                Token::Bytes(b"A B".to_vec()),
                field("weight", 8, 10),
                Token::Optional(vec![Token::Check]),
                Token::End,
                Token::Bytes(vec![0xFF]),
                Token::Field {
                    name: "lamp".to_owned(),
                    width: None
                },
            ])
        );
    }

    #[test]
    fn what_is_optional_or_of_several_widths_becomes_frames_of_their_own() {
        let tokens = parse("[device:2] weight:8-9").unwrap();
        assert_eq!(spelled_out(&tokens).len(), 4);
    }

    #[test]
    fn mistakes_are_named() {
        for wrong in [
            "STX weight:0",
            "weight:9-8",
            "'open",
            "[ STX",
            "STX ]",
            "Weight:8",
            "0x1",
            "weight:201",
        ] {
            let (problem, expected) = parse(wrong).unwrap_err();
            assert!(problem.contains("is not understood") && !expected.is_empty(), "{wrong}");
        }
    }
}
