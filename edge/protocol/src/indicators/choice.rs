//! Which options a protocol knows, and which of its frames they choose.

use super::{
    declaration::{Declaration, FrameText},
    layout_text::{self, Token},
    options::{OptionError, Options},
};

/// The options that this protocol knows.
pub fn known(declaration: &Declaration) -> Vec<&'static str> {
    let holds = |wanted: &Token| {
        declaration
            .frames
            .iter()
            .any(|frame| layout_text::contains(&frame.tokens, wanted))
    };
    let when = |key: &str| {
        declaration
            .frames
            .iter()
            .any(|frame| frame.when.iter().any(|(known, _)| known == key))
    };
    let device = Token::Field {
        name: "device".to_owned(),
        width: None,
    };
    let has_address = declaration.address.is_some() || declaration.modbus.is_some() || holds(&device);
    let known = |key: &&str| match *key {
        "terminator" => holds(&Token::End),
        "checksum" => holds(&Token::Check),
        "length" => when("length"),
        "unit_width" => declaration.unit_width_varies || when("unit_width"),
        "address" => has_address,
        _ => true,
    };
    Options::KEYS.into_iter().filter(known).collect()
}

pub fn check(declaration: &Declaration, options: &Options) -> Result<(), OptionError> {
    let known = known(declaration);
    if let Some(key) = options.keys().into_iter().find(|key| !known.contains(key)) {
        return Err(OptionError::NotOfThisProtocol {
            protocol: declaration.id.clone(),
            key: key.to_owned(),
            known: known.join(", "),
        });
    }
    let lengths: Vec<&str> = declaration
        .frames
        .iter()
        .flat_map(|frame| &frame.when)
        .filter(|(key, _)| key == "length")
        .map(|(_, value)| value.as_str())
        .collect();
    match &options.length {
        Some(length) if !lengths.contains(&length.as_str()) => Err(OptionError::Invalid {
            key: "length".to_owned(),
            value: length.clone(),
            expected: lengths.join(" or "),
        }),
        _ => Ok(()),
    }
}

/// The frames that the options select, and every message.
pub fn frames<'d>(declaration: &'d Declaration, options: &Options) -> impl Iterator<Item = &'d FrameText> {
    let unit_width = options.unit_width.map(|width| width.to_string());
    let length = options.length.clone();
    let is_meant = move |frame: &FrameText| {
        frame.when.iter().any(|(key, value)| match key.as_str() {
            "length" => length.as_ref() == Some(value),
            _ => unit_width.as_ref() == Some(value),
        })
    };
    let is_special = declaration.frames.iter().any(&is_meant);
    declaration.frames.iter().filter(move |frame| {
        frame.is_message
            || if is_special {
                is_meant(frame)
            } else {
                frame.when.is_empty()
            }
    })
}
