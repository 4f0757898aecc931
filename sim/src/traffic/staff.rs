//! What people in the office do in a simulated yard, so that no truck waits for ever.

use std::{collections::HashMap, time::Duration};

use chrono::TimeDelta;
use tokio::time::{Instant, sleep};

use super::{itinerary::Closure, lineup::Lineup};
use crate::{
    SimError,
    server::{
        Server,
        queue::{Entry, Status},
    },
    truth::Stay,
    yard::Yard,
};

/// A clerk calls by hand where a station stays free so long although trucks wait, as at stations set to MANUAL.
const FREE_TOO_LONG: Duration = Duration::from_secs(5);

/// Looks after the stations for as long as it is polled.
pub async fn call_by_hand(server: &Server, lineup: &Lineup, yard: &Yard) {
    let mut free_since: HashMap<i64, Instant> = HashMap::new();
    loop {
        sleep(Duration::from_secs(1)).await;
        let entries = lineup.entries();
        for station in yard.station_ids() {
            let is_called = |entry: &Entry| entry.status == Status::Called && entry.station_id == Some(station);
            let somebody_waits = entries.iter().any(|entry| entry.status == Status::Waiting);
            if !yard.is_free(station) || !somebody_waits || entries.iter().any(is_called) {
                free_since.remove(&station);
                continue;
            }
            let since = *free_since.entry(station).or_insert_with(Instant::now);
            if since.elapsed() > FREE_TOO_LONG {
                free_since.remove(&station);
                if let Err(error) = server.call_next(station).await {
                    tracing::debug!(
                        station.id = station,
                        "nobody could be called to station {station}: {error}"
                    );
                }
            }
        }
    }
}

/// Closes a station when its time has come, and opens it again.
pub async fn close_for_a_while(server: &Server, yard: &Yard, closure: Closure) {
    let Some(station) = yard.station_ids().nth(closure.station) else {
        return;
    };
    sleep(closure.after.div_f64(yard.haste())).await;
    set_open(server, station, false).await;
    sleep(closure.lasts.div_f64(yard.haste())).await;
    set_open(server, station, true).await;
}

/// Until the server has done it.
async fn set_open(server: &Server, station: i64, open: bool) {
    while let Err(error) = server.set_station_open(station, open).await {
        tracing::debug!(
            station.id = station,
            "station {station} cannot be closed or opened now: {error}"
        );
        sleep(Duration::from_secs(1)).await;
    }
}

/// Cancels whatever an earlier day left in the line: its trucks do not come any more, and would hold the stations.
pub async fn clear_line(server: &Server) -> Result<(), SimError> {
    let is_over = |entry: &Entry| matches!(entry.status, Status::Completed | Status::Cancelled);
    for entry in server.line().await?.iter().filter(|entry| !is_over(entry)) {
        match server.cancel(entry.id, "the yard opens anew").await {
            Err(error @ SimError::Unreachable(_)) => return Err(error),
            // It may have ended by itself meanwhile.
            Err(error) => tracing::debug!("entry {} stays in the line: {error}", entry.id),
            Ok(()) => {}
        }
    }
    Ok(())
}

/// Decides for a truck that the board let go while its call took nothing: its weight is the unassigned capture of that
/// stay. Where there is none, its entry is cancelled, and the capture, if it comes, stays for the staff to see.
pub async fn decide(server: &Server, stay: &Stay, entry: &Entry) -> Result<(), SimError> {
    let (Some(vehicle), Some(driver)) = (stay.vehicle_id, stay.driver_id) else {
        return Ok(());
    };
    let slack = TimeDelta::seconds(1);
    let captures = server.unassigned(stay.station_id).await?;
    let of_stay = captures.iter().find(|capture| {
        let ended = stay.clear_at.unwrap_or(capture.captured_at);
        capture.captured_at >= stay.on_at - slack && capture.captured_at <= ended + slack
    });
    match of_stay {
        Some(capture) => server.assign(capture, vehicle, driver).await,
        None => server.cancel(entry.id, "the truck has left").await,
    }
}
