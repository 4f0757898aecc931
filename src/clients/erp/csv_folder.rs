//! A file for each message in a folder that the ERP empties.
//!
//! `weighbridge-000000000123-ERP_COMPLETE.csv`: names sort in the order of sending, and a message that is sent again has the
//! name it had before. A file is there whole or not at all: it is written under a name that begins with a dot, brought to
//! the disk, and renamed. UTF-8, a line of headings, commas, CR LF.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use weighbridge_protocol::Kilograms;

use super::{Erp, Message, Subject};
use crate::domain::delivery::Outcome;

/// See the file's head.
pub(super) struct CsvFolder {
    folder: PathBuf,
}

/// What a line tells of a weighing; the names are those of `docs/erp-rest-v1.md`.
const OF_A_WEIGHING: [&str; 22] = [
    "slip_number",
    "revision",
    "replaces",
    "record_id",
    "weighed_at",
    "station_id",
    "station_name",
    "vehicle_plate",
    "driver_name",
    "company_name",
    "product_code",
    "product_name",
    "customer_code",
    "customer_name",
    "direction",
    "gross_kg",
    "tare_kg",
    "net_kg",
    "first_weighed_at",
    "second_weighed_at",
    "manual",
    "reason",
];
/// What a line tells of a day's totals.
const OF_A_TOTAL: [&str; 9] = [
    "product_code",
    "product_name",
    "customer_code",
    "customer_name",
    "direction",
    "count",
    "gross_kg",
    "tare_kg",
    "net_kg",
];

impl CsvFolder {
    pub(super) const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }
}

impl Erp for CsvFolder {
    fn tell(&self, message: Message) -> BoxFuture<'_, Outcome> {
        let folder = self.folder.clone();
        Box::pin(async move {
            let written = tokio::task::spawn_blocking(move || write(&folder, &message)).await;
            match written {
                Ok(Ok(name)) => Outcome::Sent {
                    response: json!({ "file": name }),
                },
                Ok(Err(error)) => Outcome::Retry {
                    why: error.to_string(),
                    after: None,
                },
                Err(error) => Outcome::Panicked { why: error.to_string() },
            }
        })
    }
}

fn write(folder: &Path, message: &Message) -> io::Result<String> {
    let failed = |what: &str, path: &Path, error: &io::Error| {
        io::Error::new(error.kind(), format!("cannot {what} {}: {error}", path.display()))
    };
    let name = name(message);
    let (path, unfinished) = (folder.join(&name), folder.join(format!(".{name}.part")));
    let text = text(message).map_err(io::Error::other)?;
    let written = File::create(&unfinished).and_then(|mut file| {
        file.write_all(&text)?;
        file.sync_all()
    });
    written.map_err(|error| failed("write", &unfinished, &error))?;
    fs::rename(&unfinished, &path).map_err(|error| failed("rename", &unfinished, &error))?;
    let settled = File::open(folder).and_then(|folder| folder.sync_all());
    settled.map_err(|error| failed("bring to the disk", folder, &error))?;
    Ok(name)
}

fn name(message: &Message) -> String {
    let kind = message.subject.kind().name();
    format!("weighbridge-{:012}-{kind}.csv", message.number)
}

fn text(message: &Message) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    let payload = &message.payload;
    let key = message.key.to_string();
    if message.subject == Subject::Closed {
        writer.write_record(
            ["idempotency_key", "site_id", "day", "part", "of_day"]
                .into_iter()
                .chain(OF_A_TOTAL),
        )?;
        let head = [key, cell(&payload["site_id"]), cell(&payload["day"])];
        for (part, lines) in [("day", &payload["totals"]), ("late", &payload["late"])] {
            for line in lines.as_array().into_iter().flatten() {
                let of_day = if part == "late" {
                    cell(&line["day"])
                } else {
                    head[2].clone()
                };
                let cells = OF_A_TOTAL.iter().map(|name| cell(&line[name]));
                writer.write_record(head.iter().cloned().chain([part.to_owned(), of_day]).chain(cells))?;
            }
        }
    } else {
        writer.write_record(["idempotency_key"].into_iter().chain(OF_A_WEIGHING))?;
        writer.write_record(
            [key]
                .into_iter()
                .chain(OF_A_WEIGHING.iter().map(|name| cell(&payload[name]))),
        )?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// A value as text. What a spreadsheet would take for a formula is written as the text that it is; a number stays one.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text)
            if text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<Kilograms>().is_err() =>
        {
            format!("'{text}")
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn message(number: i64, subject: Subject, payload: Value) -> Message {
        Message {
            number,
            subject,
            key: Uuid::nil(),
            payload,
            may_have_arrived: false,
        }
    }

    #[tokio::test]
    async fn a_file_is_whole_sorts_in_order_and_comes_again_under_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let erp = CsvFolder::new(folder.path().to_owned());
        for number in [9, 10, 9] {
            let payload =
                json!({ "slip_number": "WR20260125001", "net_kg": "5990.5", "customer_name": "=HYPERLINK(1)" });
            let told = erp.tell(message(number, Subject::Completed, payload)).await;
            assert!(matches!(told, Outcome::Sent { .. }), "{told:?}");
        }
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|file| file.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                "weighbridge-000000000009-ERP_COMPLETE.csv",
                "weighbridge-000000000010-ERP_COMPLETE.csv"
            ]
        );
        let text = fs::read_to_string(folder.path().join(&names[0])).unwrap();
        let mut lines = text.split("\r\n");
        assert!(
            lines
                .next()
                .unwrap()
                .starts_with("idempotency_key,slip_number,revision,")
        );
        let line = lines.next().unwrap();
        assert!(
            line.contains(",WR20260125001,") && line.contains(",5990.5,") && line.contains(",'=HYPERLINK(1),"),
            "{line}"
        );
    }

    #[tokio::test]
    async fn a_folder_that_is_gone_is_tried_again() {
        let erp = CsvFolder::new(PathBuf::from("/nowhere/at/all"));
        let told = erp.tell(message(1, Subject::Voided, json!({}))).await;
        assert!(
            matches!(&told, Outcome::Retry { why, .. } if why.contains("/nowhere/at/all")),
            "{told:?}"
        );
    }

    #[test]
    fn a_close_is_a_line_for_each_total_and_each_late_one() {
        let total = |net: &str| json!({ "product_code": "P1", "direction": "OUT", "count": 1, "gross_kg": net, "tare_kg": "0", "net_kg": net });
        let mut late = total("-7.5");
        late["day"] = json!("2026-01-24");
        let payload = json!({ "site_id": 1, "day": "2026-01-25", "totals": [total("5"), total("6")], "late": [late] });
        let text = String::from_utf8(text(&message(1, Subject::Closed, payload)).unwrap()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(
            lines[3].contains(",1,2026-01-25,late,2026-01-24,P1,") && lines[3].ends_with(",-7.5,0,-7.5"),
            "{}",
            lines[3]
        );
    }
}
