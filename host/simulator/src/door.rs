//! Where connections come in: a bounded number at once, and none while the simulator is away.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;

use crate::link::{Link, Scissors};

/// How long to wait before accepting again after the system refused (usually: out of file descriptors).
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// Connections that the system keeps until they are accepted.
const BACKLOG: u32 = 1_024;

/// The port: open, or closed for a while.
#[derive(Debug)]
enum Port {
    Open(TcpListener),
    /// Whoever connects is refused. The socket, if there is one, keeps others from taking the port meanwhile.
    Closed(Option<TcpSocket>),
}

#[derive(Debug)]
struct State {
    port: Port,
    /// Who waits for a connection.
    accepting: Option<Waker>,
    /// The connections there are, and maybe some that ended.
    links: Vec<Scissors>,
}

/// Opens and closes the port. All copies hold the same one.
#[derive(Debug, Clone)]
pub(crate) struct DoorKey {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl DoorKey {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the port and cuts every connection. From when this returns, whoever connects is refused.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        // The old socket has to be gone before another can hold its place.
        state.port = Port::Closed(None);
        match bound(self.address) {
            Ok(place) => state.port = Port::Closed(Some(place)),
            Err(error) => tracing::debug!(%error, "nothing keeps the port while the simulator is away"),
        }
        state.links.drain(..).for_each(|link| link.cut());
    }

    /// Opens the port at the same address. Does nothing while it is open. Needs a tokio runtime.
    pub(crate) fn open(&self) -> io::Result<()> {
        let mut state = self.state();
        let Port::Closed(place) = &mut state.port else { return Ok(()) };
        let place = match place.take() {
            Some(place) => place,
            None => bound(self.address)?,
        };
        state.port = Port::Open(place.listen(BACKLOG)?);
        if let Some(accepting) = state.accepting.take() {
            accepting.wake();
        }
        Ok(())
    }

    /// The next connection, and what cuts it: known from the moment that the port gave it, so that none is missed when the
    /// port is closed.
    fn poll_accept(
        &self,
        context: &mut Context<'_>,
        links_max: usize,
    ) -> Poll<io::Result<(TcpStream, SocketAddr, Scissors)>> {
        let mut state = self.state();
        if !state.accepting.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            state.accepting = Some(context.waker().clone());
        }
        let Port::Open(listener) = &state.port else { return Poll::Pending };
        let (stream, peer) = ready!(listener.poll_accept(context))?;
        let scissors = Scissors::default();
        if state.links.len() >= links_max {
            state.links.retain(Scissors::in_use);
        }
        state.links.push(scissors.clone());
        Poll::Ready(Ok((stream, peer, scissors)))
    }
}

/// A socket that has the address, but does not listen yet.
fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections that were just cut would keep the address for a minute otherwise.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Accepts connections, a bounded number at once.
#[derive(Debug)]
pub(crate) struct Door {
    key: DoorKey,
    places: Arc<Semaphore>,
    connections_max: usize,
}

impl Door {
    /// Accepts from `listener`, which listens at `address`, at most `connections_max` connections at once.
    pub(crate) fn new(listener: TcpListener, address: SocketAddr, connections_max: usize) -> Door {
        let connections_max = connections_max.clamp(1, Semaphore::MAX_PERMITS);
        let state = State { port: Port::Open(listener), accepting: None, links: Vec::new() };
        Door {
            key: DoorKey { address, state: Arc::new(Mutex::new(state)) },
            places: Arc::new(Semaphore::new(connections_max)),
            connections_max,
        }
    }

    /// What opens and closes the port.
    pub(crate) fn key(&self) -> DoorKey {
        self.key.clone()
    }
}

impl Listener for Door {
    type Io = Link;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Link, SocketAddr) {
        // Nobody closes the semaphore; were it closed, connections would go uncounted rather than unanswered.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        loop {
            let accepted = poll_fn(|context| self.key.poll_accept(context, self.connections_max)).await;
            match accepted {
                Ok((stream, peer, scissors)) => {
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "the connection stays without TCP_NODELAY");
                    }
                    return (Link::new(stream, scissors, place), peer);
                }
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection failed; trying again");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.key.address)
    }
}
