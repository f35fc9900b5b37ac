//! Stands between the host and its chat server, and makes the network fail: so the same faults can be tried against any server.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens to a request.
#[derive(Clone)]
enum Fault {
    /// It is answered with these bytes and not passed on.
    Answer(String),
    /// It is passed on, and the connection is cut instead of an answer.
    LoseAnswer,
    /// It is passed on, and the answer comes this much later.
    Delay(Duration),
    /// It is passed on once its gate opens.
    Hold(Gate),
}

struct Order {
    method: String,
    path_prefix: String,
    /// What the request's body has in it.
    body_part: String,
    fault: Fault,
    left: u32,
}

struct Request {
    method: String,
    path: String,
    at: Instant,
}

/// How many requests the server takes, as a bucket that fills.
struct Rate {
    per_second: f64,
    burst: f64,
    left: f64,
    at: Instant,
}

impl Rate {
    fn admits(&mut self) -> bool {
        let now = Instant::now();
        let come = now.duration_since(self.at).as_secs_f64() * self.per_second;
        (self.left, self.at) = ((self.left + come).min(self.burst), now);
        let admits = self.left >= 1.0;
        self.left -= f64::from(u8::from(admits));
        admits
    }
}

/// What the server says in event streams comes as something else, of the same length.
struct Garbling {
    said: Vec<u8>,
    comes: Vec<u8>,
    left: u32,
}

impl Garbling {
    fn apply(&mut self, bytes: &mut [u8]) {
        let length = self.said.len();
        let mut at = 0;
        while self.left > 0 && at + length <= bytes.len() {
            if bytes[at..at + length] == *self.said {
                bytes[at..at + length].copy_from_slice(&self.comes);
                self.left -= 1;
            }
            at += 1;
        }
    }
}

#[derive(Default)]
struct State {
    orders: Vec<Order>,
    rate: Option<Rate>,
    garblings: Vec<Garbling>,
    requests: Vec<Request>,
    streams: usize,
    /// The next stream begins anew, whatever the host asks for.
    forgets: bool,
}

/// Where requests wait until the test lets them go.
#[derive(Clone)]
struct Gate {
    arrived: Arc<watch::Sender<u32>>,
    open: watch::Receiver<()>,
}

impl Gate {
    async fn pass(mut self) {
        self.arrived.send_modify(|count| *count += 1);
        // Nothing is ever sent: what opens the gate is that its keeper goes.
        let _ = self.open.changed().await;
    }
}

/// Requests that are held at the proxy; dropping it lets them go.
pub(crate) struct Held {
    arrived: watch::Receiver<u32>,
    _gate: watch::Sender<()>,
}

impl Held {
    /// Waits until so many requests are held at the same time.
    pub(crate) async fn reached(&mut self, count: u32) {
        let reached = self.arrived.wait_for(|arrived| *arrived >= count);
        let reached = tokio::time::timeout(Duration::from_secs(30), reached).await;
        assert!(reached.is_ok_and(|reached| reached.is_ok()), "{count} requests did not come");
    }
}

/// A proxy for one server.
pub(crate) struct Proxy {
    url: String,
    state: Arc<Mutex<State>>,
    /// Counts the cuts of all event streams; while it is odd, nothing gets through.
    cut: watch::Sender<u64>,
    away: watch::Sender<bool>,
}

