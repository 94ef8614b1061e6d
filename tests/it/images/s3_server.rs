//! An S3 server: moto (`pip install 'moto[server]'`). Without it the tests that need it say so and pass, unless
//! SNAPNOTE_TESTS_NEED_S3 is set, as in the gate.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use snapnote::images::StorageSettings;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use super::Notebook;
use crate::support::TestApp;

/// The server, with a bucket `notes`. It ends with this value, or with the process that started it.
pub(super) struct S3 {
    pub(super) address: SocketAddr,
    _child: Child,
}

/// It ends when its standard input is closed.
const SCRIPT: &str = "moto_server -H 127.0.0.1 -p 0 & pid=$!; cat >/dev/null; kill $pid";

impl S3 {
    /// `None` if it is not installed.
    pub(super) async fn start() -> Option<S3> {
        let known = Command::new("sh")
            .args(["-c", "command -v moto_server"])
            .stdout(Stdio::null())
            .status();
        if !known.await.unwrap().success() {
            let needed = std::env::var_os("SNAPNOTE_TESTS_NEED_S3").is_some();
            assert!(
                !needed,
                "moto_server must be installed: pip install 'moto[server]'"
            );
            eprintln!("moto_server is not installed: not tested against S3");
            return None;
        }
        let mut child = Command::new("sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some((_, address)) = line.split_once("Running on http://") {
                    return address.trim().parse().unwrap();
                }
            }
            panic!("moto_server ended");
        };
        let address: SocketAddr = timeout(Duration::from_secs(60), address).await.unwrap();
        // It logs each request, and would block if nothing read that.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let bucket = reqwest::Client::new().put(format!("http://{address}/notes"));
        assert_eq!(bucket.send().await.unwrap().status(), 200);
        Some(S3 {
            address,
            _child: child,
        })
    }

    /// The settings of a service that stores its images at this address.
    pub(super) fn storage(address: SocketAddr) -> StorageSettings {
        StorageSettings::S3 {
            url: url(address).parse().unwrap(),
            environment: CREDENTIALS
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
        }
    }

    /// A user of a service that stores its images here.
    pub(super) async fn notebook(&self) -> Notebook {
        let storage = S3::storage(self.address);
        Notebook::on(TestApp::with(|settings| settings.images.storage = storage).await).await
    }

    /// The keys of all objects in the bucket.
    pub(super) async fn keys(&self) -> Vec<String> {
        let url = format!("http://{}/notes?list-type=2", self.address);
        let list = reqwest::get(url).await.unwrap().text().await.unwrap();
        let keys = list.split("<Key>").skip(1);
        keys.map(|rest| rest.split_once("</Key>").unwrap().0.to_owned())
            .collect()
    }
}

/// The service's credentials.
pub(super) const CREDENTIALS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "tests"),
    ("AWS_SECRET_ACCESS_KEY", "hush"),
];

/// The URL as an operator sets it.
pub(super) fn url(address: SocketAddr) -> String {
    format!("s3://notes/pages?endpoint=http://{address}&region=eu-central-1")
}
