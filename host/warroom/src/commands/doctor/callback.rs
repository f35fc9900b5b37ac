//! Whether the server reaches the address that presses are sent to: it is made to, and what comes of it is looked at.

use super::report::{Report, Verdict};
use crate::commands::callback_address::{self, CallbackAddress};
use crate::config::Config;
use crate::http::REACHED_PATH;
use axum::Router;
use axum::response::Json;
use axum::routing::post;
use serde_json::{Map, json};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use warroom_mattermost::{
    ApiError, ApiErrorKind, Attachment, AttachmentAction, Channel, Client, Integration, NewPost,
};

/// How long a service on this machine may take to say that it is well.
const HEALTH_TIME_MAX: Duration = Duration::from_secs(5);
/// How much of its answer is read, in bytes.
const HEALTH_BYTES_MAX: u64 = 1024;
/// The button's id.
const BUTTON: &str = "doctor";

/// Who listens where presses are sent.
enum Ear {
    /// This program, for as long as the check takes.
    Own { task: JoinHandle<()>, heard: Arc<AtomicBool>, address: SocketAddr, path: String },
    /// The service, which is running.
    Service,
}

/// What came of a press.
struct Press {
    result: Result<(), ApiError>,
    /// Whether the press came here; none: the service listens, and its answer tells.
    heard: Option<bool>,
}

/// Makes the server press a button in the bot's own direct channel.
pub(super) async fn check(
    client: &Client,
    config: &Config,
    direct: &Channel,
    ear: Result<Listening, String>,
    report: &mut Report,
) {
    let Listening(ear) = match ear {
        Ok(listening) => listening,
        Err(finding) => {
            let remedy = "stop what listens there, or choose another address in [http] listen";
            return report.problem("callback", finding, remedy);
        }
    };
    let (base, path) = match &ear {
        Ear::Own { address, path, .. } => (base(config, *address), path.clone()),
        Ear::Service => (base(config, config.listen), REACHED_PATH.to_owned()),
    };
    let result = press(client, direct, &format!("{base}{path}")).await;
    let heard = match ear {
        Ear::Own { task, heard, .. } => {
            task.abort();
            Some(heard.load(Ordering::SeqCst))
        }
        Ear::Service => None,
    };
    let address = CallbackAddress::resolve(&base).await.ok();
    let (verdict, finding, remedy) = judge(&base, address.as_ref(), &Press { result, heard });
    report.push("callback", verdict, finding, remedy);
}

fn base(config: &Config, address: SocketAddr) -> String {
    config.callback_url.clone().unwrap_or_else(|| format!("http://{address}"))
}

/// Somebody who listens for the press.
pub(super) struct Listening(Ear);

impl Listening {
    /// Whether it is the service, which is running.
    pub(super) fn is_service(&self) -> bool {
        matches!(self.0, Ear::Service)
    }
}

/// Listens where the service would; or finds it listening there.
///
/// # Errors
/// In words, when neither is so.
pub(super) async fn listen(config: &Config) -> Result<Listening, String> {
    let listener = match TcpListener::bind(config.listen).await {
        Ok(listener) => listener,
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            return if is_service(config.listen).await {
                Ok(Listening(Ear::Service))
            } else {
                Err(format!("another program than warroom listens on {}", config.listen))
            };
        }
        Err(error) => return Err(format!("cannot listen on {} ([http] listen): {error}", config.listen)),
    };
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|error| format!("the system gives no random numbers: {error}"))?;
    let path = format!("/callbacks/doctor-{:032x}", u128::from_be_bytes(nonce));
    let heard = Arc::new(AtomicBool::new(false));
    let hears = Arc::clone(&heard);
    let answer = move || {
        hears.store(true, Ordering::SeqCst);
        std::future::ready(Json(json!({})))
    };
    let app = Router::new().route(&path, post(answer));
    let task = tokio::spawn(async move {
        // It ends with the check; what it could not serve shows in the press.
        let _ = axum::serve(listener, app).await;
    });
    Ok(Listening(Ear::Own { task, heard, address, path }))
}

