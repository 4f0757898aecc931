//! `[[board]]`: a display board, its declaration, and what the site chose.

use std::path::Path;

use super::{AddressError, HostPort, file, nearest};
use crate::{board::Format, words::Language};

/// A display board.
#[derive(Clone, Debug)]
pub struct Board {
    pub id: String,
    pub address: HostPort,
    pub format: Format,
    pub language: Language,
    /// The stations that own its lines, in order.
    pub stations: Vec<i64>,
}

/// Judges the `n`th board. `beside` is the folder of the configuration, where a board's own declaration may lie.
pub(super) fn judge(
    n: usize,
    file: file::Board,
    stations: &[i64],
    beside: &Path,
    problems: &mut Vec<String>,
) -> Option<Board> {
    let mut wrong = |problem: String| problems.push(format!("board[{n}].{problem}"));
    let address = file.address.strip_prefix("tcp://").unwrap_or_default().parse();
    let address = address
        .map_err(|_: AddressError| wrong(format!("address is {:?}, expected tcp://host:port", file.address)))
        .ok();
    let mut format = Format::named(&file.protocol, beside)
        .map_err(|problem| wrong(format!("protocol is {:?}, {problem}", file.protocol)))
        .ok();
    if let Some(format) = &mut format {
        for (key, value) in &file.options {
            if let Err(problem) = format.set(key, &value.to_string()) {
                wrong(format!("options: {problem}"));
            }
        }
    }
    let language = file
        .language
        .as_deref()
        .map_or(Some(Language::default()), Language::named);
    if language.is_none() {
        let expected = nearest(file.language.as_deref().unwrap_or_default(), &["ko", "en"]);
        wrong(format!(
            "language is {:?}, expected {expected}",
            file.language.unwrap_or_default()
        ));
    }
    let named = file.stations.unwrap_or_else(|| stations.to_vec());
    for id in named.iter().filter(|id| !stations.contains(id)) {
        wrong(format!("stations names {id}, expected the id of a [[station]]"));
    }
    if let Some(format) = format
        .as_ref()
        .filter(|format| format.repeats_frames() && named.len() != 1)
    {
        let protocol = &format.declaration.id;
        wrong(format!(
            "stations is {named:?}, expected one station: {protocol} repeats the frames of one indicator"
        ));
    }
    Some(Board {
        id: file.id,
        address: address?,
        format: format?,
        language: language?,
        stations: named,
    })
}
