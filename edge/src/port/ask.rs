//! Requests to an indicator that speaks only when asked.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    time::{MissedTickBehavior, interval, timeout},
};
use weighbridge_protocol::indicators::Poll;

/// A request that the line does not take in this time is given up.
const WRITE_WITHIN: Duration = Duration::from_secs(1);

/// Sends the poll's requests in turn; ends only by an error. An indicator that streams is never asked.
pub async fn again_and_again(poll: Option<&Poll>, writer: &mut (impl AsyncWrite + Unpin)) -> io::Error {
    let Some(poll) = poll else {
        return std::future::pending().await;
    };
    let mut turn = interval(poll.every);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for request in poll.requests.iter().cycle() {
        turn.tick().await;
        match timeout(WRITE_WITHIN, writer.write_all(request)).await {
            Ok(Ok(())) => (),
            Ok(Err(error)) => return error,
            Err(_) => return io::ErrorKind::TimedOut.into(),
        }
    }
    std::future::pending().await
}
