//! The loop of one socket: it feeds messages, outputs of operations and authentication results to the machine, and performs the actions that
//! the machine returns.

use axum::extract::ws::Message;
use futures_util::{FutureExt, future::BoxFuture};
use tokio::{
    sync::watch,
    time::{Duration, Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        EdgeState,
        bearer::Bearer,
        slots::Slot,
        streams::live_auth::{AccessEnd, LiveAuth, RETRY, denies_access},
    },
    machine::{Action, Event, Machine},
    messages::{ClientMessage, Close},
    operations::{OperationOutput, Operations},
    transport::{Transport, TransportEvent},
};
use crate::{
    auth::Client,
    error::{Code, Error},
};

/// How long a response may take to be sent after its deadline when the access has ended.
const SEND_GRACE: Duration = Duration::from_secs(1);

/// What the handshake tells about the client.
pub(super) struct Handshake {
    pub(super) client: Client,
    /// Used if `connection_init` has no token.
    pub(super) bearer: Bearer,
}

pub(super) struct Socket {
    state: EdgeState,
    transport: Transport,
    machine: Machine,
    handshake: Handshake,
    slot: Slot,
    /// `None` before the client is authenticated.
    live_auth: Option<LiveAuth>,
    authentication: Option<Authentication>,
    operations: Operations,
    revocations: watch::Receiver<()>,
    timers: Timers,
}

/// A running authentication.
type Authentication = (Purpose, BoxFuture<'static, Result<LiveAuth, Error>>);

/// Why the client is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Init,
    Refresh,
    Recheck,
}

struct Timers {
    /// Deadline of `connection_init`.
    init: Instant,
    heartbeat: Instant,
    /// When the client last sent or read something.
    last_seen: Instant,
    /// When the client is authenticated again.
    recheck: Option<Instant>,
    /// Whether the last attempt failed because of an outage.
    recheck_failed: bool,
    /// Deadline of running operations after the access has ended.
    forced_close: Option<Instant>,
}

enum SocketEvent {
    Transport(TransportEvent),
    Output(Box<OperationOutput>),
    Authenticated(Purpose, Result<LiveAuth, Error>),
    Timer,
    Revoked,
    Stopping,
}

/// How the loop continues.
enum Flow {
    Continue,
    Close(Close),
    /// The connection is gone.
    Drop,
}

impl Socket {
    pub(super) fn new(
        state: EdgeState,
        transport: Transport,
        handshake: Handshake,
        slot: Slot,
    ) -> Self {
        let (now, settings) = (Instant::now(), &state.settings.streams);
        Socket {
            timers: Timers {
                init: now + settings.init_timeout,
                heartbeat: now + settings.heartbeat,
                last_seen: now,
                recheck: None,
                recheck_failed: false,
                forced_close: None,
            },
            revocations: state.auth.revocations(),
            transport,
            machine: Machine::default(),
            handshake,
            slot,
            live_auth: None,
            authentication: None,
            operations: Operations::new(state.clone()),
            state,
        }
    }

    /// Runs until either side closes the socket.
    pub(super) async fn run(mut self) {
        let stopping = self.state.streams.stopping.clone();
        let mut stopped = false;
        loop {
            let event = self.next(&stopping, stopped).await;
            stopped |= matches!(event, SocketEvent::Stopping);
            match self.handle(event) {
                Flow::Continue => {}
                Flow::Close(close) => {
                    // Frees what the operations hold before the client has responded to the close frame.
                    self.operations.stop_all();
                    return self.transport.close(close).await;
                }
                Flow::Drop => return,
            }
        }
    }

    async fn next(&mut self, stopping: &CancellationToken, stopped: bool) -> SocketEvent {
        let (reads, sends) = (self.machine.reads(), self.transport.is_idle());
        let rechecks = self.live_auth.is_some()
            && self.authentication.is_none()
            && self.timers.forced_close.is_none();
        let due = self.timers.next(self.machine.is_new());
        tokio::select! {
            event = self.transport.next_event(reads) => SocketEvent::Transport(event),
            output = self.operations.next(), if sends => SocketEvent::Output(output),
            (purpose, result) = finished(&mut self.authentication) => {
                SocketEvent::Authenticated(purpose, result)
            }
            () = sleep_until(due) => SocketEvent::Timer,
            Ok(()) = self.revocations.changed(), if rechecks => SocketEvent::Revoked,
            () = stopping.cancelled(), if !stopped => SocketEvent::Stopping,
        }
    }

