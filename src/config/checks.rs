//! What the types alone cannot say about settings: ranges, and addresses that must look like addresses.

use std::time::Duration;

use secrecy::ExposeSecret;

use super::{ConfigError, Settings, destination_complaint};

/// Refuses settings that would not work, all at once, each with what was expected.
pub(super) fn check(settings: &Settings) -> Result<(), ConfigError> {
    let mut complaints = Vec::new();
    let mut expect = |holds: bool, complaint: &str| {
        if !holds {
            complaints.push(complaint.to_owned());
        }
    };
    let url = settings.database.url.as_ref().map(ExposeSecret::expose_secret);
    expect(
        url.is_none_or(|url| url.starts_with("postgres://") || url.starts_with("postgresql://")),
        "database.url does not begin with postgres://",
    );
    expect(settings.database.pool > 0, "database.pool is 0, expected at least 1");
    for (name, duration) in durations(settings) {
        expect(
            !duration.is_zero(),
            &format!("{name} is 0, expected a time such as \"10s\""),
        );
    }
    expect(settings.live.count > 0, "live.count is 0, expected at least 1");
    expect(
        (4..=16).contains(&settings.auth.bcrypt_cost),
        "auth.bcrypt_cost is out of range, expected 4 to 16: each step takes twice the time, 16 some seconds a sign-in",
    );
    expect(
        settings.auth.sessions_per_user > 0,
        "auth.sessions_per_user is 0, expected at least 1",
    );
    expect(
        settings.bootstrap.admin_login.is_some() == settings.bootstrap.admin_password.is_some(),
        "bootstrap.admin_login and bootstrap.admin_password go together, only one is set",
    );
    expect(
        !settings.site.slip_prefix.is_empty()
            && settings.site.slip_prefix.len() <= 8
            && settings.site.slip_prefix.bytes().all(|byte| byte.is_ascii_uppercase()),
        "site.slip_prefix is not 1 to 8 capital letters",
    );
    expect(
        (1..=64).contains(&settings.delivery.parallel),
        "delivery.parallel is out of range, expected 1 to 64",
    );
    expect(
        settings.delivery.attempts > 0,
        "delivery.attempts is 0, expected at least 1",
    );
    expect(
        settings.delivery.lease > settings.delivery.send_timeout,
        "delivery.lease is not longer than delivery.send_timeout: a message would be another's before its answer is there",
    );
    expect(
        !settings.rate_limit.window.is_zero(),
        "rate_limit.window is 0, expected a duration such as 60s",
    );
    expect(
        settings.leader.renew < settings.leader.lease,
        "leader.renew is not shorter than leader.lease: the lease would end before it is renewed",
    );
    complaints.extend(settings.erp.complaints());
    for (name, url) in [
        ("fcm.base_url", &settings.fcm.base_url),
        ("sms.base_url", &settings.sms.base_url),
    ] {
        complaints.extend(url.as_deref().and_then(|url| destination_complaint(name, url, None)));
    }
    let half = [
        settings.fcm.complaint(),
        settings.sms.complaint(),
        settings.mail.complaint(),
    ];
    complaints.extend(half.into_iter().flatten().map(str::to_owned));
    if complaints.is_empty() {
        return Ok(());
    }
    Err(ConfigError::Invalid(complaints.join("\n")))
}

/// Those that mean never, at once or no time at all where they are 0.
const fn durations(settings: &Settings) -> [(&'static str, Duration); 16] {
    [
        ("database.query_timeout", settings.database.query_timeout),
        ("auth.access_token", settings.auth.access_token),
        ("auth.refresh_token", settings.auth.refresh_token),
        ("server.read_timeout", settings.server.read_timeout),
        ("server.request_timeout", settings.server.request_timeout),
        ("queue.call_deadline", settings.queue.call_deadline),
        ("queue.look_every", settings.queue.look_every),
        ("delivery.look_every", settings.delivery.look_every),
        ("delivery.send_timeout", settings.delivery.send_timeout),
        ("delivery.lifetime", settings.delivery.lifetime),
        ("delivery.breaker_rest", settings.delivery.breaker_rest),
        ("leader.lease", settings.leader.lease),
        ("leader.renew", settings.leader.renew),
        ("erp.timeout", settings.erp.timeout),
        ("fcm.call_life", settings.fcm.call_life),
        ("fcm.token_age", settings.fcm.token_age),
    ]
}

#[cfg(test)]
mod tests {
    use crate::config::load;

    #[track_caller]
    fn check(name: &str, text: &str, expect: &str) {
        let error = load(None, [(name.to_owned(), text.to_owned())]).unwrap_err();
        assert_eq!(error.to_string(), expect);
    }

    #[test]
    fn settings_that_would_not_work_say_what_was_expected() {
        check(
            "WEIGHBRIDGE__DATABASE__POOL",
            "0",
            "database.pool is 0, expected at least 1",
        );
        check(
            "WEIGHBRIDGE__DATABASE__QUERY_TIMEOUT",
            "0s",
            "database.query_timeout is 0, expected a time such as \"10s\"",
        );
        check(
            "WEIGHBRIDGE__DATABASE__URL",
            "mysql://db",
            "database.url does not begin with postgres://",
        );
        check(
            "WEIGHBRIDGE__ERP__BASE_URL",
            "erp.example",
            "erp.base_url does not begin with http:// or https://",
        );
        check(
            "WEIGHBRIDGE__SMS__BASE_URL",
            "http://api.solapi.com",
            "sms.base_url is not encrypted, expected https:// (or an address of this machine)\n\
             sms.base_url is set, expected sms.key and sms.secret beside it",
        );
        check(
            "WEIGHBRIDGE__ERP__TOKEN_URL",
            "http://erp.example/token",
            "erp.token_url is not encrypted, expected https:// (or erp.allow_http = true inside one's own network)",
        );
        check(
            "WEIGHBRIDGE__FCM__BASE_URL",
            "http://fcm.googleapis.com",
            "fcm.base_url is not encrypted, expected https:// (or an address of this machine)\n\
             fcm.base_url and fcm.credentials_file go together, only one is set",
        );
        check(
            "WEIGHBRIDGE__BOOTSTRAP__ADMIN_LOGIN",
            "kim",
            "bootstrap.admin_login and bootstrap.admin_password go together, only one is set",
        );
    }
}
