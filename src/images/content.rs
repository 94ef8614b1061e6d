//! Decides from its bytes alone what an uploaded picture is, and takes out of it what nobody should learn.
//!
//! It knows JPEG, PNG (also animated), WebP and GIF, and nothing else. It reads how large the picture is
//! without decoding one pixel, checks that the file is whole, and keeps only the parts that a viewer needs to
//! draw it: pixels, colour profile (ICC), animation, and of EXIF the orientation alone. Everything else goes:
//! the rest of EXIF (the place above all), XMP, IPTC, comments, previews, second pictures, unknown parts, and
//! all that follows the end of the picture. The file is sifted in place, in one pass, without a second copy.
//!
//! It never trusts a name or a declared type, never decodes or re-encodes pixels, and never panics. So it does
//! not find what was hidden in the pixels, behind the last pixel of a compressed stream, or in a colour profile,
//! and it does not promise that every pixel can be decoded: serve pictures with their own type and `nosniff`.
//!
//! The code is our own, because no well-kept crate does the job. `img-parts` knows no GIF, keeps everything
//! after a JPEG's first scan (later pictures and appended files too), makes an object of every chunk, and leaves
//! it to the caller what to drop and whether the parts fit together. `imagesize` reads the size, but not whether
//! the file is whole. `image` would read size and orientation, but write only what it encodes anew.
//! `little_exif` touches EXIF alone. `kamadak-exif` parses every directory of EXIF to tell the one number wanted,
//! and by default gives none if any of them is broken. Only PNG's checksum is taken from a crate, `crc32fast`.

mod exif;
mod gif;
mod jpeg;
mod png;
mod sieve;
#[cfg(test)]
mod tests;
mod webp;

use sieve::Sieve;

/// The longest side of a picture, in pixels.
const LONGEST_SIDE: u32 = 20_000;
/// The most pixels a picture has.
const MOST_PIXELS: u64 = 100_000_000;

/// A part that the file announces is not there.
const CUT_OFF: NotAPicture = NotAPicture::Broken("the file is cut off");

/// What a picture is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Picture {
    /// The media type, such as `image/png`.
    pub(super) content_type: &'static str,
    /// The width as displayed, in pixels.
    pub(super) width: u32,
    /// The height as displayed, in pixels.
    pub(super) height: u32,
}

/// Why a file is not taken as a picture.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NotAPicture {
    /// It is no JPEG, PNG, WebP or GIF.
    UnknownType,
    /// It begins like a picture, but is none that could be shown; says why.
    Broken(&'static str),
    /// It is larger than any page needs to be.
    TooManyPixels,
}

/// Tells what picture `bytes` are, and gives them back without what is not for others.
///
/// # Errors
///
/// If the bytes are no whole picture of a known type, or one that is too large.
pub(super) fn cleaned(bytes: Vec<u8>) -> Result<(Picture, Vec<u8>), NotAPicture> {
    let sift = match bytes.as_slice() {
        [0xFF, 0xD8, 0xFF, ..] => jpeg::sift,
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => png::sift,
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => gif::sift,
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
        ] => webp::sift,
        _ => return Err(NotAPicture::UnknownType),
    };
    let mut sieve = Sieve::new(bytes);
    let picture = sift(&mut sieve)?;
    Ok((picture, sieve.into_kept()))
}

impl Picture {
    /// The picture of this stored size, as displayed after turning it by the EXIF `orientation`.
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

/// Takes a width and height if a picture may have them.
fn checked_size(width: u32, height: u32) -> Result<(u32, u32), NotAPicture> {
    if width == 0 || height == 0 {
        return Err(NotAPicture::Broken("it has no width or no height"));
    }
    if width.max(height) > LONGEST_SIDE || u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(NotAPicture::TooManyPixels);
    }
    Ok((width, height))
}

/// The `N` bytes that begin at `at`.
fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], NotAPicture> {
    bytes
        .get(at..)
        .and_then(<[u8]>::first_chunk)
        .copied()
        .ok_or(CUT_OFF)
}
