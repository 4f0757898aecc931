//! The TOML file that describes one protocol, read and checked.

use std::collections::BTreeMap;

use crate::frame::{Checksum, Facts, Over};

use super::{
    document::{DeclarationError, Source, Table, Text},
    fields::Field,
    layout_text::{self, Token},
    line::Line,
    modbus::Registers,
    options::Terminator,
    words,
};

/// One protocol as its file describes it.
#[derive(Clone, Debug)]
pub struct Declaration {
    pub id: String,
    pub title: String,
    pub maker: String,
    /// Manual and section, or where else the bytes were seen.
    pub source: String,
    /// Whether the bytes were read in the source, not inferred.
    pub is_verified: bool,
    pub line: Line,
    pub terminator: Option<Terminator>,
    pub checksum: Option<(Checksum, Over)>,
    pub between: Vec<u8>,
    pub frames: Vec<FrameText>,
    pub fields: BTreeMap<String, Field>,
    pub poll: Option<PollText>,
    pub address: Option<Address>,
    /// Whether the option `unit_width` changes the width of the unit.
    pub unit_width_varies: bool,
    pub modbus: Option<Registers>,
}

/// One `[[frame]]` or `[[message]]`.
#[derive(Clone, Debug)]
pub struct FrameText {
    pub tokens: Vec<Token>,
    pub means: Facts,
    /// The options, as (key, value), of which one must be set for this frame to be meant; empty means without any.
    pub when: Vec<(String, String)>,
    /// Whether this frame carries the declared checksum only if the option asks for it.
    pub plain: bool,
    pub is_message: bool,
    /// The line of the file where its layout stands.
    pub line: usize,
}

/// What is sent to an indicator that answers only when asked.
#[derive(Clone, Debug)]
pub struct PollText {
    /// Sent in turn.
    pub requests: Vec<Vec<Token>>,
    pub every_ms: u64,
}

/// How an indicator is addressed in a poll.
#[derive(Clone, Debug)]
pub struct Address {
    pub default: String,
    pub form: AddressForm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressForm {
    /// So many decimal digits.
    Digits(usize),
    /// One capital letter.
    Letter,
    /// One byte: this base plus the number.
    Byte(u8),
}

type Checked<T> = Result<T, DeclarationError>;

const KEYS: [&str; 16] = [
    "id",
    "title",
    "maker",
    "source",
    "checked",
    "line",
    "terminator",
    "checksum",
    "checksum_over",
    "between",
    "options",
    "frame",
    "message",
    "field",
    "poll",
    "address",
];

// What is expected at a key.
const CHECKED: &str = "\"verified\" (the bytes were read in the source) or \"inferred\"";
const OVER: &str = "bytes counted from 1, such as \"2-9\", or \"2-\" up to the checksum";
const WHEN: &str = "options such as \"length=short\" or \"unit_width=4\"";
const PLAIN: &str = "\"on request\": such frames carry it only where the option checksum names it";

impl Declaration {
    /// Reads the text of the file `file`.
    pub fn parse(file: &str, text: &str) -> Checked<Self> {
        let source = Source { file, text };
        let document = source.parse()?;
        let root = source.root(&document);
        root.only(&[&KEYS[..], &["modbus"]].concat())?;
        let named = |key| root.required(key, "a text").map(|text| text.value.to_owned());
        let checked = root.required("checked", CHECKED)?;
        if !["verified", "inferred"].contains(&checked.value) {
            return Err(root.wrong_text(&checked, CHECKED));
        }
        let line = root.required("line", "a line setting such as \"9600 8N1\"")?;
        Ok(Self {
            id: id(&root)?,
            title: named("title")?,
            maker: named("maker")?,
            source: named("source")?,
            is_verified: checked.value == "verified",
            line: line
                .value
                .parse()
                .map_err(|_| root.wrong_text(&line, "a line setting such as \"9600 8N1\""))?,
            terminator: terminator(&root)?,
            checksum: checksum(&root)?,
            between: between(&root)?,
            frames: frames(&root)?,
            fields: fields(&root)?,
            poll: poll(&root)?,
            address: address(&root)?,
            unit_width_varies: options(&root)?,
            modbus: root
                .table("modbus")?
                .map(|table| Registers::declared(&table))
                .transpose()?,
        })
    }
}

fn id(root: &Table<'_>) -> Checked<String> {
    const EXPECTED: &str = "small letters, digits and _, such as \"cas22\"";
    let id = root.required("id", EXPECTED)?;
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if id.value.is_empty() || !id.value.bytes().all(good) {
        return Err(root.wrong_text(&id, EXPECTED));
    }
    Ok(id.value.to_owned())
}

fn terminator(root: &Table<'_>) -> Checked<Option<Terminator>> {
    const EXPECTED: &str = "\"CR\", \"LF\" or \"CRLF\"";
    let Some(name) = root.text("terminator", EXPECTED)? else {
        return Ok(None);
    };
    Terminator::named(name.value)
        .map(Some)
        .ok_or_else(|| root.wrong_text(&name, EXPECTED))
}

fn checksum(root: &Table<'_>) -> Checked<Option<(Checksum, Over)>> {
    let Some(name) = root.text("checksum", "the name of a checksum")? else {
        return Ok(None);
    };
    let kind = Checksum::named(name.value).ok_or_else(|| root.wrong_text(&name, &Checksum::names()))?;
    let over = match root.text("checksum_over", OVER)? {
        None => Over { first: 1, last: None },
        Some(text) => over(text.value).ok_or_else(|| root.wrong_text(&text, OVER))?,
    };
    Ok(Some((kind, over)))
}

fn over(text: &str) -> Option<Over> {
    let (first, last) = text.split_once('-')?;
    let first = first.parse().ok().filter(|first| *first > 0)?;
    let last = if last.is_empty() {
        None
    } else {
        Some(last.parse().ok().filter(|last| *last >= first)?)
    };
    Some(Over { first, last })
}

fn between(root: &Table<'_>) -> Checked<Vec<u8>> {
    let Some(text) = root.text("between", "control characters such as \"CR LF\"")? else {
        return Ok(Vec::new());
    };
    let byte =
        |word| layout_text::byte(word).ok_or_else(|| root.wrong_text(&text, "control characters such as \"CR LF\""));
    text.value.split_whitespace().map(byte).collect()
}

fn options(root: &Table<'_>) -> Checked<bool> {
    const EXPECTED: &str = "a list of \"unit_width\" alone; the other options follow from the layouts";
    let options = root.texts("options", EXPECTED)?;
    match options.iter().find(|option| option.value != "unit_width") {
        Some(other) => Err(root.wrong_text(other, EXPECTED)),
        None => Ok(!options.is_empty()),
    }
}

fn layout(table: &Table<'_>, text: &Text<'_>) -> Checked<Vec<Token>> {
    layout_text::parse(text.value).map_err(|(problem, expected)| table.wrong_because(text, &problem, &expected))
}

fn frames(root: &Table<'_>) -> Checked<Vec<FrameText>> {
    let frames = root.tables("frame")?;
    if frames.is_empty() && root.table("modbus")?.is_none() {
        return Err(root.missing("frame", "at least one table [[frame]]"));
    }
    let messages = root.tables("message")?;
    let marked = frames
        .iter()
        .map(|table| (table, false))
        .chain(messages.iter().map(|table| (table, true)));
    marked.map(|(table, is_message)| frame(table, is_message)).collect()
}

fn frame(table: &Table<'_>, is_message: bool) -> Checked<FrameText> {
    table.only(&["layout", "means", "when", "checksum"])?;
    let text = table.required("layout", "a layout such as \"STX weight:6 CR\"")?;
    let means = match table.text("means", words::EXPECTED)? {
        None if is_message => return Err(table.missing("means", "\"no weighing\", \"no weight\" or \"ignore\"")),
        None => Facts::default(),
        Some(words) => words::facts(words.value).ok_or_else(|| table.wrong_text(&words, words::EXPECTED))?,
    };
    let when = table.texts("when", WHEN)?;
    let pair = |text: &Text<'_>| {
        let pair = text
            .value
            .split_once('=')
            .filter(|(key, _)| ["length", "unit_width"].contains(key));
        pair.map(|(key, value)| (key.to_owned(), value.to_owned()))
            .ok_or_else(|| table.wrong_text(text, WHEN))
    };
    let plain = table.text("checksum", PLAIN)?;
    if let Some(text) = plain.as_ref().filter(|text| text.value != "on request") {
        return Err(table.wrong_text(text, PLAIN));
    }
    Ok(FrameText {
        tokens: layout(table, &text)?,
        means,
        when: when.iter().map(pair).collect::<Result<_, _>>()?,
        plain: plain.is_some(),
        is_message,
        line: table.line_of(&text),
    })
}

