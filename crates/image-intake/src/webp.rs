//! WebP: a RIFF file with chunks. Either a single image, or, starting with `VP8X`, an image with additional parts.

use crate::filter::Filter;
use crate::{ImageError, ImageInfo, TRUNCATED, array, checked_size, exif};

const TYPE: &str = "image/webp";
const HEADER: usize = 12;
/// The length of the type and length fields before the content of a chunk.
const HEAD: usize = 8;

// The flags of VP8X.
const ANIMATION: u8 = 0x02;
const EXIF: u8 = 0x08;
const ALPHA: u8 = 0x10;
const PROFILE: u8 = 0x20;

/// A chunk. `length` is its total length, including the padding byte.
struct Chunk<'a> {
    kind: [u8; 4],
    content: &'a [u8],
    length: usize,
}

/// The parts seen so far.
struct Seen {
    size: (u32, u32),
    /// The parts that the file declares.
    flags: u8,
    /// The declared parts that exist and are kept.
    kept: u8,
    has_alpha_plane: bool,
    /// Whether the animation header exists.
    has_animation: bool,
    has_pixels: bool,
    orientation: Option<u8>,
}

/// Keeps the image, its color profile and its orientation.
pub(crate) fn filter_image(filter: &mut Filter) -> Result<ImageInfo, ImageError> {
    let size = u32::from_le_bytes(array(filter.rest(), 4)?) as usize;
    filter.end_at(size.saturating_add(8))?;
    filter.keep(HEADER)?;
    let first = next_chunk(filter.rest())?;
    let info = if first.kind == *b"VP8X" {
        extended(filter)?
    } else {
        let size = stored_size(&first)?;
        let length = first.length;
        filter.keep(length)?;
        // Such a file contains nothing else.
        ImageInfo::new(TYPE, size, None)
    };
    // The file does not grow, so the size fits.
    let size = (filter.kept() - 8) as u32;
    filter.patch(4, &size.to_le_bytes());
    Ok(info)
}

/// Keeps the displayed parts of an image that starts with `VP8X`.
fn extended(filter: &mut Filter) -> Result<ImageInfo, ImageError> {
    let chunk = next_chunk(filter.rest())?;
    let &[flags, _, _, _, w0, w1, w2, h0, h1, h2] = chunk.content else {
        return Err(ImageError::Invalid("the header is invalid"));
    };
    let size = checked_size(number(&[w0, w1, w2]) + 1, number(&[h0, h1, h2]) + 1)?;
    filter.keep(HEAD + 10)?;
    let mut seen = Seen {
        size,
        flags,
        kept: flags & (ANIMATION | ALPHA),
        has_alpha_plane: false,
        has_animation: false,
        has_pixels: false,
        orientation: None,
    };
    while !filter.rest().is_empty() {
        seen.chunk(filter)?;
    }
    if !seen.has_pixels {
        return Err(ImageError::Invalid("it has no pixels"));
    }
    filter.patch(HEADER + HEAD, &[seen.kept, 0, 0, 0]);
    Ok(ImageInfo::new(TYPE, size, seen.orientation))
}

impl Seen {
    /// Keeps or removes the next chunk.
    fn chunk(&mut self, filter: &mut Filter) -> Result<(), ImageError> {
        let chunk = next_chunk(filter.rest())?;
        let length = chunk.length;
        let is_animated = self.flags & ANIMATION != 0;
        let keep = match &chunk.kind {
            b"VP8 " | b"VP8L" => {
                if is_animated || self.has_pixels || stored_size(&chunk)? != self.size {
                    return Err(ImageError::Invalid("the image does not match its header"));
                }
                self.has_pixels = true;
                true
            }
            b"ALPH" if !is_animated => {
                if self.has_alpha_plane || self.has_pixels {
                    return Err(ImageError::Invalid("the transparency chunk is misplaced"));
                }
                self.has_alpha_plane = true;
                true
            }
            b"ANIM" => {
                let counts = is_animated && !self.has_animation && chunk.content.len() == 6;
                self.has_animation |= counts;
                counts
            }
            b"ANMF" if self.has_animation => {
                frame(chunk.content, self.size)?;
                self.has_pixels = true;
                true
            }
            b"ICCP" => self.profile(),
            b"EXIF" => return self.exif(filter),
            _ => false,
        };
        if keep {
            filter.keep(length)
        } else {
            filter.skip(length)
        }
    }

