//! The network addresses that a configuration names.

use std::{fmt, str::FromStr};

/// A host, by name or number, and a TCP port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// An IPv6 address stands in its brackets.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
}

/// The server's link: `ws://host[:port]/path`, or `wss://` with TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkUrl {
    text: String,
    pub secure: bool,
    pub at: HostPort,
}

/// A text that is no such address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("expected host:port")]
    HostPort,
    #[error("expected ws://host:port/api/v1/edge/link or wss://host/api/v1/edge/link")]
    LinkUrl,
}

impl FromStr for HostPort {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (host, port) = text.rsplit_once(':').ok_or(AddressError::HostPort)?;
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let strange = |byte: u8| byte <= b' ' || matches!(byte, b'/' | b'?' | b'#' | b'@');
        if host.is_empty() || host.bytes().any(strange) || (host.contains(':') && !bracketed) {
            return Err(AddressError::HostPort);
        }
        match port.parse() {
            Ok(port) if port > 0 => Ok(Self {
                host: host.to_owned(),
                port,
            }),
            _ => Err(AddressError::HostPort),
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl LinkUrl {
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for LinkUrl {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (secure, rest) = match (text.strip_prefix("wss://"), text.strip_prefix("ws://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err(AddressError::LinkUrl),
        };
        let authority = rest.split('/').next().unwrap_or_default();
        let usual_port = if secure { 443 } else { 80 };
        let at = match authority.parse() {
            Ok(at) => at,
            Err(_) => format!("{authority}:{usual_port}")
                .parse()
                .map_err(|_| AddressError::LinkUrl)?,
        };
        if rest.bytes().any(|byte| byte <= b' ' || byte == b'#') {
            return Err(AddressError::LinkUrl);
        }
        Ok(Self {
            text: text.to_owned(),
            secure,
            at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_without_a_port_takes_the_usual_one() {
        let port = |text: &str| text.parse::<LinkUrl>().map(|url| url.at.port);
        assert_eq!(port("ws://yard.example/api/v1/edge/link"), Ok(80));
        assert_eq!(port("wss://yard.example/api/v1/edge/link"), Ok(443));
        assert_eq!(port("ws://127.0.0.1:8080/api/v1/edge/link"), Ok(8080));
        for wrong in ["http://yard.example", "ws://", "ws://a b/", "wss://user@host/"] {
            assert_eq!(port(wrong), Err(AddressError::LinkUrl), "{wrong}");
        }
    }
}
