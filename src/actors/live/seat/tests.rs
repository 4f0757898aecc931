//! What a seat does as time passes, and when its client does not read.

use std::future::poll_fn;

use tokio::{io::AsyncReadExt, net::TcpListener};

use super::*;
use crate::actors::live::topics::Topic;

const PATIENCE: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_hours(1);

async fn seat(now: Instant) -> (Seat, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (stream, _) = server.unwrap();
    stream.writable().await.unwrap();
    let (user, login) = (1, Uuid::nil());
    let seat = Seat::new(
        stream,
        Holder {
            user,
            login,
            until: now + HOUR,
        },
        now,
    );
    (seat, client.unwrap())
}

/// The next frame's first byte and payload.
async fn frame(client: &mut TcpStream) -> (u8, Vec<u8>) {
    let frame = async {
        let (first, length) = (client.read_u8().await.unwrap(), client.read_u8().await.unwrap());
        let mut payload = vec![0; usize::from(length)];
        client.read_exact(&mut payload).await.unwrap();
        (first, payload)
    };
    tokio::time::timeout(PATIENCE, frame).await.unwrap()
}

/// The close code that comes next.
async fn close_code(client: &mut TcpStream) -> u16 {
    let (first, payload) = frame(client).await;
    assert_eq!(first, 0x88);
    u16::from_be_bytes([payload[0], payload[1]])
}

fn parcel(bytes: usize, lossy: bool) -> Parcel {
    let topics = Topics::of([if lossy { Topic::Stations } else { Topic::Weighings }]);
    Parcel {
        frame: Frame::text(&vec![b'x'; bytes]),
        topics,
        lossy,
    }
}

#[tokio::test]
async fn a_silent_client_is_pinged_once_and_then_given_up() {
    let start = Instant::now();
    let (mut seat, mut client) = seat(start).await;
    seat.sweep(start + Duration::from_millis(19_999));
    for seconds in [20, 21, 29] {
        seat.sweep(start + Duration::from_secs(seconds));
    }
    seat.sweep(start + Duration::from_secs(30));
    assert_eq!(frame(&mut client).await, (0x89, vec![]));
    assert_eq!(close_code(&mut client).await, 1001);
}

#[tokio::test]
async fn an_access_token_that_has_expired_closes_the_socket() {
    let start = Instant::now();
    let (mut seat, mut client) = seat(start).await;
    seat.sweep(start + HOUR);
    assert_eq!(close_code(&mut client).await, 4401);
}

#[tokio::test]
async fn a_client_that_does_not_hang_up_is_dropped() {
    let start = Instant::now();
    let (mut seat, _client) = seat(start).await;
    seat.close(4400, "malformed");
    seat.sweep(Instant::now() + Duration::from_secs(4));
    assert!(matches!(seat.course, Course::Closing { .. }));
    seat.sweep(Instant::now() + LONGEST_FAREWELL);
    let end = poll_fn(|context| seat.poll(context)).await;
    assert!(end.is_none());
}

#[tokio::test]
async fn weights_are_left_out_behind_what_is_unsent_and_events_wait_in_a_bounded_queue() {
    let now = Instant::now();
    let (mut seat, _client) = seat(now).await;
    while seat.unsent.is_empty() {
        seat.deliver(&parcel(100_000, true), now);
    }
    assert!(seat.awaiting.is_empty(), "what is half sent is on its way");
    seat.deliver(&parcel(1, true), now);
    assert_eq!(seat.awaiting, Topics::of([Topic::Stations]));
    let before = seat.unsent.len();
    seat.deliver(&parcel(1, true), now);
    assert_eq!(
        seat.unsent.len(),
        before,
        "until a snapshot has come there is nothing to add"
    );

    for _ in 0..MOST_UNSENT_FRAMES {
        seat.deliver(&parcel(1, false), now);
    }
    assert_eq!(seat.unsent.len(), MOST_UNSENT_FRAMES);
    assert_eq!(seat.awaiting, Topics::of([Topic::Stations, Topic::Weighings]));
}

#[tokio::test]
async fn of_a_topic_that_awaits_its_snapshot_nothing_is_shown_before() {
    let now = Instant::now();
    let (mut seat, mut client) = seat(now).await;
    seat.awaiting = Topics::of([Topic::Stations]);
    seat.deliver(&parcel(1, true), now);
    seat.deliver(&parcel(2, false), now);
    seat.send_snapshots(&[Frame::text(b"all")]);
    seat.deliver(&parcel(3, true), now);
    for length in [2, 3, 3] {
        assert_eq!(frame(&mut client).await.1.len(), length);
    }
    assert!(seat.awaiting.is_empty());
}

#[tokio::test]
async fn a_client_that_falls_behind_twice_is_closed_but_not_for_a_hiccup() {
    let now = Instant::now();
    let (mut seat, mut client) = seat(now).await;
    let stall = |seat: &mut Seat, long| {
        seat.behind_since = Some(now);
        assert!(seat.catch_up(now + Duration::from_millis(long)));
    };
    for hiccup in [1, 10, 999] {
        stall(&mut seat, hiccup);
    }
    stall(&mut seat, 1000);
    assert_eq!(seat.course, Course::Open);
    stall(&mut seat, 1000);
    assert_eq!(close_code(&mut client).await, 1013);
}
