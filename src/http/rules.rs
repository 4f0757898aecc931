//! What the operator decided about HTTP, and who a client is behind the load balancers.

use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use actix_web::http::header::HeaderMap;
use chrono::{DateTime, FixedOffset, Utc};
use ipnet::IpNet;

use crate::{db::slip_share::ShareLimits, domain::outbox::Kind};

/// The rules by which requests are served; made from the settings at start.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The greatest body, in bytes.
    pub body_limit: usize,
    /// How long a body may take to arrive.
    pub read_timeout: Duration,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// Names by which clients may address the server; empty accepts any.
    pub allowed_hosts: Vec<String>,
    /// Networks of load balancers, whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<IpNet>,
    /// Time zone in which times are shown.
    pub time_zone: chrono_tz::Tz,
    /// How long a called truck may take to its station.
    pub call_deadline: Duration,
    pub reach: Reach,
}

/// By which ways the server can reach people, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    pub sms: bool,
    pub email: bool,
    pub limits: ShareLimits,
}

impl Reach {
    /// Whether a message of this kind would get anywhere. What Kakao does not carry goes as a text message.
    pub const fn carries(self, kind: Kind) -> bool {
        match kind {
            Kind::EmailSlip => self.email,
            Kind::SmsWelcome | Kind::SmsSlip | Kind::KakaoSlip => self.sms,
            _ => false,
        }
    }
}

impl Rules {
    /// The client's address: the peer's, or behind trusted load balancers the rightmost address in `X-Forwarded-For`
    /// that is not one of them. What stands further left was written by the client itself.
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let trusted = |address: &IpAddr| self.trusted_proxies.iter().any(|network| network.contains(address));
        let peer = peer.to_canonical();
        if !trusted(&peer) {
            return peer;
        }
        let mut nearest = peer;
        let lines: Vec<&str> = headers
            .get_all("x-forwarded-for")
            .filter_map(|line| line.to_str().ok())
            .collect();
        for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            let Some(address) = parse_hop(hop) else {
                break;
            };
            nearest = address;
            if !trusted(&address) {
                break;
            }
        }
        nearest
    }

    /// A time as it is shown.
    pub fn local(&self, at: DateTime<Utc>) -> DateTime<FixedOffset> {
        at.with_timezone(&self.time_zone).fixed_offset()
    }

    /// Whether a client may address the server as `host`, which may carry a port.
    pub fn accepts_host(&self, host: Option<&str>) -> bool {
        let name = host.map(|host| match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        });
        self.allowed_hosts.is_empty()
            || name.is_some_and(|name| {
                self.allowed_hosts
                    .iter()
                    .any(|allowed| allowed.eq_ignore_ascii_case(name))
            })
    }
}

/// One hop of `X-Forwarded-For`, with or without a port.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let address = hop.parse::<IpAddr>().ok();
    let with_port = || hop.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    address.or_else(with_port).map(|address| address.to_canonical())
}

/// The address that stands for a client where nobody is signed in: of IPv6 the network, of which one client has 2⁶⁴.
pub fn client_network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
impl Rules {
    /// Rules with short times, and load balancers in 10.0.0.0/8.
    pub(super) fn for_test() -> Self {
        Self {
            body_limit: 1000,
            read_timeout: Duration::from_secs(1),
            request_timeout: Duration::from_secs(1),
            allowed_hosts: Vec::new(),
            trusted_proxies: "10.0.0.0/8".parse().into_iter().collect(),
            time_zone: chrono_tz::Asia::Seoul,
            call_deadline: Duration::from_mins(10),
            reach: Reach {
                sms: false,
                email: false,
                limits: ShareLimits {
                    by_driver: 1,
                    to_recipient: 1,
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    #[track_caller]
    fn check(peer: &str, forwarded: &[&str], expect: &str) {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(
                HeaderName::from_static("x-forwarded-for"),
                HeaderValue::from_str(line).unwrap(),
            );
        }
        let address = Rules::for_test().client_address(peer.parse().unwrap(), &headers);
        assert_eq!(address.to_string(), expect);
    }

    #[test]
    fn a_direct_client_cannot_choose_its_address() {
        check("203.0.113.5", &["198.51.100.1"], "203.0.113.5");
        check("::ffff:203.0.113.5", &[], "203.0.113.5");
    }

    #[test]
    fn behind_load_balancers_the_last_address_they_did_not_write_themselves_counts() {
        check("10.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["198.51.100.66, 198.51.100.1, 10.0.0.2"], "198.51.100.1");
        check("10.0.0.1", &["198.51.100.66", "198.51.100.1:4711"], "198.51.100.1");
        check("10.0.0.1", &["forged, 10.0.0.3"], "10.0.0.3");
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &["[2001:db8::1]:80"], "2001:db8::1");
    }

    #[test]
    fn of_ipv6_the_network_is_the_client() {
        assert_eq!(
            client_network("2001:db8:1:2:3::4".parse().unwrap()).to_string(),
            "2001:db8:1:2::"
        );
        assert_eq!(
            client_network("203.0.113.5".parse().unwrap()).to_string(),
            "203.0.113.5"
        );
    }

    #[test]
    fn a_host_that_is_not_ours_is_refused_where_ours_are_known() {
        let mut rules = Rules::for_test();
        assert!(rules.accepts_host(Some("anything")));
        rules.allowed_hosts = vec!["yard.example.kr".to_owned()];
        assert!(rules.accepts_host(Some("Yard.example.kr:8080")));
        assert!(!rules.accepts_host(Some("evil.example")));
        assert!(!rules.accepts_host(None));
    }
}
