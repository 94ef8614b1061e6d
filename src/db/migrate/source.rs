//! The migrations that the binary contains: the folders of `migrations/`, each with its `up.sql` and `down.sql`.
//!
//! A line `\ir ../functions/name.sql` is replaced by the text of that file, as in psql. Each database function therefore
//! exists once and whole, and a later migration replaces it by editing and including that file. Diesel's own
//! `embed_migrations!` does not support includes. Order, versions and savepoints are diesel's.

use std::fmt;

use diesel::{
    connection::BoxableConnection,
    migration::{
        Migration, MigrationMetadata, MigrationName, MigrationSource, MigrationVersion, Result,
    },
    pg::Pg,
};
use include_dir::{Dir, File, include_dir};

static FOLDER: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/migrations");

const INCLUDE: &str = r"\ir ../functions/";

/// The migrations that the binary contains.
#[derive(Clone, Copy)]
pub(super) struct Embedded {
    /// Whether the database is sharded.
    pub(super) is_sharded: bool,
}

impl MigrationSource<Pg> for Embedded {
    fn migrations(&self) -> Result<Vec<Box<dyn Migration<Pg>>>> {
        let mut folders: Vec<_> = folders().collect();
        folders.sort_by_key(|folder| folder.0.path());
        let is_sharded = self.is_sharded;
        let boxed = |folder| Box::new(Part { folder, is_sharded }) as Box<dyn Migration<Pg>>;
        Ok(folders.into_iter().map(boxed).collect())
    }
}

/// The folder of a migration.
struct Folder(&'static Dir<'static>);

fn folders() -> impl Iterator<Item = Folder> {
    let folders = FOLDER.dirs().map(Folder);
    folders.filter(|folder| FOLDER.contains(folder.0.path().join("up.sql")))
}

impl Folder {
    /// A file of the folder, with the functions that it includes.
    fn text(&self, file: &str) -> Result<String> {
        expand(text(&format!("{self}/{file}"))?)
    }
}

/// A migration of a database.
struct Part {
    folder: Folder,
    is_sharded: bool,
}

impl Part {
    fn execute(&self, file: &str, conn: &mut dyn BoxableConnection<Pg>) -> Result<()> {
        let mut text = self.folder.text(file)?;
        if self.is_sharded {
            text = one_by_one(&text);
        }
        let executed = conn.batch_execute(&text);
        executed.map_err(|error| format!("{}/{file}: {error}", self.folder).into())
    }
}

/// The SQL that distributes the tables of a database with Citus.
pub(super) fn sharding() -> Result<String> {
    let (functions, distribute) = (
        text("sharding/functions.sql")?,
        text("sharding/distribute.sql")?,
    );
    Ok(one_by_one(&format!("{functions}\n{distribute}")))
}

/// The same statements in a block. Citus sends a statement to other servers as the client has sent it, and of a text with several
/// statements, the whole text.
fn one_by_one(sql: &str) -> String {
    format!("DO $statements$BEGIN\n{sql}\nEND$statements$")
}

fn expand(sql: &str) -> Result<String> {
    let lines = sql.lines().map(|line| match line.strip_prefix(INCLUDE) {
        Some(name) => text(&format!("functions/{name}")),
        None => Ok(line),
    });
    Ok(lines.collect::<Result<Vec<_>>>()?.join("\n"))
}

fn text(path: &str) -> Result<&'static str> {
    let text = FOLDER.get_file(path).and_then(File::contents_utf8);
    text.ok_or_else(|| format!("the binary contains no migrations/{path}").into())
}

/// A migration's version in the database, from its name. The same as diesel makes it: `20261129000001`.
pub(super) fn version(name: &str) -> String {
    let (version, _) = name.split_once('_').unwrap_or((name, ""));
    version.replace('-', "")
}

/// The extensions that the migrations create.
pub(in crate::db) fn extensions() -> Vec<&'static str> {
    let texts = folders().filter_map(|folder| text(&format!("{folder}/up.sql")).ok());
    let names = texts.flat_map(str::lines).filter_map(|line| {
        let name = line.strip_prefix("CREATE EXTENSION IF NOT EXISTS ")?;
        name.strip_suffix(';')
    });
    names.collect()
}

/// The tables and columns that a migration's `down.sql` drops: `table NAME` and `column TABLE.NAME`.
pub(super) fn drops(name: &str) -> Result<Vec<String>> {
    Ok(dropped(text(&format!("{name}/down.sql"))?))
}

