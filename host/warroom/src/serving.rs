//! Serves HTTP within bounds. Whoever reaches the endpoints can open connections and send nothing, or a byte now and then: that must not
//! keep the server's own requests out for ever.

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How long a connection may take until the head of its next request is there. Longer than the 90 s for which the server, like most
/// clients written in Go, keeps a connection that is not used: who keeps it shorter is the one who closes it.
const HEAD_TIME_MAX: Duration = Duration::from_secs(100);
/// How long the service waits when a connection cannot be taken, as while too many files are open.
const AGAIN: Duration = Duration::from_millis(100);

/// The bounds of a server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// How many connections are open at once; further ones wait.
    pub(crate) connections_max: usize,
    /// How long a request may take, from its head to its answer.
    pub(crate) request_time_max: Duration,
}

/// Serves for ever. Its connections end with it.
pub(crate) async fn serve(listener: TcpListener, app: Router, bounds: Bounds) {
    let places = Arc::new(Semaphore::new(bounds.connections_max));
    let mut connections = JoinSet::new();
    let app = app.layer(middleware::from_fn(move |request, next| in_time(request, next, bounds)));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("a connection cannot be taken: {error}");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        };
        // An answer is small, and somebody waits for it.
        let _as_it_is = stream.set_nodelay(true);
        while connections.try_join_next().is_some() {}
        let app = app.clone();
        connections.spawn(async move {
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIME_MAX)
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app))
                .await;
            if let Err(error) = served {
                tracing::debug!("a connection ended: {error}");
            }
            drop(place);
        });
    }
}

/// The answer to the request, which comes with its body, if that is there in time.
async fn in_time(request: Request, next: Next, bounds: Bounds) -> Response {
    match tokio::time::timeout(bounds.request_time_max, next.run(request)).await {
        Ok(response) => response,
        Err(_) => (StatusCode::REQUEST_TIMEOUT, "the request took too long\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Bytes;
    use axum::routing::post;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::task::JoinHandle;

    async fn server(connections_max: usize) -> SocketAddr {
        served(connections_max).await.0
    }

    async fn served(connections_max: usize) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().route("/", post(async |body: Bytes| body));
        let bounds = Bounds { connections_max, request_time_max: Duration::from_millis(300) };
        (address, tokio::spawn(serve(listener, app, bounds)))
    }

    async fn sent(address: SocketAddr, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    async fn answer(stream: &mut TcpStream) -> String {
        let mut bytes = vec![0; 4_096];
        let length =
            tokio::time::timeout(Duration::from_secs(10), stream.read(&mut bytes)).await.unwrap().unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    const HEAD: &str = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n";

    #[tokio::test]
    async fn a_request_whose_body_does_not_come_is_given_up() {
        let address = server(10).await;
        let mut whole = sent(address, &format!("{HEAD}ok")).await;
        assert!(answer(&mut whole).await.starts_with("HTTP/1.1 200 OK"));
        let mut half = sent(address, &format!("{HEAD}o")).await;
        assert!(answer(&mut half).await.starts_with("HTTP/1.1 408 Request Timeout"));
    }

    #[tokio::test]
    async fn connections_beyond_the_bound_wait_until_another_one_ends() {
        let address = server(2).await;
        let (idle, _other) = (sent(address, "").await, sent(address, "").await);
        let mut third = sent(address, &format!("{HEAD}ok")).await;
        let early = tokio::time::timeout(Duration::from_millis(200), third.readable()).await;
        assert!(early.is_err(), "it has no place yet");
        drop(idle);
        assert!(answer(&mut third).await.starts_with("HTTP/1.1 200 OK"));
    }

    #[tokio::test]
    async fn connections_end_with_the_server() {
        let (address, task) = served(1).await;
        let mut kept = sent(address, &format!("{HEAD}ok")).await;
        assert!(answer(&mut kept).await.starts_with("HTTP/1.1 200 OK"));
        task.abort();
        assert_eq!(answer(&mut kept).await, "", "it is closed");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_nothing_is_asked_is_closed() {
        let address = server(1).await;
        let mut idle = sent(address, "POST / HT").await;
        let began = tokio::time::Instant::now();
        let mut bytes = Vec::new();
        tokio::time::timeout(2 * HEAD_TIME_MAX, idle.read_to_end(&mut bytes)).await.unwrap().unwrap();
        assert!(began.elapsed() >= HEAD_TIME_MAX, "{:?}", began.elapsed());
    }
}
