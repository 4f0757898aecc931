//! OB-02 to OB-06: an ERP that loses answers, fails in every way, is down for long, refuses one message, and is told
//! corrections in order.

use std::time::{Duration, Instant};

use serde_json::json;
use weighbridge_sim::{
    http::client,
    server::{Login, Server},
};

use super::{HASTE, SENT, all, applied_once, at, begin, count, owe, settings_of, until};
use crate::support::{
    corrections::{REVISIONS, corrected},
    database::Database,
    folder::Folder,
    node::Node,
    owed::{row, slip},
    site::Site,
    stand_in::StandIn,
    tls,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_third_of_the_answers_is_lost() {
    let Some(mut case) = begin("OB-02").await else { return };
    let seed = case.seed.to_string();
    let (database, folder) = (Database::new(), Folder::new());
    let erp = StandIn::start("erp", &["--fail", "lost-answer=0.3", "--seed", &seed]);
    let own = settings_of(&erp);
    let _node = Node::start(&folder, "a", &database, &all(&own, &[&HASTE]));
    let client = database.connect().await;
    owe(&client, 1..=1000).await;
    until(&client, SENT, 1000).await;
    applied_once(&mut case, &erp, "Weighing", 1000).await;
    let lost = erp.all(|line| !line["failed"].is_null()).await.len();
    assert!(lost >= 200, "the fault was there: {lost}");
    case.did("answers lost", lost);
    case.passed();
}

/// With the time-outs of every day: eight seconds a call, ten a message.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_fail_is_one_attempt() {
    const WAYS: [&str; 12] = [
        "down",
        "internal",
        "unavailable",
        "quota",
        "timeout",
        "slow",
        "garbage",
        "huge",
        "redirect",
        "lost-answer",
        "odd-answer",
        "expired-tokens",
    ];
    const ROUNDS: usize = 3;
    let Some(mut case) = begin("OB-03").await else { return };
    let (database, folder) = (Database::new(), Folder::new());
    let erp = StandIn::start("erp", &[]);
    let front = tls::Front::before(erp.address.clone()).await;
    let own = [settings_of(&erp), front.settings()].concat();
    let node = Node::start(&folder, "a", &database, &all(&own, &[&HASTE]));
    let client = database.connect().await;
    // The wrong host's certificate: nothing is told.
    owe(&client, 1..=1).await;
    let refused =
        "SELECT count(*) FROM outbox WHERE attempts > 0 AND last_error LIKE '%certificate not valid for name%'";
    until(&client, refused, 1).await;
    assert!(erp.all(|_| true).await.is_empty(), "a stranger was told something");
    case.did("wrong certificates", 1);
    front.shows_its_own();
    until(&client, SENT, 1).await;
    for number in 0..WAYS.len() * ROUNDS {
        let how = WAYS[number % WAYS.len()];
        erp.told(&format!("fail {how}"));
        let began = Instant::now();
        owe(&client, number + 2..=number + 2).await;
        until(&client, SENT, i64::try_from(number + 2).unwrap()).await;
        // A call of eight seconds, a pause of seven (429), and room for a slow machine.
        assert!(
            began.elapsed() < Duration::from_secs(25),
            "{how}: {:?}",
            began.elapsed()
        );
        case.did(how, 1);
    }
    applied_once(&mut case, &erp, "Weighing", WAYS.len() * ROUNDS + 1).await;
    assert_eq!(
        count(&client, "SELECT count(*) FROM outbox WHERE state = 'DEAD'").await,
        0
    );
    assert_eq!(node.counted("outbox_fenced_total").await, 0);
    case.passed();
}

