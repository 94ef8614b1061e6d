//! A proxy between the service and its database that injects faults.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use std::sync::Arc;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::support::Numbers;

/// At random moments, one in this many pieces meets a fault.
const ONE_IN: usize = 30;

/// What happens to the bytes of all connections, new ones included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// Connections are closed at random moments: before a piece, in the middle of it, or after it.
    Cut,
    /// At random moments, one direction of a connection is closed, and the other one stays open.
    HalfClosed,
    /// Nothing is forwarded. A connection that lost bytes stays dead when the fault ends.
    BlackHole,
    /// Nothing is forwarded until the fault ends, and then everything, e.g. a COMMIT of which the service knows nothing any more.
    Stall,
    /// Responses arrive later.
    Latency(Duration),
    /// One byte per second, in each direction.
    Trickle,
}

/// A proxy with one address. Its connections end when it is dropped.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    fault: watch::Sender<Fault>,
    faults: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

/// What the connections of a proxy share.
#[derive(Clone)]
struct Weather {
    fault: watch::Receiver<Fault>,
    numbers: Arc<Mutex<Numbers>>,
    faults: Arc<AtomicU64>,
}

impl Proxy {
    /// A proxy of the socket of a server.
    pub(super) async fn start(socket: PathBuf, seed: u64) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (fault, receiver) = watch::channel(Fault::None);
        let weather = Weather {
            fault: receiver,
            numbers: Arc::new(Mutex::new(Numbers(seed))),
            faults: Arc::default(),
        };
        let faults = weather.faults.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                connections.spawn(carry(client, socket.clone(), weather.clone()));
            }
        });
        Proxy {
            address,
            fault,
            faults,
            _tasks: tasks,
        }
    }

    pub(super) fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// How many pieces have met a fault.
    pub(super) fn faults(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }
}

async fn carry(client: TcpStream, socket: PathBuf, weather: Weather) {
    let _ = client.set_nodelay(true);
    let Ok(server) = UnixStream::connect(socket).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = weather.clone().pass(from_client, to_server, false) => {}
        () = weather.pass(from_server, to_client, true) => {}
    }
}

impl Weather {
    /// Forwards one direction until it ends.
    async fn pass(
        mut self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        is_response: bool,
    ) {
        let mut piece = vec![0; 4096];
        while let Ok(read @ 1..) = from.read(&mut piece).await {
            let fault = *self.fault.borrow();
            let piece = &piece[..read];
            let forwarded = match fault {
                Fault::None => to.write_all(piece).await.is_ok(),
                Fault::Cut | Fault::HalfClosed if self.numbers.lock().below(ONE_IN) > 0 => {
                    to.write_all(piece).await.is_ok()
                }
                Fault::Cut => {
                    self.count();
                    let part = self.numbers.lock().one_of(&[0, read / 2, read]);
                    let _ = to.write_all(&piece[..part]).await;
                    false
                }
                Fault::HalfClosed => {
                    let _ = to.shutdown().await;
                    self.count();
                    discard(&mut from).await;
                    false
                }
                Fault::BlackHole => {
                    self.count();
                    discard(&mut from).await;
                    false
                }
                Fault::Stall => {
                    self.count();
                    let _ = self.fault.wait_for(|fault| *fault != Fault::Stall).await;
                    to.write_all(piece).await.is_ok()
                }
                Fault::Latency(time) => {
                    self.count();
                    if is_response {
                        sleep(time).await;
                    }
                    to.write_all(piece).await.is_ok()
                }
                Fault::Trickle => self.trickle(piece, &mut to).await,
            };
            if !forwarded {
                return;
            }
        }
    }

    fn count(&self) {
        self.faults.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes a byte per second while the fault lasts, and then the rest.
    async fn trickle(&mut self, piece: &[u8], to: &mut (impl AsyncWrite + Unpin)) -> bool {
        self.count();
        for (index, byte) in piece.iter().enumerate() {
            if to.write_all(&[*byte]).await.is_err() {
                return false;
            }
            let ended = self.fault.wait_for(|fault| *fault != Fault::Trickle);
            if timeout(Duration::from_secs(1), ended).await.is_ok() {
                return to.write_all(&piece[index + 1..]).await.is_ok();
            }
        }
        true
    }
}

/// Reads until the end.
async fn discard(from: &mut (impl AsyncRead + Unpin)) {
    let _ = tokio::io::copy(from, &mut tokio::io::sink()).await;
}
