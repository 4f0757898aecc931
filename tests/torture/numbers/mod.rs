//! PG-01 to PG-03: slips and the line under everything that may break off.
//!
//! Everyday sizes of these are in `tests/suite` (`storing_events`, `racing_for_the_line`), so T1 leaves them out here.
//!
//! - [`gateway`]: the other end of a link that is cut again and again

mod gateway;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};
use weighbridge::db::{Query, verify::Verify};

use self::gateway::Gateway;
use crate::{
    frame::{Case, Size},
    support::{
        database::{CUT_ONE, Database, FAIL_AT_TIMES},
        folder::Folder,
        line,
        node::Node,
        server::{ADMIN, Client, PASSWORD},
        yard::midnight::Midnight,
    },
    yard::world::free_address,
};

const CLIENTS: i64 = 64;
/// Of each client: some 20,000 in all.
const WEIGHINGS: i64 = 313;
const CUTS: usize = 50;
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Without a slip.
const STALLED: Duration = Duration::from_mins(2);

/// None at T1.
async fn begin(id: &str) -> Option<Case> {
    let case = Case::begin(id).await;
    if case.size == Size::T1 {
        case.left_out("its everyday size is in tests/suite");
        return None;
    }
    Some(case)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_slips_have_no_gap_whatever_is_rolled_back_cut_and_killed() {
    const KILLS: usize = 10;
    let Some(mut case) = begin("PG-01").await else { return };
    let (database, folder) = (Arc::new(Database::new()), Folder::new());
    let client = Arc::new(database.connect().await);
    client.batch_execute(&site()).await.unwrap();
    client.batch_execute(FAIL_AT_TIMES).await.unwrap();
    let listen = free_address().await.to_string();
    let settings = [
        ("server.listen", listen.as_str()),
        ("database.pool", "16"),
        ("rate_limit.requests", "0"),
        ("auth.bcrypt_cost", "4"),
        ("bootstrap.admin_login", ADMIN),
        ("bootstrap.admin_password", PASSWORD),
    ];
    let mut node = Node::start(&folder, "server", &database, &settings);
    node.address().await;
    let admin = Client::of(&listen).sign_in(ADMIN, PASSWORD).await;
    let (began, broken_off) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let mut weighing = Vec::new();
    for id in 1..=CLIENTS {
        let mut gateway = Gateway::new(&admin, &listen, id).await;
        let (client, broken_off) = (Arc::clone(&client), Arc::clone(&broken_off));
        weighing.push(tokio::spawn(async move {
            for round in 0..WEIGHINGS {
                let number = i32::try_from(round * CLIENTS + id).unwrap();
                client.execute(CALL, &[&id, &number]).await.unwrap();
                broken_off.fetch_add(gateway.weigh().await, SeqCst);
            }
        }));
    }
    let all = CLIENTS * WEIGHINGS;
    for fault in 1..=CUTS {
        // Spread over the whole of it.
        let due = all * i64::try_from(fault).unwrap() / i64::try_from(CUTS + 1).unwrap();
        until_numbered(&client, due).await;
        while client.query(CUT_ONE, &[]).await.unwrap().is_empty() {
            sleep(Duration::from_millis(1)).await;
        }
        case.did("connections cut", 1);
        if fault % (CUTS / KILLS) == 0 {
            node.kill_and_start();
            case.did("kills", 1);
        }
    }
    for weighed in join_all(weighing).await {
        weighed.unwrap();
    }
    let took = usize::try_from(began.elapsed().as_secs().max(1)).unwrap();
    case.did("slips a second", usize::try_from(all).unwrap() / took);
    case.did("stays sent again", broken_off.load(SeqCst));
    assert!(broken_off.load(SeqCst) >= KILLS, "each kill met somebody");
    numbered(&mut case, &database, all).await;
    case.passed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_two_days_is_numbered_without_a_gap_while_midnight_goes_by() {
    let Some(mut case) = begin("PG-02").await else { return };
    let midnight = Midnight {
        clients: CLIENTS,
        weighings: WEIGHINGS + 1,
        cuts: CUTS,
    };
    let (database, broken_off) = midnight.under_fire().await;
    case.did("connections cut", CUTS);
    case.did("transactions broken off", broken_off);
    numbered(&mut case, &database, midnight.clients * midnight.weighings).await;
    case.passed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_stations_and_six_hundred_trucks_leave_one_truth() {
    const STATIONS: i64 = 3;
    const TRUCKS: i64 = 600;
    let Some(mut case) = begin("PG-03").await else { return };
    let rounds = line::under_fire(STATIONS, TRUCKS).await;
    case.did("trucks in line", usize::try_from(TRUCKS).unwrap());
    case.did("rounds of everything at once", rounds);
    case.passed();
}

/// A gateway, a station, a truck and its driver for each client, all of one number.
fn site() -> String {
    format!(
        "INSERT INTO edge_gateway (id, name, site_id) SELECT n, 'edge ' || n, 1 FROM generate_series(1, {CLIENTS}) AS n;
         INSERT INTO weigh_station (id, name, site_id, edge_id, indicator_type, calling)
           SELECT n, n || '번', 1, n, 'A', 'MANUAL' FROM generate_series(1, {CLIENTS}) AS n;
         INSERT INTO vehicle (id, plate_number, tare_weight)
           SELECT n, '80바' || 1000 + n, 10000 FROM generate_series(1, {CLIENTS}) AS n;
         INSERT INTO driver (id, name, phone, phone_index)
           SELECT n, '기사 ' || n, '', decode(lpad(to_hex(n), 8, '0'), 'hex') FROM generate_series(1, {CLIENTS}) AS n;
         INSERT INTO queue_counter (site_id, day, last_number) VALUES (1, current_date, {});",
        CLIENTS * WEIGHINGS
    )
}

/// The truck of this number is called to its station, as the so-manyth of the day.
const CALL: &str = "
    WITH client AS (SELECT $1::bigint AS id, $2::integer AS number),
    called AS (INSERT INTO weigh_record (site_id, station_id, vehicle_id, driver_id, weighed_at)
      SELECT 1, id, id, id, now() FROM client RETURNING id)
    INSERT INTO wait_queue (site_id, station_id, vehicle_id, driver_id, record_id, queue_number, day, position, status,
      called_at, deadline_at, calls_made)
    SELECT 1, client.id, client.id, client.id, called.id, number, current_date, number, 'CALLED',
      now() - interval '1 minute', now() + interval '1 hour', 1
    FROM client, called";

/// Waits until there are so many slips.
async fn until_numbered(client: &tokio_postgres::Client, count: i64) {
    let (mut before, mut since) = (-1, Instant::now());
    loop {
        let row = client.query_one("SELECT count(*) FROM slip", &[]).await.unwrap();
        let slips: i64 = row.get(0);
        if slips >= count {
            return;
        }
        if slips > before {
            (before, since) = (slips, Instant::now());
        }
        assert!(
            since.elapsed() < STALLED,
            "{slips} slips, and no more: expected {count}"
        );
        sleep(LOOK_AGAIN).await;
    }
}

/// So many slips, each of a weighing of its own, and of each day 1 to n; and every promise about the data holds.
async fn numbered(case: &mut Case, database: &Database, expected: i64) {
    let days = "SELECT day::text, count(*), count(DISTINCT number), min(number)::bigint, max(number)::bigint
                FROM slip GROUP BY day ORDER BY day";
    let client = database.connect().await;
    let mut all = 0;
    for row in client.query(days, &[]).await.unwrap() {
        let day: String = row.get(0);
        let [slips, numbers, first, last]: [i64; 4] = std::array::from_fn(|column| row.get(column + 1));
        assert_eq!((numbers, first, last), (slips, 1, slips), "{day}");
        case.did(&format!("slips of {day}"), usize::try_from(slips).unwrap());
        all += slips;
    }
    let weighings = "SELECT count(*) FROM weigh_record WHERE status = 'COMPLETED'";
    let captures = "SELECT count(*) FROM capture";
    assert_eq!(
        (all, database.count(weighings).await, database.count(captures).await),
        (expected, expected, expected)
    );
    let mut conn = database.pool().get().await.unwrap();
    for checked in Verify.run(&mut conn).await.unwrap() {
        assert!(
            checked.broken_by.is_empty(),
            "{}: {:?}",
            checked.promise,
            checked.broken_by
        );
    }
    case.weighed(usize::try_from(expected).unwrap());
}
