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
pub(super) struct Embedded;

impl MigrationSource<Pg> for Embedded {
    fn migrations(&self) -> Result<Vec<Box<dyn Migration<Pg>>>> {
        let mut folders: Vec<_> = folders().collect();
        folders.sort_by_key(|folder| folder.0.path());
        let boxed = |folder| Box::new(folder) as Box<dyn Migration<Pg>>;
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

    fn execute(&self, file: &str, conn: &mut dyn BoxableConnection<Pg>) -> Result<()> {
        let executed = conn.batch_execute(&self.text(file)?);
        executed.map_err(|error| format!("{self}/{file}: {error}").into())
    }
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

impl Migration<Pg> for Folder {
    fn run(&self, conn: &mut dyn BoxableConnection<Pg>) -> Result<()> {
        self.execute("up.sql", conn)
    }

    fn revert(&self, conn: &mut dyn BoxableConnection<Pg>) -> Result<()> {
        self.execute("down.sql", conn)
    }

    fn metadata(&self) -> &dyn MigrationMetadata {
        self
    }

    fn name(&self) -> &dyn MigrationName {
        self
    }
}

impl MigrationMetadata for Folder {}

impl MigrationName for Folder {
    /// As diesel makes it from the name: `20261129000001`.
    fn version(&self) -> MigrationVersion<'_> {
        let name = self.to_string();
        let (version, _) = name.split_once('_').unwrap_or((&name, ""));
        version.replace('-', "").into()
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
                assert!(!own.contains("CREATE FUNCTION"), "{folder}/{file}");
                assert!(!own.contains("CREATE OR REPLACE"), "{folder}/{file}");
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
    fn versions_are_those_of_diesel() {
        let first = Embedded.migrations().unwrap().remove(0);
        let version = first.name().to_string();
        assert_eq!(version, "2026-11-29-000001_change_log");
        let version = first.name().version().to_string();
        assert_eq!(version, "20261129000001");
    }
}
