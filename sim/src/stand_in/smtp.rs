//! A mail server: SMTP as RFC 5321 has it, on loopback and without TLS, that takes mail for anybody and writes it down.
//!
//! An address that begins with `nobody@` does not exist. What came is answered over HTTP at a port of its own.

use std::{net::SocketAddr, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::Utc;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinHandle,
};

use super::{
    book::{Book, Entry},
    http::Told,
    trouble::Trouble,
};
use crate::{SimError, control::Control};

crate::failures! {
    /// How the mail server is told to fail, each at the end of a message.
    Failure {
        /// 421: come again later, and the connection is closed.
        Unavailable = "unavailable",
        /// 450: the mailbox is busy.
        Busy = "busy",
        /// 550: no such mailbox.
        NoMailbox = "no-mailbox",
        /// 554: refused for what it says.
        Refused = "refused",
        /// It is never answered.
        Timeout = "timeout",
    }
}

/// Who may send; none: anybody.
#[derive(Clone, Debug)]
pub struct Account {
    pub user: String,
    pub password: String,
}

/// A mail server that serves. Dropping it closes it.
#[derive(Debug)]
pub struct Smtp {
    address: SocketAddr,
    control: Control,
    book: Arc<Book>,
    work: JoinHandle<()>,
}

#[derive(Debug)]
struct Desk {
    account: Option<Account>,
    trouble: Arc<Trouble<Failure>>,
    book: Arc<Book>,
}

/// A conversation, as far as it has come.
struct Talk {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    greeted: bool,
    admitted: bool,
    from: Option<String>,
    to: Vec<String>,
}

/// What a line led to.
enum Next {
    Go(String),
    Data,
    End(&'static str),
}

/// Without its end.
const LONGEST_LINE: usize = 998;
const LARGEST_MAIL: usize = 10 << 20;

impl Smtp {
    pub async fn start(
        listen: SocketAddr,
        control: SocketAddr,
        book: Book,
        account: Option<Account>,
        trouble: Trouble<Failure>,
    ) -> Result<Self, SimError> {
        let cannot = |source| SimError::io(format!("listen for mail at {listen}"), source);
        let listener = TcpListener::bind(listen).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let (trouble, book) = (Arc::new(trouble), Arc::new(book));
        let control = Control::start(control, Arc::new(Told(Arc::clone(&trouble)))).await?;
        let desk = Arc::new(Desk {
            account,
            trouble,
            book: Arc::clone(&book),
        });
        let work = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let desk = Arc::clone(&desk);
                tokio::spawn(async move {
                    // A client that hangs up in the middle has its reasons.
                    drop(desk.talk(stream).await);
                });
            }
        });
        Ok(Self {
            address,
            control,
            book,
            work,
        })
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub const fn control(&self) -> SocketAddr {
        self.control.address()
    }

    pub fn book(&self) -> Arc<Book> {
        Arc::clone(&self.book)
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.work.abort();
    }
}

