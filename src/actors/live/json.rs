//! A value in its final form: encoded by its sender, spliced into every frame that shows it.

use bytes::Bytes;
use serde::Serialize;

/// Valid JSON, encoded once. Cloning copies a pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json(Bytes);

impl Json {
    pub const NULL: Self = Self(Bytes::from_static(b"null"));

    /// Fails only for what JSON cannot say, such as a map whose keys are no texts.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::to_vec(value).map(|text| Self(text.into()))
    }

    pub fn text(&self) -> &[u8] {
        &self.0
    }
}

/// Adds `[first,second,…]` to `text`.
pub fn push_list<'a>(text: &mut Vec<u8>, items: impl Iterator<Item = &'a Json>) {
    text.push(b'[');
    for (position, item) in items.enumerate() {
        if position > 0 {
            text.push(b',');
        }
        text.extend_from_slice(item.text());
    }
    text.push(b']');
}
