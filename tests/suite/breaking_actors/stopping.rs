//! A server that is told to stop says goodbye on every socket, finishes what is under way, and leaves.

use nix::sys::signal::Signal;

use super::yard::Yard;

#[actix_web::test]
async fn a_server_that_is_told_to_stop_under_load_says_so_and_loses_nothing() {
    let mut yard = Yard::open(3).await;
    yard.watch(5).await;
    for turn in 0..20 {
        yard.edge.stay(1 + turn % 3, 18_000);
    }
    yard.server.signal(Signal::SIGTERM);
    yard.server.signal(Signal::SIGTERM);
    assert_eq!(yard.server.ended().await, Some(0));
    let closed: Vec<Vec<u16>> = yard.watchers.iter().map(super::traffic::Watcher::closed).collect();
    assert_eq!(closed, vec![vec![1012]; 5]);
    assert_eq!(yard.edge.closed(), [1012]);
    yard.server.start_again().await;
    yard.edge.call(&yard.server.address);
    yard.reckon().await;
}

#[actix_web::test]
async fn a_server_that_is_killed_loses_nothing_either() {
    let mut yard = Yard::open(3).await;
    for turn in 0..20 {
        yard.edge.stay(1 + turn % 3, 18_000);
    }
    yard.server.signal(Signal::SIGKILL);
    assert_eq!(yard.server.ended().await, None);
    yard.server.start_again().await;
    yard.edge.call(&yard.server.address);
    yard.reckon().await;
}