fn dropped(sql: &str) -> Vec<String> {
    let lines = sql.lines().filter(|line| !line.starts_with("--"));
    let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    let mut drops = Vec::new();
    for statement in words.join(" ").split(';').map(str::trim) {
        if let Some(tables) = statement.strip_prefix("DROP TABLE ") {
            let tables = names_of(tables);
            drops.extend(tables.map(|table| format!("table {table}")));
        } else if let Some((table, actions)) = altered(statement) {
            let columns = actions.split("DROP COLUMN ").skip(1);
            let columns = columns.filter_map(|rest| names_of(rest).next());
            drops.extend(columns.map(|column| format!("column {table}.{column}")));
        }
    }
    drops
}

fn altered(statement: &str) -> Option<(&str, &str)> {
    let altered = statement.strip_prefix("ALTER TABLE ")?;
    altered.split_once(' ')
}

/// The names in `IF EXISTS a, b CASCADE`.
fn names_of(list: &str) -> impl Iterator<Item = &str> {
    let list = list.strip_prefix("IF EXISTS ").unwrap_or(list);
    let names = list.split(',').map(str::trim);
    names.filter_map(|name| name.split(' ').next().filter(|name| !name.is_empty()))
}

impl Migration<Pg> for Part {
    fn run(&self, conn: &mut dyn BoxableConnection<Pg>) -> Result<()> {
        self.execute("up.sql", conn)
    }

    fn revert(&self, conn: &mut dyn BoxableConnection<Pg>) -> Result<()> {
        self.execute("down.sql", conn)
    }

    fn metadata(&self) -> &dyn MigrationMetadata {
        &self.folder
    }

    fn name(&self) -> &dyn MigrationName {
        &self.folder
    }
}

impl MigrationMetadata for Folder {}

impl MigrationName for Folder {
    fn version(&self) -> MigrationVersion<'_> {
        version(&self.to_string()).into()
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.path().display().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    #[test]
    fn an_included_function_replaces_its_line() {
        let function = text("functions/set_origin.sql").unwrap();
        let sql = "SELECT 1;\n\\ir ../functions/set_origin.sql\nSELECT 2;\n";
        assert_eq!(
            expand(sql).unwrap(),
            format!("SELECT 1;\n{function}\nSELECT 2;")
        );
        let missing = expand("\\ir ../functions/missing.sql").unwrap_err();
        assert!(missing.to_string().contains("functions/missing.sql"));
    }

    #[test]
    fn every_migration_can_be_read_and_every_function_is_defined_in_its_file_alone() {
        let mut included = String::new();
        for folder in folders() {
            for file in ["up.sql", "down.sql"] {
                folder.text(file).unwrap();
                let own = text(&format!("{folder}/{file}")).unwrap();
                // A `down.sql` may restore the previous text of a function.
                let defines =
                    own.contains("CREATE FUNCTION") || own.contains("CREATE OR REPLACE FUNCTION");
                assert!(file == "down.sql" || !defines, "{folder}/{file}");
                included += own;
            }
        }
        for file in FOLDER.get_dir("functions").unwrap().files() {
            let name = file.path().file_stem().unwrap().to_str().unwrap();
            let head = format!("\nCREATE OR REPLACE FUNCTION {name}(");
            let text = file.contents_utf8().unwrap();
            assert_eq!(text.matches(" FUNCTION ").count(), 1, "{name}");
            assert!(text.contains(&head), "{name}");
            assert!(
                included.contains(&format!("{INCLUDE}{name}.sql\n")),
                "{name}"
            );
        }
    }

    #[test]
    fn dropped_tables_and_columns_are_found() {
        let sql = "-- DROP TABLE not_this;\nDROP FUNCTION f;\nDROP TABLE IF EXISTS a,\n    b CASCADE;\n\
            ALTER TABLE c DROP COLUMN d, DROP COLUMN IF EXISTS e CASCADE, ADD COLUMN f text;\nDROP VIEW g;";
        let expected = ["table a", "table b", "column c.d", "column c.e"];
        assert_eq!(dropped(sql), expected);
        let items = drops("2026-11-29-000004_items").unwrap();
        assert!(items.contains(&"table documents".to_owned()), "{items:?}");
        assert_eq!(extensions(), ["pg_trgm"]);
    }

    #[test]
    fn versions_are_those_of_diesel() {
        let first = Embedded { is_sharded: false }
            .migrations()
            .unwrap()
            .remove(0);
        let version = first.name().to_string();
        assert_eq!(version, "2026-11-29-000001_change_log");
        let version = first.name().version().to_string();
        assert_eq!(version, "20261129000001");
    }
}
