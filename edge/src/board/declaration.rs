//! The TOML file that describes how one kind of board is spoken to: `config/boards/*.toml`, or a site's own, read and
//! checked. Every complaint names file, line, key and what is expected.

use std::{collections::BTreeMap, time::Duration};

use weighbridge_protocol::indicators::{
    Checksum, DeclarationError,
    document::{Source, Table, Text},
    layout_text::{self, Token},
};

/// One kind of board as its file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    pub id: String,
    pub title: String,
    /// The least time between two messages; the newest text wins.
    pub every: Duration,
    pub way: Way,
}

/// What a board is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    Texts(Box<Texts>),
    /// The bytes of the indicator as they came.
    IndicatorFrames,
    /// Toledo's continuous frames, made from the readings.
    ToledoFrames,
}

/// How texts are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts {
    pub charset: Charset,
    /// One message shows one line; else it carries all of them.
    pub one_line_each: bool,
    pub layout: Vec<Token>,
    /// Where a board with several lines is written otherwise.
    pub layout_of_many: Option<Vec<Token>>,
    pub between_lines: Vec<u8>,
    pub steps_per_line: usize,
    /// Letters that would be read as something else; each is shown as a blank.
    pub never: String,
    pub address: Option<String>,
    pub checksum: Option<Checksum>,
    /// By the state's name.
    pub looks: BTreeMap<String, Look>,
    pub reply: Option<Reply>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    Utf8,
    EucKr,
}

/// The bytes that give a state its colour and its effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    pub colour: Vec<u8>,
    pub effect: Vec<u8>,
}

/// What the board answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub layout: Vec<Token>,
    /// What stands at `result` where the message was taken.
    pub good: Vec<u8>,
    pub within: Duration,
}

type Checked<T> = Result<T, DeclarationError>;

const KEYS: [&str; 19] = [
    "id",
    "title",
    "maker",
    "source",
    "checked",
    "charset",
    "message",
    "layout",
    "layout_of_many",
    "between_lines",
    "steps_per_line",
    "never",
    "address",
    "checksum",
    "every_ms",
    "colour",
    "effect",
    "look",
    "reply",
];
/// The states that a line has.
const STATES: [&str; 6] = ["called", "weighing", "saved", "refused", "overload", "error"];
/// The fields of a layout, and whether each has a width.
const FIELDS: [(&str, bool); 8] = [
    ("text", false),
    ("address", false),
    ("checked", false),
    ("colour", false),
    ("effect", false),
    ("line", true),
    ("top", true),
    ("bottom", true),
];

// What is expected at a key.
const MESSAGE: &str = "\"all lines\", \"one line\", \"indicator frame\" or \"toledo frame\"";
const LAYOUT: &str = "text in single quotes, control characters such as CR, and the words text, address, checked, colour, \
    effect, line:2, top:2, bottom:2, check";
const BYTES: &str = "text in single quotes and control characters, such as \"'/C1'\" or \"ESC '1'\"";
const REPLY: &str = "text in single quotes, control characters, any:2 for what does not matter, and result:1";
const CHECKED: &str = "\"verified\" (the bytes were read in the source) or \"inferred\"";

impl Declaration {
    /// Reads the text of the file `file`.
    pub fn parse(file: &str, text: &str) -> Checked<Self> {
        let source = Source { file, text };
        let document = source.parse()?;
        let root = source.root(&document);
        root.only(&KEYS)?;
        let id = root.required("id", "a short name such as \"dabit\"")?.value.to_owned();
        let title = root.required("title", "a text")?.value.to_owned();
        for key in ["maker", "source"] {
            root.required(key, "a text")?;
        }
        let checked = root.required("checked", CHECKED)?;
        if !["verified", "inferred"].contains(&checked.value) {
            return Err(root.wrong_text(&checked, CHECKED));
        }
        let every_ms = root.number("every_ms", 0..60_001)?.unwrap_or(0);
        let message = root.required("message", MESSAGE)?;
        let way = match message.value {
            "indicator frame" => Way::IndicatorFrames,
            "toledo frame" => Way::ToledoFrames,
            "all lines" => Way::Texts(Box::new(texts(&root, false)?)),
            "one line" => Way::Texts(Box::new(texts(&root, true)?)),
            _ => return Err(root.wrong_text(&message, MESSAGE)),
        };
        Ok(Self {
            id,
            title,
            every: Duration::from_millis(every_ms as u64),
            way,
        })
    }
}