/// Whether a service answers there that it is well.
async fn is_service(listen: SocketAddr) -> bool {
    let ip = if listen.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { listen.ip() };
    let ask = async {
        let mut stream = TcpStream::connect((ip, listen.port())).await?;
        stream.write_all(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n").await?;
        let mut answer = Vec::new();
        stream.take(HEALTH_BYTES_MAX).read_to_end(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = tokio::time::timeout(HEALTH_TIME_MAX, ask).await;
    answer.is_ok_and(|answer| {
        answer.is_ok_and(|answer| {
            let answer = String::from_utf8_lossy(&answer);
            answer.lines().next().is_some_and(|status| status.contains(" 200 ")) && answer.ends_with("ok\n")
        })
    })
}

async fn press(client: &Client, direct: &Channel, url: &str) -> Result<(), ApiError> {
    let button = AttachmentAction {
        id: BUTTON.to_owned(),
        name: "Doctor".to_owned(),
        integration: Some(Integration { url: url.to_owned(), context: Map::new() }),
        ..AttachmentAction::default()
    };
    let attachment = Attachment { actions: vec![button], ..Attachment::default() };
    let message = "`warroom doctor` tries whether the server reaches Warroom. It takes this post away again.";
    let post = NewPost {
        message: message.to_owned(),
        props: Attachment::props(&[attachment]),
        ..NewPost::to(&direct.id)
    };
    let post = client.create_post(&post).await?;
    let pressed = client.press(&post.id, BUTTON, None).await;
    let deleted = client.delete_post(&post.id).await;
    pressed.and(deleted)
}

fn judge(url: &str, address: Option<&CallbackAddress>, press: &Press) -> (Verdict, String, String) {
    let problem = |finding: String, remedy: String| (Verdict::Problem, finding, remedy);
    let error = match &press.result {
        Ok(()) if press.heard == Some(false) => {
            return problem(
                format!("something else than Warroom answers at {url}"),
                "correct [http] callback_url: it must lead to [http] listen".to_owned(),
            );
        }
        Ok(()) => {
            let service = if press.heard.is_none() { "; the service is running" } else { "" };
            return (Verdict::Ok, format!("the server reaches {url}{service}"), String::new());
        }
        Err(error) => error,
    };
    let allow = |address: &CallbackAddress| {
        format!(
            "add {} to ServiceSettings.{} ({})",
            address.host(),
            callback_address::SETTING,
            callback_address::PLACE
        )
    };
    let reach = "see that [http] callback_url leads to [http] listen from the server's machine: name, port, firewall, container \
                 network, proxy";
    let failed = error.id() == "api.post.do_action.action_integration.app_error";
    let words = error.kind.to_string().to_lowercase();
    if press.heard == Some(true) {
        return problem(
            format!(
                "the server reaches {url}, but what answers in between spoils the answer ({})",
                error.kind
            ),
            "let the proxy hand on status and body as they are".to_owned(),
        );
    }
    if words.contains("address forbidden") {
        let remedy = address.map_or_else(|| reach.to_owned(), allow);
        return problem(format!("the server is not allowed to call {url}"), remedy);
    }
    if matches!(error.kind, ApiErrorKind::Interrupted(_)) {
        return problem(format!("the server waits for {url} and gets no answer"), reach.to_owned());
    }
    if words.contains("connection refused") || !failed {
        let finding =
            if failed { format!("the server is refused a connection to {url}") } else { error.to_string() };
        return problem(finding, reach.to_owned());
    }
    // Servers say why only to developers.
    let remedy = match address {
        Some(address) if address.is_internal() => format!("{}; if that is done, {reach}", allow(address)),
        _ => reach.to_owned(),
    };
    problem(format!("the server does not get an answer from {url}"), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(id: &str, message: &str) -> Result<(), ApiError> {
        let (id, message) = (id.to_owned(), message.to_owned());
        let kind = ApiErrorKind::Server { status: 400, id, message, retry_after: None };
        Err(ApiError { doing: "press".to_owned(), kind })
    }

    #[tokio::test]
    async fn each_way_to_fail_has_its_remedy() {
        const ID: &str = "api.post.do_action.action_integration.app_error";
        let address = CallbackAddress::resolve("http://10.0.0.7:8480").await.unwrap();
        for (result, heard, verdict, finding, remedy) in [
            (Ok(()), Some(true), Verdict::Ok, "reaches", ""),
            (Ok(()), None, Verdict::Ok, "the service is running", ""),
            (Ok(()), Some(false), Verdict::Problem, "something else", "callback_url"),
            (
                failed(ID, "address forbidden"),
                Some(false),
                Verdict::Problem,
                "not allowed",
                "add 10.0.0.7 to",
            ),
            (failed(ID, "Connection refused"), Some(false), Verdict::Problem, "is refused", "firewall"),
            (
                failed(ID, "Action integration error"),
                None,
                Verdict::Problem,
                "does not get",
                "add 10.0.0.7 to",
            ),
            (failed(ID, "502"), Some(true), Verdict::Problem, "spoils", "proxy"),
            (failed("other", "words"), Some(false), Verdict::Problem, "cannot press", "callback_url"),
        ] {
            let press = Press { result, heard };
            let judged = judge("http://10.0.0.7:8480", Some(&address), &press);
            assert_eq!(judged.0, verdict, "{judged:?}");
            assert!(judged.1.contains(finding) && judged.2.contains(remedy), "{judged:?}");
        }
    }
}
