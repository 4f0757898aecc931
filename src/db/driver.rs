//! Drivers, their sealed telephone numbers, their vehicles, and the accounts that are made for them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::{dsl::sql, pg::Pg, prelude::*, sql_types::BigInt};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{
    DbError, Query,
    audit_log::{self, Author, Deed},
    outbox,
    page::{Listed, Slice, containing},
    schema,
};
use crate::domain::{
    outbox::{Kind, Message},
    password::Password,
    phone::Phone,
    phone_vault::{PhoneVault, Place, VaultError},
    sealed,
    text::Login,
};

/// A driver as the table has him; his number is sealed.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = schema::driver)]
pub struct Driver {
    pub id: i64,
    pub name: String,
    pub phone: Vec<u8>,
    pub company_id: Option<i64>,
    pub app_user_id: Option<i64>,
    pub is_active: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A driver with his vehicles, the first being the one he usually drives.
#[derive(Clone, Debug)]
pub struct DriverWhole {
    pub driver: Driver,
    pub vehicle_ids: Vec<i64>,
}

/// Drivers by name.
#[derive(Clone, Debug)]
pub struct Drivers {
    /// A part of the name.
    pub search: Option<String>,
    /// The whole number, by its keyed hash.
    pub phone_index: Option<Vec<u8>>,
    pub company_id: Option<i64>,
    pub is_active: Option<bool>,
    pub slice: Slice,
}

/// One driver.
#[derive(Clone, Copy, Debug)]
pub struct DriverById(pub i64);

/// Adds a driver with an account of the app, and where text messages are sent owes him one that tells it.
#[derive(Debug)]
pub struct AddDriver {
    pub name: String,
    pub phone: Phone,
    pub company_id: Option<i64>,
    pub vehicle_ids: Vec<i64>,
    pub login: Login,
    pub password_hash: String,
    /// What he is told by text message.
    pub told: Option<AccountTold>,
    pub phones: Arc<PhoneVault>,
    pub author: Author,
}

/// A new account's secret, on its way to its driver.
#[derive(Clone, Debug)]
pub struct AccountTold {
    pub temporary_password: Password,
    /// When it does not work any more.
    pub valid_until: DateTime<Utc>,
}

/// What of a driver is to be set; `None` leaves it as it is, `Some(None)` empties it.
#[derive(Debug, Default)]
pub struct DriverChange {
    pub name: Option<String>,
    pub phone: Option<Phone>,
    pub company_id: Option<Option<i64>>,
    pub vehicle_ids: Option<Vec<i64>>,
    pub is_active: Option<bool>,
}

/// Changes a driver; one who does not drive here any more cannot sign in either.
#[derive(Debug)]
pub struct ChangeDriver {
    pub id: i64,
    pub change: DriverChange,
    pub action: &'static str,
    pub phones: Arc<PhoneVault>,
    pub author: Author,
}

impl Driver {
    /// His number, for those who may see it.
    pub fn phone(&self, phones: &PhoneVault) -> Result<Phone, VaultError> {
        phones.open(&self.phone, place(self.id))
    }
}

const fn place(row: i64) -> Place {
    Place {
        table: "driver",
        column: "phone",
        row,
    }
}

impl Drivers {
    fn matching(&self) -> schema::driver::BoxedQuery<'static, Pg> {
        use schema::driver::dsl;
        let mut found = dsl::driver.into_boxed();
        if let Some(search) = &self.search {
            found = found.filter(dsl::name.like(containing(search)));
        }
        if let Some(index) = &self.phone_index {
            found = found.filter(dsl::phone_index.eq(index.clone()));
        }
        if let Some(company_id) = self.company_id {
            found = found.filter(dsl::company_id.eq(company_id));
        }
        if let Some(is_active) = self.is_active {
            found = found.filter(dsl::is_active.eq(is_active));
        }
        found
    }
}