impl Proxy {
    pub(crate) async fn start(server: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let upstream = upstream(server);
        let state = Arc::new(Mutex::new(State::default()));
        let (cut, away) = (watch::channel(0).0, watch::channel(false).0);
        let proxy = Proxy { url, state: Arc::clone(&state), cut: cut.clone(), away: away.clone() };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (upstream, state) = (upstream.clone(), Arc::clone(&state));
                let (cut, away) = (cut.subscribe(), away.subscribe());
                tokio::spawn(async move {
                    // Whatever goes wrong here, the connection is gone, which is what a network does.
                    let _ = connection(client, &upstream, &state, cut, away).await;
                });
            }
        });
        proxy
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    fn order(&self, method: &str, path_prefix: &str, fault: Fault, count: u32) {
        self.order_about(method, path_prefix, "", fault, count);
    }

    fn order_about(&self, method: &str, path_prefix: &str, body_part: &str, fault: Fault, count: u32) {
        let [method, path_prefix, body_part] = [method, path_prefix, body_part].map(str::to_owned);
        let order = Order { method, path_prefix, body_part, fault, left: count };
        self.state.lock().unwrap().orders.push(order);
    }

    /// The server takes so many requests a second from now on, and so many at once.
    pub(crate) fn limit_rate(&self, per_second: f64, burst: f64) {
        self.state.lock().unwrap().rate = Some(Rate { per_second, burst, left: burst, at: Instant::now() });
    }

    /// What the server says next in event streams, so many times, comes as something else, of the same length.
    pub(crate) fn garble_events(&self, said: &str, comes: &str, count: u32) {
        assert_eq!(said.len(), comes.len());
        let garbling = Garbling { said: said.into(), comes: comes.into(), left: count };
        self.state.lock().unwrap().garblings.push(garbling);
    }

    /// The next `count` requests of the host with this method and beginning of the path fail with the status, as when something
    /// in front of the server answers in its place.
    pub(crate) fn fail_next(&self, method: &str, path_prefix: &str, status: u16, count: u32) {
        if status == 429 {
            return self.limit_next(method, path_prefix, 1, count);
        }
        self.order(method, path_prefix, Fault::Answer(answer(&format!("{status} Broken"), "", "")), count);
    }

    /// The next such requests are one too many: the server wants to be left alone for so many seconds.
    pub(crate) fn limit_next(&self, method: &str, path_prefix: &str, retry_after_s: u32, count: u32) {
        self.order(method, path_prefix, Fault::Answer(limited(retry_after_s)), count);
    }

    /// The next such requests are answered by a proxy whose server is being maintained, for so many seconds.
    pub(crate) fn maintain_next(&self, method: &str, path_prefix: &str, seconds: u32, count: u32) {
        let answer = answer("503 Maintenance", &format!("retry-after: {seconds}\r\n"), "");
        self.order(method, path_prefix, Fault::Answer(answer), count);
    }

    /// The next such requests fail with an error of the server's own.
    pub(crate) fn break_next(&self, method: &str, path_prefix: &str, count: u32) {
        self.order(method, path_prefix, Fault::Answer(error(500, "app.broken.app_error")), count);
    }

    /// The next such requests are refused by the server, since the bot may not do that.
    pub(crate) fn forbid_next(&self, method: &str, path_prefix: &str, count: u32) {
        self.order(
            method,
            path_prefix,
            Fault::Answer(error(403, "api.context.permissions.app_error")),
            count,
        );
    }

    /// The next such request whose body has this part is answered with an error as a Mattermost server words it.
    pub(crate) fn refuse_with(
        &self,
        method: &str,
        path_prefix: &str,
        body_part: &str,
        status: u16,
        id: &str,
    ) {
        self.order_about(method, path_prefix, body_part, Fault::Answer(error(status, id)), 1);
    }

    /// The next such requests get this answer, and are not passed on.
    pub(crate) fn answer_next(&self, method: &str, path_prefix: &str, body: &str, count: u32) {
        let answer = answer("200 OK", "content-type: application/json\r\n", body);
        self.order(method, path_prefix, Fault::Answer(answer), count);
    }

    /// Every further request is taken and never answered, until [`Proxy::mend`]; but posts can be rewritten, so that what hangs is an
    /// action and not the removal of the controls before it.
    pub(crate) fn hang(&self) {
        for method in ["GET", "POST", "DELETE"] {
            self.order(method, "/", Fault::Delay(Duration::from_secs(3_600)), u32::MAX);
        }
    }

    /// Nothing that was ordered happens any more.
    pub(crate) fn mend(&self) {
        self.state.lock().unwrap().orders.clear();
    }

    /// The next such requests are held before they reach the server.
    pub(crate) fn hold_next(&self, method: &str, path_prefix: &str, count: u32) -> Held {
        let (arrived, gate) = (watch::channel(0), watch::channel(()));
        let fault = Fault::Hold(Gate { arrived: Arc::new(arrived.0), open: gate.1 });
        self.order(method, path_prefix, fault, count);
        Held { arrived: arrived.1, _gate: gate.0 }
    }

    /// The next such requests are done and never answered.
    pub(crate) fn lose_answer_of_next(&self, method: &str, path_prefix: &str, count: u32) {
        self.order(method, path_prefix, Fault::LoseAnswer, count);
    }

    /// The next such request whose body has this part is done and never answered.
    pub(crate) fn lose_answer_about(&self, method: &str, path_prefix: &str, body_part: &str) {
        self.order_about(method, path_prefix, body_part, Fault::LoseAnswer, 1);
    }

    /// The next such requests are answered late.
    pub(crate) fn delay_next(&self, method: &str, path_prefix: &str, delay: Duration, count: u32) {
        self.order(method, path_prefix, Fault::Delay(delay), count);
    }

    /// Cuts every event stream; they can be resumed.
    pub(crate) fn cut_streams(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }

    /// Cuts every event stream, and the next one cannot be resumed, as after a long time without connection.
    pub(crate) fn forget_streams(&self) {
        self.state.lock().unwrap().forgets = true;
        self.cut_streams();
    }

    /// Nothing gets through until [`Proxy::come_back`], and every connection is cut.
    pub(crate) async fn go_away(&self) {
        self.away.send_replace(true);
        self.cut_streams();
        while self.stream_count() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub(crate) fn come_back(&self) {
        self.away.send_replace(false);
    }

    /// Event streams that stand now.
    pub(crate) fn stream_count(&self) -> usize {
        self.state.lock().unwrap().streams
    }

    /// The requests of the host so far: method and path.
    pub(crate) fn requests(&self) -> Vec<(String, String)> {
        let state = self.state.lock().unwrap();
        state.requests.iter().map(|request| (request.method.clone(), request.path.clone())).collect()
    }

    /// When the requests with this method and path came.
    pub(crate) fn arrivals(&self, method: &str, path: &str) -> Vec<Instant> {
        let state = self.state.lock().unwrap();
        let wanted = state.requests.iter().filter(|known| known.method == method && known.path == path);
        wanted.map(|request| request.at).collect()
    }

    /// When each request came.
    pub(crate) fn all_arrivals(&self) -> Vec<Instant> {
        self.state.lock().unwrap().requests.iter().map(|request| request.at).collect()
    }

    /// How long the host waited between its requests with this method and path.
    pub(crate) fn waits(&self, method: &str, path: &str) -> Vec<Duration> {
        self.arrivals(method, path).windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    pub(crate) fn forget_requests(&self) {
        self.state.lock().unwrap().requests.clear();
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn limited(retry_after_s: u32) -> String {
    let headers = format!("retry-after: {retry_after_s}\r\ncontent-type: text/plain\r\n");
    answer("429 Too Many Requests", &headers, "limit exceeded")
}

/// An error as a Mattermost server words it.
fn error(status: u16, id: &str) -> String {
    let body = serde_json::json!({
        "id": id, "message": "Something broke.", "detailed_error": "", "request_id": "r", "status_code": status
    });
    answer(&format!("{status} Chosen"), "content-type: application/json\r\n", &body.to_string())
}

/// Where the server listens: host and port.
fn upstream(server: &str) -> String {
    let Some(place) = server.strip_prefix("http://") else {
        panic!(
            "{server} does not begin with http://: the tests put a proxy before the server that speaks nothing else. Give them \
             the server's own address, behind whatever speaks TLS for it"
        );
    };
    assert!(!place.contains('/'), "{server} has a path: give the tests the server's own address");
    if place.contains(':') { place.to_owned() } else { format!("{place}:80") }
}

/// A message of HTTP/1.1: its first line, its headers, its body.
struct Message {
    first: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Message {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The bytes, with the connection closed after it.
    fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.first);
        for (name, value) in &self.headers {
            if !["connection", "transfer-encoding", "content-length"].contains(&name.to_lowercase().as_str())
            {
                text += &format!("{name}: {value}\r\n");
            }
        }
        text += &format!("content-length: {}\r\nconnection: close\r\n\r\n", self.body.len());
        [text.into_bytes(), self.body.clone()].concat()
    }
}

/// Reads a message; an answer without a length ends with its connection.
async fn read(stream: &mut TcpStream) -> std::io::Result<Option<Message>> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let mut lines = head.trim_end().split("\r\n");
    let first = lines.next().unwrap_or_default().to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut message = Message { first, headers, body: bytes.split_off(head_end) };
    let length = message.header("content-length").and_then(|length| length.parse::<usize>().ok());
    let is_answer = message.first.starts_with("HTTP/");
    match length {
        Some(length) => while message.body.len() < length && stream.read_buf(&mut message.body).await? > 0 {},
        None if is_answer => {
            while stream.read_buf(&mut message.body).await? > 0 {}
            if message.header("transfer-encoding").is_some() {
                message.body = unchunked(&message.body);
            }
        }
        None => {}
    }
    Ok(Some(message))
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(at) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(String::from_utf8_lossy(&rest[..at]).trim(), 16).unwrap_or(0);
        if size == 0 || rest.len() < at + 2 + size {
            break;
        }
        body.extend_from_slice(&rest[at + 2..at + 2 + size]);
        rest = rest.get(at + 4 + size..).unwrap_or_default();
    }
    body
}

