//! `snapnote admin`: commands for operators that manage users, admins, imports and emails.
//!
//! They need no sign-in: access to the database is the permission. `user_data` exports and deletes users.

mod user_data;

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use chrono::Utc;
use serde_json::json;

use super::{
    DatabaseServer, Outcome, email_address, ensure_schema, on_database, print, print_json,
    progress, settings::pool,
};
use crate::{
    config::{AdminAction, Config},
    db::{Connection, Database},
    mail::{self, WaitingMail},
    users::{
        self,
        import::{self, Imported, ImportedUser},
    },
};

/// Maximum size of an import file, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024 * 1024;
/// Maximum line numbers listed in a report.
const MAX_NAMED_LINES: usize = 20;

pub(super) async fn run(config: &Config, action: AdminAction) -> Outcome {
    // The file is checked before the database is started.
    let users = match &action {
        AdminAction::ImportUsers { file, .. } => read_users(file)?,
        _ => Vec::new(),
    };
    on_database(config, async |server| {
        act(config, server, action, &users).await
    })
    .await
}

async fn act(
    config: &Config,
    server: &DatabaseServer,
    action: AdminAction,
    users: &[ImportedUser],
) -> Outcome {
    ensure_schema(server, false).await?;
    let database = Database::new(server.target.clone(), &pool(config));
    let mut conn = database.connection().await?;
    match action {
        AdminAction::ExportUser { user, file } => {
            user_data::export(config, &database, &mut conn, &user, &file).await
        }
        AdminAction::DeleteUser { user, yes } => user_data::delete(&mut conn, &user, yes).await,
        AdminAction::Grant { email } => grant(&mut conn, &email).await,
        AdminAction::ImportUsers { json, .. } => import_users(&mut conn, users, json).await,
        AdminAction::Mails { json } => list_mails(&mut conn, json).await,
        AdminAction::RetryMails => {
            let mails = mail::retry_dead(&mut conn).await?;
            print(format_args!("{mails} emails will be retried.\n"))
        }
    }
}

async fn grant(conn: &mut Connection, typed: &str) -> Outcome {
    let email = email_address(typed)?;
    match users::grant(conn, &email).await? {
        Some(user) => print(format_args!("{} is now an admin.\n", user.email)),
        None => Err(format!("No user has the email address {}.", email.as_str()).into()),
    }
}

async fn import_users(conn: &mut Connection, users: &[ImportedUser], json: bool) -> Outcome {
    let bar = progress::count(json, "users", Some(users.len() as u64));
    let imported = import::import(conn, users, |count| bar.inc(count as u64)).await?;
    bar.finish_and_clear();
    match json {
        true => {
            let Imported { added, known } = imported;
            print_json(&json!({ "imported": added, "skippedLines": known }))
        }
        false => print(report(&imported)),
    }
}

async fn list_mails(conn: &mut Connection, json: bool) -> Outcome {
    let mails = mail::waiting(conn).await?;
    if json {
        return print_json(&mails);
    }
    if mails.is_empty() {
        return print("No emails are waiting.\n");
    }
    mails
        .iter()
        .try_for_each(|mail| print(format_args!("{}\n", describe(mail))))
}

fn describe(mail: &WaitingMail) -> String {
    let (event, at) = match mail.died_at {
        Some(at) => ("given up", at),
        None => ("next attempt", mail.next_attempt_at),
    };
    let time = at.format("%Y-%m-%dT%H:%M:%SZ");
    let error = mail.last_error.as_deref().unwrap_or("not attempted yet");
    format!(
        "{} {} to {}, {event} {time}, {} attempts: {error}",
        mail.id, mail.kind, mail.recipient, mail.attempts
    )
}

fn read_users(path: &Path) -> Result<Vec<ImportedUser>, String> {
    let shown = path.display();
    let file = read_file(path).map_err(|error| format!("Reading {shown} failed: {error}."))?;
    import::read(&file, Utc::now()).map_err(|problems| {
        let lines = problems.iter().map(|problem| format!("\n  {problem}"));
        format!(
            "No users were imported, because {shown} is invalid. The first problems (maximum {}):{}",
            import::MAX_PROBLEMS,
            lines.collect::<String>()
        )
    })
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(fs::File::open(path)?)
    };
    let mut bytes = Vec::new();
    source.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other("the maximum size is 1 GiB"));
    }
    Ok(bytes)
}

fn report(imported: &Imported) -> String {
    let mut text = match imported.added {
        1 => "1 user was imported.\n".to_owned(),
        added => format!("{added} users were imported.\n"),
    };
    if imported.known.is_empty() {
        return text;
    }
    let known = imported.known.iter().take(MAX_NAMED_LINES);
    let mut lines: Vec<String> = known.map(usize::to_string).collect();
    if imported.known.len() > MAX_NAMED_LINES {
        lines.push("…".to_owned());
    }
    let (subject, s) = match imported.known.len() {
        1 => ("1 line was".to_owned(), ""),
        known => (format!("{known} lines were"), "s"),
    };
    text.push_str(&format!(
        "{subject} skipped, because a user with this id or email address exists: line{s} {}.\n",
        lines.join(", ")
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_lists_the_first_skipped_lines() {
        let known = |known: Vec<usize>| report(&Imported { added: 3, known });
        assert_eq!(known(Vec::new()), "3 users were imported.\n");
        let one = known(vec![7]);
        assert!(one.contains("\n1 line was skipped") && one.ends_with("line 7.\n"));
        assert!(known(vec![2, 5]).ends_with("lines 2, 5.\n"));
        assert!(known((1..=21).collect()).ends_with("19, 20, ….\n"));
    }
}