impl Query for Drivers {
    type Output = Listed<DriverWhole>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Listed<DriverWhole>, DbError> {
        use schema::driver::dsl;
        let total = self.matching().count().get_result(conn).await?;
        let drivers = self
            .matching()
            .order((dsl::name, dsl::id))
            .offset(self.slice.offset)
            .limit(self.slice.limit)
            .select(Driver::as_select())
            .load(conn)
            .await?;
        let items = wholes(conn, drivers).await?;
        Ok(Listed { items, total })
    }
}

impl Query for DriverById {
    type Output = DriverWhole;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<DriverWhole, DbError> {
        whole(conn, self.0).await
    }
}

impl Query for AddDriver {
    type Output = DriverWhole;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<DriverWhole, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| self.add(conn).await)
            .await
    }
}

impl AddDriver {
    async fn add(&self, conn: &mut AsyncPgConnection) -> Result<DriverWhole, DbError> {
        use schema::{app_user, driver};
        // The number is sealed for its row, so the row's id comes first.
        let next = sql::<BigInt>("nextval(pg_get_serial_sequence('driver', 'id'))");
        let id: i64 = diesel::select(next).get_result(conn).await?;
        diesel::insert_into(driver::table)
            .values((
                driver::id.eq(id),
                driver::name.eq(&self.name),
                driver::phone.eq(sealed_phone(&self.phones, &self.phone, id)?),
                driver::phone_index.eq(self.phones.index(&self.phone).as_slice()),
                driver::company_id.eq(self.company_id),
            ))
            .execute(conn)
            .await?;
        let user: i64 = diesel::insert_into(app_user::table)
            .values((
                app_user::login_id.eq(self.login.as_str()),
                app_user::name.eq(&self.name),
                app_user::role.eq("DRIVER"),
                app_user::driver_id.eq(id),
                app_user::password_hash.eq(&self.password_hash),
                app_user::must_change_password.eq(true),
            ))
            .returning(app_user::id)
            .get_result(conn)
            .await?;
        diesel::update(driver::table.find(id))
            .set(driver::app_user_id.eq(user))
            .execute(conn)
            .await?;
        set_vehicles(conn, id, &self.vehicle_ids).await?;
        if let Some(told) = &self.told {
            let message = welcome(id, &self.login, told, &self.phones).map_err(|error| unreadable(&error))?;
            outbox::enqueue(conn, &[message]).await?;
        }
        let added = whole(conn, id).await?;
        let after = told(&added, &self.phone.hidden());
        audit_log::by_user(conn, &self.author, deed("driver.add", id, None, after)).await?;
        Ok(added)
    }
}

impl Query for ChangeDriver {
    type Output = DriverWhole;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<DriverWhole, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| self.change(conn).await)
            .await
    }
}

impl ChangeDriver {
    async fn change(&self, conn: &mut AsyncPgConnection) -> Result<DriverWhole, DbError> {
        use schema::{app_user, driver};
        let before = whole(conn, self.id).await?;
        let known = before.driver.phone(&self.phones).map_err(|error| unreadable(&error))?;
        let phone = self.change.phone.as_ref().unwrap_or(&known);
        let name = self.change.name.as_ref().unwrap_or(&before.driver.name);
        let is_active = self.change.is_active.unwrap_or(before.driver.is_active);
        diesel::update(driver::table.find(self.id))
            .set((
                driver::name.eq(name),
                driver::phone.eq(sealed_phone(&self.phones, phone, self.id)?),
                driver::phone_index.eq(self.phones.index(phone).as_slice()),
                driver::company_id.eq(self.change.company_id.unwrap_or(before.driver.company_id)),
                driver::is_active.eq(is_active),
            ))
            .execute(conn)
            .await?;
        diesel::update(app_user::table.filter(app_user::driver_id.eq(self.id)))
            .set((app_user::name.eq(name), app_user::is_active.eq(is_active)))
            .execute(conn)
            .await?;
        if let Some(vehicles) = &self.change.vehicle_ids {
            set_vehicles(conn, self.id, vehicles).await?;
        }
        let after = whole(conn, self.id).await?;
        let (was, is) = (told(&before, &known.hidden()), told(&after, &phone.hidden()));
        audit_log::by_user(conn, &self.author, deed(self.action, self.id, Some(was), is)).await?;
        Ok(after)
    }
}

