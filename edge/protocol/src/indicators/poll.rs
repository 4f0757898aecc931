//! What to send to an indicator that speaks only when asked.

use std::time::Duration;

use super::{
    declaration::{Address, AddressForm, Declaration, PollText},
    layout_text::Token,
    options::{OptionError, Options},
};

/// Requests, sent one after the other, and how long to wait before the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    pub requests: Vec<Vec<u8>>,
    pub every: Duration,
}

/// How often a site's own request is sent where the protocol has no poll of its own.
const OWN_REQUEST_EVERY: Duration = Duration::from_millis(200);

/// The poll of a protocol with a site's options; None where the indicator speaks by itself.
pub fn poll(declaration: &Declaration, options: &Options) -> Result<Option<Poll>, OptionError> {
    let every = declaration
        .poll
        .as_ref()
        .map_or(OWN_REQUEST_EVERY, |poll| Duration::from_millis(poll.every_ms));
    if let Some(registers) = &declaration.modbus {
        return Ok(Some(Poll {
            requests: vec![registers.request(options)?],
            every: Duration::from_millis(registers.every_ms),
        }));
    }
    if let Some(own) = &options.request {
        return Ok(Some(Poll {
            requests: vec![own.clone()],
            every,
        }));
    }
    let Some(PollText { requests, .. }) = &declaration.poll else {
        return Ok(None);
    };
    let request = |tokens: &Vec<Token>| bytes(declaration, options, tokens);
    Ok(Some(Poll {
        requests: requests.iter().map(request).collect::<Result<_, _>>()?,
        every,
    }))
}

fn bytes(declaration: &Declaration, options: &Options, tokens: &[Token]) -> Result<Vec<u8>, OptionError> {
    let mut bytes = Vec::new();
    for token in tokens {
        match token {
            Token::Bytes(literal) => bytes.extend(literal),
            Token::End => bytes.extend(
                options
                    .terminator
                    .or(declaration.terminator)
                    .map_or(&b""[..], |end| end.bytes()),
            ),
            Token::Check => {
                let kind = options.checksum.unwrap_or(declaration.checksum.map(|(kind, _)| kind));
                if let Some((kind, (_, over))) = kind.zip(declaration.checksum) {
                    let check = kind.bytes(kind.over(over).of(&bytes, bytes.len()));
                    bytes.extend(&check[..kind.width()]);
                }
            }
            Token::Field { .. } | Token::Optional(_) => {
                if let Some(address) = &declaration.address {
                    bytes.extend(address.bytes(options.address.as_deref())?);
                }
            }
        }
    }
    Ok(bytes)
}

impl Address {
    /// The bytes of this address, or of the declared one.
    fn bytes(&self, chosen: Option<&str>) -> Result<Vec<u8>, OptionError> {
        let text = chosen.unwrap_or(&self.default);
        let number = || text.parse::<u8>().ok();
        let (bytes, expected) = match self.form {
            AddressForm::Digits(count) => {
                let padded = number()
                    .map(|number| format!("{number:0count$}"))
                    .filter(|text| text.len() == count);
                (
                    padded.map(String::into_bytes),
                    format!("a number of at most {count} digits"),
                )
            }
            AddressForm::Letter => {
                let letter = text
                    .bytes()
                    .next()
                    .filter(|letter| text.len() == 1 && letter.is_ascii_uppercase());
                (letter.map(|letter| vec![letter]), "a letter from A to Z".to_owned())
            }
            AddressForm::Byte(base) => {
                let byte = number()
                    .filter(|number| *number > 0)
                    .and_then(|number| base.checked_add(number));
                (
                    byte.map(|byte| vec![byte]),
                    format!("a number from 1 to {}", u8::MAX - base),
                )
            }
        };
        let invalid = || OptionError::Invalid {
            key: "address".to_owned(),
            value: text.to_owned(),
            expected,
        };
        bytes.ok_or_else(invalid)
    }
}
