//! What the tests back up: a user with an item of each kind and an image.

use serde_json::{Value, json};
use tokio::process::Command;

use super::command;
use crate::{
    images::with_image,
    support::{Folder, Person, TestApp, image_folder, text, url_of},
};

/// Everything that the user sees.
pub(super) const ITEMS: &str = "{
    me { name email }
    courses { nodes { id name version createdAt } }
    documents { nodes { id title originalText formattedNote tags { name } image { url contentType byteSize } } }
    tasks { nodes { id title } } }";

/// The database and the images of a service that has stopped.
pub(super) struct Original {
    pub(super) database: String,
    pub(super) url: String,
    pub(super) ada: Person,
    /// A cursor of the change feed.
    pub(super) cursor: String,
    /// The response to [`ITEMS`], without the link to the image.
    pub(super) seen: Value,
    /// The bytes of the image.
    pub(super) image: Vec<u8>,
}

impl Original {
    pub(super) async fn new() -> Original {
        let app = TestApp::start().await;
        let ada = app.signed_up("ada").await;
        fill(&ada).await;
        let mut seen = ada.query(ITEMS).await;
        let url = seen["documents"]["nodes"][0]["image"]["url"].take();
        let cursor = ada.query("{ changesCursor }").await;
        let original = Original {
            database: app.database.clone(),
            url: url_of(&app.database).await,
            cursor: text(&cursor["changesCursor"]),
            image: super::download(&url).await,
            seen,
            ada,
        };
        app.stop().await;
        original
    }

    /// The setting of its image storage.
    pub(super) fn storage(&self) -> String {
        format!("file://{}", image_folder(&self.database).display())
    }

    /// A command on the database.
    pub(super) fn command(&self, folder: &Folder, arguments: &[&str]) -> Command {
        let mut command = command(folder, &self.url, arguments);
        command
            .env("SNAPNOTE_JWT_SECRET", super::secret())
            .env("SNAPNOTE_STORAGE_URL", self.storage());
        command
    }
}

/// Creates an item of each kind, and an image.
pub(super) async fn fill(ada: &Person) {
    let course = ada.create_course("Looms").await;
    let document = ada.create_document(&course, "Patterns of *Jacquard*").await;
    let task = ada.create_task(Some(&course), "Weave").await;
    let tag = json!({ "name": "cloth" });
    let tag = ada.mutate("createTag", tag, "tag { id }").await;
    let tagged = json!({ "add": [tag["tag"]["id"]], "ids": [document, task] });
    ada.mutate("tagItems", tagged, "").await;
    with_image(ada, &document).await;
}
