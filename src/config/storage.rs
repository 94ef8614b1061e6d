//! The settings of pictures: where they are kept, and where callers find them.

use std::{net::SocketAddr, path::Path};

use clap::Args;
use url::Url;

use crate::images::{ImageSettings, StorageSettings};

/// Where pictures are kept.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Pictures")]
pub struct StorageConfig {
    /// The store: file:///folder, or s3://bucket/prefix?endpoint=https://…&region=… with the credentials in the usual
    /// variables AWS_… (docs/operations.md); a prefix of letters, digits, '.', '_', '-' and '/'. Not set: the folder images
    /// in the data folder.
    #[arg(long, env = "SNAPNOTE_STORAGE_URL", value_parser = storage_url)]
    pub storage_url: Option<Url>,
    /// The address under which callers reach this service, e.g. https://api.example.com: links to pictures begin with it.
    /// Not set: http and the address that is listened on.
    #[arg(long, env = "SNAPNOTE_PUBLIC_URL", value_parser = public_url)]
    pub public_url: Option<Url>,
}

impl StorageConfig {
    /// As `images` takes them. `listening`: the address that is listened on.
    ///
    /// # Errors
    /// A message that says what is wrong with the addresses.
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
        let public_url = match &self.public_url {
            Some(url) => url.clone(),
            None => format!("http://{listening}")
                .parse()
                .map_err(|error| format!("The address {listening} makes no URL: {error}."))?,
        };
        Ok(ImageSettings {
            storage,
            public_url,
            secret,
        })
    }
}

/// The variables by which programs find their credentials for S3.
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
        _ => Err("write file:///folder or s3://bucket/prefix?region=…".to_owned()),
    }
}

fn public_url(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|error| format!("{error}"))?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if plain {
        Ok(url)
    } else {
        Err("write an address as https://api.example.com or https://example.com/api".to_owned())
    }
}
