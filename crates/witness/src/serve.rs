//! The door of a witness: HTTP, `POST /add-checkpoint` and nothing else. Whoever wants TLS puts it in front; nothing that
//! passes here is secret, and everything that counts is signed.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tlog::witness::{MAX_REQUEST, Refusal, SIZE_TYPE};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::desk::{Desk, Refused};

/// Connections at a time; further ones are turned away.
pub const MAX_VISITORS: usize = 64;
/// Time for the head of a request, and for its body.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may stay, whatever it does.
const VISIT: Duration = Duration::from_secs(300);
/// Time to finish what was begun when the witness stops.
const POLITE: Duration = Duration::from_secs(5);

const PATH: &str = "/add-checkpoint";
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Tells the time in seconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Serves until `stop`; requests in work get their answers first.
pub async fn serve(listener: TcpListener, desk: Desk, clock: Clock, stop: CancellationToken) {
    let door = Arc::new(Door { desk: Mutex::new(desk), clock });
    let places = Arc::new(Semaphore::new(MAX_VISITORS));
    let visits = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // out of file descriptors, say: wait rather than spin
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::warn!("too many connections; one is turned away");
            continue;
        };
        let (door, stop) = (Arc::clone(&door), stop.clone());
        visits.spawn(async move {
            visit(stream, door, stop).await;
            drop(place);
        });
    }
    drop(listener);
    visits.close();
    let _ = timeout(POLITE, visits.wait()).await;
}

struct Door {
    desk: Mutex<Desk>,
    clock: Clock,
}

async fn visit(stream: TcpStream, door: Arc<Door>, stop: CancellationToken) {
    let service = service_fn(move |asked| answer(Arc::clone(&door), asked));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = timeout(VISIT, connection.as_mut()) => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            timeout(POLITE, connection).await
        }
    };
    if let Ok(Err(error)) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}

async fn answer(door: Arc<Door>, asked: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(respond(door, asked).await)
}

async fn respond(door: Arc<Door>, asked: Request<Incoming>) -> Response<Full<Bytes>> {
    if asked.uri().path() != PATH {
        return say(StatusCode::NOT_FOUND, "a witness; checkpoints go to /add-checkpoint\n");
    }
    if asked.method() != Method::POST {
        let mut refused = say(StatusCode::METHOD_NOT_ALLOWED, "checkpoints are posted\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return refused;
    }
    let body = match timeout(PATIENCE, Limited::new(asked.into_body(), MAX_REQUEST).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return say(StatusCode::PAYLOAD_TOO_LARGE, "longer than any request\n");
        }
        Ok(Err(_)) => return say(StatusCode::BAD_REQUEST, "the body breaks off\n"),
        Err(_) => return say(StatusCode::REQUEST_TIMEOUT, "the body does not come\n"),
    };
    // reading, signing and syncing block
    let decided = tokio::task::spawn_blocking(move || {
        // whatever a panic left half done, the desk reads from the disk again
        let mut desk = door.desk.lock().unwrap_or_else(PoisonError::into_inner);
        desk.cosign(&body, (door.clock)())
    });
    match decided.await {
        Ok(Ok(line)) => say(StatusCode::OK, line),
        Ok(Err(refused)) => refuse(&refused),
        Err(error) => {
            tracing::error!(%error, "a request could not be decided");
            say(StatusCode::INTERNAL_SERVER_ERROR, "this witness has a fault\n")
        }
    }
}

fn refuse(refused: &Refused) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(refused.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let refusal = match refused {
        Refused::Refusal(refusal) => refusal,
        Refused::Keep(error) => {
            tracing::error!(%error, "nothing is signed");
            // what the disk says is for the witness' own people
            return say(status, "this witness cannot keep what it would sign\n");
        }
    };
    if *refusal == Refusal::Clock {
        tracing::error!("the clock runs backwards; nothing is signed until it is right");
    }
    let mut response = say(status, refusal.body());
    if status == StatusCode::CONFLICT {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(SIZE_TYPE));
    }
    response
}

fn say(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}
