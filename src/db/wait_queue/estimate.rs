//! How long those who wait will wait yet: the facts that [`wait_time`] reckons with.

use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::line::Entry;
use crate::{
    db::{DbError, prepared::Prepare},
    domain::{
        wait_line::{Takes, Wish},
        wait_time::{self, InLine, Scale, by_the_mean, minutes},
    },
};

#[derive(QueryableByName)]
struct ScaleRow {
    #[diesel(sql_type = sql_types::Array<sql_types::Text>)]
    directions: Vec<String>,
    #[diesel(sql_type = sql_types::Array<sql_types::BigInt>)]
    product_ids: Vec<i64>,
    /// Whether its indicator is heard.
    #[diesel(sql_type = sql_types::Bool)]
    works: bool,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Integer>)]
    busy_for: Option<i32>,
}

#[derive(QueryableByName)]
struct Service {
    #[diesel(sql_type = sql_types::Integer)]
    seconds: i32,
}

const SCALES: &str = "\
    SELECT s.directions::text[] AS directions, s.product_ids, s.status <> 'ERROR' AS works, \
      CASE WHEN e.id IS NOT NULL THEN greatest(0, extract(epoch FROM now() - e.called_at))::integer \
           WHEN s.status <> 'IDLE' OR s.deck_cycle IS NOT NULL THEN 0 END AS busy_for \
    FROM weigh_station s LEFT JOIN wait_queue e ON e.station_id = s.id AND e.status = 'CALLED' \
    WHERE s.site_id = $1 AND s.is_open AND s.is_active ORDER BY s.id";

/// A call whose truck did not come has kept its scale busy as well.
const SERVICES: &str = "\
    (SELECT least(86400, extract(epoch FROM completed_at - called_at))::integer AS seconds FROM wait_queue \
     WHERE site_id = $1 AND status = 'COMPLETED' AND called_at IS NOT NULL ORDER BY completed_at DESC LIMIT 100) \
    UNION ALL \
    (SELECT least(86400, extract(epoch FROM deadline_at - called_at))::integer FROM wait_queue \
     WHERE site_id = $1 AND status = 'NO_SHOW' AND called_at IS NOT NULL AND deadline_at IS NOT NULL \
       AND created_at > now() - interval '1 day' ORDER BY created_at DESC LIMIT 20)";

/// Fills in the estimates of a site's open entries, which are in their order.
pub(super) async fn estimate(conn: &mut AsyncPgConnection, site_id: i64, entries: &mut [Entry]) -> Result<(), DbError> {
    if entries.iter().all(|entry| entry.status != "WAITING") {
        return Ok(());
    }
    let scales: Vec<ScaleRow> = diesel::sql_query(SCALES)
        .bind::<sql_types::BigInt, _>(site_id)
        .prepared()
        .load(conn)
        .await?;
    let services: Vec<Service> = diesel::sql_query(SERVICES)
        .bind::<sql_types::BigInt, _>(site_id)
        .prepared()
        .load(conn)
        .await?;
    let services: Vec<u32> = services.iter().map(|service| seconds(service.seconds)).collect();
    fill_in(entries, &scales, &services);
    Ok(())
}

fn fill_in(entries: &mut [Entry], rows: &[ScaleRow], services: &[u32]) {
    let open = u64::try_from(rows.len()).unwrap_or(1);
    // Where no indicator is heard, they are waited for.
    let any_works = rows.iter().any(|row| row.works);
    let scales: Vec<Scale> = rows
        .iter()
        .filter(|row| row.works || !any_works)
        .map(|row| Scale {
            takes: Takes {
                directions: row.directions.clone(),
                product_ids: row.product_ids.clone(),
            },
            busy_for: row.busy_for.map(seconds),
        })
        .collect();
    let mut waiting: Vec<&mut Entry> = entries.iter_mut().filter(|entry| entry.status == "WAITING").collect();
    let line: Vec<InLine> = waiting
        .iter()
        .map(|entry| InLine {
            id: entry.id,
            wish: Wish {
                direction: entry.direction.clone(),
                product_id: entry.product_id,
            },
        })
        .collect();
    let forecasts = wait_time::forecast(&scales, &line, services);
    for ((ahead, entry), forecast) in (0..).zip(&mut waiting).zip(forecasts) {
        entry.ahead_count = i64::try_from(ahead).unwrap_or(i64::MAX);
        // Nobody can be weighed now: whoever is first waits as if one stood before him.
        entry.estimated_time = by_the_mean(ahead + u64::from(!any_works), services, open);
        entry.eta_p50 = forecast.map(|forecast| minutes(forecast.p50));
        entry.eta_p80 = forecast.map(|forecast| minutes(forecast.p80));
    }
}

fn seconds(seconds: i32) -> u32 {
    u32::try_from(seconds).unwrap_or(0)
}
