//! Messages to people: a new driver's account, and slips that drivers share, by text message, Kakao and mail.
//!
//! The services are processes of their own that check signatures and refuse what the real ones refuse.

mod no_longer_true;

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::support::{
    cab::Cab,
    site::{Clock, Site},
    stand_in::StandIn,
};

const PATIENCE: Duration = Duration::from_secs(20);
const SMS: [(&str, &str); 3] = [
    ("sms.key", "stand-in-key"),
    ("sms.secret", "stand-in-secret"),
    ("sms.sender", "0212345678"),
];
const SENS: [(&str, &str); 2] = [
    ("sms.provider", "sens"),
    ("sms.service_id", "ncp:sms:kr:100000000000:weighbridge"),
];
const KAKAO: [(&str, &str); 2] = [
    ("sms.kakao_channel", "KA01PF000000000000000000000"),
    ("sms.kakao_slip_template", "KA01TP000000000000000000000"),
];
const QUICK: [(&str, &str); 2] = [("delivery.first_pause", "20ms"), ("delivery.look_every", "20ms")];

async fn yard(sms: &StandIn, more: &[&[(&str, &str)]]) -> Site {
    let url = sms.url();
    let base = [("sms.base_url", url.as_str())];
    Site::with_settings(1, &[&base, &SMS[..], &QUICK, &more.concat()].concat()).await
}

async fn settled(site: &Site, kind: &str) -> (String, Value) {
    let until = Instant::now() + PATIENCE;
    loop {
        let row = site
            .connect()
            .await
            .query_opt(
                "SELECT state, payload::text FROM outbox WHERE kind = $1 ORDER BY id DESC LIMIT 1",
                &[&kind],
            )
            .await
            .unwrap();
        if let Some(row) = row {
            let state: String = row.get(0);
            if ["SENT", "DEAD", "DISCARDED"].contains(&state.as_str()) {
                return (state, serde_json::from_str(row.get(1)).unwrap());
            }
        }
        assert!(Instant::now() < until, "{kind} is not settled");
        sleep(Duration::from_millis(20)).await;
    }
}

fn text(line: &Value) -> String {
    line["body"]["message"]["text"]
        .as_str()
        .or_else(|| line["body"]["content"].as_str())
        .unwrap_or_default()
        .to_owned()
}

#[actix_web::test]
async fn a_new_driver_gets_the_account_by_text_message_and_nothing_of_it_stays_behind() {
    for service in [&[][..], &SENS] {
        let sms = StandIn::start("sms", &[]);
        sms.told("fail unavailable");
        let site = yard(&sms, &[service]).await;
        let form = json!({ "name": "홍길동", "phone": "010-9876-5432" });
        let added = site.post("/drivers", form).await.done();
        assert_eq!(added["sms_sent"], true);
        let password = added["app_account"]["temporary_password"].as_str().unwrap();
        let readable = site
            .count(&format!(
                "SELECT count(*) FROM outbox WHERE strpos(payload::text, $p${password}$p$) > 0"
            ))
            .await;
        assert_eq!(readable, 0, "also before it is sent");
        let lines = sms.got(1, |line| line["status"] == 200 || line["status"] == 202).await;
        let said = text(&lines[0]);
        assert!(
            said.contains(password) && said.contains(added["app_account"]["login_id"].as_str().unwrap()),
            "{said}"
        );
        assert!(lines[0]["body"].to_string().contains("01098765432"));
        let (state, payload) = settled(&site, "SMS_WELCOME").await;
        assert_eq!((state.as_str(), payload.get("sealed")), ("SENT", None), "{payload}");
    }
}

#[actix_web::test]
async fn without_a_service_no_text_message_is_promised() {
    let site = Site::with_settings(1, &[]).await;
    let added = site
        .post("/drivers", json!({ "name": "홍길동", "phone": "010-9876-5432" }))
        .await
        .done();
    assert_eq!(added["sms_sent"], false);
    assert_eq!(
        site.count("SELECT count(*) FROM outbox WHERE kind = 'SMS_WELCOME'")
            .await,
        0
    );
    let cab = Cab::new(&site, 1).await;
    let record = cab.be_weighed(&site, &mut Clock::now()).await;
    let share = json!({ "method": "sms", "recipient": "010-1234-5678" });
    assert_eq!(
        cab.post(&format!("/slip/{record}/share"), share).await.outcome(),
        "503 UNAVAILABLE"
    );
}

