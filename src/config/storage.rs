//! The settings of images: where they are stored, and the URL that their links start with.

use std::{net::SocketAddr, path::Path};

use clap::Args;
use url::Url;

use super::{environment::Variables, secret_file, values::web_url};
use crate::{
    auth::keys::Secrets,
    images::{ImageSettings, StorageSettings},
};

/// The variables of S3 credentials that are secret.
const AWS_SECRETS: [&str; 3] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

/// Image storage.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Images")]
pub struct StorageConfig {
    /// The store: file:///folder, or s3://bucket/prefix?endpoint=https://…&region=… with credentials from the standard AWS_…
    /// variables (docs/operations.md). A prefix consists of letters, digits, '.', '_', '-' and '/'. If unset, images are
    /// stored in the folder images in the data folder.
    #[arg(long, env = "SNAPNOTE_STORAGE_URL", value_parser = storage_url)]
    pub storage_url: Option<Url>,
    /// The URL under which clients reach this service, e.g. https://api.example.com. Links to images start with it. If unset,
    /// http:// and the listen address, which must then be a loopback address.
    #[arg(long, env = "SNAPNOTE_PUBLIC_URL", value_parser = web_url)]
    pub public_url: Option<Url>,
}

impl StorageConfig {
    /// Whether images are stored in a local folder, so that this service receives and serves them.
    pub(crate) fn is_folder(&self) -> bool {
        let url = self.storage_url.as_ref();
        url.is_none_or(|url| url.to_file_path().is_ok())
    }

    /// Why links to images cannot be built, if so. Other machines cannot open a loopback address, and nobody can open an
    /// unspecified one such as 0.0.0.0.
    pub(super) fn url_problem(&self, listen: SocketAddr) -> Option<String> {
        if self.public_url.is_some()
            || !self.is_folder()
            || listen.ip().to_canonical().is_loopback()
        {
            return None;
        }
        Some(format!(
            "SNAPNOTE_PUBLIC_URL is not set, and SNAPNOTE_LISTEN is {listen}. Links to images start with the listen address only \
             if it is a loopback address. Set SNAPNOTE_PUBLIC_URL to the URL under which clients reach the service, e.g. \
             https://api.example.com."
        ))
    }

    /// The store.
    ///
    /// # Errors
    /// A message for the operator, if a file with S3 credentials cannot be read.
    pub fn storage(&self, data_dir: &Path) -> Result<StorageSettings, String> {
        let Some(url) = &self.storage_url else {
            return Ok(StorageSettings::Folder(data_dir.join("images")));
        };
        match url.to_file_path() {
            Ok(folder) => Ok(StorageSettings::Folder(folder)),
            Err(()) => Ok(StorageSettings::S3 {
                url: url.clone(),
                environment: aws_environment()?,
            }),
        }
    }

    /// The settings in the form that `images` takes. `listening` is the listen address.
    ///
    /// # Errors
    /// A message for the operator, if the listen address does not make a URL, or a file with S3 credentials cannot be read.
    pub fn settings(
        &self,
        data_dir: &Path,
        listening: SocketAddr,
        secrets: Secrets,
    ) -> Result<ImageSettings, String> {
        // `url_problem` has checked that clients can open the links, or the store makes its own.
        let public_url = match &self.public_url {
            Some(url) => url.clone(),
            None => format!("http://{listening}").parse().map_err(|error| {
                format!("http://{listening} is not a valid URL: {error}. Set SNAPNOTE_PUBLIC_URL.")
            })?,
        };
        Ok(ImageSettings {
            storage: self.storage(data_dir)?,
            public_url,
            secrets,
        })
    }
}

/// The standard variables for S3 credentials. Those that are secret can be in files.
fn aws_environment() -> Result<Vec<(String, String)>, String> {
    let variables = Variables::of_process();
    let mut found: Vec<_> = variables
        .names()
        .filter(|name| name.starts_with("AWS_"))
        .filter_map(|name| Some((name.to_owned(), variables.get(name)?.to_str()?.to_owned())))
        .collect();
    for name in AWS_SECRETS {
        let value = secret_file::value_of(name, true, &variables)?;
        if let Some(Ok(value)) = value.map(|value| value.into_owned().into_string()) {
            found.retain(|(known, _)| known != name);
            found.push((name.to_owned(), value));
        }
    }
    Ok(found)
}

fn storage_url(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|error| format!("{error}"))?;
    match url.scheme() {
        "file" if url.to_file_path().is_ok() => Ok(url),
        "s3" if url.has_host() => Ok(url),
        _ => Err("expected file:///folder or s3://bucket/prefix?region=…".to_owned()),
    }
}
