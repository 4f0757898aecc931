//! A call's way to those who must see it: screens by WebSocket, the board at the scale, the driver's phone by FCM; and how
//! many pushes a second one connection to FCM carries.

use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use tokio::time::{Instant as TokioInstant, MissedTickBehavior, interval, sleep, timeout};
use uuid::Uuid;
use weighbridge::{
    clients::fcm::{Fcm, answer::Sent},
    domain::{
        push::{Manner, SlipPayload},
        wording::Language,
    },
};
use weighbridge_sim::{
    board::Board,
    chance::Chance,
    http::client,
    server::{Server, queue::Status},
    truck::{Habits, Truck},
};

use super::{Arranged, SEEN_WITHIN, What, arrange};
use crate::{
    Incomplete,
    dashboard::Shown,
    figures::{Figure, Measurement},
    stage::{Firebase, Stage},
    times::Times,
};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    pub calls: u32,
    pub pushes: u32,
}

/// The requirements' site weighs 500 trucks a day: ten times as many within eight hours is a call every 5.8 s, and these
/// come twelve times as often.
const BETWEEN_CALLS: Duration = Duration::from_millis(480);
/// On their way at once: as many as the server sends, and many more.
const AT_ONCE: [usize; 2] = [8, 64];
const PUSHED_WITHIN: Duration = Duration::from_secs(10);

/// What one call took.
struct Took {
    entry: i64,
    asked_at: DateTime<Utc>,
    screen: Duration,
    board: Duration,
}