#[actix_web::test]
async fn a_slip_is_shared_by_kakao_and_where_that_fails_by_text_message() {
    let sms = StandIn::start("sms", &[]);
    // Nobody looks by himself what is owed: it is announced.
    let site = yard(&sms, &[&KAKAO, &[("delivery.look_every", "1h")]]).await;
    let cab = Cab::new(&site, 1).await;
    let record = cab.be_weighed(&site, &mut Clock::now()).await;
    let path = format!("/slip/{record}/share");
    let shared = cab
        .post(&path, json!({ "method": "kakao", "recipient": "010-1234-5678" }))
        .await
        .done();
    assert_eq!(shared["recipient"], "010-****-5678");
    let is_ata = |line: &Value| line["body"]["message"]["kakaoOptions"].is_object();
    let ata = &sms.got(1, is_ata).await[0];
    assert_eq!(ata["status"], 200);
    assert_eq!(ata["body"]["message"]["kakaoOptions"]["variables"]["#{net}"], "15000");
    let (state, payload) = settled(&site, "KAKAO_SLIP").await;
    assert_eq!(
        (state.as_str(), payload.get("sealed")),
        ("SENT", None),
        "the recipient is wiped: {payload}"
    );
    sms.told("fail no-template");
    cab.post(&path, json!({ "method": "kakao", "recipient": "010-1234-5679" }))
        .await
        .done();
    let slip = |line: &Value| text(line).contains("15000") && line["status"] == 200;
    let text = text(&sms.got(1, slip).await[0]);
    assert!(text.contains("WR") && text.contains("12가3001"), "{text}");
}

#[actix_web::test]
async fn a_slip_reaches_its_recipient_by_text_message_while_kakao_is_down_for_long() {
    let sms = StandIn::start("sms", &["--fail", "kakao-down=always"]);
    let site = yard(&sms, &[&KAKAO, &[("delivery.breaker_rest", "30ms")]]).await;
    let cab = Cab::new(&site, 1).await;
    let record = cab.be_weighed(&site, &mut Clock::now()).await;
    // More than it takes until Kakao counts as down, so that all but the first are tried by probes alone.
    let owed = 12;
    for number in 0..owed {
        let share = json!({ "method": "kakao", "recipient": format!("010-1234-{:04}", 1000 + number) });
        cab.post(&format!("/slip/{record}/share"), share).await.done();
    }
    let texts = sms
        .got(owed, |line| line["status"] == 200 && text(line).contains("15000"))
        .await;
    let numbers: BTreeSet<String> = texts
        .iter()
        .map(|line| line["body"]["message"]["to"].to_string())
        .collect();
    assert_eq!(numbers.len(), owed, "one each: {texts:#?}");
    assert_eq!(
        site.count("SELECT count(*) FROM outbox WHERE kind = 'KAKAO_SLIP' AND state = 'DEAD'")
            .await,
        0
    );
}

