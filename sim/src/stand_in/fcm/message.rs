//! What a message may say, by the reference of `projects.messages`; the first thing that is wrong is told with its field.

use serde_json::{Map, Value};

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub field: String,
    pub description: String,
}

type Checked = Result<(), Violation>;

/// Bytes of keys and values that a device takes.
const LARGEST: usize = 4096;
const LONGEST_TTL: u64 = 4 * 7 * 24 * 3600;

/// The device's token, or the topic or condition, of a message that says nothing wrong.
pub fn target(body: &Value) -> Result<&str, Violation> {
    let body = members("", body, &["message", "validate_only"])?;
    let message = body.get("message").unwrap_or(&Value::Null);
    let known = [
        "name",
        "data",
        "notification",
        "android",
        "webpush",
        "apns",
        "fcm_options",
        "token",
        "topic",
        "condition",
    ];
    let message = members("message", message, &known)?;
    data(message)?;
    texts(
        "message.notification",
        message.get("notification"),
        &["title", "body", "image"],
    )?;
    android(message.get("android"))?;
    apns(message.get("apns"), message.contains_key("notification"))?;
    size(message)?;
    let mut targets = ["token", "topic", "condition"]
        .into_iter()
        .filter_map(|name| message.get(name));
    match (targets.next().and_then(Value::as_str), targets.next()) {
        (Some(target), None) if !target.is_empty() => Ok(target),
        _ => Err(wrong("message", "Exactly one of token, topic or condition is required")),
    }
}

fn data(message: &Map<String, Value>) -> Checked {
    let Some(data) = message.get("data") else { return Ok(()) };
    let data = data
        .as_object()
        .ok_or_else(|| wrong("message.data", "expected an object"))?;
    for (key, value) in data {
        let field = format!("message.data[{key}]");
        let reserved = ["from", "message_type"].contains(&key.as_str())
            || key.starts_with("google")
            || key.starts_with("gcm.notification");
        if reserved {
            return Err(wrong(&field, "Invalid data payload key: it is reserved"));
        }
        if !value.is_string() {
            return Err(wrong(&field, "Invalid value (TYPE_STRING)"));
        }
    }
    Ok(())
}

fn android(android: Option<&Value>) -> Checked {
    let Some(android) = android else { return Ok(()) };
    let known = [
        "collapse_key",
        "priority",
        "ttl",
        "restricted_package_name",
        "data",
        "notification",
        "fcm_options",
        "direct_boot_ok",
    ];
    let android = members("message.android", android, &known)?;
    if let Some(priority) = android.get("priority")
        && !["HIGH", "NORMAL"].contains(&priority.as_str().unwrap_or_default())
    {
        return Err(wrong("message.android.priority", "expected HIGH or NORMAL"));
    }
    if let Some(ttl) = android.get("ttl")
        && !ttl.as_str().is_some_and(is_ttl)
    {
        return Err(wrong(
            "message.android.ttl",
            "Illegal duration format, expected such as 3.5s of at most four weeks",
        ));
    }
    if android.get("collapse_key").is_some_and(|key| !key.is_string()) {
        return Err(wrong("message.android.collapse_key", "Invalid value (TYPE_STRING)"));
    }
    let shown = [
        "title",
        "body",
        "icon",
        "color",
        "sound",
        "tag",
        "click_action",
        "channel_id",
        "image",
        "ticker",
    ];
    texts("message.android.notification", android.get("notification"), &shown)
}

/// A number of seconds with at most nine decimals, ended by `s`.
fn is_ttl(text: &str) -> bool {
    let Some(seconds) = text.strip_suffix('s') else {
        return false;
    };
    let (whole, decimals) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && digits(decimals)
        && decimals.len() <= 9
        && whole.parse::<u64>().is_ok_and(|seconds| seconds <= LONGEST_TTL)
}