fn texts(root: &Table<'_>, one_line_each: bool) -> Checked<Texts> {
    const CHARSET: &str = "\"UTF-8\" or \"EUC-KR\"";
    let charset = root.required("charset", CHARSET)?;
    let checksum = match root.text("checksum", "the name of a checksum")? {
        None => None,
        Some(name) => Some(Checksum::named(name.value).ok_or_else(|| root.wrong_text(&name, &Checksum::names()))?),
    };
    let layout_of_many = root.text("layout_of_many", LAYOUT)?;
    let layout = root.required("layout", LAYOUT)?;
    Ok(Texts {
        charset: match charset.value {
            "UTF-8" => Charset::Utf8,
            "EUC-KR" => Charset::EucKr,
            _ => return Err(root.wrong_text(&charset, CHARSET)),
        },
        one_line_each,
        layout: layout_of(root, &layout, checksum.is_some())?,
        layout_of_many: layout_of_many
            .map(|text| layout_of(root, &text, checksum.is_some()))
            .transpose()?,
        between_lines: match root.text("between_lines", BYTES)? {
            Some(text) => bytes_of(root, &text)?,
            None => Vec::new(),
        },
        steps_per_line: root.number("steps_per_line", 1..100)?.unwrap_or(1),
        never: root
            .text("never", "letters")?
            .map_or_else(String::new, |text| text.value.to_owned()),
        address: root
            .text("address", "the board's address")?
            .map(|text| text.value.to_owned()),
        checksum,
        looks: looks(root)?,
        reply: root.table("reply")?.map(|table| reply(&table)).transpose()?,
    })
}

fn parsed(table: &Table<'_>, text: &Text<'_>) -> Checked<Vec<Token>> {
    layout_text::parse(text.value).map_err(|(problem, expected)| table.wrong_because(text, &problem, &expected))
}

/// A layout of words that boards know; it shows the text.
fn layout_of(root: &Table<'_>, text: &Text<'_>, has_checksum: bool) -> Checked<Vec<Token>> {
    let tokens = parsed(root, text)?;
    for token in &tokens {
        let known = match token {
            Token::Bytes(_) => true,
            Token::Check if has_checksum => true,
            Token::Check => {
                return Err(root.wrong_because(text, "check stands here without a checksum", "a key checksum as well"));
            }
            Token::Field { name, width } => FIELDS
                .iter()
                .any(|(field, is_wide)| field == name && *is_wide == width.is_some()),
            Token::End | Token::Optional(_) => false,
        };
        if !known {
            return Err(root.wrong_because(text, &format!("{} is not understood", word(token)), LAYOUT));
        }
    }
    let shows = |token: &Token| matches!(token, Token::Field { name, .. } if name == "text");
    if tokens.iter().any(shows) {
        Ok(tokens)
    } else {
        Err(root.wrong_because(text, "no text is shown", "the word text where the line's text stands"))
    }
}

fn word(token: &Token) -> String {
    match token {
        Token::Field { name, width: None } => name.clone(),
        Token::Field {
            name,
            width: Some(width),
        } => format!("{name}:{}", width.most),
        Token::End => "end".to_owned(),
        _ => "[ ]".to_owned(),
    }
}

fn bytes_of(table: &Table<'_>, text: &Text<'_>) -> Checked<Vec<u8>> {
    let tokens = parsed(table, text)?;
    let bytes = tokens.into_iter().map(|token| match token {
        Token::Bytes(bytes) => Some(bytes),
        _ => None,
    });
    let all: Option<Vec<_>> = bytes.collect();
    all.map(|all| all.concat()).ok_or_else(|| table.wrong_text(text, BYTES))
}

