//! The services of others that a run brings along, each a process of its own: the ERP, push notifications, text messages.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;
use tokio::time::sleep;

use super::{
    child::{Program, Running},
    folder::Folder,
    free_address,
};
use crate::{SimError, day::books::Received, http, screen};

/// Their processes, and where they are.
#[derive(Debug)]
pub struct Services {
    erp: Running,
    fcm: Running,
    sms: Running,
    at: Addresses,
}

#[derive(Clone, Debug)]
struct Addresses {
    erp: SocketAddr,
    fcm: SocketAddr,
    sms: SocketAddr,
    credentials: PathBuf,
}

pub const ERP: &str = "erp";
pub const FCM: &str = "fcm";
pub const SMS: &str = "sms";
const READY_WITHIN: Duration = Duration::from_secs(20);
const LONGEST_WAIT: u32 = 20;
const ASK_AGAIN: Duration = Duration::from_secs(2);

impl Services {
    /// Starts them beside `program`, which is this one. Their ports stay the same, however often they fall.
    pub async fn start(program: &Path, folder: &Folder) -> Result<Self, SimError> {
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let at = Addresses {
            erp: free_address(anywhere).await?,
            fcm: free_address(anywhere).await?,
            sms: free_address(anywhere).await?,
            credentials: folder.path().join("fcm-credentials.json"),
        };
        let start = |name: &'static str, address: SocketAddr, more: &[String]| {
            let listen = ["--listen".to_owned(), address.to_string()];
            Program {
                name,
                path: program.to_owned(),
                arguments: [&[name.to_owned()][..], &listen, more].concat(),
                environment: Vec::new(),
                folder: folder.path().to_owned(),
                ready_within: READY_WITHIN,
            }
            .start()
        };
        let credentials = ["--credentials".to_owned(), at.credentials.display().to_string()];
        let mut services = Self {
            erp: start(ERP, at.erp, &[]),
            fcm: start(FCM, at.fcm, &credentials),
            sms: start(SMS, at.sms, &[]),
            at,
        };
        // The server reads the credentials when it starts.
        services.erp.ready().await?;
        services.fcm.ready().await?;
        services.sms.ready().await?;
        Ok(services)
    }

    /// What the server has to know of them.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("WEIGHBRIDGE__ERP__BASE_URL", format!("http://{}", self.at.erp)),
            (
                "WEIGHBRIDGE__ERP__TOKEN_URL",
                format!("http://{}/oauth/token", self.at.erp),
            ),
            ("WEIGHBRIDGE__ERP__CLIENT_ID", "stand-in".to_owned()),
            ("WEIGHBRIDGE__ERP__CLIENT_SECRET", "stand-in-secret".to_owned()),
            ("WEIGHBRIDGE__FCM__BASE_URL", format!("http://{}", self.at.fcm)),
            (
                "WEIGHBRIDGE__FCM__CREDENTIALS_FILE",
                self.at.credentials.display().to_string(),
            ),
            ("WEIGHBRIDGE__SMS__BASE_URL", format!("http://{}", self.at.sms)),
            ("WEIGHBRIDGE__SMS__KEY", "stand-in-key".to_owned()),
            ("WEIGHBRIDGE__SMS__SECRET", "stand-in-secret".to_owned()),
            ("WEIGHBRIDGE__SMS__SENDER", "0212345678".to_owned()),
        ]
    }

    /// Says what arrives at each of them, for as long as it is polled.
    pub async fn show(&self) {
        tokio::join!(
            follow(self.at.erp, erp_line),
            follow(self.at.fcm, push_line),
            follow(self.at.sms, sms_line)
        );
    }

    /// Everything that has arrived at them.
    pub async fn received(&self) -> Result<Received, SimError> {
        let all = |address| async move {
            let asked = lines(address, 0, 0).await;
            asked.map_err(|error| SimError::Unreachable(format!("{address} does not tell what came: {error}")))
        };
        Ok(Received {
            erp: all(self.at.erp).await?,
            fcm: all(self.at.fcm).await?,
            sms: all(self.at.sms).await?,
        })
    }

    pub async fn stop(self) -> Result<(), SimError> {
        let erp = self.erp.stop().await;
        let fcm = self.fcm.stop().await;
        let sms = self.sms.stop().await;
        erp.and(fcm).and(sms)
    }
}

