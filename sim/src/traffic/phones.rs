//! Drivers' phones: each signs in when its driver comes for the first time, and is pushed to from then on.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use serde_json::json;

use crate::{
    SimError,
    server::{Login, Server, app::Account},
    setup::write_secret,
};

/// The phones of a yard, and in a file the passwords that their drivers chose.
#[derive(Debug)]
pub struct Phones {
    file: PathBuf,
    url: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    logins: BTreeMap<i64, Login>,
    on: BTreeSet<i64>,
}

impl Phones {
    /// Those of the drivers of the server at `url`; earlier runs have left their passwords in the folder.
    pub fn open(folder: &Path, url: &str) -> Self {
        let file = folder.join("apps.json");
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        // What cannot be read is of no use: those drivers go without a phone.
        let logins = serde_json::from_str(&text).unwrap_or_default();
        Self {
            file,
            url: url.to_owned(),
            state: Mutex::new(State {
                logins,
                on: BTreeSet::new(),
            }),
        }
    }

    /// Switches a driver's phone on, in the background. `account` is a new driver's.
    pub fn switch_on(self: &Arc<Self>, driver: i64, account: Option<Account>) {
        if !self.state.lock().on.insert(driver) {
            return;
        }
        let phones = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = phones.sign_in(driver, account).await {
                tracing::debug!("driver {driver} has no phone today: {error}");
            }
        });
    }

    async fn sign_in(&self, driver: i64, account: Option<Account>) -> Result<(), SimError> {
        let known = self.state.lock().logins.get(&driver).cloned();
        let login = match (known, account) {
            (_, Some(account)) => {
                let password = format!("Drive-{}-1!", uuid::Uuid::new_v4().simple());
                let login = Server::settle_in(&self.url, account, &password[..24]).await?;
                self.keep(driver, login.clone())?;
                login
            }
            (Some(login), None) => login,
            (None, None) => return Ok(()),
        };
        let token = format!("phone-of-driver-{driver}");
        Server::new(&self.url, login)?.tell_fcm_token(&token).await
    }

    fn keep(&self, driver: i64, login: Login) -> Result<(), SimError> {
        let mut state = self.state.lock();
        state.logins.insert(driver, login);
        write_secret(&self.file, &json!(state.logins).to_string())
    }
}
