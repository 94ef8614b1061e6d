//! One socket's life: what happens on the wire, in its operations and to its token goes into the machine, and what the
//! machine wants is done.
//!
//! Each operation runs on a task of its own and hands over one output at a time, which is taken when the last one has gone
//! out: a slow reader holds up its own operations, between two outputs, and nothing else.

use std::{collections::HashMap, sync::Arc};

use axum::extract::ws::Message;
use futures_util::{FutureExt, StreamExt, future::BoxFuture};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::{Duration, Instant, sleep_until, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    super::{
        EdgeState,
        streams::{
            Place,
            operation::{self, Output},
            standing::{RETRY, Standing, says_no},
        },
    },
    machine::{Action, Event, MOST_AT_A_TIME, Machine},
    messages::{Bearer, ClientMessage, Close},
    wire::{Traffic, Wire},
};
use crate::{
    auth::Client,
    error::{Code, Error},
    graphql::Call,
};

/// How much longer than its deadline an answer may take to go out when the socket is to end.
const SENDING: Duration = Duration::from_secs(1);

/// What a handshake tells.
pub(super) struct Introduction {
    pub(super) client: Client,
    /// For `connection_init` without one.
    pub(super) bearer: Bearer,
}

/// A socket.
pub(super) struct Socket {
    state: EdgeState,
    wire: Wire,
    machine: Machine,
    introduction: Introduction,
    place: Place,
    /// Whoever was let in.
    standing: Option<Standing>,
    asking: Option<(Purpose, BoxFuture<'static, Result<Standing, Error>>)>,
    running: HashMap<String, Running>,
    started: u64,
    /// Of queries and mutations, those included that the client no longer waits for.
    turns: Arc<Semaphore>,
    outputs: mpsc::Receiver<Box<Said>>,
    outbox: mpsc::Sender<Box<Said>>,
    revocations: watch::Receiver<()>,
    clock: Clock,
}

/// Why it is asked who somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Init,
    Refresh,
    Recheck,
}

struct Running {
    number: u64,
    _task: AbortOnDropHandle<()>,
}

/// What an operation says; `None` when it is complete. The number tells it from an earlier one of the same id.
struct Said {
    number: u64,
    id: String,
    output: Option<Output>,
}

/// What is due when.
struct Clock {
    init: Instant,
    beat: Instant,
    /// When the other side was last heard of.
    heard: Instant,
    /// When the token is looked at again.
    recheck: Option<Instant>,
    /// When it is over, if the token has ended and something still runs.
    over: Option<Instant>,
}

enum Happened {
    Traffic(Traffic),
    Said(Box<Said>),
    Known(Purpose, Result<Standing, Error>),
    Time,
    Revoked,
    Stopping,
}

impl Socket {
    pub(super) fn new(
        state: EdgeState,
        wire: Wire,
        introduction: Introduction,
        place: Place,
    ) -> Self {
        let (outbox, outputs) = mpsc::channel(1);
        let (now, settings) = (Instant::now(), &state.settings.streams);
        Socket {
            clock: Clock {
                init: now + settings.init_timeout,
                beat: now + settings.heartbeat,
                heard: now,
                recheck: None,
                over: None,
            },
            revocations: state.auth.revocations(),
            wire,
            machine: Machine::default(),
            introduction,
            place,
            standing: None,
            asking: None,
            running: HashMap::new(),
            started: 0,
            turns: Arc::new(Semaphore::new(MOST_AT_A_TIME)),
            outputs,
            outbox,
            state,
        }
    }

    /// Holds the socket until either side closes it.
    pub(super) async fn run(mut self) {
        let stopping = self.state.streams.stopping().clone();
        let mut stopped = false;
        loop {
            let happened = self.next(&stopping, stopped).await;
            stopped |= matches!(happened, Happened::Stopping);
            match self.handle(happened) {
                Next::GoOn => {}
                Next::Close(close) => {
                    // What the operations hold is let go before the other side has answered.
                    self.running.clear();
                    return self.wire.close(close).await;
                }
                Next::Drop => return,
            }
        }
    }

    /// What happens next.
    async fn next(&mut self, stopping: &CancellationToken, stopped: bool) -> Happened {
        let (reads, takes) = (self.machine.reads(), self.wire.is_idle());
        let rechecks =
            self.standing.is_some() && self.asking.is_none() && self.clock.over.is_none();
        let due = self.clock.next(self.machine.is_new());
        tokio::select! {
            traffic = self.wire.traffic(reads) => Happened::Traffic(traffic),
            Some(said) = self.outputs.recv(), if takes => Happened::Said(said),
            (purpose, known) = answer(&mut self.asking), if self.asking.is_some() => {
                Happened::Known(purpose, known)
            }
            () = sleep_until(due) => Happened::Time,
            Ok(()) = self.revocations.changed(), if rechecks => Happened::Revoked,
            () = stopping.cancelled(), if !stopped => Happened::Stopping,
        }
    }

