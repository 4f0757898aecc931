//! A TOML document whose every complaint names file, line and key, and what is expected there.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// What is wrong with a declaration, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {key}: {problem}, expected {expected}")]
pub struct DeclarationError {
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// The key with the tables it is in, such as `field.weight.width`.
    pub key: String,
    pub problem: String,
    pub expected: String,
}

/// The document that a table belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    pub file: &'a str,
    pub text: &'a str,
}

/// One table of a document.
#[derive(Clone, Debug)]
pub struct Table<'a> {
    source: Source<'a>,
    path: String,
    span: Range<usize>,
    entries: &'a DeTable<'a>,
}

/// A text with its place in the document.
#[derive(Clone, Debug)]
pub struct Text<'a> {
    pub value: &'a str,
    pub key: String,
    span: Range<usize>,
}

type Checked<T> = Result<T, DeclarationError>;

impl<'a> Source<'a> {
    pub fn parse(self) -> Checked<Spanned<DeTable<'a>>> {
        DeTable::parse(self.text).map_err(|error| {
            let span = error.span().unwrap_or_default();
            self.error(&span, "(document)", error.message().replace('\n', " "), "valid TOML")
        })
    }

    pub fn root<'t>(self, document: &'t Spanned<DeTable<'a>>) -> Table<'t>
    where
        'a: 't,
    {
        Table {
            source: self,
            path: String::new(),
            span: 0..0,
            entries: document.get_ref(),
        }
    }

    fn line(&self, at: usize) -> usize {
        self.text.get(..at).unwrap_or_default().matches('\n').count() + 1
    }

    fn error(&self, at: &Range<usize>, key: &str, problem: String, expected: &str) -> DeclarationError {
        DeclarationError {
            file: self.file.to_owned(),
            line: self.line(at.start),
            key: key.to_owned(),
            problem,
            expected: expected.to_owned(),
        }
    }
}

impl<'a> Table<'a> {
    pub fn keys(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.entries.keys().map(|key| key.get_ref().as_ref())
    }

    /// Refuses every key that is not among `known`.
    pub fn only(&self, known: &[&str]) -> Checked<()> {
        match self.entries.keys().find(|key| !known.contains(&key.get_ref().as_ref())) {
            None => Ok(()),
            Some(key) => {
                let expected = format!("one of: {}", known.join(", "));
                Err(self.source.error(
                    &key.span(),
                    &self.path_of(key.get_ref()),
                    "unknown key".to_owned(),
                    &expected,
                ))
            }
        }
    }

    pub fn text(&self, key: &str, expected: &str) -> Checked<Option<Text<'a>>> {
        self.typed(key, expected, |value| match value.get_ref() {
            DeValue::String(text) => Some(Text {
                value: text.as_ref(),
                key: self.path_of(key),
                span: value.span(),
            }),
            _ => None,
        })
    }

    pub fn required(&self, key: &str, expected: &str) -> Checked<Text<'a>> {
        self.text(key, expected)?.ok_or_else(|| self.missing(key, expected))
    }

    /// A list of texts; one text alone is a list as well.
    pub fn texts(&self, key: &str, expected: &str) -> Checked<Vec<Text<'a>>> {
        let text = |value: &'a Spanned<DeValue<'a>>| match value.get_ref() {
            DeValue::String(text) => Some(Text {
                value: text.as_ref(),
                key: self.path_of(key),
                span: value.span(),
            }),
            _ => None,
        };
        let list = self.typed(key, expected, |value| match value.get_ref() {
            DeValue::Array(items) => items.iter().map(text).collect(),
            _ => text(value).map(|one| vec![one]),
        })?;
        Ok(list.unwrap_or_default())
    }

    pub fn number(&self, key: &str, allowed: Range<usize>) -> Checked<Option<usize>> {
        let expected = format!("a whole number from {} to {}", allowed.start, allowed.end - 1);
        self.typed(key, &expected, |value| match value.get_ref() {
            DeValue::Integer(number) => {
                let number = usize::from_str_radix(number.as_str(), number.radix()).ok()?;
                Some(number).filter(|number| allowed.contains(number))
            }
            _ => None,
        })
    }

    pub fn yes(&self, key: &str) -> Checked<Option<bool>> {
        self.typed(key, "true or false", |value| match value.get_ref() {
            DeValue::Boolean(yes) => Some(*yes),
            _ => None,
        })
    }

    pub fn table(&self, key: &str) -> Checked<Option<Self>> {
        self.typed(key, "a table", |value| self.inner(key, value))
    }

    /// The tables under `[[key]]`.
    pub fn tables(&self, key: &str) -> Checked<Vec<Self>> {
        let list = self.typed(key, &format!("tables [[{key}]]"), |value| match value.get_ref() {
            DeValue::Array(items) => items.iter().map(|item| self.inner(key, item)).collect(),
            _ => None,
        })?;
        Ok(list.unwrap_or_default())
    }

    pub fn missing(&self, key: &str, expected: &str) -> DeclarationError {
        self.source
            .error(&self.span, &self.path_of(key), "is missing".to_owned(), expected)
    }

    /// A complaint about a key as such.
    pub fn wrong_key(&self, key: &str, problem: &str, expected: &str) -> DeclarationError {
        let written = self.entries.keys().find(|written| written.get_ref().as_ref() == key);
        let span = written.map_or_else(|| self.span.clone(), Spanned::span);
        self.source
            .error(&span, &self.path_of(key), problem.to_owned(), expected)
    }

    /// A complaint about the table as a whole.
    pub fn wrong(&self, problem: &str, expected: &str) -> DeclarationError {
        self.source.error(&self.span, &self.path, problem.to_owned(), expected)
    }

    /// A complaint about one of its texts.
    pub fn wrong_text(&self, text: &Text<'_>, expected: &str) -> DeclarationError {
        self.source.error(
            &text.span,
            &text.key,
            format!("{:?} is not understood", text.value),
            expected,
        )
    }

    /// A complaint about one of its texts, in other words.
    pub fn wrong_because(&self, text: &Text<'_>, problem: &str, expected: &str) -> DeclarationError {
        self.source.error(&text.span, &text.key, problem.to_owned(), expected)
    }

    /// The line that a text stands on.
    pub fn line_of(&self, text: &Text<'_>) -> usize {
        self.source.line(text.span.start)
    }

    fn inner(&self, key: &str, value: &'a Spanned<DeValue<'a>>) -> Option<Self> {
        match value.get_ref() {
            DeValue::Table(entries) => Some(Self {
                source: self.source,
                path: self.path_of(key),
                span: value.span(),
                entries,
            }),
            _ => None,
        }
    }

    fn typed<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&'a Spanned<DeValue<'a>>) -> Option<T>,
    ) -> Checked<Option<T>> {
        let Some(value) = self.entries.get(key) else {
            return Ok(None);
        };
        let written = self.source.text.get(value.span()).unwrap_or_default();
        let problem = || format!("{} is not understood", written.chars().take(40).collect::<String>());
        read(value).map(Some).ok_or_else(|| {
            self.source
                .error(&value.span(), &self.path_of(key), problem(), expected)
        })
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }
}