    fn handle(&mut self, event: SocketEvent) -> Flow {
        match event {
            SocketEvent::Transport(TransportEvent::Received(message)) => self.received(message),
            SocketEvent::Transport(TransportEvent::Unblocked) => {
                self.timers.last_seen = Instant::now();
                Flow::Continue
            }
            SocketEvent::Transport(TransportEvent::Sent) => Flow::Continue,
            SocketEvent::Transport(TransportEvent::ProtocolError(close)) => Flow::Close(close),
            SocketEvent::Transport(TransportEvent::Closed) => Flow::Drop,
            SocketEvent::Output(output) if self.operations.accept(&output) => {
                self.on(Event::Output(output.id, output.output))
            }
            SocketEvent::Output(_) => Flow::Continue,
            SocketEvent::Authenticated(purpose, result) => {
                self.authentication = None;
                self.authenticated(purpose, result)
            }
            SocketEvent::Timer => self.tick(),
            SocketEvent::Revoked => {
                self.recheck();
                Flow::Continue
            }
            SocketEvent::Stopping => self.on(Event::Stopping),
        }
    }

    fn received(&mut self, message: Message) -> Flow {
        self.timers.last_seen = Instant::now();
        match message {
            Message::Text(text) => self.on(Event::Received(ClientMessage::parse(&text))),
            Message::Binary(_) => self.on(Event::Received(Err("Messages must be text"))),
            Message::Ping(_) | Message::Pong(_) => Flow::Continue,
            // The transport sends the response while it closes.
            Message::Close(_) => Flow::Close(Close::BY_CLIENT),
        }
    }

    fn authenticated(&mut self, purpose: Purpose, result: Result<LiveAuth, Error>) -> Flow {
        if self.timers.forced_close.is_some() {
            return Flow::Continue;
        }
        let event = match (purpose, result) {
            (_, Ok(live_auth)) => match self.admit(live_auth) {
                Err(close) => Event::Rejected(close),
                Ok(()) if purpose == Purpose::Init => Event::Authenticated,
                Ok(()) if purpose == Purpose::Refresh => Event::Refreshed,
                Ok(()) => return Flow::Continue,
            },
            (Purpose::Recheck, Err(error)) if denies_access(&error) => self.access_ended(),
            (Purpose::Recheck, Err(error)) => {
                tracing::warn!(
                    error = error.log_text(),
                    "authenticating a WebSocket again failed; retrying"
                );
                self.timers.recheck = Some(Instant::now() + RETRY);
                self.timers.recheck_failed = true;
                return Flow::Continue;
            }
            (_, Err(error)) => Event::Rejected(close_for(&error)),
        };
        self.on(event)
    }

    /// Accepts an authenticated client, unless it is another user than before or has too many sockets.
    fn admit(&mut self, live_auth: LiveAuth) -> Result<(), Close> {
        let before = self.live_auth.as_ref().and_then(LiveAuth::viewer);
        let now = live_auth.viewer();
        if before.is_some_and(|before| now.is_none_or(|now| now.user_id != before.user_id)) {
            return Err(Close::FORBIDDEN);
        }
        if let Some(holder) = live_auth.holder() {
            let reason = "Too many sockets of this user or address";
            let assigned = self.slot.assign_to(holder);
            assigned.map_err(|_| Close::try_again_later(reason))?;
        }
        let valid_for = live_auth.valid_for();
        self.timers.recheck = valid_for.map(|valid_for| Instant::now() + valid_for);
        self.timers.recheck_failed = false;
        self.live_auth = Some(live_auth);
        Ok(())
    }

    fn tick(&mut self) -> Flow {
        let now = Instant::now();
        if self.machine.is_new() && now >= self.timers.init {
            return self.on(Event::InitTimedOut);
        }
        if self.timers.forced_close.is_some_and(|due| now >= due) {
            return self.on(Event::DeadlinePassed);
        }
        if self.timers.recheck.is_some_and(|due| now >= due) {
            if self.live_auth.as_ref().is_some_and(LiveAuth::has_expired) {
                let event = self.access_ended();
                return self.on(event);
            }
            let valid_for = self.live_auth.as_ref().and_then(LiveAuth::valid_for);
            self.timers.recheck = valid_for.map(|valid_for| now + valid_for);
            // An idle socket costs no statement, because each operation authenticates when it starts. Neither does an idle
            // process.
            let in_use = self.state.database.activity().is_in_use();
            if !self.machine.is_idle() && (in_use || self.timers.recheck_failed) {
                self.recheck();
            }
        }
        if now >= self.timers.heartbeat {
            return self.heartbeat(now);
        }
        Flow::Continue
    }

