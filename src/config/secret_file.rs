//! Secrets in files: `NAME_FILE` names a file that contains the value of the variable `NAME`. Orchestrators provide secrets in
//! files (Docker and Kubernetes secrets, systemd credentials), and a file is not visible to other programs as a variable is.

use std::{
    borrow::Cow,
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read},
    path::Path,
};

use super::environment::Variables;

/// Maximum size of a file. The largest secret is the text of SNAPNOTE_ISSUERS.
const MAX_BYTES: u64 = 1024 * 1024;

/// The variable that names the file of a secret.
pub(super) fn name_of(name: &str) -> String {
    format!("{name}_FILE")
}

/// The value of a variable. If it is a secret, it can also be the contents of the file that `NAME_FILE` names. `None` if
/// neither is set.
///
/// # Errors
/// A message that names the variable and the file, never the value.
pub(super) fn value_of<'a>(
    name: &str,
    is_secret: bool,
    variables: &'a Variables,
) -> Result<Option<Cow<'a, OsStr>>, String> {
    let (value, file) = (variables.get(name), name_of(name));
    let path = is_secret.then(|| variables.get(&file)).flatten();
    match (value, path) {
        (Some(_), Some(_)) => Err(format!(
            "{name} and {file} are both set. Remove one of them."
        )),
        (value, None) => Ok(value.map(Cow::Borrowed)),
        (None, Some(path)) => {
            let text = read(Path::new(path)).map_err(|why| {
                let path = path.to_string_lossy();
                format!("{file} names {path}, which cannot be used: {why}.")
            })?;
            Ok(Some(Cow::Owned(OsString::from(text))))
        }
    }
}

/// The text of a file without the newline at its end, which editors and `echo` add.
fn read(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error: io::Error| error.to_string())?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err("it is larger than 1 MiB".to_owned());
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text")?;
    let value = text.trim_end_matches(['\r', '\n']);
    if value.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let unique = format!("snapnote-secrets-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(unique);
        fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (OsString::from(name), OsString::from(value)))
            .collect()
    }

    #[test]
    fn a_secret_is_read_from_its_file_without_the_last_newline() {
        let folder = folder("read");
        let file = folder.join("key");
        let path = file.to_str().expect("UTF-8");
        for (contents, value) in [
            ("hush", "hush"),
            ("hush\n", "hush"),
            ("hush hush\r\n", "hush hush"),
            (" a\nb \n", " a\nb "),
        ] {
            fs::write(&file, contents).expect("it can be written");
            let set = variables(&[("KEY_FILE", path)]);
            let read = value_of("KEY", true, &set).expect("it can be read");
            assert_eq!(read.as_deref(), Some(OsStr::new(value)), "{contents:?}");
            assert_eq!(value_of("KEY", false, &set), Ok(None), "only secrets");
        }
        fs::remove_dir_all(&folder).expect("it is ours");
    }

    #[test]
    fn unusable_files_are_named_and_their_contents_are_not() {
        let folder = folder("wrong");
        let file = folder.join("key");
        let path = file.to_str().expect("UTF-8");
        let wrong = |pairs: &[(&str, &str)]| {
            let problem = value_of("KEY", true, &variables(pairs)).expect_err("it is wrong");
            assert!(problem.contains("KEY_FILE"), "{problem}");
            assert!(!problem.contains("hush"), "{problem}");
            problem
        };
        let only_file = [("KEY_FILE", path)];
        assert!(wrong(&only_file).contains(path), "it does not exist");
        for contents in [&b"\n"[..], b" \n\n", b"hush\xff", &b"hush".repeat(300_000)] {
            fs::write(&file, contents).expect("it can be written");
            assert!(wrong(&only_file).contains(path), "{}", contents.len());
        }
        let both = wrong(&[("KEY", "hush"), ("KEY_FILE", path)]);
        assert_eq!(both, "KEY and KEY_FILE are both set. Remove one of them.");
        fs::remove_dir_all(&folder).expect("it is ours");
    }
}
