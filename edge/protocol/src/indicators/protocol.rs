//! A protocol that a decoder can follow: one of those shipped, or a site's own file.

use std::sync::OnceLock;

use super::{
    choice,
    compile::{self, Misfit},
    declaration::Declaration,
    document::DeclarationError,
    line::Line,
    modbus::Registers,
    options::{OptionError, Options},
    poll::{self, Poll},
    shipped,
};
use crate::frame::{Flags, Plan};

/// One way in which indicators speak.
#[derive(Clone, Debug)]
pub struct Protocol {
    declaration: Declaration,
}

/// An id that no shipped protocol has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{id:?} is no known protocol{hint}; `weighbridge-edge protocols` lists them", hint = self.hint())]
pub struct UnknownProtocol {
    pub id: String,
    /// The shipped id that is closest to it, where one is close.
    pub nearest: Option<&'static str>,
}

/// How many letters an id may be wrong for another to be suggested.
const NEAR: usize = 4;

impl Protocol {
    /// Every shipped protocol, sorted by id.
    pub fn shipped() -> &'static [Self] {
        static SHIPPED: OnceLock<Vec<Protocol>> = OnceLock::new();
        // That none is left out here is a test.
        SHIPPED.get_or_init(|| {
            shipped::FILES
                .iter()
                .filter_map(|(file, text)| Self::from_toml(file, text).ok())
                .collect()
        })
    }

    /// The shipped protocol with that id.
    pub fn named(id: &str) -> Result<&'static Self, UnknownProtocol> {
        let found = Self::shipped().iter().find(|protocol| protocol.id() == id);
        found.ok_or_else(|| UnknownProtocol {
            id: id.chars().take(40).collect(),
            nearest: nearest(id),
        })
    }

    /// Reads a site's own declaration; `file` names it in messages. All that is wrong with it shows here.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, DeclarationError> {
        let declaration = Declaration::parse(file, text)?;
        let every_form = declaration
            .frames
            .iter()
            .flat_map(|frame| &frame.when)
            .map(|(key, value)| {
                let mut options = Options::default();
                options.set(key, value).map(|()| options)
            });
        let forms = every_form.chain([Ok(Options::default())]);
        let complaint = |line, problem: String, expected: String| DeclarationError {
            file: file.to_owned(),
            line,
            key: "layout".to_owned(),
            problem,
            expected,
        };
        for form in forms {
            let planned = form
                .map_err(Misfit::Option)
                .and_then(|options| compile::plan(&declaration, &options));
            planned.map_err(|misfit| match misfit {
                Misfit::Layout {
                    line,
                    problem,
                    expected,
                } => complaint(line, problem, expected),
                Misfit::Option(error) => complaint(1, error.to_string(), "options that the layouts use".to_owned()),
            })?;
        }
        poll::poll(&declaration, &Options::default())
            .map_err(|error| complaint(1, error.to_string(), "a default address that fits its form".to_owned()))?;
        Ok(Self { declaration })
    }

    pub fn id(&self) -> &str {
        &self.declaration.id
    }

    pub fn title(&self) -> &str {
        &self.declaration.title
    }

    pub fn maker(&self) -> &str {
        &self.declaration.maker
    }

    /// The manual and section that the declaration follows.
    pub fn source(&self) -> &str {
        &self.declaration.source
    }

    /// Whether the layout was read in that source; if not it is inferred, and to be confirmed on site.
    pub fn is_verified(&self) -> bool {
        self.declaration.is_verified
    }

    /// The line setting to start with.
    pub fn line(&self) -> Line {
        self.declaration.line
    }

    /// The keys of [`Options`] that this protocol knows.
    pub fn options(&self) -> Vec<&'static str> {
        choice::known(&self.declaration)
    }

    /// Whether its frames say that the weight stands still; if not, only the numbers can tell.
    pub fn has_stable_flag(&self) -> bool {
        let said = self
            .declaration
            .frames
            .iter()
            .filter(|frame| !frame.is_message)
            .map(|frame| frame.means);
        let fields = self.declaration.fields.values().flat_map(super::fields::Field::facts);
        said.chain(fields).any(|facts| facts.flags.any(Flags::STABLE))
    }

    /// Whether registers are asked for over Modbus.
    pub fn is_modbus(&self) -> bool {
        self.declaration.modbus.is_some()
    }

    /// Every form of the frames that a site may have to choose, as settings such as `length=short`.
    pub fn forms(&self) -> Vec<Vec<String>> {
        choice::forms(&self.declaration)
    }

    /// Whether a frame may have a checksum, and need not.
    pub fn may_leave_checksum_out(&self) -> bool {
        choice::may_leave_checksum_out(&self.declaration)
    }

    /// What to send with these options; None where the indicator speaks by itself.
    pub fn poll(&self, options: &Options) -> Result<Option<Poll>, OptionError> {
        poll::poll(&self.declaration, options)
    }

    /// The indicator that a site listens to, where it says so.
    pub(super) fn address(&self, options: &Options) -> Option<String> {
        if self.declaration.modbus.is_some() {
            Registers::address(options)
        } else {
            options.address.clone()
        }
    }

    pub(crate) fn plan(&self, options: &Options) -> Result<Plan, OptionError> {
        compile::plan(&self.declaration, options).map_err(|misfit| match misfit {
            Misfit::Option(error) => error,
            Misfit::Layout { problem, expected, .. } => OptionError::Invalid {
                key: self.id().to_owned(),
                value: problem,
                expected,
            },
        })
    }
}

impl UnknownProtocol {
    fn hint(&self) -> String {
        self.nearest
            .map(|nearest| format!(", did you mean {nearest:?}?"))
            .unwrap_or_default()
    }
}

fn nearest(id: &str) -> Option<&'static str> {
    let distances = Protocol::shipped()
        .iter()
        .map(|protocol| (distance(id, protocol.id()), protocol.id()));
    distances
        .min()
        .filter(|(distance, _)| *distance <= NEAR)
        .map(|(_, id)| id)
}

/// How many letters must be added, dropped or changed.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().take(40).enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, wanted) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *wanted);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_declaration_is_sound() {
        for (file, text) in shipped::FILES {
            let protocol = Protocol::from_toml(file, text).unwrap();
            assert_eq!(format!("{}.toml", protocol.id()), *file);
        }
        assert!(Protocol::shipped().is_sorted_by_key(Protocol::id));
    }

    #[test]
    fn every_declaration_in_the_folder_is_shipped() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/indicators");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        assert_eq!(files, shipped::FILES.map(|(file, _)| file));
    }

    #[test]
    fn an_unknown_protocol_is_answered_with_the_nearest() {
        assert_eq!(Protocol::named("cas_22").unwrap_err().nearest, Some("cas22"));
        assert_eq!(
            Protocol::named("and-18").unwrap_err().to_string(),
            "\"and-18\" is no known protocol, did you mean \"and18\"?; `weighbridge-edge protocols` lists them"
        );
        assert_eq!(Protocol::named("something else").unwrap_err().nearest, None);
    }
}
