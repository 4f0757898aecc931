//! Traffic is tested against an office and an edge of a few lines each.

use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use super::{office::Office, *};
use crate::{
    encode::Format,
    scratch::Folder,
    truck::Habits,
    truth::{Pass, Stay},
    yard::YardSpec,
};

async fn yard(folder: &Folder, habits: Habits) -> Arc<Yard> {
    let mut spec = YardSpec::small(folder.path(), &[(1, Format::Cas22), (2, Format::And18)]).hasty(50, 60.0);
    spec.habits = habits;
    Arc::new(Yard::start(spec).await.unwrap())
}

/// Stores whatever stands still, says so on the board, and tells the office when it has left.
async fn edge(yard: Arc<Yard>, office: Arc<Office>, news: broadcast::Sender<News>) {
    let mut board = TcpStream::connect(yard.board(0).unwrap().address()).await.unwrap();
    let mut events = yard.events();
    let mut stored = [false; 2];
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    loop {
        tokio::select! {
            // Stands for the server's WebSocket.
            _ = ticks.tick() => drop(news.send(News::Line)),
            event = events.recv() => if let Ok(crate::yard::YardEvent::Left(stay)) = event {
                office.left(stay.station_id);
            },
        }
        for (station, stored) in [1, 2].into_iter().zip(&mut stored) {
            let shown = yard.shown(station).unwrap();
            let heavy = shown.weight > weighbridge_protocol::Kilograms::from_whole(500);
            *stored = heavy && (*stored || shown.stable);
        }
        let line = |stored: bool| if stored { "저장" } else { "" };
        let text = format!("{}\n{}\r\n", line(stored[0]), line(stored[1]));
        board.write_all(text.as_bytes()).await.unwrap();
    }
}

/// Runs so many trucks until `enough` says so of the stays that have ended.
async fn stays_of(
    yard: Arc<Yard>,
    office: Arc<Office>,
    server: Arc<Server>,
    trucks: u32,
    enough: impl Fn(&[Stay]) -> bool,
) -> Vec<Stay> {
    let spec = TrafficSpec::endless(trucks, Duration::from_secs(20));
    let mut traffic = Traffic::start(Arc::clone(&yard), server, spec, None).await.unwrap();
    let (mut events, news) = (yard.events(), traffic.news.clone());
    let ended = || {
        yard.truth()
            .into_iter()
            .filter(|stay| stay.clear_at.is_some())
            .collect::<Vec<_>>()
    };
    let watching = async {
        while !enough(&ended()) {
            drop(events.recv().await);
        }
        ended()
    };
    tokio::select! {
        stays = timeout(Duration::from_mins(1), watching) => stays.unwrap_or_else(|_| {
            panic!("the yard is wedged:\n{}\n{:?}\n{:#?}", yard.states(), traffic.lineup().entries(), yard.truth())
        }),
        () = edge(Arc::clone(&yard), office, news) => unreachable!(),
        broken = traffic.run() => panic!("{broken:?}"),
    }
}

#[tokio::test]
async fn trucks_come_when_called_one_to_a_deck_and_come_again() {
    let folder = Folder::new();
    let (office, server) = Office::open(&[1, 2]).await;
    let yard = yard(
        &folder,
        Habits {
            two_pass: 0.5,
            strangers: 0.0,
        },
    )
    .await;
    let stays = stays_of(yard, Arc::clone(&office), server, 5, |stays| {
        let has = |pass| stays.iter().any(|stay| stay.pass == pass);
        stays.len() >= 10 && has(Pass::One) && has(Pass::Second)
    });
    let stays = stays.await;
    assert!(stays.iter().all(|stay| stay.is_confirmed() && stay.queue_id.is_some()));
    assert_eq!(office.asked("POST /vehicles"), 5, "each truck is registered once");
    for second in stays.iter().filter(|stay| stay.pass == Pass::Second) {
        let first = |stay: &&Stay| stay.pass == Pass::First && stay.plate == second.plate && stay.on_at < second.on_at;
        assert!(stays.iter().any(|stay| first(&stay)), "a second pass without a first");
    }
}

#[tokio::test]
async fn nobody_waits_for_ever_when_calls_are_missed_and_the_office_is_away() {
    let folder = Folder::new();
    let (office, server) = Office::open(&[1, 2]).await;
    server.token().await.unwrap();
    office.lose_first_calls();
    let yard = yard(&folder, Habits::default()).await;
    let deaf = Arc::clone(&office);
    let stays = stays_of(yard, Arc::clone(&office), server, 3, move |stays| {
        if stays.len() == 1 {
            deaf.be_deaf(3);
        }
        stays.len() >= 4
    });
    assert!(stays.await.iter().all(Stay::is_confirmed));
    assert!(office.asked("POST /queue/1/return") > 0);
}

#[tokio::test]
async fn a_stranger_drives_onto_a_free_deck_without_a_call() {
    let folder = Folder::new();
    let (office, server) = Office::open(&[1, 2]).await;
    let yard = yard(
        &folder,
        Habits {
            two_pass: 0.0,
            strangers: 1.0,
        },
    )
    .await;
    let stays = stays_of(yard, Arc::clone(&office), server, 2, |stays| stays.len() >= 3).await;
    assert!(
        stays
            .iter()
            .all(|stay| stay.pass == Pass::Stranger && stay.vehicle_id.is_none())
    );
    assert_eq!(office.asked("POST /queue"), 0);
}