/// Colour and effect of each state, from the words of the tables `colour` and `effect`.
fn looks(root: &Table<'_>) -> Checked<BTreeMap<String, Look>> {
    let (colours, effects) = (codes(root, "colour")?, codes(root, "effect")?);
    let Some(table) = root.table("look")? else {
        return Ok(BTreeMap::new());
    };
    table.only(&STATES)?;
    let expected = format!(
        "words out of: {}",
        colours
            .keys()
            .chain(effects.keys())
            .copied()
            .collect::<Vec<_>>()
            .join(", ")
    );
    let mut looks = BTreeMap::new();
    for state in table.keys() {
        let text = table.required(state, &expected)?;
        let mut look = Look::default();
        for word in text.value.split_whitespace() {
            match (colours.get(word), effects.get(word)) {
                (Some(colour), _) => look.colour.clone_from(colour),
                (_, Some(effect)) => look.effect.clone_from(effect),
                (None, None) => return Err(table.wrong_text(&text, &expected)),
            }
        }
        looks.insert(state.to_owned(), look);
    }
    Ok(looks)
}

fn codes<'a>(root: &Table<'a>, key: &str) -> Checked<BTreeMap<&'a str, Vec<u8>>> {
    let Some(table) = root.table(key)? else {
        return Ok(BTreeMap::new());
    };
    let code = |name: &'a str| Ok((name, bytes_of(&table, &table.required(name, BYTES)?)?));
    table.keys().map(code).collect()
}

fn reply(table: &Table<'_>) -> Checked<Reply> {
    table.only(&["layout", "good", "within_ms"])?;
    let text = table.required("layout", REPLY)?;
    let layout = parsed(table, &text)?;
    let is_result = |token: &Token| matches!(token, Token::Field { name, width: Some(_) } if name == "result");
    let known = |token: &Token| {
        let is_any = matches!(token, Token::Field { name, width: Some(_) } if name == "any");
        is_any || is_result(token) || matches!(token, Token::Bytes(_))
    };
    if !layout.iter().all(known) || layout.iter().filter(|token| is_result(token)).count() != 1 {
        return Err(table.wrong_text(&text, REPLY));
    }
    let within_ms = table.number("within_ms", 50..10_001)?;
    Ok(Reply {
        layout,
        good: table
            .required("good", "what stands at result where the message was taken")?
            .value
            .into(),
        within: Duration::from_millis(within_ms.unwrap_or(1000) as u64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DABIT: &str = include_str!("../../../config/boards/dabit.toml");

    #[track_caller]
    fn check(from: &str, to: &str, expected: &str) {
        assert!(DABIT.contains(from), "{from}");
        let said = Declaration::parse("acme.toml", &DABIT.replacen(from, to, 1))
            .unwrap_err()
            .to_string();
        assert!(said.starts_with("acme.toml:") && said.contains(expected), "{said}");
    }

    #[test]
    fn a_mistake_names_file_line_key_and_what_is_expected() {
        check(
            "charset = \"EUC-KR\"",
            "charset = \"CP949\"",
            "charset: \"CP949\" is not understood, expected \"UTF-8\" or \"EUC-KR\"",
        );
        check(
            "colour text '!]' check",
            "color text '!]' check",
            "layout: color is not understood, expected text in single",
        );
        check(
            "colour text '!]' check",
            "colour '!]' check",
            "layout: no text is shown, expected the word text",
        );
        check(
            "checksum = \"xor_hex2\"",
            "",
            "layout: check stands here without a checksum",
        );
        check(
            "every_ms = 300",
            "every_ms = \"often\"",
            "every_ms: \"often\" is not understood, expected a whole number",
        );
        check(
            "weighing = \"yellow\"",
            "weighing = \"pink\"",
            "look.weighing: \"pink\" is not understood, expected words out of: green, red",
        );
        check(
            "weighing = \"yellow\"",
            "waiting = \"yellow\"",
            "look.waiting: unknown key, expected one of: called",
        );
        check("result:1", "any:1", "reply.layout: ");
        check(
            "message = \"one line\"",
            "message = \"lines\"",
            "message: \"lines\" is not understood, expected \"all lines\"",
        );
        check("good = \"0\"", "", "reply.good: is missing");
        check("every_ms", "every", "every: unknown key");
    }

    #[test]
    fn the_line_is_that_of_the_mistake() {
        let broken = DABIT.replacen("green = \"'/C2'\"", "green = \"C2'\"", 1);
        let line = DABIT.lines().position(|line| line.starts_with("green")).unwrap() + 1;
        let said = Declaration::parse("acme.toml", &broken).unwrap_err();
        assert_eq!((said.line, said.key.as_str()), (line, "colour.green"));
    }
}
