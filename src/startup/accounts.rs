//! The accounts that are made without HTTP: the first administrator, and `weighbridge admin create`.

use secrecy::{ExposeSecret, SecretString};

use super::StartupError;
use crate::{
    config::Settings,
    db::{
        Runner,
        app_user::{AddUser, UserByLogin},
    },
    domain::{
        password::{Password, PasswordError},
        role::Role,
        text::{Login, NotALogin},
    },
    http::hashing::Hasher,
};

/// An account to be made.
#[derive(Debug)]
pub struct NewAccount {
    pub login: String,
    pub password: SecretString,
    pub role: Role,
}

/// Why an account is not made.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("the login {given:?} cannot be used: {source}")]
    Login { given: String, source: NotALogin },
    #[error("the password cannot be used: {0}")]
    Password(#[from] PasswordError),
    #[error("a user named {0} exists already, expected another login")]
    Taken(String),
}

/// Makes the account, whose password need not be changed. Answers its id.
pub async fn add_account(runner: &Runner, account: NewAccount, bcrypt_cost: u32) -> Result<i64, StartupError> {
    let login = parsed(&account.login)?;
    let password = Password::parse(account.password.expose_secret()).map_err(AccountError::from)?;
    let user = AddUser {
        login: login.clone(),
        name: login.to_string(),
        role: account.role,
        password_hash: Hasher::new(bcrypt_cost, 1).hash(&password).await?,
    };
    let id = runner.run(user).await?;
    Ok(id.ok_or_else(|| AccountError::Taken(login.to_string()))?)
}

/// Makes the administrator of the settings, unless that login exists.
pub(super) async fn bootstrap(runner: &Runner, settings: &Settings) -> Result<(), StartupError> {
    let (Some(login), Some(password)) = (&settings.bootstrap.admin_login, &settings.bootstrap.admin_password) else {
        return Ok(());
    };
    let question = UserByLogin { login: parsed(login)? };
    if runner.run(question).await?.is_some() {
        return Ok(());
    }
    let account = NewAccount {
        login: login.clone(),
        password: password.clone(),
        role: Role::Admin,
    };
    add_account(runner, account, settings.auth.bcrypt_cost).await?;
    tracing::info!("made the first administrator, {login}");
    Ok(())
}

fn parsed(login: &str) -> Result<Login, AccountError> {
    Login::parse(login).map_err(|source| AccountError::Login {
        given: login.to_owned(),
        source,
    })
}
