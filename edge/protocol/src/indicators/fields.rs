//! The tables `[field.…]` of a declaration: how a field is written, and what it means.

use crate::frame::{DeviceForm, Facts};

use super::{
    bits,
    document::{DeclarationError, Table},
    layout_text, words,
};

/// A field as declared.
#[derive(Clone, Debug)]
pub enum Field {
    Number(NumberField),
    /// One of a few texts of the same width.
    Words(Vec<(Vec<u8>, Facts)>),
    /// A text with blanks around it.
    Padded {
        width: Option<usize>,
        meanings: Vec<(Vec<u8>, Facts)>,
    },
    /// What each value of each byte says; None where it cannot stand there.
    Bits(Vec<ByteTable>),
    Device {
        width: Option<usize>,
        form: DeviceForm,
    },
}

/// What each value of a status byte says; None where it cannot stand there.
pub type ByteTable = [Option<Facts>; 256];

/// How a number is written.
#[derive(Clone, Debug, Default)]
pub struct NumberField {
    pub width: Option<usize>,
    pub writing: Writing,
    pub reversed: bool,
    /// Whether the field never holds a decimal point.
    pub pointless: bool,
    /// The width at which there must be a point; at any other width there is none.
    pub with_point: Option<usize>,
    pub trailing_blanks: bool,
    /// Texts that may stand in place of digits.
    pub texts: Vec<(Vec<u8>, Facts)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Writing {
    #[default]
    Text,
    Bcd,
    Binary,
}

/// The names of fields that are numbers.
pub const NUMBERS: [&str; 4] = ["weight", "gross", "net", "tare"];

// What is expected as a form.
const DEVICE_FORMS: &str =
    "\"digits\", \"letters\", \"byte above 0x30\" with any base, or \"byte above 0x30 or binary\"";
const NUMBER_FORMS: &str = "\"text\", \"bcd\" (low byte first) or \"binary\" (high byte first)";

const WIDTHS: std::ops::Range<usize> = 1..25;

impl Field {
    /// The field of that name where a declaration says nothing about it.
    pub fn usual(name: &str) -> Option<Self> {
        let words = |list: &[(&str, &str)]| {
            let meaning = |(word, says): &(&str, &str)| Some((word.as_bytes().to_vec(), words::facts(says)?));
            list.iter().map(meaning).collect::<Option<Vec<_>>>().map(Self::Words)
        };
        match name {
            _ if NUMBERS.contains(&name) => Some(Self::Number(NumberField::default())),
            "unit" => Some(Self::Padded {
                width: Some(2),
                meanings: words::usual_units(),
            }),
            "device" => Some(Self::Device {
                width: None,
                form: DeviceForm::Digits,
            }),
            "sign" => words(&[("+", "nothing"), (" ", "nothing"), ("-", "negative")]),
            "decimals" => words(&[
                ("0", "0 decimals"),
                ("1", "1 decimal"),
                ("2", "2 decimals"),
                ("3", "3 decimals"),
                ("4", "4 decimals"),
                ("5", "5 decimals"),
            ]),
            _ => None,
        }
    }

    /// Reads the table `[field.NAME]`.
    pub fn declared(name: &str, table: &Table<'_>) -> Result<Self, DeclarationError> {
        match name {
            _ if NUMBERS.contains(&name) => number(table),
            "unit" if table.keys().any(|key| key == "means") => meant(table),
            "unit" => padded(table, words::usual_units()),
            "device" => device(table),
            _ if table.keys().any(|key| key.starts_with("bit")) => bits::declared(table).map(Self::Bits),
            _ if table.keys().any(|key| key == "width") => padded(table, Vec::new()),
            _ => meant(table),
        }
    }

