//! From a declaration and a site's options to a plan that the stream can follow.

use crate::{
    frame::{Checksum, DeviceForm, Facts, Flags, Layout, NumberForm, Op, Plan, Point, Slot, TextForm},
    reading::Mode,
};

use super::{
    choice,
    declaration::{Declaration, FrameText},
    fields::{ByteTable, Field, NUMBERS, NumberField, Writing},
    layout_text::{self, Token, Width},
    options::{OptionError, Options},
};

/// Why declaration and options make no plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    Option(OptionError),
    /// A layout is wrong in itself: the line it stands on, what is wrong, what is expected.
    Layout {
        line: usize,
        problem: String,
        expected: String,
    },
}

/// The widest number: more digits would not be exact in 64 bits.
const WIDEST_NUMBER: usize = 18;
/// The most bytes of a frame, and the most layouts that optional fields may make of one.
const LONGEST_FRAME: usize = 256;
const MOST_LAYOUTS: usize = 64;

impl From<OptionError> for Misfit {
    fn from(error: OptionError) -> Self {
        Self::Option(error)
    }
}

/// Makes the plan for one site.
pub fn plan(declaration: &Declaration, options: &Options) -> Result<Plan, Misfit> {
    choice::check(declaration, options)?;
    let mut layouts = Vec::new();
    let modbus = declaration
        .modbus
        .as_ref()
        .map(|registers| registers.frames(options))
        .transpose()?;
    for frame in choice::frames(declaration, options).chain(modbus.iter().flatten()) {
        // A site that names a checksum wants it in every frame that can have one.
        let needed = matches!(options.checksum, Some(Some(_))) && layout_text::contains(&frame.tokens, &Token::Check);
        for tokens in layout_text::spelled_out(&frame.tokens) {
            if needed && !layout_text::contains(&tokens, &Token::Check) {
                continue;
            }
            layouts.push(
                Compiler {
                    declaration,
                    options,
                    frame,
                }
                .layout(&tokens)?,
            );
        }
        if layouts.len() > MOST_LAYOUTS {
            return Err(misfit(
                frame,
                "too many optional fields and widths".to_owned(),
                "at most 64 combinations",
            ));
        }
    }
    Ok(Plan::new(layouts, declaration.between.clone(), options.mask7))
}

fn misfit(frame: &FrameText, problem: String, expected: &str) -> Misfit {
    Misfit::Layout {
        line: frame.line,
        problem,
        expected: expected.to_owned(),
    }
}

/// One layout on its way from words to steps.
struct Compiler<'a> {
    declaration: &'a Declaration,
    options: &'a Options,
    frame: &'a FrameText,
}

/// What the fields of a layout mean for one another.
#[derive(Clone, Copy)]
struct Together {
    /// The field that is the weight.
    weight: Option<&'static str>,
    /// Whether the sign has a field of its own.
    has_sign: bool,
}

