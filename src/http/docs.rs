//! The API document, generated from the code, and a page that shows it. The page needs nothing from elsewhere.

use std::fmt::Write;

use actix_web::{
    HttpResponse, get,
    http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE},
    web::{Bytes, Data},
};
use serde_json::Value;
use utoipa::{
    OpenApi as _,
    openapi::{
        OpenApi,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
    code,pre{font:14px/1.4 ui-monospace,monospace}pre{background:#f4f4f4;padding:.7rem;overflow:auto}\
    summary{cursor:pointer;padding:.3rem 0}b{display:inline-block;width:4.5rem}";

#[derive(utoipa::OpenApi)]
#[openapi(info(
    title = "weighbridge",
    description = "Runs truck weighbridges: queue, weighings, slips, live dashboards. Success is \
        `{\"success\":true,\"data\":…}`, failure `{\"success\":false,\"error\":{\"code\",\"message\",\"details\"?}}`."
))]
struct Preamble;

/// The document and its page, written once.
#[derive(Debug)]
pub struct Pages {
    json: Bytes,
    html: Bytes,
}

/// The document without routes: its title, and that a bearer token opens it.
pub(super) fn preamble() -> OpenApi {
    let mut document = Preamble::openapi();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .build();
    let mut components = document.components.take().unwrap_or_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    document.components = Some(components);
    document.security = Some(vec![SecurityRequirement::new("bearer", Vec::<String>::new())]);
    document
}

/// `GET /openapi.json`: this document.
#[utoipa::path(tag = "operations", security(()), responses((status = 200, description = "The OpenAPI document")))]
#[get("/openapi.json")]
pub async fn serve_document(pages: Data<Pages>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .body(pages.json.clone())
}

/// `GET /docs`: this document as a page.
#[utoipa::path(
    tag = "operations",
    security(()),
    responses((status = 200, body = String, content_type = "text/html"))
)]
#[get("/docs")]
pub async fn serve_page(pages: Data<Pages>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ))
        .body(pages.html.clone())
}

impl Pages {
    /// Writes `document` as JSON and as HTML.
    pub fn of(document: &OpenApi) -> Self {
        let json = serde_json::to_value(document).unwrap_or_default();
        Self {
            json: json.to_string().into(),
            html: html(&json).into(),
        }
    }
}

fn html(document: &Value) -> String {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>weighbridge API</title><style>{STYLE}</style><h1>weighbridge API</h1>\
         <p>{}</p><p><a href=\"/openapi.json\">openapi.json</a></p>",
        escaped(document["info"]["description"].as_str().unwrap_or_default())
    );
    for (path, item) in members(&document["paths"]) {
        for (method, operation) in members(item) {
            let text = |name: &str| escaped(operation[name].as_str().unwrap_or_default());
            let body = serde_json::to_string_pretty(&parts_of(operation)).unwrap_or_default();
            // Writing to a string does not fail.
            write!(
                page,
                "<details><summary><b>{}</b> <code>{}</code></summary><p>{} {}</p><pre>{}</pre></details>",
                method.to_uppercase(),
                escaped(path),
                text("summary"),
                text("description"),
                escaped(&body)
            )
            .unwrap_or_default();
        }
    }
    let schemas = serde_json::to_string_pretty(&document["components"]["schemas"]).unwrap_or_default();
    page.push_str("<h2>Schemas</h2><pre>");
    page.push_str(&escaped(&schemas));
    page.push_str("</pre></html>");
    page
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// What a reader of one operation looks for.
fn parts_of(operation: &Value) -> Value {
    let wanted = ["parameters", "requestBody", "responses"];
    members(operation)
        .filter(|(name, _)| wanted.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