    /// Everything that this field may say.
    pub fn facts(&self) -> Vec<Facts> {
        match self {
            Self::Words(meanings) | Self::Padded { meanings, .. } => meanings.iter().map(|(_, facts)| *facts).collect(),
            Self::Bits(tables) => tables
                .iter()
                .flat_map(|values| values.iter().flatten().copied())
                .collect(),
            Self::Number(_) | Self::Device { .. } => Vec::new(),
        }
    }
}

fn number(table: &Table<'_>) -> Result<Field, DeclarationError> {
    table.only(&[
        "width",
        "form",
        "reversed",
        "point",
        "with_point",
        "trailing_blanks",
        "texts",
    ])?;
    let form = table.text("form", NUMBER_FORMS)?;
    let writing = match form.as_ref().map_or("text", |form| form.value) {
        "text" => Writing::Text,
        "bcd" => Writing::Bcd,
        "binary" => Writing::Binary,
        _ => {
            return Err(form.map_or_else(
                || table.missing("form", NUMBER_FORMS),
                |form| table.wrong_text(&form, NUMBER_FORMS),
            ));
        }
    };
    Ok(Field::Number(NumberField {
        width: table.number("width", WIDTHS)?,
        writing,
        reversed: table.yes("reversed")?.unwrap_or(false),
        pointless: !table.yes("point")?.unwrap_or(true),
        with_point: table.number("with_point", WIDTHS)?,
        trailing_blanks: table.yes("trailing_blanks")?.unwrap_or(false),
        texts: meanings(table, "texts")?,
    }))
}

fn device(table: &Table<'_>) -> Result<Field, DeclarationError> {
    table.only(&["width", "form"])?;
    let width = table.number("width", WIDTHS)?;
    let Some(form) = table.text("form", DEVICE_FORMS)? else {
        return Ok(Field::Device {
            width,
            form: DeviceForm::Digits,
        });
    };
    let form = match form.value {
        "digits" => DeviceForm::Digits,
        "letters" => DeviceForm::Letters,
        above => {
            let (above, or_binary) = above
                .strip_suffix(" or binary")
                .map_or((above, false), |above| (above, true));
            let base = above.strip_prefix("byte above ").and_then(layout_text::byte);
            DeviceForm::Byte {
                base: base.ok_or_else(|| table.wrong_text(&form, DEVICE_FORMS))?,
                or_binary,
            }
        }
    };
    let width = if matches!(form, DeviceForm::Byte { .. }) {
        Some(1)
    } else {
        width
    };
    Ok(Field::Device { width, form })
}

fn meant(table: &Table<'_>) -> Result<Field, DeclarationError> {
    table.only(&["means"])?;
    let meanings = meanings(table, "means")?;
    let width = meanings.first().map(|(word, _)| word.len());
    if width.is_none_or(|width| width == 0 || meanings.iter().any(|(word, _)| word.len() != width)) {
        return Err(table.wrong(
            "its texts differ in width",
            "a table means = { TEXT = \"meaning\" } with texts of one width",
        ));
    }
    Ok(Field::Words(meanings))
}

fn padded(table: &Table<'_>, usual: Vec<(Vec<u8>, Facts)>) -> Result<Field, DeclarationError> {
    table.only(&["width", "means", "blank", "texts"])?;
    let blank = facts_at(table, "blank")?.map(|facts| (Vec::new(), facts));
    let more = meanings(table, "texts")?;
    let meanings = blank.into_iter().chain(more).chain(usual).collect();
    Ok(Field::Padded {
        width: table.number("width", WIDTHS)?,
        meanings,
    })
}

/// The table `key = { TEXT = "meaning" }`.
fn meanings(table: &Table<'_>, key: &str) -> Result<Vec<(Vec<u8>, Facts)>, DeclarationError> {
    let Some(inner) = table.table(key)? else {
        return Ok(Vec::new());
    };
    let meaning = |word: &str| {
        let bytes = layout_text::byte(word)
            .filter(|_| word.starts_with("0x"))
            .map(|byte| vec![byte]);
        let facts = facts_at(&inner, word)?.unwrap_or_default();
        Ok((bytes.unwrap_or_else(|| word.as_bytes().to_vec()), facts))
    };
    inner.keys().map(meaning).collect()
}

pub(super) fn facts_at(table: &Table<'_>, key: &str) -> Result<Option<Facts>, DeclarationError> {
    let Some(text) = table.text(key, words::EXPECTED)? else {
        return Ok(None);
    };
    words::facts(text.value)
        .map(Some)
        .ok_or_else(|| table.wrong_text(&text, words::EXPECTED))
}
