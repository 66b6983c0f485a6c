//! Calling a room: connects when needed, keeps many calls in flight, and says what went wrong.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use prost::Message;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_rustls::TlsConnector;
use tokio_util::codec::Framed;
use wire::{Method, Reply, Request, Room};

use crate::caller::ROOM_DOMAIN;
use crate::frame::{MAX_FRAME, codec};
use crate::identity::{Identity, IdentityError, Trust, client_config};

/// Why a call has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// The room cannot be reached, or the connection broke: the call may or may not have been done.
    #[error("{room} cannot be reached: {why}")]
    Unreachable {
        /// Which room.
        room: Room,
        /// Why.
        why: String,
    },
    /// No answer in time: the call may or may not have been done.
    #[error("{0} did not answer in time")]
    Deadline(Room),
    /// The room refused.
    #[error("{message} ({code})")]
    Refused {
        /// A stable word.
        code: String,
        /// A sentence for people.
        message: String,
    },
    /// The answer is not the method's message.
    #[error("the answer of {0} cannot be read")]
    Garbled(Room),
}

impl CallError {
    /// The stable word of a refusal, if it is one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }
}

/// Where a room listens.
#[derive(Debug, Clone)]
pub enum Target {
    /// A Unix socket.
    Unix(PathBuf),
    /// `host:port`.
    Tcp(String),
}

impl Target {
    /// A room's socket in a house.
    #[must_use]
    pub fn in_house(house: &Path, room: Room) -> Self {
        Self::Unix(house.join("run").join(format!("{room}.sock")))
    }
}

/// A caller of one room. Clones share the connection.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

struct Shared {
    room: Room,
    target: Target,
    tls: Arc<ClientConfig>,
    next_id: AtomicU64,
    connection: Mutex<Option<mpsc::Sender<Call>>>,
}

struct Call {
    frame: Bytes,
    id: u64,
    reply: oneshot::Sender<Reply>,
}

/// Calls waiting to be written on one connection.
const QUEUE: usize = 256;
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

impl Client {
    /// A caller of `room` at `target`, showing `identity` (none for people and strangers), who trusts only
    /// a server that `trust` certified as that room.
    ///
    /// # Errors
    /// When the identity is refused.
    pub fn new(
        room: Room,
        target: Target,
        identity: Option<&Identity>,
        trust: &Trust,
    ) -> Result<Self, IdentityError> {
        let tls = client_config(identity, trust)?;
        Ok(Self(Arc::new(Shared {
            room,
            target,
            tls,
            next_id: AtomicU64::new(1),
            connection: Mutex::new(None),
        })))
    }

    /// The room that is called.
    #[must_use]
    pub fn room(&self) -> Room {
        self.0.room
    }

