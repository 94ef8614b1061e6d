//! Checks that an upload is the announced image, and removes its metadata.

use image_intake::{ImageError, ImageInfo};
use tokio::sync::OwnedSemaphorePermit;

use super::model::Announced;
use crate::error::{Error, Refusal, RefusalCode};

/// Checks and cleans an image in a blocking thread. The task owns the permit, so that an abandoned request does not
/// admit another image before this one's memory is free.
pub(super) async fn check_off_thread(
    bytes: Vec<u8>,
    announced: Announced,
    permit: OwnedSemaphorePermit,
) -> Result<(Result<(ImageInfo, Vec<u8>), Refusal>, OwnedSemaphorePermit), Error> {
    let work = move || (check_and_clean(bytes, &announced), permit);
    let task = tokio::task::spawn_blocking(work).await;
    task.map_err(Error::of_task)
}

fn check_and_clean(bytes: Vec<u8>, announced: &Announced) -> Result<(ImageInfo, Vec<u8>), Refusal> {
    let refused_as = |code, message: String| Err(Refusal::of("uploadId", code, message));
    let refused = |message: String| refused_as(RefusalCode::Invalid, message);
    if i32::try_from(bytes.len()).ok() != Some(announced.byte_size) {
        return refused(
            "The uploaded file does not have the requested `byteSize`. Request another upload."
                .to_owned(),
        );
    }
    match image_intake::clean(bytes) {
        Ok((info, _)) if info.content_type != announced.content_type.as_str() => {
            let (is, said) = (info.content_type, announced.content_type.as_str());
            refused(format!(
                "The uploaded file is {is}, but {said} was requested. Request another upload."
            ))
        }
        Ok(cleaned) => Ok(cleaned),
        Err(ImageError::UnknownType) => {
            let message =
                "The uploaded file is not a JPEG, PNG, WebP or GIF image. Request another upload.";
            refused_as(RefusalCode::UnsupportedType, message.to_owned())
        }
        Err(ImageError::Invalid(why)) => refused(format!(
            "The uploaded file is not a valid image: {why}. Request another upload."
        )),
        Err(ImageError::TooManyPixels) => {
            let message = "The image must have at most 20,000 pixels per side and 100 million pixels in total.";
            refused_as(RefusalCode::TooLarge, message.to_owned())
        }
    }
}
