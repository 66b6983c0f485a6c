//! Answering calls: prove the caller, hold the call against the table, then let the room work.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::codec::Framed;
use tokio_util::sync::CancellationToken;
use wire::{Method, Refused, Reply, Request, Room};

use crate::caller::Caller;
use crate::door::{Door, Guest};
use crate::frame::{MAX_FRAME, MAX_STRANGER_FRAME, codec};

/// Tells a room to stop; clones stop together.
pub type Shutdown = CancellationToken;

/// Connections at one door at a time.
const MAX_CONNECTIONS: usize = 4096;
/// Connections that have not yet proved who they are.
const MAX_KNOCKING: usize = 256;
/// Calls in work on one connection.
const MAX_IN_WORK: usize = 64;
/// Time for TLS, and for a stranger's whole visit.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest deadline that a caller can ask for.
const LONGEST_CALL: Duration = Duration::from_secs(120);

/// A room's answers. A method arrives here only if the table lets this caller call it in this room.
pub trait Service: Send + Sync + 'static {
    /// Answers one call with the encoded answer, or refuses it.
    fn call(
        &self,
        caller: Caller,
        method: Method,
        body: Bytes,
    ) -> impl Future<Output = Result<Bytes, Refused>> + Send;
}

/// Decodes a call's body, runs the work, encodes the answer: what most arms of a [`Service::call`] do.
///
/// # Errors
/// `malformed` when the body is not the method's message; otherwise what the work refuses.
pub async fn answer<Q, A, F>(body: Bytes, work: impl FnOnce(Q) -> F) -> Result<Bytes, Refused>
where
    Q: Message + Default,
    A: Message,
    F: Future<Output = Result<A, Refused>>,
{
    let question =
        Q::decode(body).map_err(|e| Refused::new("malformed", format!("the message cannot be read: {e}")))?;
    work(question).await.map(|a| a.encode_to_vec().into())
}

/// Serves a door until `shutdown`; connections in work get their answers first.
pub async fn serve<S: Service>(door: Door, room: Room, service: Arc<S>, shutdown: Shutdown) {
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let knocking = Arc::new(Semaphore::new(MAX_KNOCKING));
    let tasks = tokio_util::task::TaskTracker::new();
    loop {
        let knock = tokio::select! {
            () = shutdown.cancelled() => break,
            knock = door.accept() => knock,
        };
        let knock = match knock {
            Ok(knock) => knock,
            Err(error) => {
                // Out of file descriptors, say: wait rather than spin.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (Ok(place), Ok(knocks)) =
            (Arc::clone(&connections).try_acquire_owned(), Arc::clone(&knocking).try_acquire_owned())
        else {
            tracing::warn!("too many connections; one is turned away");
            continue;
        };
        let (service, shutdown) = (Arc::clone(&service), shutdown.clone());
        tasks.spawn(async move {
            let admitted = tokio::time::timeout(PATIENCE, knock.admit()).await;
            drop(knocks);
            match admitted {
                Ok(Ok(Some(Guest::Unix(stream, caller)))) => {
                    attend(*stream, caller, room, service, shutdown).await
                }
                Ok(Ok(Some(Guest::Tcp(stream, caller)))) => {
                    attend(*stream, caller, room, service, shutdown).await
                }
                Ok(Ok(None)) => tracing::warn!("a connection proved to be nobody whom this door lets in"),
                Ok(Err(error)) => tracing::info!(%error, "a connection failed its handshake"),
                Err(_) => tracing::info!("a connection did not finish its handshake in time"),
            }
            drop(place);
        });
    }
    drop(door);
    tasks.close();
    let _ = tokio::time::timeout(Duration::from_secs(5), tasks.wait()).await;
}

async fn attend<S, T>(stream: T, caller: Caller, room: Room, service: Arc<S>, shutdown: Shutdown)
where
    S: Service,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stranger = caller == Caller::Stranger;
    let max = if stranger { MAX_STRANGER_FRAME } else { MAX_FRAME };
    let (mut sink, mut requests) = Framed::new(stream, codec(max)).split();
    let (replies, mut outbox) = mpsc::channel::<Reply>(MAX_IN_WORK);
    let writer = tokio::spawn(async move {
        let mut buffer = BytesMut::new();
        while let Some(reply) = outbox.recv().await {
            buffer.clear();
            if reply.encode(&mut buffer).is_err() || sink.feed(buffer.split().freeze()).await.is_err() {
                return;
            }
            // One flush serves all replies that are ready.
            while let Ok(reply) = outbox.try_recv() {
                if reply.encode(&mut buffer).is_err() || sink.feed(buffer.split().freeze()).await.is_err() {
                    return;
                }
            }
            if sink.flush().await.is_err() {
                return;
            }
        }
        let _ = sink.close().await;
    });
    let in_work = Arc::new(Semaphore::new(if stranger { 1 } else { MAX_IN_WORK }));
    let leave = tokio::time::sleep(PATIENCE);
    tokio::pin!(leave);
    loop {
        let frame = tokio::select! {
            () = shutdown.cancelled() => break,
            () = &mut leave, if stranger => break,
            frame = requests.next() => frame,
        };
        let Some(Ok(frame)) = frame else { break };
        let Ok(request) = Request::decode(frame) else {
            tracing::warn!(?caller, "a frame is no request; the connection ends");
            break;
        };
        let Ok(turn) = Arc::clone(&in_work).acquire_owned().await else { break };
        let (service, replies, caller) = (Arc::clone(&service), replies.clone(), caller);
        tokio::spawn(async move {
            let id = request.id;
            let reply = match judge_and_call(&*service, caller, room, request).await {
                Ok(body) => Reply { id, body, refusal: None },
                Err(refused) => Reply { id, body: Bytes::new(), refusal: Some(refused.into()) },
            };
            let _ = replies.send(reply).await;
            drop(turn);
        });
    }
    drop(replies);
    let _ = tokio::time::timeout(PATIENCE, writer).await;
}

async fn judge_and_call<S: Service>(
    service: &S,
    caller: Caller,
    room: Room,
    request: Request,
) -> Result<Bytes, Refused> {
    let Some(method) = Method::from_number(request.method) else {
        return Err(Refused::new("no-such-method", format!("no method has the number {}", request.method)));
    };
    if method.room().is_some_and(|owner| owner != room) {
        return Err(Refused::new("wrong-room", format!("`{method}` is not answered by {room}")));
    }
    if !wire::permits(caller.kind(), method) {
        tracing::warn!(?caller, %method, "refused: the caller is not in the method's row");
        return Err(Refused::new("not-permitted", format!("{} may not call `{method}`", caller.kind())));
    }
    let deadline = Duration::from_millis(u64::from(request.deadline_ms)).min(LONGEST_CALL);
    tokio::time::timeout(deadline, service.call(caller, method, request.body))
        .await
        .unwrap_or_else(|_| Err(Refused::new("deadline", format!("`{method}` did not finish in time"))))
}
