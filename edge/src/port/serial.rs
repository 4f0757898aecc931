//! A serial port that is watched only while its pace waits for a byte. While it sleeps the kernel wakes nobody for what
//! arrives, which tokio's own stream cannot do: it stays registered from its opening to its end.

use std::{
    io::{self, Read, Write},
    os::fd::{AsFd, AsRawFd, RawFd},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use mio_serial::SerialStream;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::{
    io::{AsyncWrite, Interest, unix::AsyncFd},
    time::{Sleep, sleep},
};

use super::pace::{Heard, Pace, Wait};

/// A line that takes no more bytes is tried again after this. A request to an indicator fits into any buffer, so it is rare.
const TRY_AGAIN: Duration = Duration::from_millis(5);

/// The reading end of a port.
#[derive(Debug)]
pub struct Serial {
    port: Shared,
    pace: Pace,
    alarm: Alarm,
    /// While a byte is waited for.
    watched: Option<AsyncFd<Shared>>,
}

/// The writing end.
#[derive(Debug)]
pub struct SerialWriter {
    port: Shared,
    pause: Option<Pin<Box<Sleep>>>,
}

#[derive(Clone, Debug)]
struct Shared(Arc<SerialStream>);

impl AsRawFd for Shared {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Serial {
    /// `port` does not block, and a byte takes `byte` on its line.
    pub fn new(port: SerialStream, byte: Duration) -> io::Result<(Self, SerialWriter)> {
        let port = Shared(Arc::new(port));
        let writer = SerialWriter {
            port: port.clone(),
            pause: None,
        };
        let reader = Self {
            port,
            pace: Pace::new(byte),
            alarm: Alarm::new()?,
            watched: None,
        };
        Ok((reader, writer))
    }

    /// Reads what has come, when it is worth it; 0 where the port has gone.
    pub async fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.pace.wait() {
                Wait::Byte => self.byte().await?,
                Wait::Until(at) => {
                    self.watched = None;
                    self.alarm.ring_at(at).await?;
                }
            }
            match (&*self.port.0).read(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.pace.nothing(),
                read => return read,
            }
        }
    }

    /// What the bytes that were read at `at` gave.
    pub fn heard(&mut self, at: Instant, heard: Heard) {
        self.pace.heard(at, heard);
    }

    async fn byte(&mut self) -> io::Result<()> {
        let watched = match &mut self.watched {
            Some(watched) => watched,
            none => none.insert(watched(self.port.clone())?),
        };
        // Cleared before the read: what comes after it is told of anew, so one read a wake is enough.
        watched.readable().await?.clear_ready();
        Ok(())
    }
}

impl AsyncWrite for SerialWriter {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            if let Some(pause) = &mut self.pause {
                std::task::ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            match (&*self.port.0).write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.pause = Some(Box::pin(sleep(TRY_AGAIN)));
                }
                written => return Poll::Ready(written),
            }
        }
    }

    /// What the kernel has taken goes out by itself.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// An alarm that is exact to a fraction of a byte's time, where tokio's timers count whole milliseconds, and that costs one
/// call to set.
#[derive(Debug)]
struct Alarm(AsyncFd<Timer>);

#[derive(Debug)]
struct Timer(TimerFd);

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Alarm {
    fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = Timer(TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?);
        Ok(Self(watched(timer)?))
    }

    async fn ring_at(&self, at: Instant) -> io::Result<()> {
        loop {
            let left = at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let timer = &self.0.get_ref().0;
            timer.set(Expiration::OneShot(left.into()), TimerSetTimeFlags::empty())?;
            self.0.readable().await?.clear_ready();
        }
    }
}

/// Readable or not, by tokio's reactor.
#[expect(
    deprecated,
    reason = "its successor is unsafe, for a type may close its descriptor early: a port and a timer keep theirs until they are dropped"
)]
fn watched<T: AsRawFd>(inner: T) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(inner, Interest::READABLE)
}