    fn handle(&mut self, happened: Happened) -> Next {
        match happened {
            Happened::Traffic(Traffic::Received(message)) => self.received(message),
            Happened::Traffic(Traffic::Progress) => {
                self.clock.heard = Instant::now();
                Next::GoOn
            }
            Happened::Traffic(Traffic::Sent) => Next::GoOn,
            Happened::Traffic(Traffic::Breach(close)) => Next::Close(close),
            Happened::Traffic(Traffic::Gone) => Next::Drop,
            Happened::Said(said) => self.said(*said),
            Happened::Known(purpose, known) => {
                self.asking = None;
                self.known(purpose, known)
            }
            Happened::Time => self.tick(),
            Happened::Revoked => {
                self.recheck();
                Next::GoOn
            }
            Happened::Stopping => self.on(Event::Stopping),
        }
    }

    fn received(&mut self, message: Message) -> Next {
        self.clock.heard = Instant::now();
        match message {
            Message::Text(text) => self.on(Event::Received(ClientMessage::parse(&text))),
            Message::Binary(_) => self.on(Event::Received(Err("Messages are text"))),
            Message::Ping(_) | Message::Pong(_) => Next::GoOn,
            // The answer goes out while the connection is drained.
            Message::Close(_) => Next::Close(Close::answered()),
        }
    }

    fn said(&mut self, said: Said) -> Next {
        let current = self.running.get(&said.id);
        if current.is_none_or(|running| running.number != said.number) {
            return Next::GoOn;
        }
        if matches!(
            said.output,
            None | Some(Output::Failed(_) | Output::SignedOut)
        ) {
            self.running.remove(&said.id);
        }
        self.on(Event::Said(said.id, said.output))
    }

    fn known(&mut self, purpose: Purpose, known: Result<Standing, Error>) -> Next {
        if self.clock.over.is_some() {
            return Next::GoOn;
        }
        let event = match (purpose, known) {
            (_, Ok(standing)) => match self.let_in(standing) {
                Err(close) => Event::Refused(close),
                Ok(()) if purpose == Purpose::Init => Event::Admitted,
                Ok(()) if purpose == Purpose::Refresh => Event::Refreshed,
                Ok(()) => return Next::GoOn,
            },
            (Purpose::Recheck, Err(error)) if says_no(&error) => Event::Ended,
            (Purpose::Recheck, Err(error)) => {
                tracing::warn!(
                    error = error.log_text(),
                    "a socket's token could not be looked at"
                );
                self.clock.recheck = Some(Instant::now() + RETRY);
                return Next::GoOn;
            }
            (_, Err(error)) => Event::Refused(refusal_of(&error)),
        };
        self.on(event)
    }

    /// Whoever was not somebody else before may come in, if they have not too many sockets.
    fn let_in(&mut self, standing: Standing) -> Result<(), Close> {
        let before = self.standing.as_ref().and_then(Standing::viewer);
        let now = standing.viewer();
        if before.is_some_and(|before| now.is_none_or(|now| now.user_id != before.user_id)) {
            return Err(Close::forbidden());
        }
        if let Some(holder) = standing.holder() {
            let place = self.place.give_to(holder);
            place
                .map_err(|_| Close::try_again_later("Too many sockets of this user or address"))?;
        }
        let recheck = standing.good_for();
        self.clock.recheck = recheck.map(|rest| Instant::now() + rest);
        self.standing = Some(standing);
        Ok(())
    }

    fn tick(&mut self) -> Next {
        let now = Instant::now();
        if self.machine.is_new() && now >= self.clock.init {
            return self.on(Event::InitTimedOut);
        }
        if self.clock.over.is_some_and(|over| now >= over) {
            return self.on(Event::Overdue);
        }
        if self.clock.recheck.is_some_and(|due| now >= due) {
            if self.standing.as_ref().is_some_and(Standing::has_expired) {
                return self.on(Event::Ended);
            }
            let again = self.standing.as_ref().and_then(Standing::good_for);
            self.clock.recheck = again.map(|rest| now + rest);
            // Whoever only sits there costs no statement: each operation asks when it begins.
            if !self.machine.is_idle() {
                self.recheck();
            }
        }
        if now >= self.clock.beat {
            let heartbeat = self.state.settings.streams.heartbeat;
            if self.machine.reads() && now >= self.clock.heard + 2 * heartbeat {
                tracing::debug!("a socket is not heard of any longer");
                return Next::Drop;
            }
            self.clock.beat = now + heartbeat;
            if self.wire.is_idle() {
                self.wire.push(Message::Ping(Default::default()));
            }
        }
        Next::GoOn
    }

