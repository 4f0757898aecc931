//! Status bytes: what their bits say.

use crate::frame::Facts;

use super::{
    document::{DeclarationError, Table},
    fields::{ByteTable, facts_at},
    layout_text, words,
};

// What is expected at a key.
const RANGE: &str = "two bytes such as \"0x30-0x3F\"";
const KEYS: &str = "bit0 to bit7 (bit15 in a register), or bits0-2 within one byte";

/// What some bits of a status byte or register say, by their value.
struct BitRule {
    /// The lowest bit and how many there are.
    low: usize,
    count: usize,
    /// None where a value cannot occur.
    says: Vec<Option<Facts>>,
}

/// Reads a status field: one table for each of its bytes.
pub fn declared(table: &Table<'_>) -> Result<Vec<ByteTable>, DeclarationError> {
    let is_known = |key: &&str| matches!(*key, "width" | "range") || key.starts_with("bit");
    let known: Vec<&str> = table.keys().filter(is_known).collect();
    table.only(&[known.as_slice(), &["width", "range", "bit0", "bits0-2"]].concat())?;
    let width = table.number("width", 1..3)?.unwrap_or(1);
    let rules = known.iter().filter(|key| key.starts_with("bit"));
    let rules = rules
        .map(|key| bit_rule(table, key, width))
        .collect::<Result<Vec<_>, _>>()?;
    let range = match table.text("range", RANGE)? {
        None => 0..=255,
        Some(text) => {
            let ends = text
                .value
                .split_once('-')
                .and_then(|(a, b)| Some(layout_text::byte(a)?..=layout_text::byte(b)?));
            ends.ok_or_else(|| table.wrong_text(&text, RANGE))?
        }
    };
    let byte_says = |index: usize, value: usize| {
        let here = rules.iter().filter(|rule| rule.low / 8 == width - 1 - index);
        let mut says = here.map(|rule| rule.says[value >> (rule.low % 8) & ((1 << rule.count) - 1)]);
        says.try_fold(Facts::default(), |all, facts| Some(all.and(facts?)))
    };
    let in_range = |value: &usize| u8::try_from(*value).is_ok_and(|byte| range.contains(&byte));
    let values =
        |index| std::array::from_fn(|value| Some(value).filter(in_range).and_then(|value| byte_says(index, value)));
    Ok((0..width).map(values).collect())
}

/// `bit3 = "moving"`, `bit3 = { on = "moving", off = "stable" }` or `bits0-2 = { 0 = "times 100", 1 = "times 10" }`.
fn bit_rule(table: &Table<'_>, key: &str, width: usize) -> Result<BitRule, DeclarationError> {
    let span = key.trim_start_matches("bits").trim_start_matches("bit");
    let number = |text: &str| text.parse::<usize>().ok().filter(|bit| *bit < width * 8);
    let (low, high) = span
        .split_once('-')
        .map_or((number(span), number(span)), |(a, b)| (number(a), number(b)));
    let (low, high) = match (low, high) {
        (Some(low), Some(high)) if low <= high && low / 8 == high / 8 => (low, high),
        _ => return Err(table.wrong_key(key, "is not understood", KEYS)),
    };
    let count = high - low + 1;
    if count > 1 {
        let values = table
            .table(key)?
            .ok_or_else(|| table.wrong_key(key, "is not understood", KEYS))?;
        let names: Vec<String> = (0..1_usize << count).map(|value| value.to_string()).collect();
        values.only(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
        let says = names
            .iter()
            .map(|value| facts_at(&values, value))
            .collect::<Result<_, _>>()?;
        return Ok(BitRule { low, count, says });
    }
    let [off, on] = if table.text(key, words::EXPECTED).is_ok() {
        [None, facts_at(table, key)?]
    } else {
        let both = table
            .table(key)?
            .ok_or_else(|| table.wrong_key(key, "is not understood", KEYS))?;
        both.only(&["on", "off"])?;
        [facts_at(&both, "off")?, facts_at(&both, "on")?]
    };
    Ok(BitRule {
        low,
        count,
        says: vec![Some(off.unwrap_or_default()), Some(on.unwrap_or_default())],
    })
}
