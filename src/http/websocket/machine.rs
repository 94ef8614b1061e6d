//! The protocol as a state machine: what has happened goes in, what is to be done comes out. It never waits, sends or runs
//! anything itself, so all of it is tested as a table.

use std::collections::HashMap;

use super::{
    super::streams::operation::Output,
    messages::{BadMessage, Bearer, ClientMessage, Close, ServerMessage},
};

/// Queries and mutations that run at a time on one socket; while there are so many, nothing more is read from it.
pub(super) const MOST_AT_A_TIME: usize = 10;

/// Something that has happened.
#[derive(Debug)]
pub(super) enum Event {
    Received(Result<ClientMessage, BadMessage>),
    /// Nobody said `connection_init` in time.
    InitTimedOut,
    /// Who says `connection_init` may come in.
    Admitted,
    /// Who says `connection_init`, or has sent a new token, may not, or it cannot be known.
    Refused(Close),
    /// The new token is the same person's, and good.
    Refreshed,
    /// The token has expired, or what it stands for was revoked.
    Ended,
    /// What still runs has had all the time that there is, and a little more.
    Overdue,
    /// An operation says something; `None`: it is complete.
    Said(String, Option<Output>),
    /// The service is to stop.
    Stopping,
}

/// Something to be done.
#[derive(Debug)]
pub(super) enum Action {
    Send(ServerMessage),
    /// Find out who that is, for [`Event::Admitted`] or [`Event::Refused`].
    Admit(Bearer),
    /// Find out whether that is the same person, for [`Event::Refreshed`] or [`Event::Refused`].
    Refresh(Bearer),
    Start(String, crate::graphql::Call),
    Stop(String),
    /// Let nothing begin that waits for its turn.
    BeginNothing,
    /// Close the socket; nothing comes behind it.
    Close(Close),
}

/// A socket's state.
#[derive(Debug, Default)]
pub(super) struct Machine {
    phase: Phase,
    operations: HashMap<String, Kind>,
    /// A new token is looked at; until that is known nothing more is read.
    refreshing: bool,
    /// How it is closed when all that runs is answered; until then nothing more is read.
    ending: Option<Close>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    #[default]
    New,
    /// `connection_init` was said, and not answered yet.
    Deciding,
    Open,
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One answer comes, soon.
    Single,
    /// It goes on.
    Listening,
}

impl Machine {
    /// Whether more may be read.
    pub(super) fn reads(&self) -> bool {
        !self.refreshing && self.ending.is_none() && self.singles() < MOST_AT_A_TIME
    }

    /// Whether nothing runs.
    pub(super) fn is_idle(&self) -> bool {
        self.operations.is_empty()
    }

    /// Whether nobody has said `connection_init` yet.
    pub(super) fn is_new(&self) -> bool {
        self.phase == Phase::New
    }

    /// What is to be done now that this has happened.
    pub(super) fn on(&mut self, event: Event) -> Vec<Action> {
        if self.phase == Phase::Closed {
            return Vec::new();
        }
        match event {
            Event::Received(Ok(message)) => self.received(message),
            Event::Received(Err(why)) => self.close(Close::bad_request(why)),
            Event::InitTimedOut if self.phase == Phase::New => self.close(Close::init_timeout()),
            Event::InitTimedOut => Vec::new(),
            Event::Admitted => {
                self.phase = Phase::Open;
                vec![Action::Send(ServerMessage::Ack)]
            }
            Event::Refreshed => {
                self.refreshing = false;
                vec![Action::Send(ServerMessage::Pong(None))]
            }
            Event::Refused(why) => self.close(why),
            Event::Ended => self.sign_out(),
            Event::Overdue => self.close(Close::unauthorized()),
            Event::Said(id, output) => self.said(id, output),
            Event::Stopping => self.end(Close::going_away()),
        }
    }

    fn received(&mut self, message: ClientMessage) -> Vec<Action> {
        match message {
            ClientMessage::Init(_) if self.phase != Phase::New => {
                self.close(Close::too_many_inits())
            }
            ClientMessage::Init(bearer) => {
                self.phase = Phase::Deciding;
                vec![Action::Admit(bearer)]
            }
            ClientMessage::Ping(Bearer::Absent, payload) => {
                vec![Action::Send(ServerMessage::Pong(payload))]
            }
            ClientMessage::Ping(bearer, _) if self.phase == Phase::Open => {
                self.refreshing = true;
                vec![Action::Refresh(bearer)]
            }
            ClientMessage::Ping(..) => vec![Action::Send(ServerMessage::Pong(None))],
            ClientMessage::Pong => Vec::new(),
            ClientMessage::Subscribe(..) if self.phase != Phase::Open => {
                self.close(Close::unauthorized())
            }
            ClientMessage::Subscribe(id, _) if self.operations.contains_key(&id) => {
                self.close(Close::duplicate(&id))
            }
            ClientMessage::Subscribe(id, call) => {
                self.operations.insert(id.clone(), Kind::Single);
                vec![Action::Start(id, call)]
            }
            // One that is unknown may just have ended.
            ClientMessage::Complete(id) => match self.operations.remove(&id) {
                Some(_) => vec![Action::Stop(id)],
                None => Vec::new(),
            },
        }
    }

    fn said(&mut self, id: String, output: Option<Output>) -> Vec<Action> {
        let Some(kind) = self.operations.get_mut(&id) else {
            return Vec::new();
        };
        let (message, ends) = match output {
            Some(Output::Listening) => {
                *kind = Kind::Listening;
                return match self.ending.take() {
                    Some(why) => self.end(why),
                    None => Vec::new(),
                };
            }
            Some(Output::SignedOut) => {
                self.operations.remove(&id);
                return self.sign_out();
            }
            Some(Output::Next { answer, .. }) => (ServerMessage::Next(id.clone(), answer), false),
            Some(Output::Failed(answer)) => (ServerMessage::Error(id.clone(), answer), true),
            None => (ServerMessage::Complete(id.clone()), true),
        };
        let mut actions = vec![Action::Send(message)];
        if ends {
            self.operations.remove(&id);
            actions.extend(self.close_when_done());
        }
        actions
    }

    /// Whoever may ask no longer is answered what runs already, and nothing that does not.
    fn sign_out(&mut self) -> Vec<Action> {
        let mut actions = vec![Action::BeginNothing];
        actions.extend(self.end(Close::unauthorized()));
        actions
    }

    /// Ends what listens, and closes when what is to have one answer has it.
    fn end(&mut self, why: Close) -> Vec<Action> {
        self.ending.get_or_insert(why);
        let kinds = self.operations.iter();
        let listening = kinds.filter(|(_, kind)| **kind == Kind::Listening);
        let ids: Vec<String> = listening.map(|(id, _)| id.clone()).collect();
        let mut actions = Vec::new();
        for id in ids {
            self.operations.remove(&id);
            actions.push(Action::Stop(id));
        }
        actions.extend(self.close_when_done());
        actions
    }

    fn close_when_done(&mut self) -> Vec<Action> {
        match self.ending.clone() {
            Some(why) if self.operations.is_empty() => self.close(why),
            _ => Vec::new(),
        }
    }

    fn close(&mut self, why: Close) -> Vec<Action> {
        self.phase = Phase::Closed;
        self.operations.clear();
        vec![Action::Close(why)]
    }

    fn singles(&self) -> usize {
        let kinds = self.operations.values();
        kinds.filter(|kind| **kind == Kind::Single).count()
    }
}
