//! Settings of the customer's ERP.

use std::{path::PathBuf, time::Duration};

use secrecy::SecretString;
use serde::Deserialize;

use super::{destination_complaint, unset_if_empty};

/// How the ERP is spoken to, and where it is; without an address (a folder) messages to it wait.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErpSettings {
    pub kind: ErpKind,
    #[serde(deserialize_with = "unset_if_empty")]
    pub base_url: Option<String>,
    /// Whether it may be reached without encryption, beyond this machine.
    pub allow_http: bool,
    #[serde(deserialize_with = "unset_if_empty")]
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
    #[serde(deserialize_with = "unset_if_empty")]
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
        let urls = [
            ("erp.base_url", self.base_url.as_deref().unwrap_or_default()),
            ("erp.token_url", &self.token_url),
        ];
        let set = urls.into_iter().filter(|(_, url)| !url.is_empty());
        let allow_http = Some(("erp.allow_http", self.allow_http));
        let mut complaints: Vec<String> = set
            .filter_map(|(name, url)| destination_complaint(name, url, allow_http))
            .collect();
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
