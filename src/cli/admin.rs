//! `snapnote admin`: what an operator does to people and to mails. It answers to whoever can reach the database, and to nobody else.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use chrono::Utc;

use super::{Place, ensure_schema, pool, say, told};
use crate::{
    config::{AdminAction, Config},
    db::{Connection, Database},
    email_address::EmailAddress,
    mail::{self, WaitingMail},
    users::{
        self,
        import::{self, Imported, ImportedUser},
    },
};

/// How long a file of people may be, in bytes.
const MOST_FILE: u64 = 1024 * 1024 * 1024;
/// Lines that are named at most.
const MOST_NAMED: usize = 20;

pub(super) async fn run(config: &Config, action: AdminAction) -> Result<(), String> {
    // Checked before anything is started.
    let people = match &action {
        AdminAction::ImportUsers { file } => people_of(file)?,
        _ => Vec::new(),
    };
    let place = Place::of(&config.database).await?;
    let outcome = act(config, &place, action, &people).await;
    place.leave().await;
    outcome
}

async fn act(
    config: &Config,
    place: &Place,
    action: AdminAction,
    people: &[ImportedUser],
) -> Result<(), String> {
    ensure_schema(place).await?;
    let database = Database::new(place.target.clone(), &pool(&config.database));
    let mut conn = database.connection().await.map_err(told)?;
    match action {
        AdminAction::Grant { email } => grant(&mut conn, &email).await,
        AdminAction::ImportUsers { .. } => {
            let imported = import::import(&mut conn, people).await.map_err(told)?;
            say(report(&imported))
        }
        AdminAction::Mails => list_mails(&mut conn).await,
        AdminAction::RetryMails => {
            let mails = mail::retry_dead(&mut conn).await.map_err(told)?;
            say(format_args!("{mails} mails are tried again.\n"))
        }
    }
}

async fn grant(conn: &mut Connection, typed: &str) -> Result<(), String> {
    let email = EmailAddress::parse(typed)
        .map_err(|invalid| format!("The email address {}", invalid.reason()))?;
    match users::grant(conn, &email).await.map_err(told)? {
        Some(user) => say(format_args!("{} is an admin now.\n", user.email)),
        None => Err(format!("No user has the email address {}.", email.as_str())),
    }
}

async fn list_mails(conn: &mut Connection) -> Result<(), String> {
    let mails = mail::waiting(conn).await.map_err(told)?;
    if mails.is_empty() {
        return say("No mail waits to be sent.\n");
    }
    mails
        .iter()
        .try_for_each(|mail| say(format_args!("{}\n", line(mail))))
}

fn line(mail: &WaitingMail) -> String {
    let time = match mail.died_at {
        Some(at) => format!("given up {}", at.format("%Y-%m-%dT%H:%M:%SZ")),
        None => format!(
            "next try {}",
            mail.next_attempt_at.format("%Y-%m-%dT%H:%M:%SZ")
        ),
    };
    let error = mail.last_error.as_deref().unwrap_or("not tried yet");
    format!(
        "{} {} to {}, {time}, {} tries: {error}",
        mail.id, mail.kind, mail.recipient, mail.attempts
    )
}

fn people_of(path: &Path) -> Result<Vec<ImportedUser>, String> {
    let shown = path.display();
    let file = read(path).map_err(|error| format!("{shown} cannot be read: {error}."))?;
    import::read(&file, Utc::now()).map_err(|problems| {
        let lines: Vec<String> = problems
            .iter()
            .map(|problem| format!("  {problem}"))
            .collect();
        format!(
            "Nobody was imported. What is wrong with {shown}, the first {} problems at most:\n{}",
            import::MAX_PROBLEMS,
            lines.join("\n")
        )
    })
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(fs::File::open(path)?)
    };
    let mut bytes = Vec::new();
    source.take(MOST_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_FILE {
        return Err(io::Error::other("it is longer than 1 GiB"));
    }
    Ok(bytes)
}

fn report(imported: &Imported) -> String {
    let mut text = format!("{} users were imported.\n", imported.added);
    if imported.known.is_empty() {
        return text;
    }
    let named: Vec<String> = imported
        .known
        .iter()
        .take(MOST_NAMED)
        .map(usize::to_string)
        .collect();
    let more = if imported.known.len() > MOST_NAMED {
        ", …"
    } else {
        ""
    };
    text.push_str(&format!(
        "{} were there already, by their address or id, and stay as they are: lines {}{more}.\n",
        imported.known.len(),
        named.join(", ")
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_names_the_first_lines_that_it_passed_over() {
        let known = |known: Vec<usize>| report(&Imported { added: 3, known });
        assert_eq!(known(Vec::new()), "3 users were imported.\n");
        assert!(known(vec![2, 5]).ends_with("lines 2, 5.\n"));
        assert!(known((1..=21).collect()).ends_with("19, 20, ….\n"));
    }
}
