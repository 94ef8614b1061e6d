//! The protocol as a state machine: it takes an event and returns the actions to perform. It has no side effects, so that all of it can be
//! tested as a table.

use std::collections::HashMap;

use super::{
    super::{
        bearer::Bearer,
        streams::{live_auth::AccessEnd, operation::Output},
    },
    messages::{ClientMessage, Close, InvalidMessage, ServerMessage},
};

/// Maximum number of queries and mutations that run at the same time on one socket, including those that the client no longer waits for.
/// While that many run, nothing is read from the socket.
pub(super) const MAX_CONCURRENT: usize = 10;

#[derive(Debug)]
pub(super) enum Event {
    Received(Result<ClientMessage, InvalidMessage>),
    /// The client did not send `connection_init` in time.
    InitTimedOut,
    /// The client of `connection_init` is authenticated.
    Authenticated,
    /// The token of `connection_init` or `ping` is rejected, or could not be checked.
    Rejected(Close),
    /// The new token is valid and belongs to the same user.
    Refreshed,
    /// The token has expired, or its session was revoked.
    AccessEnded(AccessEnd),
    /// After the end of the access, the deadline of all running operations has passed.
    DeadlinePassed,
    /// An output of an operation. `None`: the operation is complete.
    Output(String, Option<Output>),
    /// The service is stopping.
    Stopping,
}

#[derive(Debug)]
pub(super) enum Action {
    Send(ServerMessage),
    /// Authenticate the client. The result is [`Event::Authenticated`] or [`Event::Rejected`].
    Authenticate(Bearer),
    /// Check the new token. The result is [`Event::Refreshed`] or [`Event::Rejected`].
    Refresh(Bearer),
    Start(String, crate::graphql::Call),
    Stop(String),
    /// Do not start operations that still wait for a slot.
    RejectWaiting,
    /// Close the socket. This is the last action.
    Close(Close),
}

/// The protocol state of a socket.
#[derive(Debug, Default)]
pub(super) struct Machine {
    phase: Phase,
    operations: HashMap<String, Kind>,
    /// A new token is being checked. Nothing is read until the result is known.
    refreshing: bool,
    /// The close frame to send when all queries and mutations have their response. Nothing is read until then.
    ending: Option<Close>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    #[default]
    New,
    /// The client has sent `connection_init` and is being authenticated.
    Authenticating,
    Open,
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A query or mutation, or a subscription that has not started yet.
    Single,
    Subscription,
}

impl Machine {
    /// Whether more may be read.
    pub(super) fn reads(&self) -> bool {
        !self.refreshing && self.ending.is_none() && self.singles() < MAX_CONCURRENT
    }

    /// Whether no operation runs.
    pub(super) fn is_idle(&self) -> bool {
        self.operations.is_empty()
    }

    /// Whether the client has not sent `connection_init` yet.
    pub(super) fn is_new(&self) -> bool {
        self.phase == Phase::New
    }

    /// Handles an event and returns the actions to perform, in order.
    pub(super) fn on(&mut self, event: Event) -> Vec<Action> {
        if self.phase == Phase::Closed {
            return Vec::new();
        }
        match event {
            Event::Received(Ok(message)) => self.received(message),
            Event::Received(Err(why)) => self.close(Close::bad_request(why)),
            Event::InitTimedOut if self.phase == Phase::New => self.close(Close::INIT_TIMEOUT),
            Event::InitTimedOut => Vec::new(),
            Event::Authenticated => {
                self.phase = Phase::Open;
                vec![Action::Send(ServerMessage::Ack)]
            }
            Event::Refreshed => {
                self.refreshing = false;
                vec![Action::Send(ServerMessage::Pong(None))]
            }
            Event::Rejected(why) => self.close(why),
            Event::AccessEnded(end) => self.sign_out(end),
            Event::DeadlinePassed => self.give_up(),
            Event::Output(id, output) => self.output(id, output),
            Event::Stopping => self.end(Close::GOING_AWAY),
        }
    }

    fn received(&mut self, message: ClientMessage) -> Vec<Action> {
        match message {
            ClientMessage::Init(_) if self.phase != Phase::New => self.close(Close::TOO_MANY_INITS),
            ClientMessage::Init(bearer) => {
                self.phase = Phase::Authenticating;
                vec![Action::Authenticate(bearer)]
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
                self.close(Close::UNAUTHORIZED)
            }
            ClientMessage::Subscribe(id, _) if self.operations.contains_key(&id) => {
                self.close(Close::duplicate(&id))
            }
            ClientMessage::Subscribe(id, call) => {
                self.operations.insert(id.clone(), Kind::Single);
                vec![Action::Start(id, call)]
            }
            // An unknown operation may just have completed.
            ClientMessage::Complete(id) => match self.operations.remove(&id) {
                Some(_) => vec![Action::Stop(id)],
                None => Vec::new(),
            },
        }
    }

    fn output(&mut self, id: String, output: Option<Output>) -> Vec<Action> {
        let Some(kind) = self.operations.get_mut(&id) else {
            return Vec::new();
        };
        let (message, ends) = match output {
            Some(Output::Subscribed) => {
                *kind = Kind::Subscription;
                return match self.ending.take() {
                    Some(why) => self.end(why),
                    None => Vec::new(),
                };
            }
            Some(Output::SignedOut(end)) => {
                self.operations.remove(&id);
                return self.sign_out(end);
            }
            Some(Output::Next { executed, .. }) => {
                (ServerMessage::Next(id.clone(), executed), false)
            }
            Some(Output::Failed(response)) => (ServerMessage::Error(id.clone(), response), true),
            None => (ServerMessage::Complete(id.clone()), true),
        };
        let mut actions = vec![Action::Send(message)];
        if ends {
            self.operations.remove(&id);
            actions.extend(self.close_when_done());
        }
        actions
    }

    /// Ends the access: running queries and mutations still get their response, waiting operations do not start.
    fn sign_out(&mut self, end: AccessEnd) -> Vec<Action> {
        let mut actions = vec![Action::RejectWaiting];
        actions.extend(self.end(Close::access_ended(end)));
        actions
    }

    /// Closes although operations still run.
    fn give_up(&mut self) -> Vec<Action> {
        match self.ending.take() {
            Some(why) => self.close(why),
            None => Vec::new(),
        }
    }

    /// Ends all subscriptions, and closes the socket when all queries and mutations have their response.
    fn end(&mut self, why: Close) -> Vec<Action> {
        self.ending.get_or_insert(why);
        let operations = self.operations.iter();
        let subscriptions = operations.filter(|(_, kind)| **kind == Kind::Subscription);
        let ids: Vec<String> = subscriptions.map(|(id, _)| id.clone()).collect();
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
