//! The text of a proposed declaration.

use super::{
    Brief,
    check::Check,
    columns::Piece,
    number::{Weight, Writing},
};
use crate::indicators::control_name;

/// The declaration, as a technician would have written it.
pub fn declaration(brief: &Brief, layout: &[Piece], weight: &Weight, check: Option<&Check>, frames: usize) -> String {
    let terminator = layout.iter().find_map(|piece| match piece {
        Piece::End(end) => Some(*end),
        _ => None,
    });
    let words: Vec<String> = layout.iter().map(|piece| word(piece, weight)).collect();
    let mut text = vec![format!(
        "id = \"{id}\"\ntitle = \"{id}, learned\"\nmaker = \"unknown\"\nsource = \"learned from {frames} recorded frames\"\n\
         checked = \"inferred\"\nline = \"{line}\"\n",
        id = brief.id,
        line = brief.line
    )];
    if let Some(end) = terminator {
        text.push(format!("terminator = \"{}\"\n", end.name()));
    }
    if let Some(check) = check {
        text.push(format!("checksum = \"{}\"\n", check.kind.name()));
        if !check.kind.states_its_range() {
            let last = check.over.last.map_or_else(String::new, |last| last.to_string());
            text.push(format!("checksum_over = \"{}-{last}\"\n", check.over.first));
        }
    }
    if let Some(request) = &brief.ask {
        text.push(format!("\n[poll]\nsend = \"{}\"\nevery_ms = 200\n", literal(request)));
    }
    text.push(format!("\n[[frame]]\nlayout = \"{}\"\n", words.join(" ")));
    if weight.decimals > 0 {
        let plural = if weight.decimals == 1 { "" } else { "s" };
        text.push(format!("means = \"{} decimal{plural}\"\n", weight.decimals));
    }
    text.push(
        match weight.writing {
            Writing::Text => "",
            Writing::Reversed => "\n[field.weight]\nreversed = true\n",
            Writing::Bcd => "\n[field.weight]\nform = \"bcd\"\n",
            Writing::Binary => "\n[field.weight]\nform = \"binary\"\n",
        }
        .to_owned(),
    );
    text.extend(layout.iter().map(field));
    text.concat()
}

/// One word of a layout.
fn word(piece: &Piece, weight: &Weight) -> String {
    match piece {
        Piece::Literal(bytes) => literal(bytes),
        Piece::Weight => format!("weight:{}", weight.width),
        Piece::Check => "check".to_owned(),
        Piece::Unit(width) => format!("unit:{width}"),
        Piece::Words { name, .. } => (*name).to_owned(),
        Piece::Text { width, .. } => format!("text:{width}"),
        Piece::Any(width) => format!("any:{width}"),
        Piece::End(_) => "end".to_owned(),
    }
}

fn field(piece: &Piece) -> String {
    let Piece::Words { name, means, .. } = piece else {
        return String::new();
    };
    let meaning = |(value, meaning): &(Vec<u8>, &str)| format!("{} = \"{meaning}\"", key(value));
    let means: Vec<String> = means.iter().map(meaning).collect();
    format!("\n[field.{name}]\nmeans = {{ {} }}\n", means.join(", "))
}

/// The key of a text, in quotes; a byte that cannot stand there by its number.
fn key(value: &[u8]) -> String {
    match value {
        [byte] if !is_plain(*byte) => format!("\"0x{byte:02X}\""),
        _ => format!("\"{}\"", String::from_utf8_lossy(value)),
    }
}

const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

/// Bytes as a layout writes them: `STX 'RCWT' 0x80`.
pub fn literal(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut open = false;
    for byte in bytes {
        let quoted = is_plain(*byte) && *byte != b'\'';
        if open != quoted {
            text += if open || text.is_empty() { "'" } else { " '" };
            open = quoted;
        }
        if quoted {
            text.push(char::from(*byte));
            continue;
        }
        let blank = if text.is_empty() { "" } else { " " };
        text += blank;
        text += &control_name(*byte).map_or_else(|| format!("0x{byte:02X}"), str::to_owned);
    }
    if open {
        text.push('\'');
    }
    text
}