    /// Calls a method and waits for its answer, at most `patience`. It connects if need be, and never
    /// repeats a call by itself: only the caller knows whether that is safe.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call<Q: Message, A: Message + Default>(
        &self,
        method: Method,
        question: &Q,
        patience: Duration,
    ) -> Result<A, CallError> {
        let room = self.0.room;
        let body = self.call_raw(method, question.encode_to_vec().into(), patience).await?;
        A::decode(body).map_err(|_| CallError::Garbled(room))
    }

    /// [`Self::call`] with encoded messages.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call_raw(
        &self,
        method: Method,
        body: Bytes,
        patience: Duration,
    ) -> Result<Bytes, CallError> {
        let room = self.0.room;
        tokio::time::timeout(patience, self.exchange(method, body, patience))
            .await
            .unwrap_or(Err(CallError::Deadline(room)))
    }

    async fn exchange(&self, method: Method, body: Bytes, patience: Duration) -> Result<Bytes, CallError> {
        let id = self.0.next_id.fetch_add(1, Ordering::Relaxed);
        let deadline_ms = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
        let request = Request { id, method: method.number(), deadline_ms, body };
        let frame: Bytes = request.encode_to_vec().into();
        if frame.len() > MAX_FRAME {
            return Err(CallError::Refused {
                code: "too-long".to_owned(),
                message: format!(
                    "a message to {} has {} bytes; {MAX_FRAME} is the limit",
                    self.0.room,
                    frame.len()
                ),
            });
        }
        let (reply, answer) = oneshot::channel();
        let gone = || CallError::Unreachable { room: self.0.room, why: "the connection broke".to_owned() };
        self.connected().await?.send(Call { frame, id, reply }).await.map_err(|_| gone())?;
        let reply = answer.await.map_err(|_| gone())?;
        match reply.refusal {
            None => Ok(reply.body),
            Some(refusal) => Err(CallError::Refused { code: refusal.code, message: refusal.message }),
        }
    }

    async fn connected(&self) -> Result<mpsc::Sender<Call>, CallError> {
        let mut connection = self.0.connection.lock().await;
        if let Some(sender) = connection.as_ref().filter(|s| !s.is_closed()) {
            return Ok(sender.clone());
        }
        let sender = tokio::time::timeout(CONNECT_PATIENCE, self.connect())
            .await
            .map_err(|_| CallError::Deadline(self.0.room))?
            .map_err(|e| CallError::Unreachable { room: self.0.room, why: e.to_string() })?;
        *connection = Some(sender.clone());
        Ok(sender)
    }

    async fn connect(&self) -> std::io::Result<mpsc::Sender<Call>> {
        let name =
            ServerName::try_from(format!("{}.{ROOM_DOMAIN}", self.0.room)).map_err(std::io::Error::other)?;
        let tls = TlsConnector::from(Arc::clone(&self.0.tls));
        let (sender, calls) = mpsc::channel(QUEUE);
        match &self.0.target {
            Target::Unix(path) => {
                let stream = tls.connect(name, UnixStream::connect(path).await?).await?;
                tokio::spawn(converse(stream, calls));
            }
            Target::Tcp(address) => {
                let socket = TcpStream::connect(address).await?;
                socket.set_nodelay(true)?;
                let stream = tls.connect(name, socket).await?;
                tokio::spawn(converse(stream, calls));
            }
        }
        Ok(sender)
    }
}

/// Calls that wait for their reply.
type Pending = Arc<std::sync::Mutex<HashMap<u64, oneshot::Sender<Reply>>>>;

/// Writes calls and hands out replies until the connection breaks; pending calls then fail at once. Writing
/// and reading are two tasks: one that did both could wait to write while the room waits for it to read.
async fn converse<T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: T,
    calls: mpsc::Receiver<Call>,
) {
    let (sink, mut replies) = Framed::new(stream, codec(MAX_FRAME)).split();
    let pending = Pending::default();
    let mut writer = tokio::spawn(write_calls(sink, calls, Arc::clone(&pending)));
    loop {
        let frame = tokio::select! {
            frame = replies.next() => frame,
            _ = &mut writer => break,
        };
        let Some(Ok(frame)) = frame else { break };
        let Ok(reply) = decode_reply(frame) else { break };
        let waiting = pending.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&reply.id);
        if let Some(waiting) = waiting {
            let _ = waiting.send(reply);
        }
    }
    writer.abort();
    // Whoever still waits learns at once that no reply comes: its sender is dropped here.
    pending.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
}

async fn write_calls<S: futures_util::Sink<Bytes> + Unpin>(
    mut sink: S,
    mut calls: mpsc::Receiver<Call>,
    pending: Pending,
) {
    let mut since_sweep = 0u32;
    while let Some(mut call) = calls.recv().await {
        loop {
            {
                let mut pending = pending.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                pending.insert(call.id, call.reply);
                // Calls whose caller gave up leave their place, so that a silent server costs no memory.
                since_sweep += 1;
                if since_sweep >= 1024 {
                    since_sweep = 0;
                    pending.retain(|_, waiting| !waiting.is_closed());
                }
            }
            if sink.feed(call.frame).await.is_err() {
                return;
            }
            // One flush serves all calls that are ready.
            match calls.try_recv() {
                Ok(more) => call = more,
                Err(_) => break,
            }
        }
        if sink.flush().await.is_err() {
            return;
        }
    }
    let _ = sink.close().await;
}

fn decode_reply(frame: BytesMut) -> Result<Reply, prost::DecodeError> {
    Reply::decode(frame.freeze())
}