#[actix_web::test]
async fn a_slip_is_shared_by_mail() {
    let smtp = StandIn::start("smtp", &["--account", "yard:secret"]);
    smtp.told("fail busy");
    let (host, port) = smtp.address.split_once(':').unwrap();
    let settings = [
        ("mail.host", host),
        ("mail.port", port),
        ("mail.encryption", "none"),
        ("mail.user", "yard"),
        ("mail.password", "secret"),
        ("mail.from", "계량소 <slips@example.kr>"),
    ];
    let site = Site::with_settings(1, &[&settings[..], &QUICK].concat()).await;
    let cab = Cab::new(&site, 1).await;
    let record = cab.be_weighed(&site, &mut Clock::now()).await;
    let path = format!("/slip/{record}/share");
    let shared = cab
        .post(&path, json!({ "method": "email", "recipient": "Office@Example.kr" }))
        .await
        .done();
    assert_eq!(shared["recipient"], "o***@example.kr");
    let mails = smtp.got(2, |_| true).await;
    assert_eq!((&mails[0]["status"], &mails[1]["status"]), (&json!(450), &json!(250)));
    assert_eq!(mails[1]["body"]["to"], json!(["office@example.kr"]));
    let id = |mail: &Value| {
        let text = mail["body"]["mail"].as_str().unwrap().to_owned();
        text.lines()
            .find(|line| line.starts_with("Message-ID"))
            .map(str::to_owned)
            .unwrap()
    };
    assert_eq!(id(&mails[0]), id(&mails[1]), "a mail that is sent again is known again");
    assert_eq!(settled(&site, "EMAIL_SLIP").await.0, "SENT");
    // Nobody there: dead, without the address in what went wrong.
    cab.post(&path, json!({ "method": "email", "recipient": "nobody@example.kr" }))
        .await
        .done();
    let until = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < until, "it is not dead");
        let dead = site
            .count("SELECT count(*) FROM outbox WHERE state = 'DEAD' AND last_error NOT LIKE '%nobody%'")
            .await;
        if dead == 1 {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

#[actix_web::test]
async fn nobody_is_pestered_with_slips() {
    let sms = StandIn::start("sms", &[]);
    let limits = [("share.per_driver", "3"), ("share.per_recipient", "2")];
    let site = yard(&sms, &[&limits]).await;
    let (kim, lee) = (Cab::new(&site, 1).await, Cab::new(&site, 2).await);
    let mut clock = Clock::now();
    let (of_kim, of_lee) = (
        kim.be_weighed(&site, &mut clock).await,
        lee.be_weighed(&site, &mut clock).await,
    );
    let share = async |cab: &Cab, record: i64, recipient: &str| {
        let body = json!({ "method": "sms", "recipient": recipient });
        cab.post(&format!("/slip/{record}/share"), body).await
    };
    for wrong in ["", "02-123-4567", "010-123", "a@b.kr", "010-1234-5678; drop"] {
        let reply = share(&kim, of_kim, wrong).await;
        assert_eq!(
            reply.failure(),
            "400 VALIDATION_FAILED recipient INVALID_FORMAT",
            "{wrong}"
        );
    }
    let unknown = kim
        .post(
            &format!("/slip/{of_kim}/share"),
            json!({ "method": "fax", "recipient": "x" }),
        )
        .await;
    assert_eq!(unknown.failure(), "400 VALIDATION_FAILED method INVALID_FORMAT");
    assert_eq!(share(&kim, of_lee, "010-1111-1111").await.outcome(), "404 NOT_FOUND");
    assert_eq!(share(&kim, of_kim, "010-1111-1111").await.outcome(), "201");
    assert_eq!(share(&lee, of_lee, "+82 10 1111 1111").await.outcome(), "201");
    let third = share(&lee, of_lee, "010-1111-1111").await;
    assert_eq!(
        third.outcome(),
        "429 RATE_LIMITED",
        "two is what one recipient gets, from whomever"
    );
    assert!(third.headers.contains_key("retry-after"));
    assert_eq!(share(&kim, of_kim, "010-2222-2222").await.outcome(), "201");
    assert_eq!(share(&kim, of_kim, "010-3333-3333").await.outcome(), "201");
    assert_eq!(
        share(&kim, of_kim, "010-4444-4444").await.outcome(),
        "429 RATE_LIMITED",
        "three is what a driver may"
    );
    // Two who share with one recipient in the same instant count each other.
    site.execute(
        "DELETE FROM slip_share; \
         CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.5); RETURN NEW; END $$; \
         CREATE TRIGGER slowly BEFORE INSERT ON slip_share FOR EACH ROW EXECUTE FUNCTION slowly()",
    )
    .await;
    assert_eq!(share(&kim, of_kim, "010-5555-5555").await.outcome(), "201");
    let both = tokio::join!(
        share(&kim, of_kim, "010-5555-5555"),
        share(&lee, of_lee, "010-5555-5555")
    );
    let mut outcomes = [both.0.outcome(), both.1.outcome()];
    outcomes.sort();
    assert_eq!(outcomes, ["201", "429 RATE_LIMITED"]);
    site.execute("DROP TRIGGER slowly ON slip_share; DELETE FROM slip_share")
        .await;
    let refuse = async |refused: bool| {
        let form = json!({ "recipient": "010-1111-1111", "refused": refused });
        site.put("/message-refusals", form).await.done()
    };
    assert_eq!(refuse(true).await["recipient"], "010-****-1111");
    assert_eq!(share(&lee, of_lee, "010-1111-1111").await.outcome(), "409 CONFLICT");
    refuse(false).await;
    assert_eq!(share(&lee, of_lee, "010-1111-1111").await.outcome(), "201");
}
