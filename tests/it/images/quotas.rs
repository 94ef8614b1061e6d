//! Images count as bytes of their owner (`crate::quotas`).

use serde_json::json;

use super::{Notebook, png::png};
use crate::support::{TestApp, codes};

#[tokio::test(flavor = "multi_thread")]
async fn an_image_beyond_the_maximum_is_not_set() {
    let (small, large) = (png(10, 10), png(400, 400));
    let max = small.len() + 100;
    assert!(large.len() > max);
    let app = TestApp::with(|settings| settings.quotas.max_bytes = Some(max as i64)).await;
    let notebook = Notebook::on(app).await;
    let bytes = async || {
        let data = notebook.ada.query("{ me { usage { bytes } } }").await;
        data["me"]["usage"]["bytes"].as_f64().unwrap()
    };
    let before = bytes().await;
    let document = notebook.with_image(&small).await;
    let stored = document["image"]["byteSize"].as_f64().unwrap();
    assert_eq!(bytes().await, before + stored);
    let upload = notebook.uploaded(&large).await;
    let payload = notebook.set(&upload).await;
    assert_eq!(codes(&payload), ["LIMIT_REACHED"], "{payload}");
    let payload = notebook.set(&upload).await;
    assert_eq!(codes(&payload), ["NOT_FOUND"], "the upload has ended");
    assert_eq!(
        notebook.shown().await["image"]["byteSize"],
        json!(stored as i64)
    );
    assert_eq!(bytes().await, before + stored);
    // Without the image, there is room for another one.
    notebook.remove().await;
    notebook.with_image(&small).await;
}
