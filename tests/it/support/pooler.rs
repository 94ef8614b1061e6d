//! A pooler in transaction mode between the service and PostgreSQL, small enough to be told how to behave.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use super::url_of;

/// A pooler of one database. It lends a server connection until the end of the transaction, the last returned one
/// first.
pub(crate) struct Pooler {
    pub(crate) address: SocketAddr,
    database: String,
    lent: Arc<Lent>,
}

struct Lent {
    servers: Mutex<Vec<Server>>,
    free: Arc<Semaphore>,
    /// Whether it passes on named statements to server connections that do not know them, and lends the connections in
    /// turn.
    mixes: AtomicBool,
}

/// A server connection, and the names of the statements that it has.
struct Server {
    stream: BufReader<UnixStream>,
    statements: Vec<Vec<u8>>,
}

impl Pooler {
    /// A pooler with this many server connections. It keeps the prepared statements of its clients apart, as PgBouncer
    /// since 1.21 does.
    pub(crate) async fn start(database: &str, servers: usize) -> Pooler {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut connections = Vec::new();
        for _ in 0..servers {
            connections.push(Server::open(database).await);
        }
        let lent = Arc::new(Lent {
            servers: Mutex::new(connections),
            free: Arc::new(Semaphore::new(servers)),
            mixes: AtomicBool::new(false),
        });
        let serving = lent.clone();
        tokio::spawn(async move {
            for number in 0.. {
                let (client, _) = listener.accept().await.unwrap();
                let lent = serving.clone();
                tokio::spawn(async move { Client::serve(client, number, &lent).await });
            }
        });
        Pooler {
            address,
            database: database.to_owned(),
            lent,
        }
    }

    /// Whether it mixes up prepared statements from now on, as older ones do.
    pub(crate) fn mix(&self, mixes: bool) {
        self.lent.mixes.store(mixes, Ordering::SeqCst);
    }

    /// The connection string of the database through this pooler.
    pub(crate) fn url(&self) -> String {
        let (address, database) = (self.address, &self.database);
        format!("postgres://snapnote@{address}/{database}?sslmode=disable")
    }
}

impl Lent {
    async fn take(&self) -> (Server, OwnedSemaphorePermit) {
        let permit = self.free.clone().acquire_owned().await.unwrap();
        let mut servers = self.servers.lock().unwrap();
        let server = match self.mixes.load(Ordering::SeqCst) {
            true => servers.remove(0),
            false => servers.pop().unwrap(),
        };
        (server, permit)
    }

    fn give_back(&self, (server, permit): (Server, OwnedSemaphorePermit)) {
        self.servers.lock().unwrap().push(server);
        drop(permit);
    }
}

/// One message: its type, and all its bytes.
async fn message(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<(u8, Vec<u8>)> {
    let kind = stream.read_u8().await.ok()?;
    let length = stream.read_u32().await.ok()?;
    let mut bytes = vec![kind];
    bytes.extend(length.to_be_bytes());
    bytes.resize(1 + length as usize, 0);
    stream.read_exact(&mut bytes[5..]).await.ok()?;
    Some((kind, bytes))
}

fn rebuilt(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind], &length.to_be_bytes()[..], body].concat()
}

impl Server {
    async fn open(database: &str) -> Server {
        let url = url_of(database).await;
        let (_, rest) = url.split_once('@').unwrap();
        let (folder, _) = rest.split_once(":5432").unwrap();
        let folder = percent_decoded(folder);
        let mut stream = UnixStream::connect(format!("{folder}/.s.PGSQL.5432"))
            .await
            .unwrap();
        let parameters = format!("user\0snapnote\0database\0{database}\0\0");
        let length = u32::try_from(parameters.len() + 8).unwrap();
        stream.write_u32(length).await.unwrap();
        stream.write_u32(196_608).await.unwrap();
        stream.write_all(parameters.as_bytes()).await.unwrap();
        let mut stream = BufReader::new(stream);
        while message(&mut stream).await.expect("the server accepts").0 != b'Z' {}
        Server {
            stream,
            statements: Vec::new(),
        }
    }
}

pub(crate) fn percent_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let byte = u8::from_str_radix(&part[..2], 16).unwrap();
        text + &char::from(byte).to_string() + &part[2..]
    })
}

