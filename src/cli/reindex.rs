//! `snapnote reindex`: rebuilds the stored search indexes.

use uuid::Uuid;

use serde_json::json;

use super::{
    DatabaseServer, Outcome, app, email_address, ensure_schema, print, print_json, progress,
    secrets,
};
use crate::{
    auth::UserId,
    config::{Config, ReindexOptions},
    search::{SearchIndexes, indexes::IndexStatus},
    users,
};

pub(super) async fn run(
    config: &Config,
    database: &DatabaseServer,
    ReindexOptions { user, status, json }: ReindexOptions,
) -> Outcome {
    let secrets = secrets(config)?;
    ensure_schema(database, false).await?;
    // The command serves no clients.
    let app = app(config, database, secrets, config.server.listen, 0)?;
    let indexes = app.search();
    if status {
        return report_status(&indexes.status().await?, json);
    }
    let user = match user {
        Some(email) => Some(find(&app, &email).await?),
        None => None,
    };
    let feed = app.live().feed();
    tokio::select! {
        () = feed.begin_epochs(app.database()) => Ok(()),
        built = build(indexes, user, json) => {
            let built = built?;
            match json {
                true => print_json(&json!({ "built": built })),
                false => print(format_args!("Search indexes built: {built}.\n")),
            }
        }
        _ = tokio::signal::ctrl_c() => {
            Err("Interrupted. The indexes built so far are stored, and the others are unchanged.".to_owned().into())
        }
    }
}

async fn find(app: &crate::app::App, typed: &str) -> Outcome<UserId> {
    let email = email_address(typed)?;
    let mut conn = app.database().connection().await?;
    let user = users::find_by_email(&mut conn, &email).await?;
    let user = user.ok_or_else(|| format!("No user has the email address {}.", email.as_str()))?;
    Ok(user.id)
}

/// Builds the index of one user, or of all users. Returns their number.
async fn build(indexes: &SearchIndexes, user: Option<UserId>, is_quiet: bool) -> Outcome<u64> {
    if let Some(user) = user {
        indexes.build(user).await?;
        return Ok(1);
    }
    let total = indexes.status().await?.users;
    let progress = progress::count(is_quiet, "users", Some(total.unsigned_abs()));
    let (mut built, mut last) = (0, UserId(Uuid::nil()));
    loop {
        let users = indexes.users(last).await?;
        let Some(end) = users.last() else { break };
        last = *end;
        for user in users {
            built += u64::from(indexes.try_build(user).await?);
            progress.inc(1);
        }
    }
    progress.finish_and_clear();
    match progress.position() - built {
        0 => Ok(built),
        failed => Err(format!(
            "{built} search indexes were built, {failed} could not be built. The log has the reasons."
        )
        .into()),
    }
}

fn report_status(status: &IndexStatus, json: bool) -> Outcome {
    let IndexStatus {
        users,
        indexed,
        bytes,
    } = status;
    match json {
        true => print_json(&json!({ "users": users, "indexed": indexed, "bytes": bytes })),
        false => print(format_args!(
            "{indexed} of {users} users have a stored search index ({} KiB).\nThe service builds other indexes when their users search.\n",
            bytes / 1024
        )),
    }
}