/// Asks a stand-in for what came, again and again, and says the lines that `shown` makes of it.
async fn follow(address: SocketAddr, shown: fn(&Value) -> Option<String>) {
    let mut seen = 0;
    loop {
        match lines(address, seen, LONGEST_WAIT).await {
            Ok(lines) => {
                seen += lines.len();
                lines.iter().filter_map(shown).for_each(|line| screen::line(&line));
            }
            Err(error) => {
                tracing::debug!("{address} does not tell what came: {error}");
                // It begins anew with an empty book.
                seen = 0;
                sleep(ASK_AGAIN).await;
            }
        }
    }
}

/// What came from line `since` on; where there is none, waits so many seconds for one.
async fn lines(address: SocketAddr, since: usize, wait: u32) -> reqwest::Result<Vec<Value>> {
    let url = format!("http://{address}/received?since={since}&wait={wait}");
    let text = http::client()
        .build()?
        .get(url)
        .send()
        .await?
        .error_for_status()?
        .text()
        .await?;
    Ok(text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect())
}

/// What the ERP has confirmed, with its receipt.
fn erp_line(line: &Value) -> Option<String> {
    let (body, receipt) = (&line["body"], line["note"]["receipt"].as_str()?);
    let slip = body["slip_number"].as_str()?;
    let what = match line["what"].as_str()? {
        "POST /v1/weighings" => format!("net {} kg", body["net_kg"].as_str()?),
        "POST /v1/voids" => "voided".to_owned(),
        _ => return None,
    };
    Some(format!("  ERP  ✓ {receipt}  {slip}  {what}"))
}

fn push_line(line: &Value) -> Option<String> {
    let message = &line["body"]["message"];
    let body = message["notification"]["body"]
        .as_str()
        .filter(|_| line["status"] == 200)?;
    let to = message["token"].as_str()?.rsplit('-').next()?;
    Some(format!("  push → 기사 {to}  {body}"))
}

/// The number's middle is left out, and what stands behind a password.
fn sms_line(line: &Value) -> Option<String> {
    let message = &line["body"]["message"];
    let text = message["text"].as_str().filter(|_| line["status"] == 200)?;
    let to = message["to"].as_str()?;
    let (head, tail) = (to.get(..3)?, to.get(to.len().checked_sub(4)?..)?);
    let shown = text.split("임시비밀번호").next().unwrap_or_default();
    Some(format!(
        "  sms  → {head}-****-{tail}  {}",
        shown.replace('\n', " ").trim_end()
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_arrives_is_said_without_passwords() {
        let push = json!({ "status": 200, "body": { "message": { "token": "phone-of-driver-7", "notification": { "body": "대기번호 12번" } } } });
        assert_eq!(push_line(&push).unwrap().trim(), "push → 기사 7  대기번호 12번");
        let text = "[본사] 계량 앱 ID driver_x 임시비밀번호 Ab12#456";
        let sms = json!({ "status": 200, "body": { "message": { "to": "01012345678", "text": text } } });
        let line = sms_line(&sms).unwrap();
        assert!(line.contains("010-****-5678") && !line.contains("Ab12"), "{line}");
        let weighing = json!({ "what": "POST /v1/weighings", "note": { "effect": "applied", "receipt": "E-00000001" },
            "body": { "slip_number": "WR20260125001", "net_kg": "5990.5" } });
        assert_eq!(
            erp_line(&weighing).unwrap().trim(),
            "ERP  ✓ E-00000001  WR20260125001  net 5990.5 kg"
        );
        assert_eq!(push_line(&json!({ "status": 503, "body": push["body"] })), None);
    }
}
