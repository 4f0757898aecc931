//! Settings of the customer's ERP.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

use super::unset_if_empty;

/// How the ERP is spoken to, and where it is; without an address (a folder) messages to it wait.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErpSettings {
    pub kind: ErpKind,
    #[serde(deserialize_with = "unset_if_empty")]
    pub base_url: Option<String>,
    /// Whether it may be reached without encryption, beyond this machine.
    pub allow_http: bool,
    #[serde(deserialize_with = "path_if_set")]
    pub ca_file: Option<PathBuf>,
    pub token_url: String,
    pub client_id: String,
    pub client_secret: SecretString,
    pub scope: String,
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    pub hash_key: SecretString,
    pub caller_name: String,
    pub group_seq: String,
    #[serde(deserialize_with = "path_if_set")]
    pub folder: Option<PathBuf>,
}

/// The versions that we speak.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum ErpKind {
    RestV1,
    Douzone,
    Csv,
}

impl ErpSettings {
    /// What is wrong with them, in the words of the operator.
    pub(super) fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let urls = [
            ("erp.base_url", self.base_url.as_deref().unwrap_or_default()),
            ("erp.token_url", &self.token_url),
        ];
        for (name, url) in urls.into_iter().filter(|(_, url)| !url.is_empty()) {
            if !url.starts_with("http://") && !url.starts_with("https://") {
                complaints.push(format!("{name} does not begin with http:// or https://"));
            } else if url.starts_with("http://") && !self.allow_http && !is_of_this_machine(url) {
                complaints.push(format!(
                    "{name} is not encrypted, expected https:// (or erp.allow_http = true inside one's own network)"
                ));
            }
        }
        if !complaints.is_empty() {
            return complaints;
        }
        let speaks_http = self.base_url.is_some() && self.kind != ErpKind::Csv;
        if speaks_http && (self.token_url.is_empty() || self.client_id.is_empty()) {
            complaints.push("erp.token_url or erp.client_id is not set, expected both beside erp.base_url".to_owned());
        }
        if speaks_http && self.kind == ErpKind::Douzone && (self.caller_name.is_empty() || self.group_seq.is_empty()) {
            complaints.push(
                "erp.caller_name or erp.group_seq is not set, expected both for erp.kind = \"douzone\"".to_owned(),
            );
        }
        complaints
    }
}

fn is_of_this_machine(url: &str) -> bool {
    let host = url
        .trim_start_matches("http://")
        .split(['/', '?'])
        .next()
        .unwrap_or_default();
    let name = host.strip_prefix('[').and_then(|rest| rest.split(']').next());
    let name = name.unwrap_or_else(|| host.rsplit_once(':').map_or(host, |(name, _)| name));
    name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn path_if_set<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let text: Option<String> = unset_if_empty(deserializer)?;
    Ok(text.map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_spoken_to_without_encryption() {
        for here in [
            "http://127.0.0.1:8080/x",
            "http://localhost",
            "http://[::1]:80",
            "http://127.9.9.9",
        ] {
            assert!(is_of_this_machine(here), "{here}");
        }
        for elsewhere in [
            "http://erp.example",
            "http://127.0.0.1.example/",
            "http://user@127.0.0.1@erp.example",
            "http://169.254.169.254",
        ] {
            assert!(!is_of_this_machine(elsewhere), "{elsewhere}");
        }
    }
}
