//! The status page: the edge shows itself to a browser on site, in Korean and English. It only reads, needs nothing from
//! elsewhere, and holds no secret.

use std::{sync::Arc, time::Duration};

use actix::{Actor, AsyncContext, Context, WrapFuture};
use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::header,
    middleware::DefaultHeaders,
    web::{Data, get, resource},
};
use tokio::time::sleep;
use tracing::{error, info};

use super::report::{Sources, report};
use crate::{config::HostPort, words::Language};

const HTML: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Only what comes from here, nobody's frame, no form.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Enough for a few browsers; more would only cost memory.
const MOST_CONNECTIONS: usize = 32;

/// The page's server.
#[derive(Debug)]
pub struct Page {
    listen: HostPort,
    sources: Arc<Sources>,
}

impl Page {
    pub const fn new(listen: HostPort, sources: Arc<Sources>) -> Self {
        Self { listen, sources }
    }
}

impl Actor for Page {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.spawn(serve_always(self.listen.clone(), Arc::clone(&self.sources)).into_actor(self));
    }
}

/// Stops the server with the actor that runs it.
struct Running(ServerHandle);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.stop(false));
    }
}

/// An address that is taken is tried again: a page is no reason not to weigh.
async fn serve_always(listen: HostPort, sources: Arc<Sources>) {
    loop {
        let why = match serve(&listen, &sources).await {
            Ok(()) => "it ended".to_owned(),
            Err(error) => error.to_string(),
        };
        error!(status.listen = %listen, "the status page is not served at {listen}: {why}; it is tried again");
        sleep(TRY_AGAIN_AFTER).await;
    }
}

async fn serve(listen: &HostPort, sources: &Arc<Sources>) -> std::io::Result<()> {
    let sources = Data::from(Arc::clone(sources));
    let server = HttpServer::new(move || {
        let headers = DefaultHeaders::new()
            .add((header::CONTENT_SECURITY_POLICY, POLICY))
            .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .add((header::REFERRER_POLICY, "no-referrer"))
            .add((header::CACHE_CONTROL, "no-store"));
        App::new()
            .app_data(sources.clone())
            .wrap(headers)
            .service(resource("/").route(get().to(page)))
            .service(resource("/status.json").route(get().to(status)))
            .service(resource("/words.json").route(get().to(words)))
            .service(resource("/page.css").route(get().to(|| async { asset("text/css", STYLE) })))
            .service(resource("/page.js").route(get().to(|| async { asset("text/javascript", SCRIPT) })))
    })
    .workers(1)
    .max_connections(MOST_CONNECTIONS)
    .disable_signals()
    .bind(listen.to_string())?;
    info!(status.listen = %listen, "the status page is at http://{listen}/");
    let server = server.run();
    let _running = Running(server.handle());
    server.await
}

/// `GET /`, in the language of `?lang=` or of the browser.
async fn page(request: HttpRequest) -> HttpResponse {
    let language = language(&request);
    let other = match language {
        Language::Ko => Language::En,
        Language::En => Language::Ko,
    };
    let text = |key| language.text("status", key);
    let html = HTML
        .replace("{lang}", &language.to_string())
        .replace("{other}", &other.to_string())
        .replace("{other_name}", &other.text("status", "language"))
        .replace("{title}", &text("title"))
        .replace("{no_script}", &text("no_script"));
    asset("text/html", &html)
}

/// `GET /status.json`: what `weighbridge-edge status --json` prints.
async fn status(sources: Data<Sources>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json; charset=utf-8")
        .body(report(&sources).await)
}

/// `GET /words.json?lang=ko`: the texts of the page and of the alarms.
async fn words(request: HttpRequest) -> HttpResponse {
    let language = language(&request);
    HttpResponse::Ok().json(serde_json::json!({
        "status": language.section("status"),
        "alarm": language.section("alarm"),
        "lamp": language.section("lamp"),
    }))
}

fn asset(kind: &str, text: &str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(format!("{kind}; charset=utf-8"))
        .body(text.to_owned())
}

fn language(request: &HttpRequest) -> Language {
    let chosen = request
        .query_string()
        .split('&')
        .find_map(|pair| pair.strip_prefix("lang="));
    chosen.and_then(Language::named).unwrap_or_else(|| {
        let accepted = request.headers().get(header::ACCEPT_LANGUAGE);
        preferred(accepted.and_then(|value| value.to_str().ok()).unwrap_or_default())
    })
}

/// The first of our languages that the browser names; Korean where it names none.
fn preferred(accepted: &str) -> Language {
    let mut names = accepted
        .split(',')
        .map(|part| part.trim().get(..2).unwrap_or_default().to_ascii_lowercase());
    names.find_map(|name| Language::named(&name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browsers_first_language_that_we_speak_is_taken() {
        assert_eq!(preferred("en-US,en;q=0.9,ko;q=0.8"), Language::En);
        assert_eq!(preferred("de, ko-KR;q=0.9"), Language::Ko);
        assert_eq!(preferred("de"), Language::Ko);
        assert_eq!(preferred(""), Language::Ko);
    }
}
