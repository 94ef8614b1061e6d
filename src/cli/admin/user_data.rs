//! `snapnote admin export-user` and `delete-user`.

use std::{
    io::{self, Write},
    path::Path,
};

use tokio::sync::mpsc;
use uuid::Uuid;

use super::super::{Outcome, confirmation::confirm, email_address, print, unfinished::Unfinished};
use crate::{
    auth::{Client, UserId},
    config::Config,
    db::{Connection, Database},
    error::Failure as Refused,
    export::{self, Reader},
    images::copies::Copies,
    users::{self, User},
};

/// The program in the audit log of an exported user.
const PROGRAM: &str = "snapnote admin";
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
    let failed = |error: io::Error| format!("{shown} cannot be written: {error}.");
    let (unfinished, output) = Unfinished::file(file).map_err(failed)?;
    let exported = write(database, &copies, user.id, &output).await?;
    output.sync_all().map_err(failed)?;
    unfinished.publish().map_err(failed)?;
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
    let reader = Reader {
        user: None,
        client: Client::new(None, Some(PROGRAM)),
    };
    let exporting = export::export(database, copies, user, &reader, sender);
    let (exported, written) = tokio::join!(exporting, writing);
    written.map_err(|error| format!("Writing the export failed: {error}."))?;
    Ok(exported?)
}

/// Deletes a user, after asking.
pub(super) async fn delete(conn: &mut Connection, typed: &str, yes: bool) -> Outcome {
    let user = find(conn, typed).await?;
    if !yes {
        let warning = format!(
            "The user {} ({}) and all their data are deleted permanently.",
            user.email, user.id.0
        );
        confirm(&warning, "the email address", &user.email)?;
    }
    match users::delete_as_operator(conn, user.id).await {
        Ok(true) => print(format_args!(
            "{} was deleted with all data. The service deletes the image files within minutes.\n",
            user.email
        )),
        Ok(false) => Err(format!("{} has already been deleted.", user.email).into()),
        Err(Refused::Refused(refusals)) => {
            let messages: Vec<&str> = refusals.iter().map(|refusal| &*refusal.message).collect();
            Err(messages.join(" ").into())
        }
        Err(Refused::Error(error)) => Err(error.into()),
    }
}

/// The user with this id or email address.
async fn find(conn: &mut Connection, typed: &str) -> Outcome<User> {
    let found = match typed.parse::<Uuid>() {
        Ok(id) => users::find(&mut *conn, UserId(id)).await?,
        Err(_) => users::find_by_email(conn, &email_address(typed)?).await?,
    };
    Ok(found.ok_or_else(|| format!("No user has the id or email address {typed}."))?)
}
