//! Users sign in on their devices and out again, and nobody else does in their name.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::server::{ADMIN, Client, PASSWORD, Reply, TestServer};

const SESSIONS: &str = "/api/v1/auth/sessions";

async fn refresh(client: &Client, token: &str) -> Reply {
    client
        .post("/api/v1/auth/refresh", json!({"refresh_token": token}))
        .await
}

fn text(reply: &Reply, name: &str) -> String {
    reply.data()[name].as_str().unwrap_or_default().to_owned()
}

#[actix_web::test]
async fn whoever_signs_in_is_known_until_they_sign_out() {
    let server = TestServer::start().await;
    let stranger = server.stranger();
    assert_eq!(stranger.get(SESSIONS).await.outcome(), "401 UNAUTHENTICATED");
    let reply = stranger.try_sign_in("Admin", PASSWORD).await;
    assert_eq!(reply.data()["user"]["role"], "ADMIN");
    assert_eq!(reply.data()["expires_in"], 3600);
    let admin = stranger.with_token(&text(&reply, "access_token"));
    let sessions = admin.get(SESSIONS).await;
    assert_eq!(sessions.data()[0]["current"], true);
    assert_eq!(admin.post("/api/v1/auth/logout", json!({})).await.outcome(), "200");
    assert_eq!(admin.get(SESSIONS).await.outcome(), "401 SESSION_REVOKED");
    let spent = refresh(&stranger, &text(&reply, "refresh_token")).await;
    assert_eq!(spent.outcome(), "401 SESSION_REVOKED");
}

#[actix_web::test]
async fn a_wrong_password_and_an_unknown_login_are_told_alike() {
    let server = TestServer::start().await;
    let stranger = server.stranger();
    let wrong = stranger.try_sign_in(ADMIN, "wrong1234!").await;
    let unknown = stranger.try_sign_in("nobody", "wrong1234!").await;
    let malformed = stranger.try_sign_in("' OR 1=1 --", &"x".repeat(100)).await;
    assert_eq!(wrong.outcome(), "401 INVALID_CREDENTIALS");
    assert_eq!(wrong.text, unknown.text);
    assert_eq!(wrong.text, malformed.text);
}

#[actix_web::test]
async fn fifty_refreshes_at_once_agree_on_one_successor() {
    let server = TestServer::start().await;
    let client = server.stranger();
    let signed_in = client.try_sign_in(ADMIN, PASSWORD).await;
    let token = text(&signed_in, "refresh_token");
    let replies = join_all((0..50).map(|_| refresh(&client, &token))).await;
    let successors: std::collections::BTreeSet<String> =
        replies.iter().map(|reply| text(reply, "refresh_token")).collect();
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert_eq!(successors.len(), 1, "{successors:?}");
    let successor = successors.into_iter().next().unwrap();
    assert_ne!(successor, token);
    let again = refresh(&client, &successor).await;
    let admin = client.with_token(&text(&again, "access_token"));
    assert_eq!(admin.get(SESSIONS).await.outcome(), "200");
}

#[actix_web::test]
async fn a_refresh_token_that_was_spent_before_ends_the_session() {
    let server = TestServer::start_with(&[("auth.refresh_grace", "0s")]).await;
    let client = server.stranger();
    let first = client.try_sign_in(ADMIN, PASSWORD).await;
    let token = text(&first, "refresh_token");
    let second = refresh(&client, &token).await;
    let admin = client.with_token(&text(&second, "access_token"));
    assert_eq!(admin.get(SESSIONS).await.outcome(), "200");
    assert_eq!(refresh(&client, &token).await.outcome(), "401 SESSION_REVOKED");
    assert_eq!(admin.get(SESSIONS).await.outcome(), "401 SESSION_REVOKED");
    let honest = refresh(&client, &text(&second, "refresh_token")).await;
    assert_eq!(honest.outcome(), "401 SESSION_REVOKED");
    let audit = server.database().connect().await;
    let noted = audit
        .query("SELECT FROM v_audit WHERE action = 'session.reuse'", &[])
        .await
        .unwrap();
    assert_eq!(noted.len(), 1);
}

#[actix_web::test]
async fn a_refresh_token_that_somebody_made_up_ends_no_session() {
    let server = TestServer::start().await;
    let client = server.stranger();
    let signed_in = client.try_sign_in(ADMIN, PASSWORD).await;
    let token = text(&signed_in, "refresh_token");
    let (session, _) = token.rsplit_once('_').unwrap();
    let made_up = format!("{session}_{}", "A".repeat(43));
    assert_eq!(refresh(&client, &made_up).await.outcome(), "401 TOKEN_INVALID");
    assert_eq!(refresh(&client, &token).await.outcome(), "200");
}

