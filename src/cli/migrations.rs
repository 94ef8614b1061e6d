//! `snapnote migrate`, and the check of the schema before other commands use it.

use serde_json::json;

use super::{Failure, Outcome, print, print_json};
use crate::{
    config::MigrateAction,
    db::{
        connect::Target,
        migrate::{self, MigrationState, Phase, Reversal},
        sharding,
    },
};

/// The exit code of `migrate status` while migrations are pending.
const PENDING: u8 = 3;

pub(super) async fn run(target: &Target, action: MigrateAction) -> Outcome {
    match action {
        MigrateAction::Up => up(target).await,
        MigrateAction::Down { to, yes } => down(target, to.as_deref(), yes).await,
        MigrateAction::Status { json } => status(target, json).await,
        MigrateAction::Shard { yes } => shard(target, yes).await,
    }
}

async fn up(target: &Target) -> Outcome {
    for name in migrate::up(target).await? {
        print(format_args!("applied {name}\n"))?;
    }
    print("The schema is up to date.\n")
}

async fn down(target: &Target, to: Option<&str>, yes: bool) -> Outcome {
    let reversal = migrate::plan_down(target, to).await?;
    if reversal.migrations.is_empty() {
        return print("No migration is reverted.\n");
    }
    if !yes {
        return Err(unconfirmed(&reversal).into());
    }
    for dropped in &reversal.drops {
        print(format_args!("dropping {dropped}\n"))?;
    }
    for version in migrate::down(target, &reversal).await? {
        print(format_args!("reverted {version}\n"))?;
    }
    Ok(())
}

fn unconfirmed(reversal: &Reversal) -> String {
    let listed = |items: &[String]| -> String {
        let lines = items.iter().map(|item| format!("\n  {item}"));
        lines.collect()
    };
    let drops = match reversal.drops.is_empty() {
        true => "\nIt drops no table and no column.".to_owned(),
        false => format!(
            "\nIt drops, with all data in them:{}",
            listed(&reversal.drops)
        ),
    };
    format!(
        "Nothing was changed, because --yes is missing. The command reverts:{}{drops}\nAdd --yes to confirm.",
        listed(&reversal.migrations)
    )
}

async fn shard(target: &Target, yes: bool) -> Outcome {
    let plan = migrate::plan_shard(target).await?;
    let servers = plan.servers.join(", ");
    if plan.is_sharded {
        return print(format_args!(
            "The database is sharded already, over {servers}.\n"
        ));
    }
    if !yes {
        let message = format!(
            "Nothing was changed, because --yes is missing. The command distributes the tables of users' data over {servers}. \
            It cannot be undone, so make a backup first.\nAdd --yes to confirm."
        );
        return Err(message.into());
    }
    print(format_args!(
        "Distributing the tables of users' data over {servers}. This copies all their rows in one transaction.\n"
    ))?;
    migrate::shard(target).await?;
    print("The database is sharded. Start the service again.\n")
}

async fn status(target: &Target, json: bool) -> Outcome {
    let states = migrate::status(target).await?;
    let word = |phase: &Phase| match phase {
        Phase::Applied => "applied",
        Phase::Pending => "pending",
        Phase::Unknown => "unknown",
        Phase::Incompatible => "incompatible",
    };
    let listed = states.iter();
    match json {
        true => {
            let listed = listed
                .map(|one| json!({ "migration": one.name, "state": word(&one.phase) }))
                .collect::<Vec<_>>();
            print_json(&listed)?;
        }
        false => listed
            .into_iter()
            .try_for_each(|MigrationState { name, phase }| {
                let by = match phase {
                    Phase::Unknown | Phase::Incompatible => " (applied by a newer snapnote)",
                    Phase::Applied | Phase::Pending => "",
                };
                print(format_args!("{} {name}{by}\n", word(phase)))
            })?,
    }
    match migrate::names(&states, Phase::Pending).len() {
        0 => Ok(()),
        count => Err(Failure {
            message: format!(
                "Pending migrations: {count}. Run `snapnote migrate up` to apply them."
            ),
            code: PENDING,
        }),
    }
}

/// Fails if this program cannot work on the schema. Warns if a newer program has changed it. Finds out whether the database is
/// sharded. Only reads.
pub(super) async fn require_fitting_schema(target: &Target) -> Outcome {
    let states = migrate::status(target).await?;
    let incompatible = migrate::names(&states, Phase::Incompatible);
    if !incompatible.is_empty() {
        return Err(format!(
            "The database's schema is newer than this program, and incompatible with it since these migrations: {}. Start the \
             snapnote that applied them, or a newer one.",
            incompatible.join(", ")
        )
        .into());
    }
    let pending = migrate::names(&states, Phase::Pending);
    if !pending.is_empty() {
        return Err(format!(
            "The database's schema is older than this program. Pending migrations: {}. Run `snapnote migrate up` first, or \
             start with `snapnote serve --migrate`.",
            pending.join(", ")
        )
        .into());
    }
    sharding::detect(target).await?;
    let unknown = migrate::names(&states, Phase::Unknown);
    if !unknown.is_empty() {
        tracing::warn!(
            migrations = unknown.join(", "),
            "the database has migrations of a newer snapnote; this program works on them, but update it soon"
        );
    }
    Ok(())
}
