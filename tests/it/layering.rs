//! The layers of the code: a module uses only modules below it in the table of `src/lib.rs`.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// From the top down. Those in one row stand beside each other, and none uses another.
const ORDER: [&[&str]; 19] = [
    &["cli"],
    &["telemetry"],
    &["config"],
    &["app"],
    &["http"],
    &["graphql"],
    &["demo"],
    &["search"],
    &["changes"],
    &["trash"],
    &["audit", "mail"],
    &["images"],
    &["users", "courses", "documents", "tasks"],
    &["pending"],
    &["items"],
    &["auth"],
    &["email_address", "rules"],
    &["db"],
    &["error"],
];

/// `cli` puts the settings of `config` into those of every part, so these two may be used by it; nothing else is excepted.
fn row_of(module: &str) -> usize {
    let row = ORDER.iter().position(|row| row.contains(&module));
    row.unwrap_or_else(|| {
        panic!("the module {module} has no place in the order: give it one, here and in src/lib.rs")
    })
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
fn a_module_uses_only_what_stands_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&root).unwrap();
        let module = inside
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap()
            .trim_end_matches(".rs");
        if matches!(module, "lib" | "main") {
            continue;
        }
        for target in used(&fs::read_to_string(&file).unwrap()) {
            let allowed = target == module || row_of(&target) > row_of(module);
            if !allowed {
                wrong.push(format!("{} uses {target}", inside.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn sql_stands_only_in_stores_and_the_database_layer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    for file in files {
        let inside = file.strip_prefix(&root).unwrap().display().to_string();
        let may =
            inside.starts_with("db/") || inside.ends_with("store.rs") || inside == "trash/sweep.rs";
        let text = fs::read_to_string(&file).unwrap();
        let has = [
            "Statement::new(\"",
            "SELECT ",
            "INSERT INTO",
            "DELETE FROM",
            "UPDATE ",
            "diesel::sql_query",
        ];
        assert!(
            may || !has.iter().any(|part| text.contains(part)),
            "{inside} holds SQL"
        );
    }
}

#[test]
fn no_source_is_longer_than_five_hundred_lines() {
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches", "examples"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        if folder.exists() {
            sources(&folder, &mut files);
        }
    }
    for file in files {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 500, "{} has {lines} lines", file.display());
    }
}
