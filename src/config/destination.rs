//! Where others' services are: the one guard before their addresses. What we send them is for them alone, so it goes out
//! encrypted, or stays on this machine.

use std::net::{Ipv4Addr, Ipv6Addr};

use reqwest::Url;

/// What is wrong with an address that the setting (or the file's entry) `name` holds, in the words of the operator.
/// `allow_http` names the setting by which it may be unencrypted inside one's own network, and says whether it is set.
pub fn destination_complaint(name: &str, address: &str, allow_http: Option<(&str, bool)>) -> Option<String> {
    if !address.starts_with("http://") && !address.starts_with("https://") {
        return Some(format!("{name} does not begin with http:// or https://"));
    }
    let Ok(url) = Url::parse(address) else {
        return Some(format!(
            "{name} is no address, expected one such as https://api.example/"
        ));
    };
    if !url.username().is_empty() || url.password().is_some() {
        // Whoever reads it may take the name for the host.
        return Some(format!(
            "{name} has a user's name before its host, expected the address alone"
        ));
    }
    let allowed = allow_http.is_some_and(|(_, allowed)| allowed);
    if url.scheme() == "https" || allowed || is_of_this_machine(&url) {
        return None;
    }
    let remedy = allow_http.map_or_else(
        || "or an address of this machine".to_owned(),
        |(setting, _)| format!("or {setting} = true inside one's own network"),
    );
    Some(format!("{name} is not encrypted, expected https:// ({remedy})"))
}

fn is_of_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let is_v4 = host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback());
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || is_v4 || bare.parse().is_ok_and(|address: Ipv6Addr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, expect: Option<&str>) {
        let complaint = destination_complaint("sms.base_url", address, None);
        assert_eq!(complaint.as_deref(), expect, "{address}");
    }

    #[test]
    fn only_this_machine_is_spoken_to_without_encryption() {
        for fine in [
            "http://127.0.0.1:8080/x",
            "http://localhost",
            "http://LOCALHOST:80",
            "http://[::1]:80",
            "http://127.9.9.9",
            "https://erp.example/api",
        ] {
            check(fine, None);
        }
        for elsewhere in [
            "http://erp.example",
            "http://127.0.0.1.example/",
            "http://localhost.example/",
            "http://169.254.169.254",
            "http://[::ffff:169.254.169.254]/",
            "http://erp.example/?@127.0.0.1",
            "http://erp.example#@localhost",
        ] {
            let complaint = "sms.base_url is not encrypted, expected https:// (or an address of this machine)";
            check(elsewhere, Some(complaint));
        }
    }

    #[test]
    fn a_host_that_is_not_what_it_looks_like_is_refused() {
        for hidden in [
            "http://127.0.0.1:80@erp.example/",
            "http://user@127.0.0.1@erp.example",
            "https://localhost@erp.example/",
        ] {
            check(
                hidden,
                Some("sms.base_url has a user's name before its host, expected the address alone"),
            );
        }
        for none in ["https://", "http://[::1", "https://a b/", "http://1.2.3.4.5/"] {
            check(
                none,
                Some("sms.base_url is no address, expected one such as https://api.example/"),
            );
        }
        for other in ["erp.example", "ftp://erp.example", ""] {
            check(other, Some("sms.base_url does not begin with http:// or https://"));
        }
    }

    #[test]
    fn one_s_own_network_may_do_without_encryption_where_the_setting_says_so() {
        let erp = |allowed| destination_complaint("erp.base_url", "http://erp.lan", Some(("erp.allow_http", allowed)));
        assert_eq!(erp(true), None);
        assert_eq!(
            erp(false).unwrap(),
            "erp.base_url is not encrypted, expected https:// (or erp.allow_http = true inside one's own network)"
        );
    }
}
