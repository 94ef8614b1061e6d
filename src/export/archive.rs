//! The zip file of an export. It is made while it is sent, so its size is not known before.

use std::{
    io::{self, Write},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::{sync::mpsc, time::timeout};
use tokio_util::bytes::Bytes;
use zip::{
    CompressionMethod, ZipWriter,
    write::{SimpleFileOptions, StreamWriter},
};

use super::{MAX_PAUSE, Piece};
use crate::error::Error;

/// Bytes that are compressed at once. Takes about a millisecond.
const CHUNK: usize = 64 * 1024;
/// Bytes that are sent at once.
const PIECE: usize = 64 * 1024;

/// What the zip library writes to.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A zip file that is being sent.
pub(super) struct Archive {
    zip: Option<ZipWriter<StreamWriter<Buffer>>>,
    buffer: Buffer,
    out: mpsc::Sender<Piece>,
}

impl Archive {
    pub(super) fn new(out: mpsc::Sender<Piece>) -> Archive {
        let buffer = Buffer::default();
        Archive {
            zip: Some(ZipWriter::new_stream(buffer.clone())),
            buffer,
            out,
        }
    }

    /// Starts a file. Images are compressed already.
    pub(super) fn begin(&mut self, name: &str, compressed: bool) -> Result<(), Error> {
        let method = match compressed {
            true => CompressionMethod::Deflated,
            false => CompressionMethod::Stored,
        };
        let options = SimpleFileOptions::default()
            .compression_method(method)
            .large_file(compressed);
        let zip = self.zip()?;
        zip.start_file(name, options).map_err(Error::internal)
    }

    /// Adds bytes to the current file.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        for chunk in bytes.chunks(CHUNK) {
            self.zip()?.write_all(chunk).map_err(Error::internal)?;
            self.send(PIECE).await?;
        }
        Ok(())
    }

    /// Adds a whole file.
    pub(super) async fn add(&mut self, name: &str, text: &str) -> Result<(), Error> {
        self.begin(name, true)?;
        self.write(text.as_bytes()).await
    }

    /// Adds the directory of the zip file, and sends what is left.
    pub(super) async fn finish(&mut self) -> Result<(), Error> {
        if let Some(zip) = self.zip.take() {
            zip.finish().map_err(Error::internal)?;
        }
        self.send(1).await
    }

    fn zip(&mut self) -> Result<&mut ZipWriter<StreamWriter<Buffer>>, Error> {
        let finished = || Error::internal("the archive of an export is finished");
        self.zip.as_mut().ok_or_else(finished)
    }

    /// Sends what is buffered, if it has at least `min` bytes.
    async fn send(&mut self, min: usize) -> Result<(), Error> {
        let piece = {
            let mut buffer = self.buffer.0.lock();
            if buffer.len() < min {
                return Ok(());
            }
            std::mem::take(&mut *buffer)
        };
        let sent = timeout(MAX_PAUSE, self.out.send(Ok(Bytes::from(piece)))).await;
        let sent = sent.map_err(|_| Error::timeout("the client of an export stopped reading"))?;
        sent.map_err(|_| Error::unavailable("the client of an export has disconnected"))
    }
}