/// The message that tells a driver his account. His number stays sealed in his row, and the password in the message, from
/// which it is wiped when it is sent.
fn welcome(driver: i64, login: &Login, told: &AccountTold, vault: &PhoneVault) -> Result<Message, VaultError> {
    let key = uuid::Uuid::new_v4();
    let password = told.temporary_password.secret().expose_secret();
    let sealed = sealed::seal(vault, key, password, rand::random())?;
    Ok(Message {
        kind: Kind::SmsWelcome,
        idempotency_key: key,
        aggregate_key: format!("driver {driver}"),
        payload: json!({
            "driver_id": driver, "login_id": login, "sealed": sealed, "valid_until": told.valid_until,
        }),
    })
}

fn sealed_phone(phones: &PhoneVault, phone: &Phone, row: i64) -> Result<Vec<u8>, DbError> {
    phones
        .seal(phone, place(row), rand::random())
        .map_err(|error| unreadable(&error))
}

fn unreadable(error: &VaultError) -> DbError {
    DbError::Query(diesel::result::Error::DeserializationError(error.to_string().into()))
}

async fn set_vehicles(conn: &mut AsyncPgConnection, driver: i64, vehicles: &[i64]) -> Result<(), DbError> {
    use schema::vehicle_driver::dsl;
    diesel::delete(dsl::vehicle_driver.filter(dsl::driver_id.eq(driver)))
        .execute(conn)
        .await?;
    let row = |(at, vehicle): (usize, &i64)| {
        (
            dsl::driver_id.eq(driver),
            dsl::vehicle_id.eq(*vehicle),
            dsl::is_primary.eq(at == 0),
        )
    };
    let rows: Vec<_> = vehicles.iter().enumerate().map(row).collect();
    if !rows.is_empty() {
        diesel::insert_into(dsl::vehicle_driver)
            .values(rows)
            .execute(conn)
            .await?;
    }
    Ok(())
}

async fn whole(conn: &mut AsyncPgConnection, id: i64) -> Result<DriverWhole, DbError> {
    let driver: Driver = schema::driver::table
        .find(id)
        .select(Driver::as_select())
        .first(conn)
        .await?;
    wholes(conn, vec![driver]).await?.pop().ok_or(DbError::NotFound)
}

async fn wholes(conn: &mut AsyncPgConnection, drivers: Vec<Driver>) -> Result<Vec<DriverWhole>, DbError> {
    use schema::vehicle_driver::dsl;
    let wanted: Vec<i64> = drivers.iter().map(|driver| driver.id).collect();
    let pairs: Vec<(i64, i64)> = dsl::vehicle_driver
        .filter(dsl::driver_id.eq_any(wanted))
        .order((dsl::is_primary.desc(), dsl::id))
        .select((dsl::driver_id, dsl::vehicle_id))
        .load(conn)
        .await?;
    let join = |driver: Driver| DriverWhole {
        vehicle_ids: pairs
            .iter()
            .filter(|(of, _)| *of == driver.id)
            .map(|(_, vehicle)| *vehicle)
            .collect(),
        driver,
    };
    Ok(drivers.into_iter().map(join).collect())
}

fn told(whole: &DriverWhole, hidden_phone: &str) -> Value {
    json!({
        "name": whole.driver.name,
        "phone": hidden_phone,
        "company_id": whole.driver.company_id,
        "vehicle_ids": whole.vehicle_ids,
        "is_active": whole.driver.is_active,
    })
}

fn deed(action: &'static str, driver: i64, before: Option<Value>, after: Value) -> Deed {
    Deed {
        action,
        subject: format!("driver {driver}"),
        before,
        after: Some(after),
    }
}