impl Desk {
    async fn talk(&self, stream: TcpStream) -> std::io::Result<()> {
        let (reader, writer) = stream.into_split();
        let mut talk = Talk {
            reader: BufReader::new(reader),
            writer,
            greeted: false,
            admitted: self.account.is_none(),
            from: None,
            to: Vec::new(),
        };
        talk.say("220 stand-in ESMTP").await?;
        while let Some(line) = talk.line().await? {
            match self.obey(&mut talk, &line) {
                Next::Go(answer) => talk.say(&answer).await?,
                Next::End(answer) => return talk.say(answer).await,
                Next::Data => {
                    talk.say("354 end with a dot").await?;
                    let Some(mail) = talk.mail().await? else { return Ok(()) };
                    if !self.take(&mut talk, &mail).await? {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    fn obey(&self, talk: &mut Talk, line: &str) -> Next {
        let say = |answer: &str| Next::Go(answer.to_owned());
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            _ if line.len() > LONGEST_LINE => say("500 the line is too long"),
            "EHLO" | "HELO" if rest.is_empty() => say("501 who are you?"),
            "EHLO" => {
                talk.greeted = true;
                say(&format!(
                    "250-stand-in\r\n250-SIZE {LARGEST_MAIL}\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 AUTH PLAIN"
                ))
            }
            "HELO" => {
                talk.greeted = true;
                say("250 stand-in")
            }
            "NOOP" => say("250 well"),
            "RSET" => {
                (talk.from, talk.to) = (None, Vec::new());
                say("250 forgotten")
            }
            "QUIT" => Next::End("221 bye"),
            _ if !talk.greeted => say("503 say EHLO first"),
            "AUTH" => self.admit(talk, rest),
            _ if !talk.admitted => say("530 5.7.0 sign in first"),
            "MAIL" => match address(rest, "FROM:") {
                Some(from) => {
                    (talk.from, talk.to) = (Some(from), Vec::new());
                    say("250 ok")
                }
                None => say("501 expected FROM:<address>"),
            },
            "RCPT" => match address(rest, "TO:") {
                _ if talk.from.is_none() => say("503 say MAIL first"),
                Some(to) if to.starts_with("nobody@") => say("550 5.1.1 no such mailbox"),
                Some(to) if !to.is_empty() => {
                    talk.to.push(to);
                    say("250 ok")
                }
                _ => say("501 expected TO:<address>"),
            },
            "DATA" if talk.to.is_empty() => say("503 say RCPT first"),
            "DATA" => Next::Data,
            _ => say("502 not known here"),
        }
    }

    fn admit(&self, talk: &mut Talk, rest: &str) -> Next {
        let given = rest.strip_prefix("PLAIN ").and_then(|text| STANDARD.decode(text).ok());
        let right = self
            .account
            .as_ref()
            .map(|account| format!("\0{}\0{}", account.user, account.password));
        talk.admitted |= right.is_some_and(|right| given.as_deref() == Some(right.as_bytes()));
        let answer = if talk.admitted {
            "235 2.7.0 welcome"
        } else {
            "535 5.7.8 not the password"
        };
        Next::Go(answer.to_owned())
    }

    /// Whether the conversation goes on.
    async fn take(&self, talk: &mut Talk, mail: &str) -> std::io::Result<bool> {
        let failure = self.trouble.draw(|_| true);
        let answer = match failure {
            Some(Failure::Unavailable) => "421 4.3.2 come again later",
            Some(Failure::Busy) => "450 4.2.1 the mailbox is busy",
            Some(Failure::NoMailbox) => "550 5.1.1 no such mailbox",
            Some(Failure::Refused) => "554 5.7.1 refused",
            Some(Failure::Timeout) => "",
            None => faults(mail).unwrap_or("250 2.0.0 taken"),
        };
        let (from, to) = (talk.from.take(), std::mem::take(&mut talk.to));
        self.book.write(&Entry {
            at: Utc::now(),
            what: "MAIL".to_owned(),
            status: answer.get(..3).and_then(|code| code.parse().ok()),
            failed: failure.map(|how| format!("{how:?}")),
            body: json!({ "from": from, "to": to, "mail": mail }),
            note: Value::Null,
        });
        match failure {
            Some(Failure::Timeout) => std::future::pending().await,
            Some(Failure::Unavailable) => talk.say(answer).await.map(|()| false),
            _ => talk.say(answer).await.map(|()| true),
        }
    }
}

impl Talk {
    async fn say(&mut self, answer: &str) -> std::io::Result<()> {
        self.writer.write_all(format!("{answer}\r\n").as_bytes()).await
    }

    /// None at the end.
    async fn line(&mut self) -> std::io::Result<Option<String>> {
        let mut line = Vec::new();
        if self.reader.read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
    }

    /// A mail up to its dot; none where the client hung up, or sent too much.
    async fn mail(&mut self) -> std::io::Result<Option<String>> {
        let mut mail = String::new();
        while let Some(line) = self.line().await? {
            if line == "." {
                return Ok(Some(mail));
            }
            mail.push_str(line.strip_prefix('.').unwrap_or(&line));
            mail.push('\n');
            if mail.len() > LARGEST_MAIL {
                return Ok(None);
            }
        }
        Ok(None)
    }
}

/// What of the mail itself is not as RFC 5322 has it.
fn faults(mail: &str) -> Option<&'static str> {
    let head = mail.split("\n\n").next().unwrap_or_default().to_ascii_lowercase();
    let has = |name: &str| head.lines().any(|line| line.starts_with(name));
    if !["from:", "date:"].into_iter().all(has) {
        return Some("554 5.6.0 From or Date is missing");
    }
    if mail.lines().any(|line| line.len() > LONGEST_LINE) {
        return Some("554 5.6.0 a line is too long");
    }
    None
}

fn address(text: &str, word: &str) -> Option<String> {
    let (keyword, rest) = text.split_at_checked(word.len())?;
    let rest = rest
        .trim_start()
        .strip_prefix('<')
        .filter(|_| keyword.eq_ignore_ascii_case(word))?;
    Some(rest.split_once('>')?.0.to_owned())
}