impl Compiler<'_> {
    fn layout(&self, tokens: &[Token]) -> Result<Layout, Misfit> {
        let has = |wanted: &str| {
            tokens
                .iter()
                .any(|token| matches!(token, Token::Field { name, .. } if name == wanted))
        };
        let weight = ["weight", "gross", "net", "tare"].into_iter().find(|name| has(name));
        let together = Together {
            weight,
            has_sign: has("sign"),
        };
        let mut ops = Vec::new();
        for (index, token) in tokens.iter().enumerate() {
            self.add(token, tokens.get(index + 1), together, &mut ops)?;
        }
        let mode = match weight {
            Some("gross") => Some(Mode::Gross),
            Some("net") => Some(Mode::Net),
            _ => None,
        };
        let facts = Facts {
            mode,
            ..Facts::default()
        }
        .and(self.frame.means);
        let layout = Layout {
            ops,
            facts,
            is_message: self.frame.is_message,
        };
        let says_so = facts.spoil_weight() || facts.flags.any(Flags::NO_WEIGHING | Flags::QUIET);
        if weight.is_none() && !says_so {
            return Err(self.wrong("there is no weight in it", "a field weight, gross or net"));
        }
        if layout.longest() > LONGEST_FRAME || layout.ops.is_empty() {
            return Err(self.wrong("it is empty or too long", "1 to 256 bytes"));
        }
        Ok(layout)
    }

    fn add(&self, token: &Token, next: Option<&Token>, together: Together, ops: &mut Vec<Op>) -> Result<(), Misfit> {
        match token {
            Token::Bytes(bytes) => ops.extend(bytes.iter().map(|byte| Op::Byte(*byte))),
            Token::End => {
                let end = self.options.terminator.or(self.declaration.terminator);
                let end = end.ok_or_else(|| self.wrong("end is used", "a key terminator, such as \"CRLF\""))?;
                ops.extend(end.bytes().iter().map(|byte| Op::Byte(*byte)));
            }
            Token::Check => ops.extend(self.check()?),
            Token::Field { name, width } => self.field(name, *width, next, together, ops)?,
            Token::Optional(_) => (),
        }
        Ok(())
    }

    fn check(&self) -> Result<Option<Op>, Misfit> {
        let declared = self.declaration.checksum;
        let (kind, over) =
            declared.ok_or_else(|| self.wrong("check is used", "a key checksum, such as \"xor_hex2\""))?;
        let kind = match self.options.checksum {
            Some(chosen) => chosen,
            None => Some(kind).filter(|_| !self.frame.plain),
        };
        Ok(kind.map(|kind: Checksum| Op::Check {
            kind,
            over: kind.over(over),
        }))
    }

    fn field(
        &self,
        name: &str,
        width: Option<Width>,
        next: Option<&Token>,
        together: Together,
        ops: &mut Vec<Op>,
    ) -> Result<(), Misfit> {
        let width = width.map(|width| width.most);
        match name {
            "any" => ops.push(Op::Any(width.unwrap_or(1))),
            "text" => ops.push(Op::Text(width.unwrap_or(1))),
            "rest" => {
                let Some(Token::Bytes(bytes)) = next else {
                    return Err(self.wrong("rest has no end", "a byte or text behind it"));
                };
                ops.push(Op::Rest {
                    most: self.needed(name, width)?,
                    until: bytes[0],
                });
            }
            _ => self.declared(name, width, together, ops)?,
        }
        Ok(())
    }

    fn declared(&self, name: &str, width: Option<usize>, together: Together, ops: &mut Vec<Op>) -> Result<(), Misfit> {
        let declared = self
            .declaration
            .fields
            .get(name)
            .cloned()
            .or_else(|| Field::usual(name));
        let unknown = || self.wrong(&format!("{name} is no field"), &format!("a table [field.{name}]"));
        match declared.ok_or_else(unknown)? {
            Field::Words(meanings) => {
                let width = meanings.first().map_or(0, |(word, _)| word.len());
                ops.push(Op::Word { width, meanings });
            }
            Field::Padded { width: usual, meanings } => {
                let varies = self.declaration.unit_width_varies && name == "unit";
                let chosen = self.options.unit_width.filter(|_| varies);
                ops.push(Op::Padded {
                    width: self.needed(name, width.or(chosen).or(usual))?,
                    meanings,
                });
            }
            Field::Bits(tables) => ops.extend(tables.into_iter().map(|values| bits(values, together))),
            Field::Device {
                form: form @ DeviceForm::Byte { .. },
                ..
            } => ops.push(Op::Device { width: 1, form }),
            Field::Device { width: usual, form } => {
                ops.push(Op::Device {
                    width: self.needed(name, width.or(usual))?,
                    form,
                });
            }
            Field::Number(number) => ops.push(self.number(name, width, &number, together)?),
        }
        Ok(())
    }

    fn needed(&self, name: &str, width: Option<usize>) -> Result<usize, Misfit> {
        width.ok_or_else(|| self.wrong(&format!("{name} has no width"), "such as weight:8"))
    }

    fn number(&self, name: &str, width: Option<usize>, number: &NumberField, together: Together) -> Result<Op, Misfit> {
        let width = self.needed(name, width.or(number.width))?;
        let widest = match number.writing {
            Writing::Text => WIDEST_NUMBER,
            Writing::Bcd => WIDEST_NUMBER / 2,
            Writing::Binary => 4,
        };
        if width > widest {
            return Err(self.wrong(&format!("{name} is {width} bytes wide"), &format!("at most {widest}")));
        }
        let separator = self.options.decimal_separator.unwrap_or(b'.');
        let point = match number.with_point {
            Some(with_point) if with_point == width => Point::Always(separator),
            Some(_) => Point::Never,
            None if number.pointless => Point::Never,
            None => Point::Maybe(separator),
        };
        let form = match number.writing {
            Writing::Bcd => NumberForm::Bcd,
            Writing::Binary => NumberForm::Binary,
            Writing::Text => NumberForm::Text(TextForm {
                point,
                signed: !together.has_sign,
                reversed: number.reversed,
                trailing_blanks: number.trailing_blanks,
            }),
        };
        let slot = match name {
            _ if together.weight == Some(name) => Slot::Weight,
            "tare" => Slot::Tare,
            _ => Slot::Other,
        };
        debug_assert!(NUMBERS.contains(&name), "only numbers come here");
        Ok(Op::Number {
            slot,
            width,
            form,
            texts: number.texts.clone(),
        })
    }

    fn wrong(&self, problem: &str, expected: &str) -> Misfit {
        misfit(self.frame, problem.to_owned(), expected)
    }
}

/// The sign bits of gross and net weight, of which the one counts that is the reading's weight.
fn bits(mut values: ByteTable, together: Together) -> Op {
    let counts = if together.weight == Some("net") {
        Flags::NET_NEGATIVE
    } else {
        Flags::GROSS_NEGATIVE
    };
    for facts in values.iter_mut().flatten() {
        if facts.flags.any(counts) {
            facts.flags = facts.flags | Flags::NEGATIVE;
        }
    }
    Op::Bits(Box::new(values))
}