fn fields(root: &Table<'_>) -> Checked<BTreeMap<String, Field>> {
    let Some(all) = root.table("field")? else {
        return Ok(BTreeMap::new());
    };
    let field = |name: &str| {
        let table = all.table(name)?.ok_or_else(|| all.missing(name, "a table"))?;
        Ok((name.to_owned(), Field::declared(name, &table)?))
    };
    all.keys().map(field).collect()
}

fn poll(root: &Table<'_>) -> Checked<Option<PollText>> {
    let Some(table) = root.table("poll")? else {
        return Ok(None);
    };
    table.only(&["send", "every_ms"])?;
    let requests = table.texts("send", "a request such as \"address 'RW' CR LF\", or a list of them")?;
    if requests.is_empty() {
        return Err(table.missing("send", "a request such as \"address 'RW' CR LF\""));
    }
    let every_ms = table
        .number("every_ms", 20..10_001)?
        .ok_or_else(|| table.missing("every_ms", "milliseconds from 20 to 10000"))?;
    Ok(Some(PollText {
        requests: requests
            .iter()
            .map(|text| layout(&table, text))
            .collect::<Result<_, _>>()?,
        every_ms: every_ms as u64,
    }))
}

fn address(root: &Table<'_>) -> Checked<Option<Address>> {
    const FORMS: &str = "\"2 digits\", \"letter\", or \"byte above 0x80\" with any base";
    let Some(table) = root.table("address")? else {
        return Ok(None);
    };
    table.only(&["default", "form"])?;
    let text = table.required("form", FORMS)?;
    let digits = |text: &str| text.strip_suffix(" digits").and_then(|count| count.parse().ok());
    let form = match text.value {
        "letter" => Some(AddressForm::Letter),
        other => digits(other).map(AddressForm::Digits).or_else(|| {
            other
                .strip_prefix("byte above ")
                .and_then(layout_text::byte)
                .map(AddressForm::Byte)
        }),
    };
    let form = form.ok_or_else(|| table.wrong_text(&text, FORMS))?;
    let default = table
        .required("default", "the address that new indicators have")?
        .value
        .to_owned();
    Ok(Some(Address { default, form }))
}
