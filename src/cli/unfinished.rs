//! Files and folders that get their name when they are complete. Until then, they have a temporary name.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The end of the temporary name.
pub(super) const SUFFIX: &str = ".unfinished";

/// A file or folder with its temporary name. Dropping it deletes what was written, unless it was published.
pub(super) struct Unfinished {
    path: PathBuf,
    temporary: PathBuf,
    is_published: bool,
}

impl Unfinished {
    /// Creates a file that only this user can read.
    ///
    /// # Errors
    /// If something has the name or the temporary name. It is not overwritten: another user may have put a link there.
    pub(super) fn file(path: &Path) -> io::Result<(Unfinished, File)> {
        Unfinished::create(path, new_file)
    }

    /// Creates a folder that only this user can read.
    ///
    /// # Errors
    /// As [`Unfinished::file`].
    pub(super) fn folder(path: &Path) -> io::Result<Unfinished> {
        let (unfinished, ()) = Unfinished::create(path, new_folder)?;
        Ok(unfinished)
    }

    fn create<T>(
        path: &Path,
        make: impl FnOnce(&Path) -> io::Result<T>,
    ) -> io::Result<(Unfinished, T)> {
        if path.exists() {
            return Err(io::Error::other("it exists already"));
        }
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(SUFFIX);
        let temporary = PathBuf::from(temporary);
        let made = make(&temporary).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => io::Error::other(format!(
                "{} exists. Another command is writing it, or was interrupted; in the second case, delete it",
                temporary.display()
            )),
            _ => error,
        })?;
        let unfinished = Unfinished {
            path: path.to_owned(),
            temporary,
            is_published: false,
        };
        Ok((unfinished, made))
    }

    /// The temporary name.
    pub(super) fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// The final name.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its final name. Its contents must have been synchronized to disk.
    pub(super) fn publish(mut self) -> io::Result<PathBuf> {
        fs::rename(&self.temporary, &self.path)?;
        self.is_published = true;
        let parent = self.path.parent();
        let parent = parent.filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(std::mem::take(&mut self.path))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.is_published {
            return;
        }
        let _ = match self.temporary.is_dir() {
            true => fs::remove_dir_all(&self.temporary),
            false => fs::remove_file(&self.temporary),
        };
    }
}

/// A new file that only this user can read.
pub(super) fn new_file(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)
}

fn new_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let unique = format!("snapnote-unfinished-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(unique);
        fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    #[test]
    fn only_what_was_published_stays() {
        let folder = folder("publish");
        let (file, path) = (folder.join("a.zip"), folder.join("b"));
        drop(Unfinished::file(&file).expect("a file"));
        let unfinished = Unfinished::folder(&path).expect("a folder");
        fs::write(unfinished.temporary().join("c"), "c").expect("a file");
        drop(unfinished);
        assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 0);
        let (unfinished, _) = Unfinished::file(&file).expect("a file");
        assert_eq!(unfinished.publish().expect("it is renamed"), file);
        let mode = fs::metadata(&file).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(Unfinished::file(&file).is_err(), "it exists");
        fs::remove_dir_all(&folder).expect("it is ours");
    }

    #[test]
    fn links_and_files_of_others_are_neither_followed_nor_deleted() {
        let folder = folder("link");
        let (victim, link) = (folder.join("victim"), folder.join("a.zip.unfinished"));
        fs::write(&victim, "precious").expect("a file");
        symlink(&victim, &link).expect("a link");
        let error = Unfinished::file(&folder.join("a.zip")).err();
        let error = error.expect("the link exists").to_string();
        assert!(error.contains("a.zip.unfinished exists"), "{error}");
        assert_eq!(fs::read_to_string(&victim).expect("a file"), "precious");
        assert!(link.exists());
        fs::remove_dir_all(&folder).expect("it is ours");
    }
}
