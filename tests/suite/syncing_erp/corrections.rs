//! OB-06: the ERP sees each weighing, its void and what stands in its place, in this order, whatever fails between them.

use serde_json::{Value, json};

use super::{
    effects,
    stand_in::{ErpProcess, Office},
};
use crate::support::{
    corrections::{REVISIONS, corrected},
    folder::Folder,
};

/// What came of this slip's weighing at the ERP, in order: `+` a completion, `-` a void.
fn applied<'a>(book: &'a [Value], slips: &'a [String]) -> Vec<String> {
    let applied = book.iter().filter(|line| line["note"]["effect"] == "applied");
    let of_these = applied.filter_map(|line| {
        // Douzone wraps it.
        let body = line["body"].get("body").unwrap_or(&line["body"]);
        let slip = body["slip_number"]
            .as_str()
            .filter(|slip| slips.iter().any(|one| one == slip))?;
        let sign = if line["note"]["subject"] == "Void" { '-' } else { '+' };
        Some(format!("{sign}{slip}"))
    });
    of_these.collect()
}

async fn arrive_in_order(settings: &[(&str, &str)], weighings: usize) {
    let erp = ErpProcess::start(&["--fail", "internal=0.1", "--fail", "lost-answer=0.1"]);
    let office = Office::start(&erp, settings).await;
    let all = corrected(&office.site, weighings).await;
    let messages = weighings * (2 * REVISIONS - 1);
    office
        .until(
            "SELECT count(*) FROM outbox WHERE destination = 'ERP' AND state = 'SENT'",
            i64::try_from(messages).unwrap(),
        )
        .await;
    let book = erp.book().await;
    // The ERP refuses a correction of what was not voided, of another revision or with other weights, and a void of what it
    // does not know.
    assert_eq!(
        (
            effects(&book, "applied"),
            effects(&book, "out of order"),
            effects(&book, "mismatch")
        ),
        (messages, 0, 0)
    );
    for slips in &all {
        let expected: Vec<String> = slips
            .windows(2)
            .flat_map(|pair| [format!("+{}", pair[0]), format!("-{}", pair[0])])
            .chain([format!("+{}", slips[REVISIONS - 1])])
            .collect();
        assert_eq!(applied(&book, slips), expected);
    }
    let day = office.site.text("SELECT max(day)::text FROM slip").await;
    let report = office
        .site
        .get(&format!("/admin/reconciliation?from={day}&to={day}"))
        .await
        .done();
    let (slips, voids) = (weighings * REVISIONS, weighings * (REVISIONS - 1));
    assert_eq!(report["agrees"], true, "{report}");
    assert_eq!(
        (&report["days"][0]["confirmed"], &report["days"][0]["voids_confirmed"]),
        (&json!(slips), &json!(voids))
    );
    let confirmed = "SELECT count(*) FROM weigh_record WHERE erp_sent";
    assert_eq!(
        office.site.count(confirmed).await,
        i64::try_from(slips).unwrap(),
        "each record knows that it was told"
    );
}

#[actix_rt::test]
async fn corrections_and_voids_come_in_the_order_in_which_they_were_made() {
    arrive_in_order(&[], 12).await;
}

#[actix_rt::test]
async fn an_erp_without_keys_gets_them_in_order_too() {
    let douzone = [
        ("erp.kind", "douzone"),
        ("erp.hash_key", "stand-in-hash-key"),
        ("erp.caller_name", "API_w"),
        ("erp.group_seq", "G1"),
    ];
    arrive_in_order(&douzone, 4).await;
}

#[actix_rt::test]
async fn a_correction_is_a_file_after_that_of_the_void_and_names_what_it_replaces() {
    let (erp, folder) = (ErpProcess::start(&[]), Folder::new());
    let path = folder.path().display().to_string();
    let office = Office::start(
        &erp,
        &[("erp.kind", "csv"), ("erp.base_url", ""), ("erp.folder", &path)],
    )
    .await;
    let slips = corrected(&office.site, 1).await.remove(0);
    office
        .until(
            "SELECT count(*) FROM outbox WHERE destination = 'ERP' AND state = 'SENT'",
            7,
        )
        .await;
    let mut names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    names.sort();
    let mut lines = Vec::new();
    for name in &names {
        let text = std::fs::read_to_string(name).unwrap();
        let mut rows = text
            .lines()
            .map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
        let (headings, row) = (rows.next().unwrap(), rows.next().unwrap());
        let cell = |name: &str| row[headings.iter().position(|heading| heading == name).unwrap()].clone();
        lines.push(["slip_number", "revision", "replaces", "reason"].map(cell).join(" "));
    }
    let [one, two, three, four] = slips.try_into().unwrap();
    let expected = [
        format!("{one} 1  "),
        format!("{one} 1  품목 정정"),
        format!("{two} 2 {one} "),
        format!("{two} 2  품목 정정"),
        format!("{three} 3 {two} "),
        format!("{three} 3  품목 정정"),
        format!("{four} 4 {three} "),
    ];
    assert_eq!(lines, expected);
}
