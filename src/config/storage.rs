//! The settings of images: where they are stored, and the URL that their links start with.

use std::{net::SocketAddr, path::Path};

use clap::Args;
use url::Url;

use super::values::web_url;
use crate::images::{ImageSettings, StorageSettings};

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

    /// The settings in the form that `images` takes. `listening` is the listen address.
    ///
    /// # Errors
    /// A message for the operator, if the listen address does not make a URL.
    pub fn settings(
        &self,
        data_dir: &Path,
        listening: SocketAddr,
        secret: Vec<u8>,
    ) -> Result<ImageSettings, String> {
        let storage = match &self.storage_url {
            None => StorageSettings::Folder(data_dir.join("images")),
            Some(url) => match url.to_file_path() {
                Ok(folder) => StorageSettings::Folder(folder),
                Err(()) => StorageSettings::S3 {
                    url: url.clone(),
                    environment: aws_environment(),
                },
            },
        };
        // `url_problem` has checked that clients can open the links, or the store makes its own.
        let public_url = match &self.public_url {
            Some(url) => url.clone(),
            None => format!("http://{listening}").parse().map_err(|error| {
                format!("http://{listening} is not a valid URL: {error}. Set SNAPNOTE_PUBLIC_URL.")
            })?,
        };
        Ok(ImageSettings {
            storage,
            public_url,
            secret,
        })
    }
}

/// The standard variables for S3 credentials.
fn aws_environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("AWS_"))
        .collect()
}

fn storage_url(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|error| format!("{error}"))?;
    match url.scheme() {
        "file" if url.to_file_path().is_ok() => Ok(url),
        "s3" if url.has_host() => Ok(url),
        _ => Err("expected file:///folder or s3://bucket/prefix?region=…".to_owned()),
    }
}