/// With the breaker of every day, and three minutes for half an hour.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_wait_for_an_erp_that_is_down_for_minutes() {
    const DOWN: Duration = Duration::from_mins(3);
    const DELAY_MS: i64 = 40;
    const SLIPS: i64 = 5000;
    let Some(mut case) = begin("OB-04").await else { return };
    let (database, folder) = (Database::new(), Folder::new());
    let erp = StandIn::start("erp", &["--fail", "unavailable=always", "--delay", "40"]);
    let own = settings_of(&erp);
    let _node = Node::start(&folder, "a", &database, &all(&own, &[]));
    let client = database.connect().await;
    owe(&client, 1..=usize::try_from(SLIPS).unwrap()).await;
    tokio::time::sleep(DOWN).await;
    let asked = erp.all(|line| line["status"] == 503).await.len();
    let probes = usize::try_from(DOWN.as_secs() / 30).unwrap();
    assert!(
        (8..=8 + probes + 1).contains(&asked),
        "eight at once, then two a minute: {asked}"
    );
    case.did("refused while it was down", asked);
    erp.told("fail off");
    let up_at = Instant::now();
    while count(&client, SENT).await == 0 {
        assert!(
            up_at.elapsed() < Duration::from_mins(1),
            "it is up, and nothing is sent"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    case.recovered(up_at.elapsed());
    let began = Instant::now();
    until(&client, SENT, SLIPS).await;
    let a_second = SLIPS.cast_unsigned() / began.elapsed().as_secs().max(1);
    assert!(a_second >= 50, "{a_second} a second");
    case.did("a second, drained", usize::try_from(a_second).unwrap());
    let sent = erp.all(|line| line["status"] == 201).await;
    let times: Vec<_> = sent.iter().map(at).collect();
    let crowd = chrono::TimeDelta::milliseconds(DELAY_MS);
    let most = (0..times.len()).map(|first| {
        times[first..]
            .iter()
            .take_while(|time| **time < times[first] + crowd)
            .count()
    });
    assert!(most.max().unwrap() <= 8, "no more than eight at once");
    applied_once(&mut case, &erp, "Weighing", usize::try_from(SLIPS).unwrap()).await;
    case.passed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poisonous_slip_among_a_thousand_waits_for_staff_alone() {
    let Some(mut case) = begin("OB-05").await else { return };
    let (database, folder) = (Database::new(), Folder::new());
    let erp = StandIn::start("erp", &[]);
    let own = settings_of(&erp);
    let login = Login {
        login_id: "admin".to_owned(),
        password: "Admin1234!".to_owned(),
    };
    let admin = [
        ("bootstrap.admin_login", login.login_id.as_str()),
        ("bootstrap.admin_password", login.password.as_str()),
    ];
    let node = Node::start(&folder, "a", &database, &all(&own, &[&HASTE, &admin]));
    let url = format!("http://{}", node.address().await);
    let client_of_database = database.connect().await;
    let poison = row(&slip(500), 1, None, &slip(500)).replace("\"net_kg\":\"5990.5\"", "\"net_kg\":null");
    owe(&client_of_database, 1..=499).await;
    client_of_database.batch_execute(&poison).await.unwrap();
    owe(&client_of_database, 501..=1000).await;
    let began = Instant::now();
    until(&client_of_database, SENT, 999).await;
    case.recovered(began.elapsed());
    let dead = "SELECT id FROM outbox WHERE state = 'DEAD' AND attempts = 1 AND last_error LIKE '422%net_kg%'";
    let dead: i64 = client_of_database.query_one(dead, &[]).await.unwrap().get(0);
    let mend = "UPDATE outbox SET payload = payload || '{\"net_kg\":\"5990.5\"}' WHERE state = 'DEAD'";
    client_of_database.batch_execute(mend).await.unwrap();
    let token = Server::new(&url, login).unwrap().token().await.unwrap();
    let retry = client()
        .build()
        .unwrap()
        .post(format!("{url}/api/v1/admin/outbox/{dead}/retry"));
    let retried = retry.bearer_auth(token).json(&json!({})).send().await.unwrap();
    assert_eq!(retried.status(), 200);
    until(&client_of_database, SENT, 1000).await;
    applied_once(&mut case, &erp, "Weighing", 1000).await;
    case.passed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn corrections_come_in_order_through_failures() {
    const WEIGHINGS: usize = 100;
    let Some(mut case) = begin("OB-06").await else { return };
    let (seed, folder) = (case.seed.to_string(), Folder::new());
    let fails = ["--fail", "internal=0.1", "--fail", "lost-answer=0.1", "--seed", &seed];
    let erp = StandIn::start("erp", &fails);
    // The office's server has no ERP; two others tell it.
    let site = Site::new().await;
    let own = settings_of(&erp);
    let nodes = ["a", "b"].map(|name| Node::start(&folder, name, site.database(), &all(&own, &[&HASTE])));
    let corrected = corrected(&site, WEIGHINGS).await;
    let client = site.connect().await;
    until(&client, SENT, i64::try_from(WEIGHINGS * REVISIONS).unwrap()).await;
    applied_once(&mut case, &erp, "Weighing", WEIGHINGS * REVISIONS).await;
    applied_once(&mut case, &erp, "Void", WEIGHINGS * (REVISIONS - 1)).await;
    let book = erp.all(|line| line["note"]["effect"] == "applied").await;
    for slips in &corrected {
        let told = |line: &&serde_json::Value| slips.iter().any(|slip| line["body"]["slip_number"] == *slip);
        let revisions: Vec<_> = book
            .iter()
            .filter(told)
            .map(|line| line["body"]["revision"].as_u64())
            .collect();
        assert_eq!(
            revisions,
            [1, 1, 2, 2, 3, 3, 4].map(Some),
            "each void after its completion, then the next"
        );
    }
    drop(nodes);
    case.passed();
}
