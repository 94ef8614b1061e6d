//! PNG, including animated: chunks, each with a checksum.

use crate::filter::Filter;
use crate::{ImageError, ImageInfo, array, checked_size, exif};

/// The bytes of a chunk besides its content: length, type and checksum.
const OVERHEAD: usize = 12;

/// The parts seen so far.
#[derive(Default)]
struct Seen {
    size: Option<(u32, u32)>,
    needs_palette: bool,
    has_palette: bool,
    is_animated: bool,
    pixels: Pixels,
    orientation: Option<u8>,
}

/// The position relative to the chunks with pixels.
#[derive(Default, PartialEq)]
enum Pixels {
    #[default]
    Before,
    Within,
    After,
}

/// Keeps the chunks that a viewer needs to display the image.
pub(crate) fn filter_image(filter: &mut Filter) -> Result<ImageInfo, ImageError> {
    filter.keep(8)?;
    let mut seen = Seen::default();
    loop {
        let (kind, length) = next_chunk(filter)?;
        seen.chunk(filter, &kind, length)?;
        if kind == *b"IEND" {
            break;
        }
    }
    match seen.size {
        Some(size) if seen.pixels == Pixels::After => {
            Ok(ImageInfo::new("image/png", size, seen.orientation))
        }
        _ => Err(ImageError::Invalid("it has no pixels")),
    }
}

/// Checks that the next chunk is complete. Returns its type and its total length.
fn next_chunk(filter: &Filter) -> Result<([u8; 4], usize), ImageError> {
    let length = u32::from_be_bytes(array(filter.rest(), 0)?);
    let kind: [u8; 4] = array(filter.rest(), 4)?;
    if length > i32::MAX as u32 || !kind.iter().all(u8::is_ascii_alphabetic) {
        return Err(ImageError::Invalid("a chunk is invalid"));
    }
    let length = OVERHEAD + length as usize;
    let chunk = filter.peek(length)?;
    let sum = u32::from_be_bytes(array(chunk, length - 4)?);
    if crc32fast::hash(&chunk[4..length - 4]) != sum {
        return Err(ImageError::Invalid("a checksum is wrong"));
    }
    Ok((kind, length))
}

impl Seen {
    /// Keeps or removes one chunk. `length` is its total length.
    fn chunk(
        &mut self,
        filter: &mut Filter,
        kind: &[u8; 4],
        length: usize,
    ) -> Result<(), ImageError> {
        let content = filter.peek(length)?.get(8..length - 4).unwrap_or_default();
        if self.size.is_none() != (kind == b"IHDR") {
            return Err(ImageError::Invalid(
                "it does not start with exactly one header",
            ));
        }
        self.follow_pixels(kind)?;
        match kind {
            b"IHDR" => {
                self.size = Some(size(content)?);
                self.needs_palette = content[9] == 3;
            }
            b"PLTE" => self.palette(content.len())?,
            b"IEND" if !content.is_empty() => {
                return Err(ImageError::Invalid("the end chunk is invalid"));
            }
            b"IDAT" | b"IEND" => {}
            b"eXIf" => return self.exif(filter, length),
            _ if kind[0].is_ascii_uppercase() => {
                return Err(ImageError::Invalid("a required chunk has an unknown type"));
            }
            b"acTL" if content.len() == 8 && self.pixels == Pixels::Before => {
                self.is_animated = true
            }
            // Without acTL, viewers do not display the frames, so they are removed.
            b"fcTL" | b"fdAT" if self.is_animated => {}
            _ if affects_display(kind, content.len()) && self.pixels == Pixels::Before => {}
            _ => return filter.skip(length),
        }
        filter.keep(length)
    }

    /// A palette has 1 to 256 colors of 3 bytes, and precedes the pixels.
    fn palette(&mut self, length: usize) -> Result<(), ImageError> {
        let fits = (3..=768).contains(&length) && length.is_multiple_of(3);
        if !fits || self.has_palette || self.pixels != Pixels::Before {
            return Err(ImageError::Invalid("the palette is invalid"));
        }
        self.has_palette = true;
        Ok(())
    }

    /// The chunks with pixels must be consecutive.
    fn follow_pixels(&mut self, kind: &[u8; 4]) -> Result<(), ImageError> {
        match (&self.pixels, kind == b"IDAT") {
            (Pixels::Before, true) if self.needs_palette && !self.has_palette => {
                return Err(ImageError::Invalid("it has no palette"));
            }
            (Pixels::Before, true) => self.pixels = Pixels::Within,
            (Pixels::Within, false) => self.pixels = Pixels::After,
            (Pixels::After, true) => {
                return Err(ImageError::Invalid("the pixel chunks are not consecutive"));
            }
            _ => {}
        }
        Ok(())
    }

    /// Keeps the orientation, which has an effect only before the pixels.
    fn exif(&mut self, filter: &mut Filter, length: usize) -> Result<(), ImageError> {
        let content = filter.peek(length)?.get(8..length - 4).unwrap_or_default();
        if self.orientation.is_some() || self.pixels != Pixels::Before {
            return filter.skip(length);
        }
        self.orientation = exif::orientation(content);
        let chunk = self.orientation.and_then(exif::block).map(|block| {
            let named = [b"eXIf", &block[..]].concat();
            let sum = crc32fast::hash(&named).to_be_bytes();
            [&[0, 0, 0, exif::LENGTH as u8], &named[..], &sum].concat()
        });
        filter.replace(length, &chunk.unwrap_or_default())
    }
}

/// Whether the chunk affects the display of the pixels, and has a valid length.
fn affects_display(kind: &[u8; 4], length: usize) -> bool {
    match kind {
        b"iCCP" => true,
        b"tRNS" => (1..=256).contains(&length),
        b"bKGD" => matches!(length, 1 | 2 | 6),
        b"sBIT" => (1..=4).contains(&length),
        b"sRGB" => length == 1,
        b"gAMA" | b"cICP" => length == 4,
        b"cHRM" => length == 32,
        b"pHYs" => length == 9,
        b"mDCV" => length == 24,
        b"cLLI" => length == 8,
        _ => false,
    }
}

/// Reads the header.
fn size(content: &[u8]) -> Result<(u32, u32), ImageError> {
    let invalid = ImageError::Invalid("the header is invalid");
    let &[.., depth, color, 0, 0, 0 | 1] = content else {
        return Err(invalid);
    };
    let is_valid = match color {
        0 => matches!(depth, 1 | 2 | 4 | 8 | 16),
        3 => matches!(depth, 1 | 2 | 4 | 8),
        2 | 4 | 6 => matches!(depth, 8 | 16),
        _ => false,
    };
    if content.len() != 13 || !is_valid {
        return Err(invalid);
    }
    let [width, height] = [array(content, 0)?, array(content, 4)?].map(u32::from_be_bytes);
    checked_size(width, height)
}
