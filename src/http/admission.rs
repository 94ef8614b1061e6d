//! Which connections are served while connection slots or file descriptors run out.
//!
//! A connection needs a slot until it ends or becomes a WebSocket, and a file descriptor until it is closed. Without both it
//! is accepted into a small reserve. There, health checks are answered, and other requests wait. If the reserve is full, its
//! oldest connection has to leave, so clients that send nothing cannot keep health checks out.
//!
//! The budget of file descriptors leaves some for the database, images and the reserve. If the process runs out of them
//! nevertheless, a spare one is closed to accept a single connection in its place, on which only health checks are answered.

use std::{
    collections::VecDeque,
    convert::Infallible,
    fs::File,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
    time::Duration,
};

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use hyper::body::Incoming;
use nix::errno::Errno;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{AcquireError, OnceCell, OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::{negotiate::MediaType, response::Reply};
use crate::{error::Error, graphql::error};

/// Connections in the reserve at the same time.
pub(super) const RESERVE: usize = 8;
/// How long the accept loop waits for a connection that has to leave, before it asks the next one.
const LEAVE_TIME: Duration = Duration::from_millis(50);
/// Pause after an error of the listener.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// Interval of warnings.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// An accepted connection, its client's address, and its ticket.
pub(super) type Accepted = (TcpStream, SocketAddr, Ticket);

/// Accepts connections, and decides how each is served.
pub(super) struct Admission {
    limits: Limits,
    reserve: Arc<Semaphore>,
    /// The connections in the reserve, the oldest first.
    reserved: VecDeque<Weak<Inner>>,
    /// A file descriptor that can be closed to accept a connection.
    spare: Option<File>,
    /// Whether the spare one was closed for the next connection.
    freed: bool,
    /// The permit for the connection that uses the spare descriptor.
    borrow: Arc<Semaphore>,
    borrower: Weak<Inner>,
    warned_of_descriptors: Warning,
    warned_of_slots: Warning,
}

/// When a warning was logged last.
#[derive(Default)]
pub(super) struct Warning(Option<Instant>);

impl Warning {
    /// Whether to log it again now.
    pub(super) fn is_due(&mut self) -> bool {
        let is_due = self.0.is_none_or(|at| at.elapsed() > WARNING_INTERVAL);
        if is_due {
            self.0 = Some(Instant::now());
        }
        is_due
    }
}

#[derive(Clone)]
struct Limits {
    slots: Arc<Semaphore>,
    descriptors: Arc<Semaphore>,
}

/// The file descriptor of a connection, in the budget. It is free again when all clones are dropped.
#[derive(Clone, Default)]
pub(super) struct Descriptor(Arc<OnceLock<OwnedSemaphorePermit>>);

/// The permission of one connection to be served. Its slot is free again when all clones are dropped.
#[derive(Clone)]
pub(super) struct Ticket(Arc<Inner>);

struct Inner {
    limits: Limits,
    slot: OnceCell<OwnedSemaphorePermit>,
    descriptor: Descriptor,
    /// The permit of the reserve, or of the spare descriptor, while there is no slot.
    temporary: Mutex<Option<OwnedSemaphorePermit>>,
    /// Whether a request may wait for a slot.
    may_wait: bool,
    must_leave: CancellationToken,
}

/// How a request is served.
enum Entry {
    /// Normally. The connection has a slot.
    Slot,
    /// As the only request of the connection: it is a health check.
    HealthCheck,
    /// Not at all.
    Rejected,
}

impl Admission {
    /// `max_connections`: the number of slots. `max_open`: the budget of file descriptors.
    pub(super) fn new(max_connections: usize, max_open: usize) -> Self {
        let semaphore =
            |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        Admission {
            limits: Limits {
                slots: semaphore(max_connections),
                descriptors: semaphore(max_open),
            },
            reserve: Arc::new(Semaphore::new(RESERVE)),
            reserved: VecDeque::new(),
            spare: open_spare(),
            freed: false,
            borrow: Arc::new(Semaphore::new(1)),
            borrower: Weak::new(),
            warned_of_descriptors: Warning::default(),
            warned_of_slots: Warning::default(),
        }
    }

    /// The next connection. If the returned future is dropped, no connection is lost.
    pub(super) async fn accept(&mut self, listener: &TcpListener) -> (TcpStream, SocketAddr) {
        loop {
            if self.spare.is_none() && !self.freed && self.borrow.available_permits() > 0 {
                self.spare = open_spare();
            }
            match listener.accept().await {
                Ok(accepted) => return accepted,
                Err(error) if is_exhausted(&error) => self.free_descriptor(&error).await,
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection failed; retrying");
                    sleep(RETRY_PAUSE).await;
                }
            }
        }
    }

    /// The next connection that waits to be accepted, if there is one that can be served at once.
    ///
    /// # Errors
    /// As `accept(2)`.
    pub(super) fn accept_waiting(
        &self,
        listener: &std::net::TcpListener,
    ) -> io::Result<Option<Accepted>> {
        let ticket = self.ticket(None, true);
        while ticket.0.slot.initialized() || ticket.0.try_enter() {
            let (stream, address) = match listener.accept() {
                Ok(accepted) => accepted,
                // This client has gone.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            stream.set_nonblocking(true)?;
            return Ok(Some((TcpStream::from_std(stream)?, address, ticket)));
        }
        Ok(None)
    }

    /// Makes room for one connection if the process is out of file descriptors.
    async fn free_descriptor(&mut self, error: &io::Error) {
        if self.warned_of_descriptors.is_due() {
            tracing::warn!(
                %error,
                "out of file descriptors; only health checks are answered on new connections. Raise the limit of open files"
            );
        }
        if self.spare.take().is_some() {
            self.freed = true;
            return;
        }
        self.freed = false;
        match self.borrower.upgrade() {
            Some(borrower) => {
                borrower.must_leave.cancel();
                drop(borrower);
                let _ = timeout(LEAVE_TIME, self.borrow.acquire()).await;
            }
            None => sleep(RETRY_PAUSE).await,
        }
    }

    /// Decides how the connection that was just accepted is served.
    pub(super) async fn admit(&mut self) -> Ticket {
        self.freed = false;
        if self.spare.is_none() {
            self.spare = open_spare();
        }
        if self.spare.is_none()
            && let Ok(permit) = self.borrow.clone().try_acquire_owned()
        {
            let ticket = self.ticket(Some(permit), false);
            self.borrower = Arc::downgrade(&ticket.0);
            return ticket;
        }
        let ticket = self.ticket(None, true);
        if ticket.0.try_enter() {
            return ticket;
        }
        if self.warned_of_slots.is_due() {
            tracing::warn!(
                "all client connections are in use; requests on new ones wait or get 503"
            );
        }
        let permit = self.reserve_permit().await;
        ticket.0.set_temporary(Some(permit));
        self.reserved.retain(|other| {
            let other = other.upgrade();
            other.is_some_and(|other| !other.slot.initialized())
        });
        self.reserved.push_back(Arc::downgrade(&ticket.0));
        ticket
    }

    fn ticket(&self, temporary: Option<OwnedSemaphorePermit>, may_wait: bool) -> Ticket {
        Ticket(Arc::new(Inner {
            limits: self.limits.clone(),
            slot: OnceCell::new(),
            descriptor: Descriptor::default(),
            temporary: Mutex::new(temporary),
            may_wait,
            must_leave: CancellationToken::new(),
        }))
    }

    /// A permit of the reserve. If none is free, the oldest connection has to leave.
    async fn reserve_permit(&mut self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(permit) = self.reserve.clone().try_acquire_owned() {
                return permit;
            }
            let oldest = self.reserved.pop_front();
            if let Some(oldest) = oldest.and_then(|oldest| oldest.upgrade()) {
                oldest.must_leave.cancel();
            }
            if let Ok(Ok(permit)) = timeout(LEAVE_TIME, self.reserve.clone().acquire_owned()).await
            {
                return permit;
            }
        }
    }
}

