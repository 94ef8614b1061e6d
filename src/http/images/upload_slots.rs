//! Slots of uploads in this process: one request at a time per upload, and a maximum number of uploads.
//!
//! The maximum keeps one signed link from opening any number of connections and files. A client whose connection broke must be able to send
//! again at once, but the service does not always learn that a connection broke. Therefore a request that has waited for bytes for a moment
//! loses its slot to the next request for the same upload. A request that is writing bytes keeps it.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::UploadSettings;

/// All slots of a process.
pub(in crate::http) struct UploadSlots {
    max: usize,
    takeover_after: Duration,
    /// By the upload's id.
    in_use: Mutex<HashMap<Uuid, Sender>>,
    next_number: AtomicU64,
}

/// The request that holds a slot.
struct Sender {
    number: u64,
    /// When it began to wait for bytes; `None` while it writes.
    waiting_since: Option<Instant>,
    taken_over: CancellationToken,
}

/// Why no slot is available.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoSlot {
    /// Another request is sending this upload.
    InUse,
    /// The maximum number of uploads is in progress.
    Full,
}

impl UploadSlots {
    pub(in crate::http) fn new(settings: &UploadSettings) -> Self {
        UploadSlots {
            max: settings.max_uploads,
            takeover_after: settings.takeover_after,
            in_use: Mutex::default(),
            next_number: AtomicU64::new(0),
        }
    }

    /// Acquires the slot of an upload. Dropping the slot releases it.
    pub(super) fn acquire(&self, upload: Uuid) -> Result<UploadSlot<'_>, NoSlot> {
        let mut in_use = self.in_use.lock();
        match in_use.get(&upload) {
            Some(other) => {
                let waited = other.waiting_since.map(|since| since.elapsed());
                if waited.is_none_or(|waited| waited < self.takeover_after) {
                    return Err(NoSlot::InUse);
                }
                other.taken_over.cancel();
            }
            None if in_use.len() >= self.max => return Err(NoSlot::Full),
            None => {}
        }
        let slot = UploadSlot {
            slots: self,
            upload,
            number: self.next_number.fetch_add(1, Ordering::Relaxed),
            taken_over: CancellationToken::new(),
        };
        let sender = Sender {
            number: slot.number,
            waiting_since: None,
            taken_over: slot.taken_over.clone(),
        };
        in_use.insert(upload, sender);
        Ok(slot)
    }
}

/// The slot of one request.
pub(super) struct UploadSlot<'a> {
    slots: &'a UploadSlots,
    upload: Uuid,
    number: u64,
    taken_over: CancellationToken,
}

impl UploadSlot<'_> {
    /// Notes that the request waits for bytes. Returns false if another request has taken over the slot; the upload must end then.
    pub(super) fn start_waiting(&self) -> bool {
        self.set_waiting(Some(Instant::now()))
    }

    /// Notes that the request writes bytes and keeps its slot. Returns false as [`UploadSlot::start_waiting`] does.
    pub(super) fn stop_waiting(&self) -> bool {
        self.set_waiting(None)
    }

    fn set_waiting(&self, since: Option<Instant>) -> bool {
        match self.slots.in_use.lock().get_mut(&self.upload) {
            Some(sender) if sender.number == self.number => {
                sender.waiting_since = since;
                true
            }
            _ => false,
        }
    }

    /// Returns when another request has taken over the slot.
    pub(super) async fn taken_over(&self) {
        self.taken_over.cancelled().await;
    }
}

impl Drop for UploadSlot<'_> {
    fn drop(&mut self) {
        let mut in_use = self.slots.in_use.lock();
        let sender = in_use.get(&self.upload);
        if sender.is_some_and(|sender| sender.number == self.number) {
            in_use.remove(&self.upload);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Uuid = Uuid::from_u128(1);
    const SECOND: Uuid = Uuid::from_u128(2);
    const THIRD: Uuid = Uuid::from_u128(3);

    fn slots(max_uploads: usize, takeover_after: Duration) -> UploadSlots {
        UploadSlots::new(&UploadSettings {
            max_uploads,
            takeover_after,
            ..UploadSettings::default()
        })
    }

    fn rejected(slots: &UploadSlots, upload: Uuid) -> Option<NoSlot> {
        slots.acquire(upload).err()
    }

    #[test]
    fn each_upload_has_one_slot_and_the_total_is_limited() {
        let slots = slots(2, Duration::MAX);
        let first = slots.acquire(FIRST).expect("a slot");
        assert_eq!(rejected(&slots, FIRST), Some(NoSlot::InUse));
        let second = slots.acquire(SECOND).expect("a slot");
        assert_eq!(rejected(&slots, THIRD), Some(NoSlot::Full));
        assert_eq!(rejected(&slots, FIRST), Some(NoSlot::InUse), "not Full");
        drop(first);
        assert_eq!(rejected(&slots, THIRD), None);
        assert_eq!(rejected(&slots, FIRST), None, "released at once");
        assert!(second.start_waiting() && second.stop_waiting());
    }

    #[tokio::test]
    async fn a_waiting_request_loses_its_slot_and_a_writing_one_keeps_it() {
        let slots = slots(1, Duration::ZERO);
        let first = slots.acquire(FIRST).expect("a slot");
        assert_eq!(rejected(&slots, FIRST), Some(NoSlot::InUse), "not started");
        assert!(first.start_waiting() && first.stop_waiting());
        assert_eq!(rejected(&slots, FIRST), Some(NoSlot::InUse), "writing");
        assert!(first.start_waiting());
        let second = slots.acquire(FIRST).expect("the slot is taken over");
        first.taken_over().await;
        assert!(!first.start_waiting() && !first.stop_waiting());
        drop(first);
        assert!(second.stop_waiting(), "the second request has its own slot");
        assert_eq!(rejected(&slots, FIRST), Some(NoSlot::InUse));
        drop(second);
        assert!(slots.in_use.lock().is_empty());
    }

    #[test]
    fn a_request_that_waits_only_briefly_keeps_its_slot() {
        let slots = slots(1, Duration::from_secs(3600));
        let first = slots.acquire(FIRST).expect("a slot");
        assert!(first.start_waiting());
        assert_eq!(rejected(&slots, FIRST), Some(NoSlot::InUse));
    }
}
