//! Sites: places with stations, a queue and a slip numbering of their own.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{DbError, Query, schema};

/// Whether the database answers.
#[derive(Clone, Copy, Debug)]
pub struct Ping;

/// The site of this id, or with `None` the only one; `Ok(None)` where there are several, or none of this id.
#[derive(Clone, Copy, Debug)]
pub struct SiteChosen(pub Option<i64>);

/// The sites that are in use, ascending.
#[derive(Clone, Copy, Debug)]
pub struct ActiveSites;

/// Gives the site of a fresh database its name and what stands on its slips. Empty texts stay unset.
#[derive(Clone, Debug)]
pub struct NameFirstSite {
    pub name: String,
    pub time_zone: String,
    pub slip_prefix: String,
    pub issuer_name: String,
    pub issuer_address: String,
    pub issuer_phone: String,
}

impl Query for Ping {
    type Output = ();

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<(), DbError> {
        diesel::select(diesel::dsl::sql::<diesel::sql_types::Integer>("1"))
            .execute(conn)
            .await?;
        Ok(())
    }
}

impl Query for SiteChosen {
    type Output = Option<i64>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Option<i64>, DbError> {
        use schema::site::dsl;
        let active = dsl::site.filter(dsl::is_active.eq(true)).select(dsl::id).order(dsl::id);
        let sites: Vec<i64> = match self.0 {
            Some(id) => active.filter(dsl::id.eq(id)).load(conn).await?,
            None => active.limit(2).load(conn).await?,
        };
        Ok(match sites[..] {
            [site] => Some(site),
            _ => None,
        })
    }
}

impl Query for ActiveSites {
    type Output = Vec<i64>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Vec<i64>, DbError> {
        use schema::site::dsl;
        Ok(dsl::site
            .filter(dsl::is_active.eq(true))
            .select(dsl::id)
            .order(dsl::id)
            .load(conn)
            .await?)
    }
}

impl Query for NameFirstSite {
    type Output = ();

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<(), DbError> {
        use schema::site::dsl;
        let given = |text: String| (!text.is_empty()).then_some(text);
        diesel::update(dsl::site)
            .set((
                dsl::name.eq(self.name),
                dsl::time_zone.eq(self.time_zone),
                dsl::slip_prefix.eq(self.slip_prefix),
                dsl::issuer_name.eq(given(self.issuer_name)),
                dsl::issuer_address.eq(given(self.issuer_address)),
                dsl::issuer_phone.eq(given(self.issuer_phone)),
            ))
            .execute(conn)
            .await?;
        Ok(())
    }
}
