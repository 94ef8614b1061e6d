//! A backup on disk: a folder, or a single zip file with the same files. It is written under a temporary name, synchronized to
//! disk and then renamed, so that a backup with its final name is complete.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    mem::ManuallyDrop,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

use super::{
    super::unfinished::{Unfinished, new_file},
    manifest::{FileEntry, Hasher, MANIFEST, Manifest},
};

/// A backup that is being written. Dropping it deletes what was written.
pub(super) struct Writer {
    unfinished: Unfinished,
    output: Output,
    current: Option<(String, Hasher)>,
    files: BTreeMap<String, FileEntry>,
}

enum Output {
    Folder(Option<File>),
    /// Not dropped if the backup fails: the library would try to complete the file, and print why it cannot.
    Zip(ManuallyDrop<Box<ZipWriter<File>>>),
}

impl Writer {
    /// Starts a backup at this path, which must not exist. A path that ends with `.zip` is a single file.
    pub(super) fn create(path: &Path) -> io::Result<Writer> {
        let (unfinished, output) = if is_zip(path) {
            let (unfinished, file) = Unfinished::file(path)?;
            let zip = ManuallyDrop::new(Box::new(ZipWriter::new(file)));
            (unfinished, Output::Zip(zip))
        } else {
            (Unfinished::folder(path)?, Output::Folder(None))
        };
        Ok(Writer {
            unfinished,
            output,
            current: None,
            files: BTreeMap::new(),
        })
    }

    /// Starts the next file.
    pub(super) fn begin(&mut self, name: &str) -> io::Result<()> {
        match &mut self.output {
            Output::Folder(file) => {
                let root = self.unfinished.temporary();
                let path = root.join(name);
                let folder = path.parent().unwrap_or(root);
                let mut builder = fs::DirBuilder::new();
                builder.recursive(true).mode(0o700).create(folder)?;
                *file = Some(new_file(&path)?);
            }
            // The dump is compressed already, and so are images.
            Output::Zip(zip) => {
                let options = SimpleFileOptions::default()
                    .compression_method(CompressionMethod::Stored)
                    .unix_permissions(0o600)
                    .large_file(true);
                zip.start_file(name, options)?;
            }
        }
        self.current = Some((name.to_owned(), Hasher::default()));
        Ok(())
    }

    /// Adds bytes to the current file.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some((_, hasher)) = &mut self.current {
            hasher.update(bytes);
        }
        match &mut self.output {
            Output::Folder(Some(file)) => file.write_all(bytes),
            Output::Folder(None) => Err(io::Error::other("no file was started")),
            Output::Zip(zip) => zip.write_all(bytes),
        }
    }

    /// Ends the current file.
    pub(super) fn end(&mut self) -> io::Result<()> {
        if let Output::Folder(file) = &mut self.output
            && let Some(file) = file.take()
        {
            file.sync_all()?;
        }
        if let Some((name, hasher)) = self.current.take() {
            self.files.insert(name, hasher.finish());
        }
        Ok(())
    }

    /// Adds a whole file.
    pub(super) fn add(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.begin(name)?;
        self.write(bytes)?;
        self.end()
    }

    /// The files so far.
    pub(super) fn files(&self) -> &BTreeMap<String, FileEntry> {
        &self.files
    }

    /// Adds the manifest, and synchronizes everything to disk.
    pub(super) fn seal(mut self, manifest: &Manifest) -> Result<Sealed, String> {
        let shown = self.unfinished.temporary().display().to_string();
        let failed = |error: io::Error| format!("writing {shown} failed: {error}");
        let json = serde_json::to_vec_pretty(manifest).map_err(|error| error.to_string())?;
        self.add(MANIFEST, &json).map_err(failed)?;
        match self.output {
            Output::Folder(_) => sync_folders(self.unfinished.temporary()).map_err(failed)?,
            Output::Zip(zip) => {
                let zip = ManuallyDrop::into_inner(zip);
                let file = zip.finish().map_err(|error| failed(error.into()))?;
                file.sync_all().map_err(failed)?;
            }
        }
        Ok(Sealed(self.unfinished))
    }
}

/// A complete backup with its temporary name.
pub(super) struct Sealed(Unfinished);

