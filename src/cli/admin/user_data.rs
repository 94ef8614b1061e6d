//! `snapnote admin export-user` and `delete-user`.

use std::{
    fs,
    io::{self, IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use tokio::sync::mpsc;
use uuid::Uuid;

use super::super::{Outcome, email_address, print};
use crate::{
    auth::UserId,
    config::Config,
    db::{Connection, Database},
    error::Failure as Refused,
    export,
    images::copies::Copies,
    users::{self, User},
};

/// Pieces of a file that wait to be written.
const QUEUE: usize = 2;

/// Writes all data of a user to a new file, or to standard output.
pub(super) async fn export(
    config: &Config,
    database: &Database,
    conn: &mut Connection,
    typed: &str,
    file: &Path,
) -> Outcome {
    let user = find(conn, typed).await?;
    let copies = Copies::open(&config.storage.storage(&config.database.data_dir)?)?;
    if file == Path::new("-") {
        return write(database, &copies, user.id, io::stdout())
            .await
            .map(|_| ());
    }
    let shown = file.display();
    let target =
        NewFile::create(file).map_err(|error| format!("{shown} cannot be written: {error}."))?;
    let exported = write(database, &copies, user.id, &target.file).await?;
    target
        .finish()
        .map_err(|error| format!("{shown} cannot be written: {error}."))?;
    print(format_args!(
        "{} items and {} images of {} were written to {shown}.\n",
        exported.items, exported.images, user.email
    ))
}

async fn write(
    database: &Database,
    copies: &Copies,
    user: UserId,
    mut output: impl Write,
) -> Outcome<export::Exported> {
    let (sender, mut receiver) = mpsc::channel::<export::Piece>(QUEUE);
    let writing = async {
        while let Some(piece) = receiver.recv().await {
            // The exporter returns its error, too.
            let Ok(piece) = piece else { break };
            output.write_all(&piece)?;
        }
        output.flush()
    };
    let (exported, written) = tokio::join!(export::export(database, copies, user, sender), writing);
    written.map_err(|error| format!("Writing the export failed: {error}."))?;
    Ok(exported?)
}

/// A file that gets its name when it is complete.
struct NewFile {
    path: PathBuf,
    temporary: PathBuf,
    file: fs::File,
}

impl NewFile {
    fn create(path: &Path) -> io::Result<NewFile> {
        if path.exists() {
            return Err(io::Error::other("it exists already"));
        }
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".unfinished");
        let temporary = PathBuf::from(temporary);
        let mut options = fs::OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        Ok(NewFile {
            path: path.to_owned(),
            file: options.open(&temporary)?,
            temporary,
        })
    }

    fn finish(self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.temporary, &self.path)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // After a success, it has its final name.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Deletes a user, after asking.
pub(super) async fn delete(conn: &mut Connection, typed: &str, yes: bool) -> Outcome {
    let user = find(conn, typed).await?;
    if !yes && !is_confirmed(&user)? {
        return Err("Nothing was changed.".to_owned().into());
    }
    match users::delete_as_operator(conn, user.id).await {
        Ok(true) => print(format_args!(
            "{} was deleted with all data. The service deletes the image files within minutes.\n",
            user.email
        )),
        Ok(false) => Err(format!("{} was deleted already.", user.email).into()),
        Err(Refused::Refused(refusals)) => {
            let messages: Vec<&str> = refusals.iter().map(|refusal| &*refusal.message).collect();
            Err(messages.join(" ").into())
        }
        Err(Refused::Error(error)) => Err(error.into()),
    }
}

fn is_confirmed(user: &User) -> Result<bool, String> {
    if !io::stdin().is_terminal() {
        return Err("Nothing was changed, because --yes is missing and standard input is not a terminal to ask on.".to_owned());
    }
    let unreadable = |error: io::Error| format!("Reading the answer failed: {error}.");
    let mut stderr = io::stderr();
    write!(
        stderr,
        "The user {} ({}) and all their data are deleted permanently.\nType the email address to continue: ",
        user.email, user.id.0
    )
    .and_then(|()| stderr.flush())
    .map_err(unreadable)?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(unreadable)?;
    Ok(answer.trim() == user.email)
}

/// The user with this id or email address.
async fn find(conn: &mut Connection, typed: &str) -> Outcome<User> {
    let found = match typed.parse::<Uuid>() {
        Ok(id) => users::find(&mut *conn, UserId(id)).await?,
        Err(_) => users::find_by_email(conn, &email_address(typed)?).await?,
    };
    Ok(found.ok_or_else(|| format!("No user has the id or email address {typed}."))?)
}
