//! HTTP connections, byte by byte.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, ToSocketAddrs},
};

use super::{Answer, eventually, soon};

/// A connection over which these bytes have been sent.
pub(crate) async fn sent(address: SocketAddr, bytes: impl AsRef<[u8]>) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_ref()).await.unwrap();
    stream
}

/// A listener at the address of a server that has stopped. A connection of another test may have its port for a while.
pub(crate) async fn listener_at(address: impl ToSocketAddrs + Copy) -> TcpListener {
    eventually("the port is free", async || {
        TcpListener::bind(address).await
    })
    .await
}

/// Reads a response to the end of the connection, which may also break.
pub(crate) async fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let _ = soon("the connection ends", stream.read_to_end(&mut bytes)).await;
    Answer::parse(&bytes)
}

/// Reads what has arrived of a response on a connection that stays open.
pub(crate) async fn read_some(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 8192];
    let read = soon("a response", stream.read(&mut bytes)).await;
    String::from_utf8_lossy(&bytes[..read.unwrap()]).into_owned()
}

/// A request that is in flight until its connection ends: the service has begun to wait for its body.
pub(crate) async fn unfinished_request(address: SocketAddr) -> TcpStream {
    let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\
        expect: 100-continue\r\n\r\n";
    let mut stream = sent(address, head).await;
    assert!(read_some(&mut stream).await.starts_with("HTTP/1.1 100 "));
    stream.write_all(b"{").await.unwrap();
    stream
}