fn apns(apns: Option<&Value>, notifies: bool) -> Checked {
    let Some(apns) = apns else { return Ok(()) };
    let apns = members(
        "message.apns",
        apns,
        &["headers", "payload", "fcm_options", "live_activity_token"],
    )?;
    let headers = apns.get("headers").and_then(Value::as_object);
    let header = |name: &str| headers.and_then(|headers| headers.get(name)).and_then(Value::as_str);
    if headers.is_some_and(|headers| headers.values().any(|value| !value.is_string())) {
        return Err(wrong("message.apns.headers", "Invalid value (TYPE_STRING)"));
    }
    let alerts = apns
        .get("payload")
        .is_some_and(|payload| payload["aps"]["alert"] != Value::Null);
    if !notifies && !alerts && header("apns-priority").is_some_and(|priority| priority != "5") {
        return Err(wrong(
            "message.apns.headers[apns-priority]",
            "a message of data alone must use 5",
        ));
    }
    if header("apns-expiration").is_some_and(|at| at.parse::<u64>().is_err()) {
        return Err(wrong(
            "message.apns.headers[apns-expiration]",
            "expected seconds since 1970",
        ));
    }
    if header("apns-collapse-id").is_some_and(|id| id.len() > 64) {
        return Err(wrong(
            "message.apns.headers[apns-collapse-id]",
            "expected at most 64 bytes",
        ));
    }
    Ok(())
}

fn size(message: &Map<String, Value>) -> Checked {
    let count = |value: Option<&Value>| {
        let members = value.and_then(Value::as_object).into_iter().flatten();
        members
            .map(|(key, value)| key.len() + value.as_str().map_or(0, str::len))
            .sum::<usize>()
    };
    if count(message.get("data")) + count(message.get("notification")) > LARGEST {
        return Err(wrong("message.data", "Android message is too big"));
    }
    Ok(())
}

/// The members of an object that has no others than these.
fn members<'a>(field: &str, value: &'a Value, known: &[&str]) -> Result<&'a Map<String, Value>, Violation> {
    let members = value.as_object().ok_or_else(|| wrong(field, "expected an object"))?;
    match members.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(members),
        Some(key) => Err(wrong(
            field,
            &format!("Invalid JSON payload received. Unknown name \"{key}\" at '{field}': Cannot find field."),
        )),
    }
}

fn texts(field: &str, value: Option<&Value>, known: &[&str]) -> Checked {
    let Some(value) = value else { return Ok(()) };
    match members(field, value, known)?
        .iter()
        .find(|(_, value)| !value.is_string())
    {
        None => Ok(()),
        Some((key, _)) => Err(wrong(&format!("{field}.{key}"), "Invalid value (TYPE_STRING)")),
    }
}

fn wrong(field: &str, description: &str) -> Violation {
    Violation {
        field: field.to_owned(),
        description: description.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(message: Value, expect: Result<&str, &str>) {
        let mut body = json!({});
        body["message"] = message;
        let found = target(&body).map_err(|violation| violation.field);
        assert_eq!(found.as_deref().map_err(String::as_str), expect, "{body}");
    }

    #[test]
    fn a_message_that_the_reference_allows_is_taken() {
        check(
            json!({
                "token": "abc", "data": { "type": "QUEUE_CALLED" }, "notification": { "title": "호출", "body": "2번" },
                "android": { "priority": "HIGH", "ttl": "300s", "collapse_key": "q-1", "notification": { "tag": "q-1" } },
                "apns": { "headers": { "apns-priority": "10" }, "payload": { "aps": { "sound": "default" } } },
            }),
            Ok("abc"),
        );
        check(json!({ "topic": "yard" }), Ok("yard"));
    }

    #[test]
    fn what_the_real_one_refuses_is_refused() {
        check(json!({}), Err("message"));
        check(json!({ "token": "a", "topic": "b" }), Err("message"));
        check(json!({ "token": "" }), Err("message"));
        check(json!({ "token": "a", "extra": 1 }), Err("message"));
        check(json!({ "token": "a", "data": { "n": 1 } }), Err("message.data[n]"));
        check(
            json!({ "token": "a", "data": { "from": "x" } }),
            Err("message.data[from]"),
        );
        check(
            json!({ "token": "a", "data": { "googleX": "x" } }),
            Err("message.data[googleX]"),
        );
        check(
            json!({ "token": "a", "data": { "k": "x".repeat(4096) } }),
            Err("message.data"),
        );
        for ttl in ["300", "-1s", "1.s", "2419201s", "", "s"] {
            check(
                json!({ "token": "a", "android": { "ttl": ttl } }),
                Err("message.android.ttl"),
            );
        }
        check(
            json!({ "token": "a", "android": { "priority": "high" } }),
            Err("message.android.priority"),
        );
        check(
            json!({ "token": "a", "data": {}, "apns": { "headers": { "apns-priority": "10" } } }),
            Err("message.apns.headers[apns-priority]"),
        );
    }
}
