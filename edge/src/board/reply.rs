//! What a board answers, found in the bytes that it sends.

use weighbridge_protocol::indicators::layout_text::Token;

use super::declaration::Reply;

/// More than any reply: what comes without one is dropped.
const MOST_HELD: usize = 256;

/// The bytes that have come and not been understood yet.
#[derive(Debug, Default)]
pub(super) struct Replies {
    held: Vec<u8>,
}

impl Replies {
    /// Forgets what came before: it answers an earlier message.
    pub fn clear(&mut self) {
        self.held.clear();
    }

    /// Takes bytes as they arrive; answers whether the board took the message, once its reply is whole.
    pub fn push(&mut self, bytes: &[u8], reply: &Reply) -> Option<bool> {
        self.held.extend_from_slice(bytes);
        let found = (0..self.held.len()).find_map(|start| matched(&self.held[start..], reply));
        if found.is_some() || self.held.len() > MOST_HELD {
            self.held.clear();
        }
        found
    }
}

/// Whether a reply begins here, and if so whether it is a good one.
fn matched(bytes: &[u8], reply: &Reply) -> Option<bool> {
    let (mut at, mut is_good) = (0, false);
    for token in &reply.layout {
        match token {
            Token::Bytes(fixed) => {
                if !bytes.get(at..)?.starts_with(fixed) {
                    return None;
                }
                at += fixed.len();
            }
            Token::Field { name, width } => {
                let width = width.map_or(1, |width| width.most);
                let field = bytes.get(at..at + width)?;
                if name == "result" {
                    is_good = field == reply.good;
                }
                at += width;
            }
            Token::Check | Token::End | Token::Optional(_) => (),
        }
    }
    Some(is_good)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::board::Format;

    #[test]
    fn a_reply_is_found_however_it_is_cut_and_says_whether_the_message_was_taken() {
        let dabit = Format::named("dabit", Path::new(".")).unwrap();
        let reply = dabit.reply().unwrap();
        let mut replies = Replies::default();
        assert_eq!(replies.push(b"07![0", reply), None);
        assert_eq!(replies.push(b"100!", reply), None);
        assert_eq!(replies.push(b"]07", reply), Some(true));
        assert_eq!(replies.push(b"![010F!]71", reply), Some(false));
        assert_eq!(replies.push(&[b'x'; 300], reply), None);
        assert_eq!(replies.push(b"![0000!]", reply), Some(true));
    }
}
