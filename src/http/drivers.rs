//! `/drivers`: who drives which truck. A new driver gets an account of the app.

use std::sync::Arc;

use actix_web::{delete, get, post, put, web::Data};
use chrono::{DateTime, FixedOffset, Utc};
use rand::RngExt;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use weighbridge_supervision::Handle;

use super::{
    answer::{Answer, Created, Failure, Page, Success},
    auth::{Caller, Staff},
    code::FieldCode,
    error::ApiError,
    fields::{Given, given, id, ids, line, required, searched},
    read::{Body, Filter, Id, Paging},
    rules::Rules,
    sessions::SignIn,
};
use crate::{
    actors::{
        directory::Directory,
        repository::{Queries, Repository},
    },
    db::driver::{AccountTold, AddDriver, ChangeDriver, DriverById, DriverChange, DriverWhole, Drivers},
    domain::{outbox::Kind, password::Password, phone::Phone, phone_vault::PhoneVault, text::Login},
};

/// Logins are read out in a yard: no letters or digits that look alike.
const LOGIN_LETTERS: &[u8; 30] = b"abcdefghjkmnpqrstuvwxyz2345678";

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DriverFilter {
    /// A part of the name.
    search: Option<String>,
    /// The whole number.
    phone: Option<String>,
    company_id: Option<i64>,
    is_active: Option<bool>,
    page: Option<i64>,
    limit: Option<i64>,
}

/// A driver to be added or changed. A change leaves out what is to stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DriverForm {
    /// Required for a new driver.
    #[schema(example = "홍길동")]
    name: Option<String>,
    /// Required for a new driver.
    #[schema(example = "010-1234-5678")]
    phone: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    company_id: Given<i64>,
    /// What he drives; the first is what he usually drives.
    vehicle_ids: Option<Vec<i64>>,
    is_active: Option<bool>,
}

/// A driver.
#[derive(Debug, Serialize, ToSchema)]
pub struct DriverView {
    id: i64,
    name: String,
    /// `null` where the key of the number is missing.
    phone: Option<String>,
    company_id: Option<i64>,
    vehicle_ids: Vec<i64>,
    is_active: bool,
    created_at: DateTime<FixedOffset>,
    updated_at: DateTime<FixedOffset>,
}

/// A new driver with his account; the password is not shown again.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewDriverView {
    id: i64,
    name: String,
    app_account: AccountView,
    /// Whether a text message with the account is on its way; `false` where the server sends none.
    sms_sent: bool,
}

/// An account of the app, to be told to its driver.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountView {
    #[schema(example = "driver_k7mq2x")]
    login_id: String,
    /// Works for three days, and only to be changed.
    temporary_password: String,
}

/// What the handlers of this file need.
pub type Cab = (Data<Handle<Repository>>, Data<PhoneVault>, Data<Rules>);

/// `GET /api/v1/drivers?search=홍`, by name.
#[utoipa::path(tag = "drivers", params(DriverFilter), responses((status = 200, body = Success<Page<DriverView>>)))]
#[get("/drivers")]
pub async fn list_drivers(
    _: Staff,
    Filter(filter): Filter<DriverFilter>,
    cab: Cab,
) -> Result<Answer<Page<DriverView>>, ApiError> {
    let (repository, phones, rules) = cab;
    let paging = Paging::parse(filter.page, filter.limit)?;
    let phone = filter.phone.as_deref().map(parsed).transpose()?;
    let wanted = Drivers {
        search: searched("search", filter.search)?,
        phone_index: phone.map(|phone| phones.index(&phone).to_vec()),
        company_id: filter.company_id,
        is_active: filter.is_active,
        slice: paging.into(),
    };
    let found = repository.run(wanted).await?;
    Ok(Success::ok(Page::of(paging, found, |driver| {
        DriverView::of(driver, &phones, &rules)
    })))
}

/// `GET /api/v1/drivers/{id}`.
#[utoipa::path(
    tag = "drivers",
    params(("id" = i64, Path,)),
    responses((status = 200, body = Success<DriverView>), (status = 404, body = Failure))
)]
#[get("/drivers/{id}")]
pub async fn one_driver(_: Staff, Id(id): Id, cab: Cab) -> Result<Answer<DriverView>, ApiError> {
    let (repository, phones, rules) = cab;
    let driver = repository.run(DriverById(id)).await?;
    Ok(Success::ok(DriverView::of(driver, &phones, &rules)))
}