impl Sealed {
    /// Opens it for reading.
    pub(super) fn open(&self) -> Result<Reader, String> {
        Reader::open_as(self.0.temporary(), is_zip(self.0.path()))
    }

    /// Gives it its final name.
    pub(super) fn publish(self) -> io::Result<PathBuf> {
        self.0.publish()
    }
}

/// A backup that is being read.
pub(super) struct Reader {
    input: Input,
    manifest: Manifest,
}

enum Input {
    Folder(PathBuf),
    /// The archive, and the bytes of each file in it.
    Zip(PathBuf, HashMap<String, Extent>),
}

/// The bytes of a file in an archive. The files are not compressed, so a file is a part of the archive.
#[derive(Clone, Copy)]
struct Extent {
    start: u64,
    size: u64,
}

impl Reader {
    /// Opens a backup and reads its manifest.
    ///
    /// # Errors
    /// A message that names the path.
    pub(super) fn open(path: &Path) -> Result<Reader, String> {
        Reader::open_as(path, path.is_file())
    }

    fn open_as(path: &Path, is_zip: bool) -> Result<Reader, String> {
        let shown = path.display();
        let incomplete = |error: io::Error| {
            format!("{shown} is not a complete backup of snapnote: {MANIFEST}: {error}")
        };
        let input = match is_zip {
            true => Input::Zip(path.to_owned(), extents(path).map_err(incomplete)?),
            false => Input::Folder(path.to_owned()),
        };
        let mut bytes = Vec::new();
        let read = open_in(&input, MANIFEST).and_then(|mut file| file.read_to_end(&mut bytes));
        read.map_err(incomplete)?;
        let manifest =
            Manifest::read(&bytes).map_err(|why| format!("{shown} cannot be used: {why}"))?;
        Ok(Reader { input, manifest })
    }

    /// What the backup contains.
    pub(super) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Opens a file of the backup.
    pub(super) fn file(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        open_in(&self.input, name)
    }

    /// Compares all files with the manifest. `progress` gets the number of bytes that were read.
    ///
    /// # Errors
    /// A message that names the file that is missing or damaged.
    pub(super) fn verify(&self, progress: impl Fn(u64)) -> Result<(), String> {
        let mut buffer = vec![0; 256 * 1024];
        for (name, expected) in &self.manifest.files {
            let damaged = |why: String| format!("the backup is damaged: {name}: {why}");
            let mut file = self
                .file(name)
                .map_err(|error| damaged(error.to_string()))?;
            let mut hasher = Hasher::default();
            loop {
                match file.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => {
                        hasher.update(&buffer[..count]);
                        progress(count as u64);
                    }
                    Err(error) => return Err(damaged(error.to_string())),
                }
            }
            if hasher.finish() != *expected {
                return Err(damaged(
                    "its SHA-256 is not that of the manifest".to_owned(),
                ));
            }
        }
        Ok(())
    }
}

fn open_in(input: &Input, name: &str) -> io::Result<Box<dyn Read + Send>> {
    match input {
        Input::Folder(folder) => Ok(Box::new(File::open(folder.join(name))?)),
        Input::Zip(path, extents) => {
            let missing = || io::Error::new(io::ErrorKind::NotFound, "it is missing");
            let extent = extents.get(name).copied().ok_or_else(missing)?;
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(extent.start))?;
            Ok(Box::new(file.take(extent.size)))
        }
    }
}

/// The bytes of all files of an archive.
fn extents(path: &Path) -> io::Result<HashMap<String, Extent>> {
    let mut archive = ZipArchive::new(File::open(path)?)?;
    let mut extents = HashMap::new();
    for at in 0..archive.len() {
        let file = archive.by_index_raw(at)?;
        if file.compression() != CompressionMethod::Stored {
            return Err(io::Error::other(
                "the archive was compressed again; extract it",
            ));
        }
        let damaged = || io::Error::other("the archive is damaged");
        let start = file.data_start().ok_or_else(damaged)?;
        let size = file.size();
        extents.insert(file.name()?.into_owned(), Extent { start, size });
    }
    Ok(extents)
}

/// Whether a backup at this path is a single file.
pub(super) fn is_zip(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("zip"))
}

fn sync_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sync_folders(&path)?;
        }
    }
    File::open(folder)?.sync_all()
}