    fn recheck(&mut self) {
        let Some(standing) = &self.standing else {
            return;
        };
        if standing.viewer().is_none() || self.asking.is_some() {
            return;
        }
        let (auth, standing) = (self.state.auth.clone(), standing.clone());
        self.ask(Purpose::Recheck, async move { standing.again(&auth).await });
    }

    fn ask(
        &mut self,
        purpose: Purpose,
        question: impl Future<Output = Result<Standing, Error>> + Send + 'static,
    ) {
        let limit = self.state.settings.request_timeout;
        let question = async move {
            let late = |_| Error::timeout("reading a socket's session");
            timeout(limit, question).await.map_err(late)?
        };
        self.asking = Some((purpose, question.boxed()));
    }

    fn on(&mut self, event: Event) -> Next {
        for action in self.machine.on(event) {
            match action {
                Action::Send(message) => self.wire.push(Message::Text(message.to_text().into())),
                Action::Admit(Bearer::Absent) => {
                    self.admit(Purpose::Init, self.introduction.bearer.clone());
                }
                Action::Admit(bearer) => self.admit(Purpose::Init, bearer),
                Action::Refresh(bearer) => self.admit(Purpose::Refresh, bearer),
                Action::Start(id, call) => self.start(id, call),
                Action::Stop(id) => drop(self.running.remove(&id)),
                Action::BeginNothing => self.begin_nothing(),
                Action::Close(close) => return Next::Close(close),
            }
        }
        Next::GoOn
    }

    /// Nobody is asked any longer who they are; what runs has its deadline.
    fn begin_nothing(&mut self) {
        self.turns.close();
        self.clock.recheck = None;
        let limit = self.state.settings.request_timeout + SENDING;
        self.clock.over.get_or_insert(Instant::now() + limit);
    }

    fn admit(&mut self, purpose: Purpose, bearer: Bearer) {
        let token: Option<Arc<str>> = match bearer {
            Bearer::Absent => None,
            Bearer::Token(token) => Some(token.into()),
            Bearer::Malformed => {
                let error = Error::unauthenticated("Authorization is no bearer token.");
                return self.ask(purpose, async move { Err(error) });
            }
        };
        // What is revoked from here on is news.
        self.revocations.mark_unchanged();
        let (auth, client) = (self.state.auth.clone(), self.introduction.client.clone());
        self.ask(
            purpose,
            async move { Standing::of(&auth, token, client).await },
        );
    }

    fn start(&mut self, id: String, call: Call) {
        let Some(standing) = self.standing.clone() else {
            return;
        };
        self.started += 1;
        let (number, name, outbox) = (self.started, id.clone(), self.outbox.clone());
        let (state, turns) = (self.state.clone(), self.turns.clone());
        let mut outputs = operation::outputs(state, standing, call, turns);
        let task = tokio::spawn(async move {
            loop {
                let output = outputs.next().await;
                let ended = output.is_none();
                let id = name.clone();
                let said = Box::new(Said { number, id, output });
                if outbox.send(said).await.is_err() || ended {
                    return;
                }
            }
        });
        let _task = AbortOnDropHandle::new(task);
        self.running.insert(id, Running { number, _task });
    }
}

/// How it goes on with a socket.
enum Next {
    GoOn,
    Close(Close),
    /// There is nobody to be told.
    Drop,
}

impl Clock {
    fn next(&self, is_new: bool) -> Instant {
        let init = is_new.then_some(self.init);
        let others = [init, self.recheck, self.over].into_iter().flatten();
        others.fold(self.beat, Instant::min)
    }
}

/// The answer that is waited for.
async fn answer(
    asking: &mut Option<(Purpose, BoxFuture<'static, Result<Standing, Error>>)>,
) -> (Purpose, Result<Standing, Error>) {
    match asking {
        Some((purpose, known)) => (*purpose, known.await),
        None => std::future::pending().await,
    }
}

fn refusal_of(error: &Error) -> Close {
    match error.code {
        _ if says_no(error) => Close::forbidden(),
        Code::Unavailable | Code::Timeout => Close::try_again_later("Try again later"),
        _ => {
            tracing::error!(error = error.log_text(), "a socket could not be opened");
            Close::internal()
        }
    }
}
