//! A board that speaks DABIT ASCII, as its maker's manual has it, and strictly: what it does not understand it refuses.
//!
//! Written from the manual on its own, not from the edge's declaration, so that each checks the other.

use encoding_rs::EUC_KR;

/// A message that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Which section, 0 for a board with one line.
    pub section: usize,
    /// 1 red, 2 green, 3 yellow …; the first that the text names.
    pub colour: Option<u8>,
    pub text: String,
}

/// What came, and what the board answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    pub shown: Option<Shown>,
    pub reply: Vec<u8>,
}

/// Takes the whole messages out of what has come so far. A board with `needs_checksum` refuses messages without one.
pub fn messages(come: &mut Vec<u8>, address: u8, needs_checksum: bool) -> Vec<Answered> {
    let mut answers = Vec::new();
    while let Some(start) = find(come, b"![") {
        let Some(end) = find(&come[start..], b"!]").map(|end| start + end + 2) else {
            break;
        };
        let is_checked = come.get(start + 3) == Some(&b'1');
        let whole = if is_checked { end + 2 } else { end };
        if come.len() < whole {
            break;
        }
        let packet = come[start..end].to_vec();
        let check = come[end..whole].to_vec();
        come.drain(..whole);
        // Another board's message is not answered.
        if packet.get(2) == Some(&address) {
            answers.push(answer(&packet, &check, needs_checksum));
        }
    }
    answers
}

fn answer(packet: &[u8], check: &[u8], needs_checksum: bool) -> Answered {
    let (kind, mode) = (packet.get(3).copied(), packet.get(4).copied());
    let is_right = match kind {
        Some(b'0') => !needs_checksum,
        Some(b'1') => check == bcc(packet).as_bytes(),
        _ => false,
    };
    // Page messages would wear the flash, so a weighbridge may not send them.
    let data = packet
        .get(5..packet.len() - 2)
        .filter(|_| is_right && mode == Some(b'0'));
    let shown = data.and_then(read);
    let result = if shown.is_some() { '0' } else { 'F' };
    let [kind, mode] = [kind, mode].map(|byte| char::from(byte.unwrap_or(b'0')));
    let mut reply = format!("![0{kind}{mode}{result}!]");
    if kind == '1' {
        reply += &bcc(reply.as_bytes());
    }
    Answered {
        shown,
        reply: reply.into_bytes(),
    }
}

/// Attributes and text; none where one of them is not in the manual.
fn read(data: &[u8]) -> Option<Shown> {
    let (mut section, mut colour, mut text) = (0, None, Vec::new());
    let mut rest = data;
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'/' {
            text.push(byte);
            rest = after;
            continue;
        }
        let (&kind, after) = after.split_first()?;
        let width = match kind {
            b'C' | b'G' | b'B' => 1,
            b'P' | b'D' | b'F' | b'E' | b'S' | b'X' | b'Y' => 4,
            _ => return None,
        };
        let value = after
            .get(..width)
            .filter(|value| value.iter().all(u8::is_ascii_hexdigit))?;
        match kind {
            b'P' => section = std::str::from_utf8(&value[2..]).ok()?.parse().ok()?,
            b'C' => colour = colour.or(Some(value[0] - b'0')),
            _ => {}
        }
        rest = &after[width..];
    }
    let text = EUC_KR
        .decode_without_bom_handling_and_without_replacement(&text)?
        .into_owned();
    Some(Shown { section, colour, text })
}

/// The exclusive or of the whole packet, as two capital hex digits.
fn bcc(packet: &[u8]) -> String {
    format!("{:02X}", packet.iter().fold(0, |all, byte| all ^ byte))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sent: &[u8], text: Option<&str>, reply: &str) {
        let answers = messages(&mut sent.to_vec(), b'0', false);
        let [answered] = answers.as_slice() else {
            panic!("{answers:?}")
        };
        assert_eq!(answered.shown.as_ref().map(|shown| shown.text.as_str()), text);
        assert_eq!(String::from_utf8_lossy(&answered.reply), reply);
    }

    #[test]
    fn the_manuals_messages_are_shown_and_answered() {
        check(b"![000/C118340 kg!]", Some("18340 kg"), "![0000!]");
        check(b"![010ABCD!]33", Some("ABCD"), "![0100!]07");
        check(b"![010/C3123/C6ABC!]42", Some("123ABC"), "![0100!]07");
    }

    #[test]
    fn what_is_wrong_is_refused() {
        check(b"![010ABCD!]34", None, "![010F!]71");
        check(b"![001ABCD!]", None, "![001F!]");
        check(b"![000/Q1ABCD!]", None, "![000F!]");
        check(&[b"![000".as_slice(), &[0xC1], b"!]"].concat(), None, "![000F!]");
        let answers = messages(&mut b"![000ABCD!]".to_vec(), b'0', true);
        assert!(answers[0].shown.is_none());
    }

    #[test]
    fn a_message_in_pieces_waits_and_another_boards_is_passed_over() {
        let mut come = b"![A00x!]![010ABCD!]3".to_vec();
        assert!(messages(&mut come, b'0', false).is_empty());
        come.push(b'3');
        assert_eq!(messages(&mut come, b'0', false).len(), 1);
        assert!(come.is_empty());
    }
}