    fn heartbeat(&mut self, now: Instant) -> Flow {
        let period = self.state.settings.streams.heartbeat;
        if self.machine.reads() && now >= self.timers.last_seen + 2 * period {
            tracing::debug!("a WebSocket client does not respond; disconnecting");
            return Flow::Drop;
        }
        self.timers.heartbeat = now + period;
        if self.transport.is_idle() {
            self.transport.push(Message::Ping(Default::default()));
        }
        Flow::Continue
    }

    fn recheck(&mut self) {
        let Some(live_auth) = &self.live_auth else {
            return;
        };
        if live_auth.viewer().is_none() || self.authentication.is_some() {
            return;
        }
        let (auth, live_auth) = (self.state.auth.clone(), live_auth.clone());
        let deadline = self.request_deadline();
        let check = async move { live_auth.recheck(&auth, deadline).await };
        self.authentication = Some((Purpose::Recheck, check.boxed()));
    }

    fn access_ended(&self) -> Event {
        let end = self.live_auth.as_ref().map(LiveAuth::access_end);
        Event::AccessEnded(end.unwrap_or(AccessEnd::SessionEnded))
    }

    fn request_deadline(&self) -> Instant {
        Instant::now() + self.state.settings.request_timeout
    }

    fn on(&mut self, event: Event) -> Flow {
        for action in self.machine.on(event) {
            match action {
                Action::Send(message) => {
                    let text = Message::Text(message.to_text());
                    self.transport.push_response(text, message.into_budget());
                }
                Action::Authenticate(Bearer::Absent) => {
                    self.check_token(Purpose::Init, self.handshake.bearer.clone());
                }
                Action::Authenticate(bearer) => self.check_token(Purpose::Init, bearer),
                Action::Refresh(bearer) => self.check_token(Purpose::Refresh, bearer),
                Action::Start(id, call) => {
                    if let Some(live_auth) = self.live_auth.clone() {
                        self.operations.start(id, live_auth, call);
                    }
                }
                Action::Stop(id) => self.operations.stop(&id),
                Action::RejectWaiting => self.reject_waiting(),
                Action::Close(close) => return Flow::Close(close),
            }
        }
        Flow::Continue
    }

    /// After the end of the access, nothing is authenticated any more. Running operations have their deadline.
    fn reject_waiting(&mut self) {
        self.operations.reject_waiting();
        self.timers.recheck = None;
        let due = self.request_deadline() + SEND_GRACE;
        self.timers.forced_close.get_or_insert(due);
    }

    fn check_token(&mut self, purpose: Purpose, bearer: Bearer) {
        let token = match bearer.token() {
            Ok(token) => token,
            Err(error) => {
                let check = std::future::ready(Err(error));
                self.authentication = Some((purpose, check.boxed()));
                return;
            }
        };
        // The check sees all revocations up to now.
        self.revocations.mark_unchanged();
        let (auth, client) = (self.state.auth.clone(), self.handshake.client.clone());
        let deadline = self.request_deadline();
        let check = async move { LiveAuth::check(&auth, token, client, deadline).await };
        self.authentication = Some((purpose, check.boxed()));
    }
}

impl Timers {
    fn next(&self, is_new: bool) -> Instant {
        let init = is_new.then_some(self.init);
        let others = [init, self.recheck, self.forced_close];
        others
            .into_iter()
            .flatten()
            .fold(self.heartbeat, Instant::min)
    }
}

/// The result of the running authentication.
async fn finished(
    authentication: &mut Option<Authentication>,
) -> (Purpose, Result<LiveAuth, Error>) {
    match authentication {
        Some((purpose, check)) => (*purpose, check.await),
        None => std::future::pending().await,
    }
}

fn close_for(error: &Error) -> Close {
    match error.code {
        _ if denies_access(error) => Close::forbidden(&error.message),
        Code::Unavailable | Code::Timeout => Close::try_again_later("Try again later"),
        _ => {
            tracing::error!(
                error = error.log_text(),
                "authenticating a WebSocket failed"
            );
            Close::INTERNAL
        }
    }
}
