//! A whole server for one test: its own database, port, keys and folder, on a thread of its own.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
};

use reqwest::{Method, StatusCode, header::HeaderMap};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use weighbridge::{config, startup::Server};
use weighbridge_sim::http::client;

use super::{database::Database, folder::Folder};

pub const ADMIN: &str = "admin";
pub const PASSWORD: &str = "admin1234!";

/// A serving server; it is stopped, and everything of it removed, when this is dropped.
#[derive(Debug)]
pub struct TestServer {
    address: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    // After the server has stopped.
    database: Arc<Database>,
    _folder: Folder,
}

/// Someone who speaks HTTP to a [`TestServer`], signed in or not.
#[derive(Clone, Debug)]
pub struct Client {
    base: String,
    http: reqwest::Client,
    token: Option<String>,
}

/// What was answered.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// `null` where it is no JSON.
    pub body: Value,
    pub text: String,
}

impl TestServer {
    /// With an administrator, passwords that are quick to hash, and no limit of requests.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with other settings, `("auth.refresh_grace", "1ms")`.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        Self::start_on(Arc::new(Database::new()), settings).await
    }

    /// One more server on the same database, whose connections have this for `witness.server`.
    pub async fn start_another(&self, name: &str, settings: &[(&str, &str)]) -> Self {
        let url = format!(
            "{}?options=-c%20witness.server%3D{name}",
            self.database.url().expose_secret()
        );
        let settings = [&[("database.url", url.as_str())], settings].concat();
        Self::start_on(Arc::clone(&self.database), &settings).await
    }

    async fn start_on(database: Arc<Database>, settings: &[(&str, &str)]) -> Self {
        let folder = Folder::new();
        let data_dir = folder.path().display().to_string();
        let url = database.url().expose_secret().to_owned();
        let usual = [
            ("data_dir", data_dir.as_str()),
            ("database.url", &url),
            ("database.pool", "5"),
            ("server.listen", "127.0.0.1:0"),
            ("server.workers", "1"),
            ("auth.bcrypt_cost", "4"),
            ("rate_limit.requests", "0"),
            ("bootstrap.admin_login", ADMIN),
            ("bootstrap.admin_password", PASSWORD),
        ];
        let variable = |(key, value): &(&str, &str)| {
            let name = key.to_uppercase().replace('.', "__");
            (format!("WEIGHBRIDGE__{name}"), (*value).to_owned())
        };
        let variables: Vec<(String, String)> = usual.iter().chain(settings).map(variable).collect();
        let settings = config::load(None, variables).unwrap();
        let (ready, address) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            actix_rt::System::new().block_on(async {
                let server = Server::build(&settings).await.unwrap();
                ready.send(server.address()).unwrap();
                let stop = async {
                    // A test that drops the sender wants the same.
                    stopped.await.unwrap_or_default();
                };
                server.run_until(stop).await.unwrap();
            });
        });
        Self {
            address: address.await.unwrap().to_string(),
            stop: Some(stop),
            thread: Some(thread),
            database,
            _folder: folder,
        }
    }

    /// `127.0.0.1:40123`
    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Somebody who is not signed in.
    pub fn stranger(&self) -> Client {
        Client::of(&self.address)
    }

    /// The administrator, signed in.
    pub async fn admin(&self) -> Client {
        self.stranger().sign_in(ADMIN, PASSWORD).await
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if !thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}

impl Client {
    /// Somebody who is not signed in to the server at `127.0.0.1:40123`.
    pub fn of(address: &str) -> Self {
        Self {
            base: format!("http://{address}"),
            http: client().user_agent("test").build().unwrap(),
            token: None,
        }
    }

    /// The same somebody with another `User-Agent`.
    pub fn on_device(&self, user_agent: &str) -> Self {
        Self {
            http: client().user_agent(user_agent).build().unwrap(),
            ..self.clone()
        }
    }

    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// Of somebody who is signed in.
    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap()
    }

    pub async fn try_sign_in(&self, login: &str, password: &str) -> Reply {
        let form = json!({"login_id": login, "password": password});
        self.post("/api/v1/auth/login", form).await
    }

    pub async fn sign_in(&self, login: &str, password: &str) -> Self {
        let reply = self.try_sign_in(login, password).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        self.with_token(reply.data()["access_token"].as_str().unwrap())
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.send(self.request(Method::PUT, path).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// A request to be completed by the test and sent by [`Client::send`].
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        Reply {
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        }
    }
}

impl Reply {
    /// What was asked for.
    pub fn data(&self) -> &Value {
        &self.body["data"]
    }

    /// The same, of an answer that must be a success.
    #[track_caller]
    pub fn done(self) -> Value {
        assert!(self.status.is_success(), "{}", self.text);
        self.data().clone()
    }

    /// Status and code, and what is wrong with which field: `400 VALIDATION_FAILED vehicle_id NOT_FOUND`.
    pub fn failure(&self) -> String {
        let mut words = self.outcome();
        for detail in self.body["error"]["details"].as_array().into_iter().flatten() {
            for word in ["field", "code"] {
                words.push(' ');
                words.push_str(detail[word].as_str().unwrap());
            }
        }
        words
    }

    /// Status and code, `409 DUPLICATE_PLATE`; of a success the status alone.
    pub fn outcome(&self) -> String {
        match self.body["error"]["code"].as_str() {
            Some(code) => format!("{} {code}", self.status.as_u16()),
            None => self.status.as_u16().to_string(),
        }
    }
}
