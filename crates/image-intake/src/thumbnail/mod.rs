//! Thumbnails: images with a maximum of [`MAX_THUMBNAIL_SIDE`] pixels per side, with the EXIF orientation applied.
//!
//! - `decode`: one function per type. Decoders for rows feed `shrink`, so that the whole image is never in memory.
//! - `shrink`: the averages, and the orientation.
//!
//! The decoders are crates without C code. Two choices need a reason:
//! - `jpeg-decoder`, although it is only maintained, not extended. It decodes a JPEG at 1/2, 1/4 or 1/8 of its size,
//!   which takes a fraction of the memory. `zune-jpeg` cannot (etemesi254/zune-image#434), and decodes JPEGs with a scan
//!   for each component wrongly, without an error (etemesi254/zune-image#422).
//! - `jpeg-encoder`, because the encoder in `image` has no chroma subsampling and brings its color management along.

mod decode;
mod shrink;

use std::borrow::Cow;

use crate::{Format, checked_size};
use shrink::Pixels;

/// Maximum width and height of a thumbnail, in pixels.
pub const MAX_THUMBNAIL_SIDE: u32 = 512;
/// Maximum number of pixels of an image that gets a thumbnail.
pub const MAX_THUMBNAIL_PIXELS: u64 = 64_000_000;

/// Maximum memory for the decoded parts of an image, in bytes.
const MAX_MEMORY: u64 = 256 << 20;
/// Maximum size of a color profile in a thumbnail. Profiles of displays and cameras are smaller, those of printers larger.
const MAX_PROFILE: usize = 16 * 1024;
/// The quality of a JPEG (1–100).
const QUALITY: u8 = 80;

/// A small version of an image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Thumbnail {
    /// `image/jpeg`, or `image/png` if a pixel is transparent.
    pub content_type: &'static str,
    /// The width as displayed, in pixels.
    pub width: u32,
    /// The height as displayed, in pixels.
    pub height: u32,
    /// The file. Contains no metadata except a small color profile.
    pub bytes: Vec<u8>,
}

/// Why an image has no thumbnail.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ThumbnailError {
    /// The file is not a JPEG, PNG, WebP or GIF.
    #[error("not a JPEG, PNG, WebP or GIF")]
    UnknownType,
    /// The image exceeds [`MAX_THUMBNAIL_PIXELS`] or [`MAX_SIDE`](crate::MAX_SIDE).
    #[error(
        "larger than {} pixels per side or {MAX_THUMBNAIL_PIXELS} pixels in total",
        crate::MAX_SIDE
    )]
    TooManyPixels,
    /// The image cannot be decoded in 256 MiB of memory. Only WebP and progressive JPEG are not decoded in rows.
    #[error("decoding needs more than {} MiB of memory", MAX_MEMORY >> 20)]
    TooMuchMemory,
    /// The pixels cannot be decoded. Contains the decoder's reason.
    #[error("cannot be decoded: {0}")]
    Undecodable(String),
}

/// Makes the thumbnail of an image, which need not be cleaned. Of an animation, the first frame. A small image keeps its
/// size. Colors are averaged as they are stored, and keep their color profile.
///
/// ```
/// # let gif = b"GIF89a\x01\0\x01\0\x80\0\0\xFF\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
/// let thumbnail = image_intake::thumbnail(gif)?;
/// assert_eq!((thumbnail.content_type, thumbnail.width, thumbnail.height), ("image/jpeg", 1, 1));
/// # Ok::<(), image_intake::ThumbnailError>(())
/// ```
///
/// # Errors
/// If the image has too many pixels, or cannot be decoded.
pub fn thumbnail(bytes: &[u8]) -> Result<Thumbnail, ThumbnailError> {
    let decode = match Format::of(bytes).ok_or(ThumbnailError::UnknownType)? {
        Format::Jpeg => decode::jpeg,
        Format::Png => decode::png,
        Format::WebP => decode::webp,
        Format::Gif => decode::gif,
    };
    let decoded = decode(bytes)?;
    let pixels = decoded.shrinker.finish().oriented(decoded.orientation);
    let profile = decoded.profile.filter(|profile| is_kept(profile));
    let (content_type, bytes) = match pixels.is_opaque() {
        true => ("image/jpeg", encode_jpeg(&pixels, profile)?),
        false => ("image/png", encode_png(&pixels, profile)?),
    };
    Ok(Thumbnail {
        content_type,
        width: pixels.width,
        height: pixels.height,
        bytes,
    })
}

/// Checks the size that a file declares, before anything is allocated for its pixels.
fn require_size(width: u32, height: u32) -> Result<(u32, u32), ThumbnailError> {
    let size = checked_size(width, height).map_err(|_| ThumbnailError::TooManyPixels)?;
    match u64::from(width) * u64::from(height) <= MAX_THUMBNAIL_PIXELS {
        true => Ok(size),
        false => Err(ThumbnailError::TooManyPixels),
    }
}

fn undecodable(error: impl ToString) -> ThumbnailError {
    ThumbnailError::Undecodable(error.to_string())
}

/// Whether the profile is small, and describes RGB as a thumbnail does.
fn is_kept(profile: &[u8]) -> bool {
    profile.len() <= MAX_PROFILE && profile.get(16..20) == Some(b"RGB ")
}

fn encode_jpeg(pixels: &Pixels, profile: Option<Vec<u8>>) -> Result<Vec<u8>, ThumbnailError> {
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, QUALITY);
    encoder.set_optimized_huffman_tables(true);
    encoder.set_chroma_subsampling_method(jpeg_encoder::ChromaSubsamplingMethod::Average);
    if let Some(profile) = profile {
        encoder.add_icc_profile(&profile).map_err(undecodable)?;
    }
    let (width, height) = (pixels.width as u16, pixels.height as u16);
    let rgba = pixels.rgba.as_flattened();
    let encoded = encoder.encode(rgba, width, height, jpeg_encoder::ColorType::Rgba);
    encoded.map_err(undecodable)?;
    Ok(bytes)
}

fn encode_png(pixels: &Pixels, profile: Option<Vec<u8>>) -> Result<Vec<u8>, ThumbnailError> {
    let mut bytes = Vec::new();
    let mut info = png::Info::with_size(pixels.width, pixels.height);
    info.color_type = png::ColorType::Rgba;
    info.bit_depth = png::BitDepth::Eight;
    info.icc_profile = profile.map(Cow::Owned);
    let encoder = png::Encoder::with_info(&mut bytes, info).map_err(undecodable)?;
    let mut writer = encoder.write_header().map_err(undecodable)?;
    let written = writer.write_image_data(pixels.rgba.as_flattened());
    written.map_err(undecodable)?;
    writer.finish().map_err(undecodable)?;
    Ok(bytes)
}