async fn connection(
    mut client: TcpStream,
    upstream: &str,
    state: &Mutex<State>,
    cut: watch::Receiver<u64>,
    away: watch::Receiver<bool>,
) -> std::io::Result<()> {
    if *away.borrow() {
        return Ok(());
    }
    let Some(request) = read(&mut client).await? else { return Ok(()) };
    if request.header("upgrade").is_some() {
        return tunnel(client, upstream, &request, state, cut).await;
    }
    let fault = fault(state, &request);
    match &fault {
        Some(Fault::Answer(answer)) => return client.write_all(answer.as_bytes()).await,
        Some(Fault::Hold(gate)) => gate.clone().pass().await,
        _ => {}
    }
    let mut server = TcpStream::connect(upstream).await?;
    server.write_all(&request.bytes()).await?;
    let Some(answer) = read(&mut server).await? else { return Ok(()) };
    match fault {
        Some(Fault::LoseAnswer) => return Ok(()),
        Some(Fault::Delay(delay)) => tokio::time::sleep(delay).await,
        _ => {}
    }
    client.write_all(&answer.bytes()).await
}

fn fault(state: &Mutex<State>, request: &Message) -> Option<Fault> {
    let mut words = request.first.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = path.split('?').next().unwrap_or_default();
    let body = String::from_utf8_lossy(&request.body);
    let mut state = state.lock().unwrap();
    let arrival = Request { method: method.to_owned(), path: path.to_owned(), at: Instant::now() };
    state.requests.push(arrival);
    if state.rate.as_mut().is_some_and(|rate| !rate.admits()) {
        return Some(Fault::Answer(limited(1)));
    }
    let order = state.orders.iter_mut().find(|order| {
        order.left > 0
            && order.method == method
            && path.starts_with(&order.path_prefix)
            && body.contains(&order.body_part)
    })?;
    order.left -= 1;
    Some(order.fault.clone())
}