/// Measures both.
pub async fn measure(stage: &mut Stage, extent: Extent) -> anyhow::Result<Vec<Measurement>> {
    eprintln!("calls: starting Firebase's stand-in");
    let firebase = stage.start_firebase().await?;
    let throughput = throughput(&firebase, extent.pushes).await?;
    let board = Board::start(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let mut arranged = arrange(stage, Some(board.address()), |_, _| Ok(())).await?;
    arranged.wait_until_shown().await?;
    eprintln!("calls: {} trucks are called, one after the other", extent.calls);
    let calls = arranged.call(&board, &firebase, extent.calls).await?;
    drop(arranged);
    stage.strike().await?;
    Ok(vec![calls, throughput])
}

impl Arranged {
    async fn call(&mut self, board: &Board, firebase: &Firebase, calls: u32) -> anyhow::Result<Measurement> {
        let truck = Truck::new(Chance::of_seed(1), 1, Habits::default());
        let vehicle = self.site.api.make_vehicle(&truck).await?;
        let (driver, account) = self.site.api.make_driver(&truck, vehicle).await?;
        let account = account.context("the driver has no account")?;
        let login = Server::settle_in(self.site.api.url(), account, "Drive-1234-5!").await?;
        Server::new(self.site.api.url(), login)?.tell_fcm_token("phone").await?;
        let mut pace = interval(BETWEEN_CALLS);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut took = Vec::new();
        for number in 0..calls {
            pace.tick().await;
            let call = self.call_once(board, &truck.plate, vehicle, driver).await;
            took.push(call.with_context(|| format!("call {number}"))?);
        }
        let pushed = pushed(firebase, took.len()).await?;
        let (mut screens, mut boards, mut phones) = (Vec::new(), Vec::new(), Vec::new());
        for call in took {
            let at = pushed.get(&call.entry);
            let at = at.with_context(|| Incomplete(format!("the call of entry {} was not pushed", call.entry)))?;
            screens.push(call.screen);
            boards.push(call.board);
            phones.push((*at - call.asked_at).to_std().unwrap_or_default());
        }
        figures(calls, [(screens, 50.0), (boards, 200.0), (phones, 500.0)])
    }

    /// One truck joins the empty line, is called at once, and gives up when everybody has seen it.
    async fn call_once(&mut self, board: &Board, plate: &str, vehicle: i64, driver: i64) -> anyhow::Result<Took> {
        let (began, asked_at) = (Instant::now(), Utc::now());
        let entry = self.site.api.check_in(vehicle, driver, None, Uuid::new_v4()).await?.id;
        let seen = self.line_is(|statuses| statuses.contains(&Status::Called)).await?;
        let mut screen = board.screen();
        let called = screen.wait_for(|screen| {
            screen.updated_at.is_some_and(|at| at > TokioInstant::from_std(began))
                && screen.lines.iter().any(|line| line.contains(plate))
        });
        let called = timeout(SEEN_WITHIN, called).await;
        let missing = || Incomplete("the board does not call".to_owned());
        let on_board = called.ok().and_then(Result::ok).with_context(missing)?.updated_at;
        let on_board = on_board.with_context(missing)?.into_std();
        // Its push is on its way, and would not be sent any more.
        sleep(BETWEEN_CALLS / 4).await;
        self.site.api.cancel(entry, "측정").await?;
        self.line_is(<[Status]>::is_empty).await?;
        Ok(Took {
            entry,
            asked_at,
            screen: seen.saturating_duration_since(began),
            board: on_board.saturating_duration_since(began),
        })
    }

    /// When the dashboard showed such a line.
    async fn line_is(&mut self, wanted: impl Fn(&[Status]) -> bool) -> anyhow::Result<Instant> {
        let began = Instant::now();
        while began.elapsed() < SEEN_WITHIN {
            let noted = self.next().await?;
            if let What::Shown(Shown::Line(places)) = noted.what {
                let statuses: Vec<Status> = places.iter().map(|place| place.status).collect();
                if wanted(&statuses) {
                    return Ok(noted.at);
                }
            }
        }
        Err(Incomplete("the waiting line does not move".to_owned()).into())
    }
}

fn figures(calls: u32, ways: [(Vec<Duration>, f64); 3]) -> anyhow::Result<Measurement> {
    let mut figures = Vec::new();
    for (to, (times, limit)) in ["a dashboard", "the board", "FCM"].into_iter().zip(ways) {
        let times = Times::new(times).context(Incomplete("nobody was called".to_owned()))?;
        let [p50, p90, p99, max] = Figure::of_times(&times);
        figures.extend([p50, p90, p99.at_most(limit), max].map(|figure| Figure {
            name: format!("to {to}, {}", figure.name),
            ..figure
        }));
    }
    Ok(Measurement {
        what: "calls: a driver is called → a dashboard, the board at the scale, his phone's push at FCM".to_owned(),
        how: format!(
            "{calls} calls, one every {} ms (the requirements' 500 a day, ten times over, are one every 5.8 s); the clock starts \
             before the request by which a driver joins an empty line, so his check-in is in it; it reads at the dashboard's \
             `queue` frame, at the board's text, and where Firebase's stand-in has got the push; 3 indicators at 20 Hz, \
             weighbridge-edge, weighbridge serve with its own PostgreSQL",
            BETWEEN_CALLS.as_millis(),
        ),
        figures,
    })
}

/// When FCM got the call of each entry, once it has so many.
async fn pushed(firebase: &Firebase, calls: usize) -> anyhow::Result<HashMap<i64, DateTime<Utc>>> {
    let began = Instant::now();
    loop {
        let url = format!("http://{}/received?since=0", firebase.address);
        let text = client().build()?.get(url).send().await?.text().await?;
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let found: HashMap<i64, DateTime<Utc>> = lines.filter_map(|line| call_of(&line)).collect();
        if found.len() >= calls || began.elapsed() > PUSHED_WITHIN {
            return Ok(found);
        }
        sleep(BETWEEN_CALLS).await;
    }
}

fn call_of(line: &Value) -> Option<(i64, DateTime<Utc>)> {
    let data = &line["body"]["message"]["data"];
    let entry = data["queue_id"].as_str()?.parse().ok()?;
    let at = line["at"].as_str()?.parse().ok()?;
    (data["type"] == "QUEUE_CALLED").then_some((entry, at))
}

/// The client's own throughput, without a database before it.
async fn throughput(firebase: &Firebase, pushes: u32) -> anyhow::Result<Measurement> {
    eprintln!("calls: {pushes} pushes over one connection");
    let fcm = Fcm::new(
        &format!("http://{}", firebase.address),
        &firebase.credentials,
        SEEN_WITHIN,
    )?;
    let now = Utc::now();
    let manner = Manner {
        language: Language::Korean,
        zone: chrono_tz::Asia::Seoul,
        call_life: TimeDelta::minutes(2),
    };
    let slip = SlipPayload {
        record_id: 1,
        driver_id: Some(1),
        slip_number: Some("WR20260125001".to_owned()),
        net_kg: None,
        replaces: None,
        first_record_id: None,
    };
    let push = slip.completed(&manner, now);
    let many: Vec<Value> = (0..pushes)
        .map(|number| push.for_device(&format!("phone-{number}"), now))
        .collect();
    // The access token, and the connection.
    accepted(fcm.send(&push.for_device("phone", now)).await)?;
    let mut figures = Vec::new();
    for at_once in AT_ONCE {
        let began = Instant::now();
        let sending = stream::iter(&many).map(|message| async { accepted(fcm.send(message).await) });
        sending.buffer_unordered(at_once).try_collect::<Vec<()>>().await?;
        let rate = f64::from(pushes) / began.elapsed().as_secs_f64();
        figures.push(Figure::new(format!("{at_once} on their way at once"), rate, "pushes/s"));
    }
    Ok(Measurement {
        what: "calls: pushes over one HTTP/2 connection to FCM".to_owned(),
        how: format!(
            "{pushes} pushes by the server's own client to Firebase's stand-in on this machine, which checks and writes down each, \
             on one thread; without TLS and without the server's outbox"
        ),
        figures,
    })
}

fn accepted(sent: Sent) -> anyhow::Result<()> {
    match sent {
        Sent::Accepted => Ok(()),
        other => Err(Incomplete(format!("a push was not accepted: {other:?}")).into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_call_is_found_by_its_entry_and_nothing_else_is_one() {
        let line = |kind: &str| json!({ "at": "2026-01-25T05:30:00.123456Z", "body": { "message": { "data": { "type": kind, "queue_id": "7" } } } });
        let (entry, at) = call_of(&line("QUEUE_CALLED")).unwrap();
        assert_eq!((entry, at.timestamp_subsec_micros()), (7, 123_456));
        assert_eq!(call_of(&line("QUEUE_WITHDRAWN")), None);
        assert_eq!(call_of(&json!({ "what": "POST /token" })), None);
    }
}
