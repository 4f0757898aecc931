//! Registers that are asked for over Modbus: which of them a reply holds follows from the request.

use crate::frame::{Checksum, Facts, Flags};

use super::{
    declaration::FrameText,
    document::{DeclarationError, Table},
    json::hex,
    layout_text::{Token, Width},
    options::{OptionError, Options, bytes_from_hex},
};

/// The table `[modbus]`: the usual request, and what the registers hold.
#[derive(Clone, Debug)]
pub struct Registers {
    pub request: Vec<u8>,
    pub every_ms: u64,
    /// Register number as manuals count, such as 40007, the field in it, and how many registers it takes.
    known: Vec<(usize, String, usize)>,
    line: usize,
}

/// Where register 40001 lies on the wire is 0.
const FIRST_REGISTER: usize = 40_001;
const MOST_REGISTERS: usize = 32;

/// What a read request in RTU asks for. Whoever carries it over something else than a serial line answers in RTU too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    /// The address of the indicator, 1 to 247.
    pub slave: u8,
    /// 3 (holding registers) or 4 (input registers).
    pub function: u8,
    /// As it lies on the wire: register 40001 is 0.
    pub first: u16,
    /// 1 to 32.
    pub count: u8,
}

// What is expected at a key.
const REQUEST: &str = "a Modbus RTU read request in hex with its CRC, such as \"01 03 00 06 00 05 65 C8\"";
const REGISTERS: &str = "registers such as 40008 = \"gross:2\" (field and how many registers it takes)";

impl Registers {
    /// Reads the table `[modbus]`.
    pub fn declared(table: &Table<'_>) -> Result<Self, DeclarationError> {
        table.only(&["request", "every_ms", "registers"])?;
        let text = table.required("request", REQUEST)?;
        let request = bytes_from_hex(text.value).filter(|bytes| ReadRequest::parse(bytes).is_some());
        let request = request.ok_or_else(|| table.wrong_text(&text, REQUEST))?;
        let registers = table
            .table("registers")?
            .ok_or_else(|| table.missing("registers", REGISTERS))?;
        let one = |key: &str| {
            let text = registers.required(key, REGISTERS)?;
            let (name, count) = text.value.split_once(':').unwrap_or((text.value, "1"));
            let number = key.parse().ok().filter(|number| *number >= FIRST_REGISTER);
            let both = number.zip(count.parse().ok().filter(|count| (1..=2).contains(count)));
            both.map(|(number, count)| (number, name.to_owned(), count))
                .ok_or_else(|| registers.wrong_text(&text, REGISTERS))
        };
        let known = registers.keys().map(one).collect::<Result<_, _>>()?;
        let every_ms = table.number("every_ms", 20..10_001)?.unwrap_or(100);
        Ok(Self {
            request,
            every_ms: every_ms as u64,
            known,
            line: table.line_of(&text),
        })
    }

    /// The request to send: the site's own, or the declared one with the site's address.
    pub fn request(&self, options: &Options) -> Result<Vec<u8>, OptionError> {
        let request = match (&options.request, &options.address) {
            (Some(own), _) => own.clone(),
            (None, Some(address)) => self.addressed(address)?,
            (None, None) => self.request.clone(),
        };
        match ReadRequest::parse(&request) {
            Some(_) => Ok(request),
            None => Err(OptionError::Invalid {
                key: "request".to_owned(),
                value: hex(&request),
                expected: "address, 03 or 04, first register, up to 32 registers, and their CRC, low byte first"
                    .to_owned(),
            }),
        }
    }

    /// The indicator that a site asks, where it says so.
    pub fn address(options: &Options) -> Option<String> {
        let own = options
            .request
            .as_ref()
            .and_then(|request| request.first())
            .map(u8::to_string);
        own.or_else(|| options.address.clone())
    }