/// A connection of the service.
struct Client<'a> {
    stream: BufReader<TcpStream>,
    number: usize,
    lent: &'a Lent,
    /// The client's statements: how each is prepared.
    statements: HashMap<Vec<u8>, Vec<u8>>,
}

impl Client<'_> {
    async fn serve(stream: TcpStream, number: usize, lent: &Lent) -> Option<()> {
        let mut client = Client {
            stream: BufReader::new(stream),
            number,
            lent,
            statements: HashMap::new(),
        };
        client.accept().await?;
        let mut held = None;
        while let Some(group) = client.group().await {
            let (mut server, permit) = match held.take() {
                Some(held) => held,
                None => lent.take().await,
            };
            let in_transaction = client.pass_on(group, &mut server).await;
            match in_transaction {
                Some(true) => held = Some((server, permit)),
                _ => lent.give_back((server, permit)),
            }
            in_transaction?;
        }
        if let Some((mut server, permit)) = held {
            // Its transaction ends with the client.
            let rollback = rebuilt(b'Q', b"ROLLBACK\0");
            server.stream.write_all(&rollback).await.ok()?;
            while message(&mut server.stream).await?.0 != b'Z' {}
            lent.give_back((server, permit));
        }
        Some(())
    }

    async fn accept(&mut self) -> Option<()> {
        let length = self.stream.read_u32().await.ok()?;
        let mut parameters = vec![0; length as usize - 4];
        self.stream.read_exact(&mut parameters).await.ok()?;
        let ok = rebuilt(b'R', &[0; 4]);
        let key = rebuilt(b'K', &[1; 8]);
        let ready = rebuilt(b'Z', b"I");
        let accepted = [ok, key, ready].concat();
        self.stream.write_all(&accepted).await.ok()
    }

    /// The next messages up to a Sync, or one simple query.
    async fn group(&mut self) -> Option<Vec<(u8, Vec<u8>)>> {
        let mut group = Vec::new();
        loop {
            let (kind, bytes) = message(&mut self.stream).await?;
            group.push((kind, bytes));
            match kind {
                b'X' => return None,
                b'S' | b'Q' => return Some(group),
                _ => {}
            }
        }
    }

    /// Sends the messages to the server, and its responses to the client. Returns whether a transaction is open.
    async fn pass_on(&mut self, group: Vec<(u8, Vec<u8>)>, server: &mut Server) -> Option<bool> {
        let mut prepared_again = 0;
        for (kind, bytes) in group {
            let (name, renamed) = self.renamed(kind, &bytes);
            if let Some(name) = name {
                match kind {
                    b'P' => {
                        self.statements.insert(name.clone(), renamed.clone());
                        server.statements.push(name);
                    }
                    _ if self.lent.mixes.load(Ordering::SeqCst) => {}
                    b'C' => server.statements.retain(|known| *known != name),
                    _ if !server.statements.contains(&name) => {
                        let parse = self.statements.get(&name).expect("it was prepared");
                        server.stream.write_all(parse).await.ok()?;
                        server.statements.push(name);
                        prepared_again += 1;
                    }
                    _ => {}
                }
            }
            server.stream.write_all(&renamed).await.ok()?;
        }
        loop {
            let (kind, bytes) = message(&mut server.stream).await?;
            if kind == b'1' && prepared_again > 0 {
                prepared_again -= 1;
                continue;
            }
            // The responses are read to their end even if the client is gone.
            let _ = self.stream.write_all(&bytes).await;
            if kind == b'Z' {
                return Some(bytes[5] != b'I');
            }
        }
    }

    /// The name of the statement in a message, and the message with a name that no other client uses.
    fn renamed(&self, kind: u8, bytes: &[u8]) -> (Option<Vec<u8>>, Vec<u8>) {
        let body = &bytes[5..];
        let start = match kind {
            b'P' => 0,
            // After the name of the portal.
            b'B' => 1 + body.iter().position(|byte| *byte == 0).unwrap(),
            b'D' | b'C' if body[0] == b'S' => 1,
            _ => return (None, bytes.to_vec()),
        };
        let length = body[start..].iter().position(|byte| *byte == 0).unwrap();
        let (before, rest) = body.split_at(start);
        let (name, after) = rest.split_at(length);
        if name.is_empty() {
            return (None, bytes.to_vec());
        }
        let name = [format!("client_{}_", self.number).as_bytes(), name].concat();
        let body = [before, &name, after].concat();
        (Some(name), rebuilt(kind, &body))
    }
}
