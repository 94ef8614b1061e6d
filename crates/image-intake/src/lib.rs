//! Identifies an uploaded image by its bytes, checks that it is complete, and removes its metadata. Makes thumbnails.
//!
//! Supports JPEG, PNG (including animated), WebP and GIF. The size is read without decoding pixels. Only the parts that a viewer
//! needs are kept: pixels, color profile (ICC), animation, and the EXIF orientation. All other parts are removed:
//! the rest of EXIF (above all the location), XMP, IPTC, comments, embedded thumbnails, additional images, unknown parts, and all
//! bytes after the end of the image. The file is filtered in place in one pass, without a second copy.
//!
//! ```
//! // A GIF of 1 × 1 pixel with a comment.
//! let upload = b"GIF89a\x01\0\x01\0\0\0\0!\xFE\x06SECRET\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;".to_vec();
//!
//! let (info, image) = image_intake::clean(upload)?;
//! assert_eq!((info.content_type, info.width, info.height), ("image/gif", 1, 1));
//! assert!(!image.windows(6).any(|bytes| bytes == b"SECRET"));
//!
//! let error = image_intake::clean(b"%PDF-1.7".to_vec()).unwrap_err();
//! assert_eq!(error.to_string(), "not a JPEG, PNG, WebP or GIF");
//! # Ok::<(), image_intake::ImageError>(())
//! ```
//!
//! # Limits
//! File names and declared types are ignored. [`clean`] never decodes or re-encodes pixels, and no input causes a panic. So data
//! hidden in the pixels, after the last pixel of a compressed stream, or in a color profile is not found, and not every accepted
//! image can be decoded. Serve images with [`ImageInfo::content_type`] and `X-Content-Type-Options: nosniff`.
//!
//! [`thumbnail()`] decodes pixels, with crates whose bugs could cause a panic. Run it where a panic does no harm.

mod exif;
mod filter;
mod gif;
mod jpeg;
mod png;
#[cfg(test)]
mod tests;
mod thumbnail;
mod webp;

use filter::Filter;
pub use thumbnail::{
    MAX_THUMBNAIL_PIXELS, MAX_THUMBNAIL_SIDE, Thumbnail, ThumbnailError, thumbnail,
};

/// Maximum width and height of an image, in pixels.
pub const MAX_SIDE: u32 = 20_000;
/// Maximum number of pixels of an image.
pub const MAX_PIXELS: u64 = 100_000_000;

/// The file declares a part that is missing.
const TRUNCATED: ImageError = ImageError::Invalid("the file is truncated");

/// The type and size of an image.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ImageInfo {
    /// The media type, such as `image/png`.
    pub content_type: &'static str,
    /// The width as displayed, in pixels.
    pub width: u32,
    /// The height as displayed, in pixels.
    pub height: u32,
}

/// Why a file is rejected.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ImageError {
    /// The file is not a JPEG, PNG, WebP or GIF.
    #[error("not a JPEG, PNG, WebP or GIF")]
    UnknownType,
    /// The file starts like an image, but cannot be displayed. Contains the reason, a clause.
    #[error("not a valid image: {0}")]
    Invalid(&'static str),
    /// The image exceeds [`MAX_SIDE`] or [`MAX_PIXELS`].
    #[error("larger than {MAX_SIDE} pixels per side or {MAX_PIXELS} pixels in total")]
    TooManyPixels,
}

/// Identifies the image and returns it without metadata.
///
/// # Errors
/// If the bytes are not a complete image of a supported type, or the image is too large. A JPEG without its end marker counts as complete.
pub fn clean(bytes: Vec<u8>) -> Result<(ImageInfo, Vec<u8>), ImageError> {
    let filter_image = match Format::of(&bytes).ok_or(ImageError::UnknownType)? {
        Format::Jpeg => jpeg::filter_image,
        Format::Png => png::filter_image,
        Format::WebP => webp::filter_image,
        Format::Gif => gif::filter_image,
    };
    let mut filter = Filter::new(bytes);
    let info = filter_image(&mut filter)?;
    Ok((info, filter.into_kept()))
}

/// The supported types.
#[derive(Clone, Copy)]
enum Format {
    Jpeg,
    Png,
    WebP,
    Gif,
}

impl Format {
    /// Identifies a file by its first bytes.
    fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xFF, 0xD8, 0xFF, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some(Self::Png),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'E',
                b'B',
                b'P',
                ..,
            ] => Some(Self::WebP),
            _ => None,
        }
    }
}

impl ImageInfo {
    /// An image of this stored size, as displayed with the EXIF `orientation`.
    fn new(
        content_type: &'static str,
        (width, height): (u32, u32),
        orientation: Option<u8>,
    ) -> Self {
        let (width, height) = match orientation {
            Some(5..=8) => (height, width),
            _ => (width, height),
        };
        Self {
            content_type,
            width,
            height,
        }
    }
}

/// Returns the width and height if they are within the limits.
fn checked_size(width: u32, height: u32) -> Result<(u32, u32), ImageError> {
    if width == 0 || height == 0 {
        return Err(ImageError::Invalid("its width or height is 0"));
    }
    if width.max(height) > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(ImageError::TooManyPixels);
    }
    Ok((width, height))
}

/// The `N` bytes from position `at`.
fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], ImageError> {
    bytes
        .get(at..)
        .and_then(<[u8]>::first_chunk)
        .copied()
        .ok_or(TRUNCATED)
}
