//! The program's commands and their arguments. The doc comments are the texts of `--help`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The end of `snapnote --help`.
pub(super) const EXAMPLES: &str = "\
Examples:
  snapnote                       Serve with an embedded database, on a terminal
  snapnote --listen 0.0.0.0:80   Serve on another address
  snapnote check                 Test the configuration
  snapnote help backup           Show what a command does

Exit codes:
  0    The command has succeeded
  1    It has failed, or a check has; the message says why
  2    The arguments of the command line are wrong
  3    `migrate status`: migrations are pending
  130  A second signal has ended the service at once";

const CHECK_EXAMPLES: &str = "\
Examples:
  snapnote check
  snapnote check --json | jq '.checks[] | select(.status != \"ok\")'";

const BACKUP_EXAMPLES: &str = "\
Examples:
  snapnote backup /var/backups/snapnote --keep-days 14
  snapnote backup notes.zip --json | jq -r .path";

const RESTORE_EXAMPLES: &str = "\
Examples:
  snapnote restore /var/backups/snapnote/snapnote-20260301T040000Z
  snapnote restore notes.zip --replace --yes";

const MIGRATE_EXAMPLES: &str = "\
Examples:
  snapnote migrate status
  snapnote migrate up
  snapnote migrate down --to 0
  snapnote migrate shard";

const SCHEMA_EXAMPLES: &str = "\
Examples:
  snapnote schema > schema.graphql";

const REINDEX_EXAMPLES: &str = "\
Examples:
  snapnote reindex
  snapnote reindex --user ada@example.com
  snapnote reindex --status --json";

const ADMIN_EXAMPLES: &str = "\
Examples:
  snapnote admin grant ada@example.com
  snapnote admin import-users users.ndjson
  snapnote admin export-user ada@example.com ada.zip
  snapnote admin mails --json";

/// The program's commands.
#[derive(Subcommand, Debug, Clone)]
pub enum Command {
    /// Serve the API (the default command).
    Serve {
        /// Apply pending migrations first, even if the database is not embedded.
        #[arg(long)]
        migrate: bool,
    },
    /// Test settings, database, image storage, mail server and identity providers, and print what is wrong and what to do. Exits
    /// with code 1 if a check failed.
    #[command(after_help = CHECK_EXAMPLES)]
    Check {
        /// Print the results as JSON (docs/operations.md).
        #[arg(long)]
        json: bool,
    },
    /// Back up the database and the images. The service can keep running.
    #[command(after_help = BACKUP_EXAMPLES)]
    Backup(BackupOptions),
    /// Restore a backup into an empty database. Stop the service first.
    #[command(after_help = RESTORE_EXAMPLES)]
    Restore(RestoreOptions),
    /// Apply, revert or list database migrations.
    #[command(after_help = MIGRATE_EXAMPLES)]
    Migrate {
        /// What to do.
        #[command(subcommand)]
        action: MigrateAction,
    },
    /// Print the GraphQL schema.
    #[command(after_help = SCHEMA_EXAMPLES)]
    Schema,
    /// Add three demo users with a semester of data, and print how to sign in.
    Demo {
        /// Print the users and passwords as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Rebuild all stored search indexes from the items. Searches keep working meanwhile, and the command can be interrupted.
    #[command(after_help = REINDEX_EXAMPLES)]
    Reindex(ReindexOptions),
    /// Ask the service that listens on SNAPNOTE_LISTEN whether it is ready. Exits with code 1 if it is not, for container health checks.
    Healthcheck,
    /// Print the completions for a shell, e.g. `snapnote completions bash > /etc/bash_completion.d/snapnote`.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, e.g. `snapnote man > /usr/local/share/man/man1/snapnote.1`.
    Man,
    /// Manage users, admins, imports and emails.
    #[command(after_help = ADMIN_EXAMPLES)]
    Admin {
        /// What to do.
        #[command(subcommand)]
        action: AdminAction,
    },
}

/// The arguments of `snapnote reindex`.
#[derive(Args, Debug, Clone)]
pub struct ReindexOptions {
    /// Build only the index of the user with this email address.
    #[arg(long, value_name = "EMAIL")]
    pub user: Option<String>,
    /// Print how many users have a stored index, and build none.
    #[arg(long, conflicts_with = "user")]
    pub status: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// The arguments of `snapnote backup`.
#[derive(Args, Debug, Clone)]
pub struct BackupOptions {
    /// An existing or new folder, in which a folder named after the time is created. Or the path of a new file that ends with .zip.
    #[arg(value_name = "FOLDER|FILE.zip")]
    pub to: PathBuf,
    /// Also back up the secret from which all keys are derived. Anyone who has it can sign in as any user.
    #[arg(long)]
    pub include_keys: bool,
    /// After the backup, delete the backups in the folder that are older than this many days (1–36500).
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub keep_days: Option<u32>,
    /// Print the result as JSON (docs/backup.md).
    #[arg(long)]
    pub json: bool,
}

/// The arguments of `snapnote restore`.
#[derive(Args, Debug, Clone)]
pub struct RestoreOptions {
    /// The folder or the .zip file of the backup.
    #[arg(value_name = "BACKUP")]
    pub from: PathBuf,
    /// Replace what is in the database. DELETES ALL DATA in it, after asking.
    #[arg(long)]
    pub replace: bool,
    /// With --replace: do not ask.
    #[arg(long, requires = "replace")]
    pub yes: bool,
    /// Print the result as JSON (docs/backup.md).
    #[arg(long)]
    pub json: bool,
}

/// The commands of `snapnote admin`.
#[derive(Subcommand, Debug, Clone)]
pub enum AdminAction {
    /// Make the user with this email address an admin.
    Grant {
        /// The email address. It matches in every spelling that normalizes to the same address.
        email: String,
    },
    /// Import the users of another system (file format: docs/auth.md).
    ImportUsers {
        /// A file with one JSON object per line, or `-` for standard input.
        file: PathBuf,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write all data of a user to a .zip file, as GET /export does (docs/backup.md).
    ExportUser {
        /// The user's email address or id.
        user: String,
        /// The new file, or `-` for standard output.
        file: PathBuf,
    },
    /// Delete a user and all their data permanently, after asking.
    DeleteUser {
        /// The user's email address or id.
        user: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// List the emails that are waiting or were given up, the 1,000 oldest.
    Mails {
        /// Print the emails as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Retry the emails that were given up, except those whose link has expired.
    RetryMails,
}

/// The commands of `snapnote migrate`.
#[derive(Subcommand, Debug, Clone)]
pub enum MigrateAction {
    /// Apply all pending migrations, and set the role's default statement_timeout.
    Up,
    /// Revert the newest migration, or all after another one. DELETES THE DATA in their tables.
    Down {
        /// Revert all migrations after this one: its name or version, or 0 for all migrations. If unset, the newest migration is
        /// reverted.
        #[arg(long, value_name = "MIGRATION")]
        to: Option<String>,
        /// Confirm that the data is deleted. Without it, the command only prints what it would revert and drop.
        #[arg(long)]
        yes: bool,
    },
    /// Distribute the tables of users' data over the servers of a Citus cluster. All or nothing. The service must be stopped.
    Shard {
        /// Confirm that the tables are distributed, which cannot be undone. Without it, the command only prints over which servers.
        #[arg(long)]
        yes: bool,
    },
    /// List all migrations and whether they are applied. Only reads. Exits with code 3 while migrations are pending.
    Status {
        /// Print the migrations as JSON.
        #[arg(long)]
        json: bool,
    },
}