#[actix_web::test]
async fn another_device_does_not_get_the_successor_of_a_spent_token() {
    let server = TestServer::start().await;
    let phone = server.stranger().on_device("phone");
    let signed_in = phone.try_sign_in(ADMIN, PASSWORD).await;
    let token = text(&signed_in, "refresh_token");
    assert_eq!(refresh(&phone, &token).await.outcome(), "200");
    let thief = server.stranger().on_device("thief");
    assert_eq!(refresh(&thief, &token).await.outcome(), "401 SESSION_REVOKED");
}

#[actix_web::test]
async fn the_fourth_sign_in_ends_the_session_used_least_recently() {
    let server = TestServer::start().await;
    let first = server.stranger().on_device("first").sign_in(ADMIN, PASSWORD).await;
    for device in ["second", "third", "fourth"] {
        server.stranger().on_device(device).sign_in(ADMIN, PASSWORD).await;
    }
    assert_eq!(first.get(SESSIONS).await.outcome(), "401 SESSION_EVICTED");
}

#[actix_web::test]
async fn of_twenty_sign_ins_at_once_three_stay() {
    let server = TestServer::start().await;
    let client = server.stranger();
    let replies = join_all((0..20).map(|_| client.try_sign_in(ADMIN, PASSWORD))).await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    let database = server.database().connect().await;
    let live = database
        .query("SELECT FROM v_sessions WHERE revoked_at IS NULL", &[])
        .await
        .unwrap();
    assert_eq!(live.len(), 3);
}

#[actix_web::test]
async fn guessing_gets_slow_while_the_owner_gets_in_on_a_known_device() {
    let server = TestServer::start().await;
    let owner = server.stranger().on_device("owner");
    owner.sign_in(ADMIN, PASSWORD).await;
    let thief = server.stranger().on_device("thief");
    let mut outcomes = Vec::new();
    for _ in 0..6 {
        outcomes.push(thief.try_sign_in(ADMIN, "guess1234!").await.outcome());
    }
    assert_eq!(outcomes[..5], ["401 INVALID_CREDENTIALS"; 5]);
    let refused = thief.try_sign_in(ADMIN, "guess1234!").await;
    assert_eq!(refused.outcome(), "429 LOGIN_THROTTLED");
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(wait >= 1);
    owner.sign_in(ADMIN, PASSWORD).await;
}

#[actix_web::test]
async fn a_temporary_password_opens_nothing_but_its_own_change() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let driver = json!({"name": "홍길동", "phone": "010-1234-5678"});
    let account = admin.post("/api/v1/drivers", driver).await.data()["app_account"].clone();
    let (login, temporary) = (
        account["login_id"].as_str().unwrap(),
        account["temporary_password"].as_str().unwrap(),
    );
    let driver = server.stranger().sign_in(login, temporary).await;
    assert_eq!(
        driver.get("/api/v1/vehicles").await.outcome(),
        "403 PASSWORD_CHANGE_REQUIRED"
    );
    let change = |new: &str| json!({"current_password": temporary, "new_password": new});
    let too_long = change(&format!("{}a1!", "가".repeat(24)));
    assert_eq!(
        driver.post("/api/v1/auth/password", too_long).await.outcome(),
        "400 PASSWORD_TOO_LONG"
    );
    assert_eq!(
        driver.post("/api/v1/auth/password", change("short")).await.outcome(),
        "400 VALIDATION_FAILED"
    );
    assert_eq!(
        driver
            .post("/api/v1/auth/password", change("mine1234!"))
            .await
            .outcome(),
        "200"
    );
    assert_eq!(driver.get("/api/v1/vehicles").await.outcome(), "403 FORBIDDEN");
    assert_eq!(
        server.stranger().try_sign_in(login, temporary).await.outcome(),
        "401 INVALID_CREDENTIALS"
    );
    server.stranger().sign_in(login, "mine1234!").await;
}

#[actix_web::test]
async fn a_changed_password_ends_the_other_devices() {
    let server = TestServer::start().await;
    let here = server.stranger().on_device("here").sign_in(ADMIN, PASSWORD).await;
    let there = server.stranger().on_device("there").sign_in(ADMIN, PASSWORD).await;
    let change = json!({"current_password": PASSWORD, "new_password": "other1234!"});
    assert_eq!(here.post("/api/v1/auth/password", change).await.outcome(), "200");
    assert_eq!(here.get(SESSIONS).await.outcome(), "200");
    assert_eq!(there.get(SESSIONS).await.outcome(), "401 SESSION_REVOKED");
}
