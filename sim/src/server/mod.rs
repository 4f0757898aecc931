//! The server under test, through its API, as a member of the staff uses it.
//!
//! - [`master_data`]: stations, the edge, vehicles, drivers
//! - [`queue`]: the waiting line and the captures that wait for a decision
//! - [`app`]: a driver's app
//! - [`live`]: what the server tells by WebSocket

pub mod app;
pub mod live;
pub mod master_data;
pub mod queue;

use std::time::Duration;

use reqwest::{Client, Method, Response, StatusCode, header::RETRY_AFTER};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{sync::Mutex, time::sleep};
use uuid::Uuid;

use crate::{SimError, http};

/// A signed-in client. It signs in when it must, renews its token, and waits when the server says how long.
#[derive(Debug)]
pub struct Server {
    http: Client,
    /// `http://host:port`, without a slash at the end.
    url: String,
    login: Login,
    tokens: Mutex<Option<Tokens>>,
}

/// Who signs in.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Login {
    pub login_id: String,
    pub password: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Tokens {
    access_token: String,
    refresh_token: String,
}

/// One call of the API.
#[derive(Clone, Debug)]
struct Call<'a> {
    method: Method,
    path: &'a str,
    body: Option<Value>,
    /// Makes a POST safe to repeat.
    key: Option<Uuid>,
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: Option<T>,
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    code: String,
    message: String,
}

/// How often a call is repeated that the server puts off by 429.
const PUT_OFF: u32 = 20;
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
const ANSWERS_WITHIN: Duration = Duration::from_secs(15);

impl Server {
    /// A client of the server at `url` (`http://127.0.0.1:8080`); nothing is sent yet.
    pub fn new(url: &str, login: Login) -> Result<Self, SimError> {
        let http = http::client().timeout(ANSWERS_WITHIN).build();
        let http = http.map_err(|error| SimError::Internal(format!("cannot make an HTTP client: {error}")))?;
        let url = url.trim_end_matches('/').to_owned();
        if !url.starts_with("http://") {
            return Err(SimError::Usage(format!(
                "{url:?} is no address of a server, expected http://host:port"
            )));
        }
        Ok(Self {
            http,
            url,
            login,
            tokens: Mutex::default(),
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The access token that is valid now.
    pub async fn token(&self) -> Result<String, SimError> {
        let mut tokens = self.tokens.lock().await;
        if let Some(tokens) = &*tokens {
            return Ok(tokens.access_token.clone());
        }
        let signed_in: Tokens = self.send_unsigned("/auth/login", json!(self.login)).await?;
        Ok(tokens.insert(signed_in).access_token.clone())
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, SimError> {
        self.call(Call {
            method: Method::GET,
            path,
            body: None,
            key: None,
        })
        .await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: Value) -> Result<T, SimError> {
        self.post_once(path, body, Uuid::new_v4()).await
    }

    /// A POST that takes effect once, however often it is sent with this key.
    async fn post_once<T: DeserializeOwned>(&self, path: &str, body: Value, key: Uuid) -> Result<T, SimError> {
        self.call(Call {
            method: Method::POST,
            path,
            body: Some(body),
            key: Some(key),
        })
        .await
    }

    /// Every item of a list, page by page.
    async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, SimError> {
        #[derive(Deserialize)]
        struct Page<T> {
            items: Vec<T>,
            pagination: Pagination,
        }
        #[derive(Deserialize)]
        struct Pagination {
            total_pages: u32,
        }
        let mut items = Vec::new();
        for number in 1.. {
            let page: Page<T> = self.get(&format!("{path}?page={number}&limit=100")).await?;
            items.extend(page.items);
            if number >= page.pagination.total_pages {
                break;
            }
        }
        Ok(items)
    }

    async fn call<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, SimError> {
        let mut renewed = false;
        for _ in 0..PUT_OFF {
            let token = self.token().await?;
            let response = self.send(&call, Some(&token)).await?;
            match response.status() {
                StatusCode::TOO_MANY_REQUESTS => sleep(pause(&response)).await,
                StatusCode::UNAUTHORIZED if !renewed => {
                    renewed = true;
                    self.renew(&token).await?;
                }
                _ => return self.read(response).await,
            }
        }
        Err(SimError::Unreachable(format!(
            "{} was put off {PUT_OFF} times",
            call.path
        )))
    }

    /// Replaces a token that the server no longer takes, unless another task has done so.
    async fn renew(&self, refused: &str) -> Result<(), SimError> {
        let mut tokens = self.tokens.lock().await;
        let Some(old) = tokens.take_if(|tokens| tokens.access_token == refused) else {
            return Ok(());
        };
        let refresh = json!({ "refresh_token": old.refresh_token });
        match self.send_unsigned::<Tokens>("/auth/refresh", refresh).await {
            Ok(fresh) => *tokens = Some(fresh),
            // The next call signs in anew.
            Err(SimError::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn send_unsigned<T: DeserializeOwned>(&self, path: &str, body: Value) -> Result<T, SimError> {
        let call = Call {
            method: Method::POST,
            path,
            body: Some(body),
            key: None,
        };
        for _ in 0..PUT_OFF {
            let response = self.send(&call, None).await?;
            if response.status() != StatusCode::TOO_MANY_REQUESTS {
                return self.read(response).await;
            }
            sleep(pause(&response)).await;
        }
        Err(SimError::Unreachable(format!("{path} was put off {PUT_OFF} times")))
    }

    async fn send(&self, call: &Call<'_>, token: Option<&str>) -> Result<Response, SimError> {
        let mut request = self
            .http
            .request(call.method.clone(), format!("{}/api/v1{}", self.url, call.path));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(key) = call.key {
            request = request.header("Idempotency-Key", key.to_string());
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        request.send().await.map_err(|error| self.unreachable(error))
    }

    async fn read<T: DeserializeOwned>(&self, response: Response) -> Result<T, SimError> {
        let (status, path) = (response.status(), response.url().path().to_owned());
        let text = response.text().await.map_err(|error| self.unreachable(error))?;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            return Err(SimError::Unreachable(format!("{path} is unavailable")));
        }
        let unexpected =
            |what: &str| SimError::Server(format!("{path} answered {status} with {what}: {}", shortened(&text)));
        // `null` is an answer too, where T can be one.
        let envelope: Envelope<Value> = serde_json::from_str(&text).map_err(|_| unexpected("no envelope"))?;
        if let Some(Failure { code, message }) = envelope.error {
            return Err(SimError::Refused {
                status: status.as_u16(),
                code,
                message,
                path,
            });
        }
        let data = envelope.data.unwrap_or(Value::Null);
        serde_json::from_value(data).map_err(|error| unexpected(&format!("other data than expected ({error})")))
    }

    fn unreachable(&self, error: reqwest::Error) -> SimError {
        let error = error.without_url();
        let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
        let words = causes.fold(format!("{}: {error}", self.url), |words, cause| {
            format!("{words}: {cause}")
        });
        SimError::Unreachable(words)
    }
}

fn pause(response: &Response) -> Duration {
    let seconds = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1)).clamp(Duration::from_millis(200), LONGEST_PAUSE)
}

fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests;