    /// Whether to keep a color profile. Like decoders, use only the first one, if it is declared and before the pixels.
    fn profile(&mut self) -> bool {
        let counts = self.flags & !self.kept & PROFILE != 0 && !self.has_pixels;
        self.kept |= if counts { PROFILE } else { 0 };
        counts
    }

    /// Keeps the orientation, if the file declares EXIF.
    fn exif(&mut self, filter: &mut Filter) -> Result<(), ImageError> {
        let chunk = next_chunk(filter.rest())?;
        let length = chunk.length;
        if self.flags & EXIF == 0 || self.orientation.is_some() {
            return filter.skip(length);
        }
        self.orientation = exif::orientation(chunk.content);
        let Some(block) = self.orientation.and_then(exif::block) else {
            return filter.skip(length);
        };
        self.kept |= EXIF;
        filter.replace(
            length,
            &[b"EXIF", &[exif::LENGTH as u8, 0, 0, 0], &block[..]].concat(),
        )
    }
}

/// The chunk at the start of `bytes`.
fn next_chunk(bytes: &[u8]) -> Result<Chunk<'_>, ImageError> {
    let size = u32::from_le_bytes(array(bytes, 4)?) as usize;
    let length = size
        .checked_next_multiple_of(2)
        .and_then(|size| size.checked_add(HEAD))
        .ok_or(TRUNCATED)?;
    let chunk = bytes.get(..length).ok_or(TRUNCATED)?;
    let content = chunk.get(HEAD..HEAD + size).unwrap_or_default();
    Ok(Chunk {
        kind: array(bytes, 0)?,
        content,
        length,
    })
}

/// A 24-bit number.
fn number(bytes: &[u8; 3]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0])
}

/// Checks that a frame of an animation is within the image and contains only pixels.
fn frame(content: &[u8], (width, height): (u32, u32)) -> Result<(), ImageError> {
    let part = |at: usize| array(content, at).map(|bytes| number(&bytes));
    let (x, y) = (2 * part(0)?, 2 * part(3)?);
    let size = (part(6)? + 1, part(9)? + 1);
    if x + size.0 > width || y + size.1 > height {
        return Err(ImageError::Invalid("a frame extends beyond the image"));
    }
    let rest = content.get(16..).ok_or(TRUNCATED)?;
    let mut pixels = next_chunk(rest)?;
    let mut length = pixels.length;
    if pixels.kind == *b"ALPH" {
        pixels = next_chunk(rest.get(length..).unwrap_or_default())?;
        length += pixels.length;
    }
    if stored_size(&pixels)? != size || length != rest.len() {
        return Err(ImageError::Invalid("a frame is invalid"));
    }
    Ok(())
}

/// Reads the size from the compressed pixels.
fn stored_size(chunk: &Chunk<'_>) -> Result<(u32, u32), ImageError> {
    match (&chunk.kind, chunk.content) {
        (b"VP8 ", &[t0, t1, t2, 0x9D, 0x01, 0x2A, w0, w1, h0, h1, ref rest @ ..]) => {
            let tag = number(&[t0, t1, t2]);
            // A key frame of a known version that is displayed, with a complete first partition.
            if tag & 1 != 0
                || (tag >> 1) & 7 > 3
                || tag & 0x10 == 0
                || (tag >> 5) as usize > rest.len()
            {
                return Err(ImageError::Invalid("the pixels are invalid"));
            }
            let [width, height] =
                [[w0, w1], [h0, h1]].map(|side| u16::from_le_bytes(side) & 0x3FFF);
            checked_size(width.into(), height.into())
        }
        (b"VP8L", &[0x2F, b0, b1, b2, b3, _, ..]) => {
            let bits = u32::from_le_bytes([b0, b1, b2, b3]);
            // The last three bits are a version that must be 0.
            if bits >> 29 != 0 {
                return Err(ImageError::Invalid("the pixels are invalid"));
            }
            checked_size((bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1)
        }
        _ => Err(ImageError::Invalid("the pixels are invalid")),
    }
}
