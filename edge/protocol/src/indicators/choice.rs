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

/// Every combination of terminator, length and checksum, as `KEY=VALUE`.
pub fn forms(declaration: &Declaration) -> Vec<Vec<String>> {
    let known = known(declaration);
    let values = |key: &str, values: Vec<String>| {
        let usual = [None];
        let set = values.into_iter().map(|value| Some(format!("{key}={value}")));
        let all: Vec<Option<String>> = usual.into_iter().chain(set.filter(|_| known.contains(&key))).collect();
        all
    };
    let when = declaration.frames.iter().flat_map(|frame| &frame.when);
    let lengths = when.filter(|(key, _)| key == "length").map(|(_, value)| value.clone());
    let checksum = declaration.checksum.map(|(kind, _)| kind.name().to_owned());
    let terminators = values("terminator", ["CR", "LF", "CRLF"].map(str::to_owned).into());
    let lengths = values("length", lengths.collect());
    let checksums = values("checksum", checksum.into_iter().chain(["none".to_owned()]).collect());
    let mut forms = Vec::new();
    for terminator in &terminators {
        for length in &lengths {
            for checksum in &checksums {
                forms.push([terminator, length, checksum].into_iter().flatten().cloned().collect());
            }
        }
    }
    forms
}

/// Whether `[check]` stands in a layout, or a frame carries it on request.
pub fn may_leave_checksum_out(declaration: &Declaration) -> bool {
    let optional = |tokens: &[Token]| {
        tokens
            .iter()
            .any(|token| matches!(token, Token::Optional(inner) if layout_text::contains(inner, &Token::Check)))
    };
    declaration
        .frames
        .iter()
        .any(|frame| frame.plain || optional(&frame.tokens))
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
