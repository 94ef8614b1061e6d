//! The running operations of one socket.
//!
//! Each operation runs in a task of its own and hands over one output at a time. The socket takes it when the previous output has been sent.
//! A client that reads slowly therefore delays only its own operations, between two outputs.

use std::{collections::HashMap, sync::Arc};

use futures_util::StreamExt;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::{
    super::{
        EdgeState,
        streams::{
            live_auth::LiveAuth,
            operation::{self, Output},
        },
    },
    machine::MAX_CONCURRENT,
};
use crate::graphql::Call;

pub(super) struct Operations {
    state: EdgeState,
    running: HashMap<String, Running>,
    /// How many were started.
    started: u64,
    /// Slots of queries and mutations, including those that the client no longer waits for.
    slots: Arc<Semaphore>,
    outputs: mpsc::Receiver<Box<OperationOutput>>,
    sender: mpsc::Sender<Box<OperationOutput>>,
}

struct Running {
    number: u64,
    _task: AbortOnDropHandle<()>,
}

/// An output of an operation. `None`: the operation is complete.
pub(super) struct OperationOutput {
    /// Distinguishes the operation from an earlier one with the same id.
    number: u64,
    pub(super) id: String,
    pub(super) output: Option<Output>,
}

impl Operations {
    pub(super) fn new(state: EdgeState) -> Self {
        let (sender, outputs) = mpsc::channel(1);
        Operations {
            state,
            running: HashMap::new(),
            started: 0,
            slots: Arc::new(Semaphore::new(MAX_CONCURRENT)),
            outputs,
            sender,
        }
    }

    /// The next output of any operation. Cancel-safe.
    pub(super) async fn next(&mut self) -> Box<OperationOutput> {
        match self.outputs.recv().await {
            Some(output) => output,
            None => std::future::pending().await,
        }
    }

    /// Whether an output belongs to a running operation. Removes the operation if this is its last output.
    pub(super) fn accept(&mut self, output: &OperationOutput) -> bool {
        let running = self.running.get(&output.id);
        if running.is_none_or(|running| running.number != output.number) {
            return false;
        }
        if matches!(
            output.output,
            None | Some(Output::Failed(_) | Output::SignedOut(_))
        ) {
            self.running.remove(&output.id);
        }
        true
    }

    pub(super) fn start(&mut self, id: String, auth: LiveAuth, call: Call) {
        self.started += 1;
        let (number, name, sender) = (self.started, id.clone(), self.sender.clone());
        let mut outputs = operation::outputs(self.state.clone(), auth, call, self.slots.clone());
        let task = tokio::spawn(async move {
            loop {
                let output = outputs.next().await;
                let ended = output.is_none();
                let id = name.clone();
                let output = Box::new(OperationOutput { number, id, output });
                if sender.send(output).await.is_err() || ended {
                    return;
                }
            }
        });
        let _task = AbortOnDropHandle::new(task);
        self.running.insert(id, Running { number, _task });
    }

    pub(super) fn stop(&mut self, id: &str) {
        self.running.remove(id);
    }

    pub(super) fn stop_all(&mut self) {
        self.running.clear();
    }

    /// Operations that wait for a slot end without running.
    pub(super) fn reject_waiting(&self) {
        self.slots.close();
    }
}
