//! The rules of `src/lib.rs`, checked: the order of modules, and where SQL and the GraphQL library are used.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

/// The row of each module in the table of `src/lib.rs`, from the top.
fn rows() -> HashMap<String, usize> {
    let map = fs::read_to_string(root().join("lib.rs")).unwrap();
    let rows = map.lines().filter_map(|line| line.strip_prefix("//! | "));
    let mut found = HashMap::new();
    for (row, line) in rows.skip(2).enumerate() {
        let (modules, _) = line.split_once(" | ").unwrap();
        for module in modules.split_whitespace() {
            let name = module.trim_matches(|letter| "[`]".contains(letter));
            let other_row = found.insert(name.to_owned(), row);
            assert_eq!(other_row, None, "{name} is listed twice");
        }
    }
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Each source of the crate, by its path inside `src`.
fn each_source() -> Vec<(String, String)> {
    let mut files = Vec::new();
    sources(&root(), &mut files);
    let read = |file: PathBuf| {
        let inside = file.strip_prefix(root()).unwrap().display().to_string();
        (inside, fs::read_to_string(&file).unwrap())
    };
    files.into_iter().map(read).collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The modules of this crate that a source names, in `use crate::…` lists and in paths.
fn used(source: &str) -> Vec<String> {
    let mut modules = Vec::new();
    for (at, _) in source.match_indices("crate::") {
        let rest = &source[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            modules.extend(first_names(list));
        } else {
            modules.push(name_at(rest));
        }
    }
    modules
}

/// The names at the beginning of each entry of a list in braces.
fn first_names(list: &str) -> Vec<String> {
    let (mut depth, mut begins, mut names) = (1, true, Vec::new());
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => begins = true,
            _ if depth == 1 && begins && character.is_alphabetic() => {
                names.push(name_at(&list[at..]));
                begins = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn name_at(text: &str) -> String {
    text.chars()
        .take_while(|character| character.is_alphanumeric() || *character == '_')
        .collect()
}

#[test]
fn modules_use_only_modules_in_rows_below_their_own() {
    let rows = rows();
    let row = |module: &str| {
        let row = rows.get(module).copied();
        row.unwrap_or_else(|| panic!("the table of src/lib.rs does not list {module}"))
    };
    let mut wrong = Vec::new();
    for (file, text) in each_source() {
        let module = file.split(['/', '.']).next().unwrap();
        if matches!(module, "lib" | "main") {
            continue;
        }
        for target in used(&text) {
            if target != module && row(&target) <= row(module) {
                wrong.push(format!("{file} uses {target}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_stores_and_the_database_layer_contain_sql() {
    let sql = [
        "Statement::new(\"",
        "SELECT ",
        "INSERT INTO",
        "UPDATE ",
        "DELETE FROM",
        "diesel::sql_query",
    ];
    for (file, text) in each_source() {
        let may = file.starts_with("db/") || file.ends_with("store.rs");
        let found = sql.iter().find(|part| text.contains(**part));
        assert!(may || found.is_none(), "{file} contains {found:?}");
    }
}

#[test]
fn only_the_api_and_models_use_the_graphql_library() {
    for (file, text) in each_source() {
        let may = ["graphql/", "http/", "items/", "scalars", "error.rs"]
            .iter()
            .any(|place| file.starts_with(place))
            || file.ends_with("model.rs");
        let obeys = may || !text.contains("async_graphql");
        assert!(obeys, "{file} uses async-graphql");
    }
}

#[test]
fn no_source_is_longer_than_four_hundred_lines() {
    let mut files = Vec::new();
    for folder in ["src", "crates", "tests", "benches", "examples"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        if folder.exists() {
            sources(&folder, &mut files);
        }
    }
    for file in files {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 400, "{} has {lines} lines", file.display());
    }
}