    /// The frames that answer the site's request: the registers, or an exception.
    pub fn frames(&self, options: &Options) -> Result<Vec<FrameText>, OptionError> {
        let bytes = self.request(options)?;
        let Some(request) = ReadRequest::parse(&bytes) else {
            return Ok(Vec::new());
        };
        let device = field("device", 1);
        let byte_count = request.count * 2;
        let mut reply = vec![device.clone(), Token::Bytes(vec![request.function, byte_count])];
        reply.extend(self.contents(request));
        reply.push(Token::Check);
        let exception = vec![
            device,
            Token::Bytes(vec![request.function | 0x80]),
            field("any", 1),
            Token::Check,
        ];
        Ok(vec![
            self.frame(reply, Facts::default()),
            self.frame(exception, Facts::flag(Flags::NO_WEIGHING)),
        ])
    }

    fn addressed(&self, address: &str) -> Result<Vec<u8>, OptionError> {
        let slave = address.parse::<u8>().ok().filter(|slave| (1..=247).contains(slave));
        let slave = slave.ok_or_else(|| OptionError::Invalid {
            key: "address".to_owned(),
            value: address.to_owned(),
            expected: "a Modbus address from 1 to 247".to_owned(),
        })?;
        let mut request = self.request[..self.request.len() - 2].to_vec();
        request[0] = slave;
        Ok(with_crc(request))
    }

    /// The fields of the reply, register by register.
    fn contents(&self, request: ReadRequest) -> Vec<Token> {
        let first = usize::from(request.first);
        let (mut at, end) = (first, first + usize::from(request.count));
        let mut tokens = Vec::new();
        while at < end {
            let fits =
                |(number, _, count): &&(usize, String, usize)| number - FIRST_REGISTER == at && at + count <= end;
            if let Some((_, name, count)) = self.known.iter().find(fits) {
                tokens.push(field(name, count * 2));
                at += count;
            } else {
                tokens.push(field("any", 2));
                at += 1;
            }
        }
        tokens
    }

    fn frame(&self, tokens: Vec<Token>, means: Facts) -> FrameText {
        let is_message = means != Facts::default();
        FrameText {
            tokens,
            means,
            when: Vec::new(),
            plain: false,
            is_message,
            line: self.line,
        }
    }
}

impl ReadRequest {
    /// A request with its CRC; None for anything else.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let [slave, function, first_high, first_low, 0, count, _, _] = bytes else {
            return None;
        };
        let (covered, sent) = bytes.split_at(bytes.len() - 2);
        let is_good = (1..=247).contains(slave)
            && matches!(function, 3 | 4)
            && (1..=MOST_REGISTERS).contains(&usize::from(*count))
            && Checksum::Crc16Modbus.matches(covered, sent);
        is_good.then(|| Self {
            slave: *slave,
            function: *function,
            first: u16::from_be_bytes([*first_high, *first_low]),
            count: *count,
        })
    }

    /// The answer in RTU that carries these registers.
    pub fn answer(&self, registers: &[u16]) -> Vec<u8> {
        let mut bytes = vec![self.slave, self.function, self.count * 2];
        bytes.extend(registers.iter().flat_map(|register| register.to_be_bytes()));
        with_crc(bytes)
    }

    /// The answer in RTU that refuses with this exception code.
    pub fn refusal(&self, code: u8) -> Vec<u8> {
        with_crc(vec![self.slave, self.function | 0x80, code])
    }
}

fn with_crc(mut bytes: Vec<u8>) -> Vec<u8> {
    let check = Checksum::Crc16Modbus.bytes(&bytes);
    bytes.extend(check);
    bytes
}

fn field(name: &str, width: usize) -> Token {
    Token::Field {
        name: name.to_owned(),
        width: Some(Width {
            least: width,
            most: width,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_and_answered_as_the_manual_prints_it() {
        let request = ReadRequest::parse(&[1, 3, 0, 6, 0, 5, 0x65, 0xC8]).unwrap();
        assert_eq!((request.slave, request.first, request.count), (1, 6, 5));
        let answer = request.answer(&[0x0800, 0, 18_340, 0, 18_340]);
        assert_eq!(hex(&answer), "01030a0800000047a4000047a4e9b9");
        assert_eq!(hex(&request.refusal(2)), "018302c0f1");
        assert_eq!(ReadRequest::parse(&[1, 3, 0, 6, 0, 5, 0x65, 0xC9]), None);
    }
}
