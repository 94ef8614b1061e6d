//! A proxy before the service or its database: it forwards in small pieces, and closes connections in the middle of anything.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    net::{TcpListener, TcpSocket, TcpStream, UnixStream},
    task::AbortHandle,
};

use super::environment::Random;

/// Small socket buffers, so that slow readers delay their writers.
const NARROW: u32 = 8192;

/// The target of the connections.
#[derive(Clone)]
pub(super) enum Destination {
    Service(SocketAddr),
    Database(PathBuf),
}

/// One address for a target that may move.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    lines: Arc<Connections>,
    listening: AbortHandle,
}

struct Connections {
    destination: Mutex<Option<Destination>>,
    open: Mutex<Vec<AbortHandle>>,
    random: Mutex<Random>,
    /// Whether connections break at random, after some bytes.
    rough: AtomicBool,
    cuts: AtomicU64,
}

impl Proxy {
    pub(super) async fn start(destination: Option<Destination>, random: Random) -> Proxy {
        let socket = TcpSocket::new_v4().unwrap();
        // Accepted connections inherit it.
        socket.set_send_buffer_size(NARROW).unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let listener = socket.listen(128).unwrap();
        let lines = Arc::new(Connections {
            destination: Mutex::new(destination),
            open: Mutex::default(),
            random: Mutex::new(random),
            rough: AtomicBool::new(false),
            cuts: AtomicU64::new(0),
        });
        Proxy {
            address: listener.local_addr().unwrap(),
            lines: lines.clone(),
            listening: tokio::spawn(listen(listener, lines)).abort_handle(),
        }
    }

    /// Sets the target, or none.
    pub(super) fn lead(&self, destination: Option<Destination>) {
        *self.lines.destination.lock().unwrap() = destination;
    }

    pub(super) fn set_rough(&self, rough: bool) {
        self.lines.rough.store(rough, Ordering::Relaxed);
    }

    /// Closes one in so many of the open connections.
    pub(super) fn cut(&self, one_in: u64) {
        let mut random = self.lines.random.lock().unwrap();
        for line in self.lines.open.lock().unwrap().iter() {
            if !line.is_finished() && random.below(one_in) == 0 {
                line.abort();
                self.lines.cuts.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// How many connections were closed.
    pub(super) fn cuts(&self) -> u64 {
        self.lines.cuts.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        for line in self.lines.open.lock().unwrap().iter() {
            line.abort();
        }
    }
}

async fn listen(listener: TcpListener, lines: Arc<Connections>) {
    while let Ok((client, _)) = listener.accept().await {
        let line = tokio::spawn(lines.clone().carry(client)).abort_handle();
        let mut open = lines.open.lock().unwrap();
        open.retain(|line| !line.is_finished());
        open.push(line);
    }
}

impl Connections {
    async fn carry(self: Arc<Connections>, client: TcpStream) {
        let destination = self.destination.lock().unwrap().clone();
        match destination {
            Some(Destination::Service(address)) => {
                let socket = TcpSocket::new_v4().unwrap();
                socket.set_recv_buffer_size(NARROW).unwrap();
                if let Ok(server) = socket.connect(address).await {
                    let most = self.life();
                    self.between(client, server, most).await;
                }
            }
            Some(Destination::Database(path)) => {
                if let Ok(server) = UnixStream::connect(path).await {
                    self.between(client, server, u64::MAX).await;
                }
            }
            None => {}
        }
    }

    /// After how many bytes of responses a new connection breaks.
    fn life(&self) -> u64 {
        let mut random = self.random.lock().unwrap();
        match (self.rough.load(Ordering::Relaxed), random.below(8)) {
            (false, _) => u64::MAX,
            (true, 0) => random.below(1000),
            (true, _) => random.below(100_000),
        }
    }

    async fn between(&self, client: TcpStream, server: impl AsyncRead + AsyncWrite, most: u64) {
        let (from_client, to_client) = split(client);
        let (from_server, to_server) = split(server);
        let broke = tokio::select! {
            broke = pass(from_server, to_client, most) => broke,
            broke = pass(from_client, to_server, u64::MAX) => broke,
        };
        self.cuts.fetch_add(u64::from(broke), Ordering::Relaxed);
    }
}

/// Forwards until one end closes, or until so many bytes were forwarded, which returns true.
async fn pass(from: impl AsyncRead, to: impl AsyncWrite, most: u64) -> bool {
    let (mut from, mut to) = (std::pin::pin!(from), std::pin::pin!(to));
    let mut left = most;
    let mut piece = [0; 2048];
    while let Ok(read @ 1..) = from.read(&mut piece).await {
        let part = left.min(read as u64);
        if to.write_all(&piece[..part as usize]).await.is_err() {
            return false;
        }
        left -= part;
        if part < read as u64 {
            return true;
        }
    }
    false
}
