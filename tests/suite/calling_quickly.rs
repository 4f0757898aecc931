//! A call is on screens and on the board at once, and all say the same: also when it is made again, or taken back.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{
    link::Link,
    screen::Screen,
    site::{Clock, Site},
};

/// No limit of the product: what hangs is to fail by itself.
const PATIENCE: Duration = Duration::from_mins(2);

/// Waits until the first of the line is shown so.
async fn shows(screen: &mut Screen, status: &str, calls_made: i64) {
    let is_it = |frame: &Value| {
        let first = &frame["data"]["entries"][0];
        first["status"] == status && first["calls_made"] == calls_made
    };
    screen.hears(&format!("{status}, call {calls_made}"), is_it).await;
}

/// Waits until the board of the station is to show this.
async fn board_says(link: &mut Link, wanted: &str) {
    let said = async { while link.hear("board").await["text"] != wanted {} };
    timeout(PATIENCE, said)
        .await
        .unwrap_or_else(|_| panic!("the board never says {wanted:?}"));
}

#[tokio::test]
async fn a_call_a_recall_and_a_withdrawn_call_are_on_screen_and_board_at_once() {
    const PLATE: &str = "12가3456 진입";
    // Nobody looks at the line by himself: what is shown was announced.
    let site = Site::with_settings(1, &[("queue.look_every", "1h")]).await;
    let (mut link, _) = Link::open(&site, &site.key).await.unwrap();
    let mut screen = Screen::open(&site, "queue").await;
    let truck = site.truck("12가3456").await;
    let entry = site.check_in(truck).await.done();
    for round in 0..3 {
        site.call_next(site.stations[0]).await.done();
        shows(&mut screen, "CALLED", 2 * round + 1).await;
        board_says(&mut link, PLATE).await;
        site.post(&format!("/queue/{}/recall", entry["id"]), json!({}))
            .await
            .done();
        shows(&mut screen, "CALLED", 2 * round + 2).await;
        board_says(&mut link, PLATE).await;
        site.post(&format!("/stations/{}/close", site.stations[0]), json!({}))
            .await
            .done();
        shows(&mut screen, "WAITING", 2 * round + 2).await;
        board_says(&mut link, "계량 중지").await;
        site.post(&format!("/stations/{}/open", site.stations[0]), json!({}))
            .await
            .done();
        board_says(&mut link, "").await;
    }
}

#[tokio::test]
async fn a_station_calls_by_itself_only_while_its_indicator_is_heard() {
    let site = Site::new().await;
    let station = site.stations[0];
    let path = format!("/stations/{station}");
    site.put(&path, json!({ "calling": "AUTO" })).await.done();
    let mut screen = Screen::open(&site, "queue").await;
    let truck = site.truck("12가3456").await;
    site.check_in(truck).await.done();
    // A look at the line that would have called has shown its call.
    shows(&mut screen, "WAITING", 0).await;
    let mut clock = Clock::now();
    site.post_reading(station, 0, &mut clock).await.done();
    shows(&mut screen, "CALLED", 1).await;
}

/// Whoever looks at the deadlines of a line is written down, and whoever halts one.
const WITNESS: &str = "\
    CREATE TABLE witness (server text DEFAULT current_setting('witness.server', TRUE), what text); \
    CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql AS $$ \
      BEGIN INSERT INTO witness (what) VALUES (TG_ARGV[0]); RETURN NULL; END $$; \
    CREATE TRIGGER looks AFTER UPDATE OF deadline_paused_at ON wait_queue FOR EACH STATEMENT EXECUTE FUNCTION witness('look'); \
    CREATE TRIGGER halts AFTER UPDATE OF deadline_paused_at ON wait_queue FOR EACH ROW \
      WHEN (OLD.deadline_paused_at IS NULL AND NEW.deadline_paused_at IS NOT NULL) EXECUTE FUNCTION witness('halt')";

/// The other server hears nothing of the station, and looks at the line as often.
#[tokio::test]
async fn a_deadline_runs_on_beside_a_server_that_does_not_hear_the_station() {
    const LOOKS: i64 = 10;
    let site = Site::new().await;
    let (station, mut clock) = (site.stations[0], Clock::now());
    let truck = site.truck("12가3456").await;
    site.check_in(truck).await.done();
    site.post_reading(station, 0, &mut clock).await.done();
    site.call_next(station).await.done();
    site.execute(WITNESS).await;
    let _other = site.another_server("other", &[("queue.look_every", "100ms")]).await;
    let of_the_other = async |what: &str| {
        let query = format!("SELECT count(*) FROM witness WHERE server = 'other' AND what = '{what}'");
        site.count(&query).await
    };
    let looking = async {
        while of_the_other("look").await < LOOKS {
            clock.catch_up();
            site.post_reading(station, 0, &mut clock).await.done();
        }
    };
    timeout(PATIENCE, looking).await.expect("the other never looks");
    let halts = of_the_other("halt").await;
    assert!(
        halts <= 1,
        "once perhaps, when it has just started and knows nothing: {halts} times"
    );
    // And whoever hears the station lets it go on.
    let going_on = async {
        while site
            .count("SELECT count(*) FROM wait_queue WHERE deadline_paused_at IS NOT NULL")
            .await
            > 0
        {
            clock.catch_up();
            site.post_reading(station, 0, &mut clock).await.done();
        }
    };
    timeout(PATIENCE, going_on).await.expect("the deadline stands still");
}

#[tokio::test]
async fn a_board_is_told_anew_when_its_edge_comes_back() {
    let site = Site::new().await;
    let truck = site.truck("12가3456").await;
    site.check_in(truck).await.done();
    let (mut link, _) = Link::open(&site, &site.key).await.unwrap();
    site.call_next(site.stations[0]).await.done();
    board_says(&mut link, "12가3456 진입").await;
    drop(link);
    let (mut link, _) = Link::open(&site, &site.key).await.unwrap();
    board_says(&mut link, "12가3456 진입").await;
}