/// Passes an event stream through until it ends or is cut.
async fn tunnel(
    mut client: TcpStream,
    upstream: &str,
    request: &Message,
    state: &Mutex<State>,
    mut cut: watch::Receiver<u64>,
) -> std::io::Result<()> {
    cut.mark_unchanged();
    let mut server = TcpStream::connect(upstream).await?;
    let forgets = {
        let mut state = state.lock().unwrap();
        state.streams += 1;
        std::mem::take(&mut state.forgets)
    };
    let mut head = if forgets { without_query(&request.first) } else { request.first.clone() } + "\r\n";
    for (name, value) in &request.headers {
        head += &format!("{name}: {value}\r\n");
    }
    server.write_all(format!("{head}\r\n").as_bytes()).await?;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    tokio::select! {
        biased;
        _ = cut.changed() => {}
        _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
        _ = events(&mut from_server, &mut to_client, state) => {}
    }
    state.lock().unwrap().streams -= 1;
    Ok(())
}

/// The first line of a request without what stands behind the path.
fn without_query(first: &str) -> String {
    let part = |part: &str| part.split('?').next().unwrap_or_default().to_owned();
    first.split(' ').map(part).collect::<Vec<_>>().join(" ")
}

/// Passes on what the server says, garbled as ordered.
async fn events(
    server: &mut (impl tokio::io::AsyncRead + Unpin),
    client: &mut (impl tokio::io::AsyncWrite + Unpin),
    state: &Mutex<State>,
) -> std::io::Result<()> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let count = server.read(&mut bytes).await?;
        if count == 0 {
            return Ok(());
        }
        for garbling in &mut state.lock().unwrap().garblings {
            garbling.apply(&mut bytes[..count]);
        }
        client.write_all(&bytes[..count]).await?;
    }
}

#[test]
fn a_stream_that_is_forgotten_is_asked_for_anew() {
    let resumed = "GET /api/v4/websocket?connection_id=c&sequence_number=7 HTTP/1.1";
    assert_eq!(without_query(resumed), "GET /api/v4/websocket HTTP/1.1");
}

#[test]
fn the_server_is_where_its_address_says() {
    assert_eq!(upstream("http://127.0.0.1:8065"), "127.0.0.1:8065");
    assert_eq!(upstream("http://chat.internal"), "chat.internal:80");
}

#[test]
#[should_panic(expected = "does not begin with http://")]
fn a_server_that_speaks_tls_is_refused() {
    upstream("https://chat.example.com");
}
