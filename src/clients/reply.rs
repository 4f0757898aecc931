//! An answer, read no further than it must be, and what it means for a message.

use std::time::Duration;

use reqwest::{
    RequestBuilder, Response,
    header::{HeaderMap, RETRY_AFTER},
};
use serde_json::Value;

use super::http::words;
use crate::domain::delivery::{Outcome, answer};

/// What is read of an answer; more than this is none.
const LONGEST: usize = 1024 * 1024;
/// What is kept of an answer for people.
const QUOTED: usize = 300;

/// What was answered.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// There is no answer, or none that can be read. Whether the request was taken is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoReply(String);

/// Sends a request, and reads its answer up to 1 MiB.
pub async fn send(request: RequestBuilder) -> Result<Reply, NoReply> {
    let mut response = request.send().await.map_err(|error| NoReply(words(&error)))?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = read(&mut response).await?;
    Ok(Reply { status, headers, body })
}

async fn read(response: &mut Response) -> Result<Vec<u8>, NoReply> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| NoReply(words(&error)))? {
        if body.len() + chunk.len() > LONGEST {
            return Err(NoReply(format!("an answer of more than {LONGEST} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

impl Reply {
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Its beginning, in one line.
    pub fn quoted(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let plain = text
            .chars()
            .map(|letter| if letter.is_control() { ' ' } else { letter });
        plain.take(QUOTED).collect::<String>().trim().to_owned()
    }

    pub fn retry_after(&self) -> Option<Duration> {
        answer::retry_after(self.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()))
    }

    /// What it means where it is no success.
    pub fn failure(&self) -> Outcome {
        answer::failure(self.status, self.retry_after(), &self.quoted())
    }

    /// A success that cannot be read: whether the message arrived must be asked again, under the same key.
    pub fn unreadable(&self) -> Outcome {
        let why = format!("{} with an answer that cannot be read: {}", self.status, self.quoted());
        Outcome::Retry { why, after: None }
    }
}

impl From<NoReply> for Outcome {
    fn from(NoReply(why): NoReply) -> Self {
        Self::Retry { why, after: None }
    }
}