/// `POST /api/v1/drivers` with `{"name":"홍길동","phone":"010-1234-5678","vehicle_ids":[1]}` makes the account too.
#[utoipa::path(
    tag = "drivers",
    responses((status = 201, body = Success<NewDriverView>), (status = 400, body = Failure))
)]
#[post("/drivers")]
pub async fn add_driver(
    Staff(caller): Staff,
    Body(form): Body<DriverForm>,
    cab: Cab,
    sign_in: Data<SignIn>,
    directory: Data<Directory>,
) -> Result<Created<NewDriverView>, ApiError> {
    let (repository, phones, rules) = cab;
    let form = form.checked()?;
    let (name, phone) = (required("name", form.name)?, required("phone", form.phone)?);
    let login = new_login()?;
    let password = Password::temporary(&mut rand::rng());
    let told = rules.reach.carries(Kind::SmsWelcome).then(|| AccountTold {
        temporary_password: password.clone(),
        valid_until: Utc::now() + sign_in.temporary_password,
    });
    let sms_sent = told.is_some();
    let added = repository
        .run(AddDriver {
            name,
            phone,
            company_id: form.company_id.flatten(),
            vehicle_ids: form.vehicle_ids.unwrap_or_default(),
            login: login.clone(),
            password_hash: sign_in.hasher.hash(&password).await?,
            told,
            phones: Arc::clone(&phones),
            author: caller.author(),
        })
        .await?;
    directory.announce_owed();
    Ok(Success::created(NewDriverView {
        id: added.driver.id,
        name: added.driver.name,
        app_account: AccountView {
            login_id: login.to_string(),
            temporary_password: password.secret().expose_secret().to_owned(),
        },
        sms_sent,
    }))
}

/// `PUT /api/v1/drivers/{id}` with the fields that change.
#[utoipa::path(
    tag = "drivers",
    params(("id" = i64, Path,)),
    responses(
        (status = 200, body = Success<DriverView>),
        (status = 400, body = Failure),
        (status = 404, body = Failure),
    )
)]
#[put("/drivers/{id}")]
pub async fn change_driver(
    Staff(caller): Staff,
    Id(id): Id,
    Body(form): Body<DriverForm>,
    cab: Cab,
) -> Result<Answer<DriverView>, ApiError> {
    change(id, form.checked()?, "driver.change", &caller, cab).await
}

/// `DELETE /api/v1/drivers/{id}`: he does not drive here any more, and cannot sign in; his weighings stay.
#[utoipa::path(
    tag = "drivers",
    params(("id" = i64, Path,)),
    responses((status = 200, body = Success<DriverView>), (status = 404, body = Failure))
)]
#[delete("/drivers/{id}")]
pub async fn deactivate_driver(Staff(caller): Staff, Id(id): Id, cab: Cab) -> Result<Answer<DriverView>, ApiError> {
    let gone = DriverChange {
        is_active: Some(false),
        ..DriverChange::default()
    };
    change(id, gone, "driver.deactivate", &caller, cab).await
}

async fn change(
    id: i64,
    change: DriverChange,
    action: &'static str,
    caller: &Caller,
    cab: Cab,
) -> Result<Answer<DriverView>, ApiError> {
    let (repository, phones, rules) = cab;
    let change = ChangeDriver {
        id,
        change,
        action,
        phones: Arc::clone(&phones),
        author: caller.author(),
    };
    let changed = repository.run(change).await?;
    Ok(Success::ok(DriverView::of(changed, &phones, &rules)))
}

impl DriverForm {
    fn checked(self) -> Result<DriverChange, ApiError> {
        Ok(DriverChange {
            name: self.name.map(|name| line::<50>("name", &name)).transpose()?,
            phone: self.phone.as_deref().map(parsed).transpose()?,
            company_id: id("company_id", self.company_id)?,
            vehicle_ids: self
                .vehicle_ids
                .map(|vehicles| ids("vehicle_ids", vehicles))
                .transpose()?,
            is_active: self.is_active,
        })
    }
}

fn parsed(phone: &str) -> Result<Phone, ApiError> {
    Phone::parse(phone).map_err(|_| ApiError::field("phone", FieldCode::InvalidFormat))
}

/// A login that nobody can guess from a name; of 30⁸ none is met twice.
fn new_login() -> Result<Login, ApiError> {
    let mut rng = rand::rng();
    let mut letter = |_| char::from(LOGIN_LETTERS[rng.random_range(0..LOGIN_LETTERS.len())]);
    let letters: String = (0..8).map(&mut letter).collect();
    Login::parse(&format!("driver_{letters}")).map_err(ApiError::internal)
}

impl DriverView {
    fn of(whole: DriverWhole, phones: &PhoneVault, rules: &Rules) -> Self {
        let driver = whole.driver;
        let phone = driver.phone(phones).inspect_err(|error| {
            tracing::error!(
                driver.id = driver.id,
                "the number of driver {} cannot be read: {error}",
                driver.id
            );
        });
        Self {
            id: driver.id,
            name: driver.name,
            phone: phone.ok().map(|phone| phone.to_string()),
            company_id: driver.company_id,
            vehicle_ids: whole.vehicle_ids,
            is_active: driver.is_active,
            created_at: rules.local(driver.created_at),
            updated_at: rules.local(driver.updated_at),
        }
    }
}
