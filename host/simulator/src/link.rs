//! Connections that can be cut: how an answer is lost on the way without the client being told.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

use crate::door::Door;

#[derive(Debug, Default)]
struct Cut {
    done: AtomicBool,
    /// Who waits for the peer to say something, and would never learn of the cut.
    reading: Mutex<Option<Waker>>,
}

/// Cuts one connection: from then on every read and write fails, so that the server closes it with nothing sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scissors(Arc<Cut>);

impl Scissors {
    /// Cuts the connection.
    pub(crate) fn cut(&self) {
        self.0.done.store(true, Ordering::SeqCst);
        if let Some(reading) = self.reading().take() {
            reading.wake();
        }
    }

    /// Whether the connection, or a request on it, is still there.
    pub(crate) fn in_use(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    fn reading(&self) -> MutexGuard<'_, Option<Waker>> {
        self.0.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self) -> io::Result<()> {
        if self.0.done.load(Ordering::SeqCst) {
            return Err(io::Error::new(io::ErrorKind::ConnectionReset, "cut on order"));
        }
        Ok(())
    }

    /// The same for a read. Whoever waits then is woken by the cut: it is written down before the flag is read.
    fn check_reading(&self, context: &Context<'_>) -> io::Result<()> {
        let mut reading = self.reading();
        if !reading.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            *reading = Some(context.waker().clone());
        }
        drop(reading);
        self.check()
    }
}

impl Connected<IncomingStream<'_, Door>> for Scissors {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.io().scissors.clone()
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    scissors: Scissors,
    _place: Option<OwnedSemaphorePermit>,
}

impl Link {
    /// A connection that `scissors` cut, and that has `place` until it ends.
    pub(crate) fn new(stream: TcpStream, scissors: Scissors, place: Option<OwnedSemaphorePermit>) -> Link {
        Link { stream, scissors, _place: place }
    }
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Err(error) = self.scissors.check_reading(context) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Err(error) = self.scissors.check() {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Err(error) = self.scissors.check() {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
