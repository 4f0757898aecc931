//! The status page, the status command and the service manager are told how the edge is, with the server away as well.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::net::UnixDatagram,
    time::Duration,
};

use serde_json::Value;

use crate::support::{Site, deck::Says, eventually};

/// A site whose page is served at a free port.
fn site() -> (Site, String) {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    (Site::new().with_page(&free), free)
}

/// Head and body of the answer; empty while nobody serves.
fn get(address: &str, path: &str, language: &str) -> (String, String) {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return (String::new(), String::new());
    };
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept-Language: {language}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    (head.to_ascii_lowercase(), body.to_owned())
}

fn status(address: &str) -> Option<Value> {
    serde_json::from_str(&get(address, "/status.json", "ko").1).ok()
}

#[test]
fn the_page_tells_all_with_the_server_away_and_nothing_secret() {
    let (site, address) = site();
    let edge = site.start();
    site.deck.weighs(18_340);
    edge.until_committed(1);
    let told = eventually("a link that is lost", || {
        status(&address).filter(|told| told["link"] == "lost" && told["stations"][0]["weight"] == "18340.00")
    });
    assert!(told["unsent"].as_i64().unwrap() >= 2, "{told}");
    assert!(told["oldest_unsent"].is_string(), "{told}");
    eventually("a rate", || {
        status(&address).filter(|told| told["stations"][0]["per_minute"].as_u64() > Some(0))
    });
    assert_eq!(told["alarms"][0]["code"], "link_lost");
    assert!(!told.to_string().contains("the-key"));
    // The command shows the same things.
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&told), keys(&site.status()));
    site.deck.says(Says::Bytes(b"ST,GS,+0018x40kg\r\n".to_vec()));
    eventually("a rejection", || {
        status(&address).filter(|told| told["stations"][0]["garbled"]["format"].as_u64() > Some(0))
    });
}

#[test]
fn the_page_speaks_the_browsers_language_and_takes_nothing_from_elsewhere() {
    let (site, address) = site();
    let _edge = site.start();
    let (head, korean) = eventually("the page", || {
        Some(get(&address, "/", "ko-KR,ko;q=0.9")).filter(|(head, _)| head.contains("200"))
    });
    assert!(
        korean.contains("<html lang=\"ko\">") && korean.contains("에지 상태") && korean.contains("?lang=en"),
        "{korean}"
    );
    assert!(
        head.contains("content-security-policy: default-src 'none'") && head.contains("nosniff"),
        "{head}"
    );
    let (_, english) = get(&address, "/", "en-US,en");
    assert!(english.contains("<html lang=\"en\">") && english.contains("Edge status"));
    let (_, chosen) = get(&address, "/?lang=ko", "en-US,en");
    assert!(chosen.contains("<html lang=\"ko\">"));
    for path in ["/", "/page.js", "/page.css"] {
        let (head, body) = get(&address, path, "en");
        assert!(
            head.contains("200 ok") && !body.contains("http://") && !body.contains("https://"),
            "{path}"
        );
        assert!(!body.contains("innerHTML"), "{path}");
    }
    // Every word that the script asks for by its name is in the catalogue.
    let words: Value = serde_json::from_str(&get(&address, "/words.json?lang=ko", "en").1).unwrap();
    let script = get(&address, "/page.js", "en").1;
    let said = script.split("say('").skip(1).filter_map(|rest| rest.split_once('\''));
    for word in said.filter(|(_, after)| after.starts_with(')')).map(|(word, _)| word) {
        assert!(words["status"][word].is_string(), "{word}");
    }
    assert!(get(&address, "/edge.toml", "en").0.contains("404"));
    let post =
        format!("POST /status.json HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.write_all(post.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 405") || answer.starts_with("HTTP/1.1 404"),
        "{answer}"
    );
}

#[test]
fn a_page_whose_address_is_taken_does_not_keep_the_edge_from_weighing() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let site = Site::new().with_page(&taken.local_addr().unwrap().to_string());
    let edge = site.start();
    edge.until_logged("the status page is not served");
    site.deck.weighs(18_340);
    edge.until_committed(1);
}

#[test]
fn the_service_manager_hears_ready_signs_of_life_and_stopping() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut heard = Vec::new();
    let mut hear = |wanted: &str, count: usize| {
        eventually(wanted, || {
            let mut bytes = [0; 512];
            if let Ok(length) = manager.recv(&mut bytes) {
                heard.extend(String::from_utf8_lossy(&bytes[..length]).lines().map(str::to_owned));
            }
            (heard.iter().filter(|line| *line == wanted).count() >= count).then_some(())
        });
    };
    let site = Site::new();
    let edge = site.start_watched(&path, Duration::from_millis(300));
    hear("READY=1", 1);
    hear("WATCHDOG=1", 3);
    hear("STATUS=1 station(s); the server is away, weighing goes on", 1);
    let ending = std::thread::spawn(move || edge.end());
    hear("STOPPING=1", 1);
    assert_eq!(ending.join().unwrap(), 0);
}