impl Ticket {
    /// To be held as long as the connection is open.
    pub(super) fn descriptor(&self) -> Descriptor {
        self.0.descriptor.clone()
    }

    /// Returns when the connection has to leave the reserve. Never returns if it has a slot.
    pub(super) async fn must_leave(&self) {
        self.0.must_leave.cancelled().await;
        if self.0.slot.initialized() {
            std::future::pending::<()>().await;
        }
    }

    /// Serves a request as far as the ticket allows.
    pub(super) async fn serve(
        self,
        mut router: Router,
        request: Request<Incoming>,
    ) -> Result<Response, Infallible> {
        let entry = self.0.enter(request.uri().path()).await;
        let mut response = match entry {
            Entry::Slot => return router.call(request).await,
            Entry::HealthCheck => router.call(request).await?,
            Entry::Rejected => overloaded(),
        };
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
        Ok(response)
    }
}

impl Inner {
    async fn enter(&self, path: &str) -> Entry {
        if self.slot.initialized() {
            return Entry::Slot;
        }
        if matches!(path, "/healthz" | "/readyz") {
            return Entry::HealthCheck;
        }
        if !self.may_wait {
            return Entry::Rejected;
        }
        let slot = tokio::select! {
            slot = self.slot.get_or_try_init(|| self.wait()) => slot,
            () = self.must_leave.cancelled() => return Entry::Rejected,
        };
        if slot.is_err() {
            return Entry::Rejected;
        }
        self.set_temporary(None);
        Entry::Slot
    }

    /// Waits for a descriptor of the budget and a slot.
    async fn wait(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        if self.descriptor.0.get().is_none() {
            let permit = self.limits.descriptors.clone().acquire_owned().await?;
            let _ = self.descriptor.0.set(permit);
        }
        self.limits.slots.clone().acquire_owned().await
    }

    /// Takes a descriptor of the budget and a slot, if both are free.
    fn try_enter(&self) -> bool {
        let descriptor = self.limits.descriptors.clone().try_acquire_owned();
        let slot = self.limits.slots.clone().try_acquire_owned();
        let (Ok(descriptor), Ok(slot)) = (descriptor, slot) else {
            return false;
        };
        self.descriptor.0.set(descriptor).is_ok() && self.slot.set(slot).is_ok()
    }

    fn set_temporary(&self, permit: Option<OwnedSemaphorePermit>) {
        let temporary = self.temporary.lock();
        *temporary.unwrap_or_else(PoisonError::into_inner) = permit;
    }
}

fn open_spare() -> Option<File> {
    File::open("/dev/null").ok()
}

/// Whether the process or the system is out of file descriptors.
fn is_exhausted(error: &io::Error) -> bool {
    let number = error.raw_os_error().map(Errno::from_raw);
    matches!(number, Some(Errno::EMFILE | Errno::ENFILE))
}

/// The response to a request that gets no slot.
fn overloaded() -> Response {
    // Without a detail, it is not logged: the accept loop has warned.
    let busy = Error::unavailable("");
    let mut response = error::error_response(busy);
    error::finish(&mut response, "");
    Reply::not_executed(StatusCode::SERVICE_UNAVAILABLE, response).write(MediaType::Json)
}
