//! PNG, also animated: chunks with a checksum each.

use super::sieve::Sieve;
use super::{NotAPicture, Picture, array, checked_size, exif};

/// The length, the kind and the checksum around the content of a chunk.
const AROUND: usize = 12;

/// What was found of a picture so far.
#[derive(Default)]
struct Found {
    size: Option<(u32, u32)>,
    needs_palette: bool,
    has_palette: bool,
    is_animated: bool,
    data: Data,
    orientation: Option<u8>,
}

/// Where we are in the run of chunks with the pixels.
#[derive(Default, PartialEq)]
enum Data {
    #[default]
    Before,
    Within,
    After,
}

/// Keeps the chunks that a viewer needs to draw the picture.
pub(super) fn sift(sieve: &mut Sieve) -> Result<Picture, NotAPicture> {
    sieve.keep(8)?;
    let mut found = Found::default();
    loop {
        let kind = next_kind(sieve)?;
        let length = u32::from_be_bytes(array(sieve.rest(), 0)?) as usize;
        found.chunk(sieve, &kind, AROUND + length)?;
        if kind == *b"IEND" {
            break;
        }
    }
    match found.size {
        Some(size) if found.data == Data::After => {
            Ok(Picture::new("image/png", size, found.orientation))
        }
        _ => Err(NotAPicture::Broken("it has no pixels")),
    }
}

/// Checks the next chunk as a whole and tells its kind.
fn next_kind(sieve: &Sieve) -> Result<[u8; 4], NotAPicture> {
    let length = u32::from_be_bytes(array(sieve.rest(), 0)?);
    let kind: [u8; 4] = array(sieve.rest(), 4)?;
    if length > i32::MAX as u32 || !kind.iter().all(u8::is_ascii_alphabetic) {
        return Err(NotAPicture::Broken("a chunk is broken"));
    }
    let length = length as usize;
    let chunk = sieve.peek(AROUND + length)?;
    let sum = u32::from_be_bytes(array(chunk, 8 + length)?);
    if crc32fast::hash(&chunk[4..8 + length]) != sum {
        return Err(NotAPicture::Broken("a checksum is wrong"));
    }
    Ok(kind)
}

impl Found {
    /// Keeps or drops one chunk of `length` bytes in all.
    fn chunk(
        &mut self,
        sieve: &mut Sieve,
        kind: &[u8; 4],
        length: usize,
    ) -> Result<(), NotAPicture> {
        let content = sieve.peek(length)?.get(8..length - 4).unwrap_or_default();
        if self.size.is_none() != (kind == b"IHDR") {
            return Err(NotAPicture::Broken("it does not begin with one header"));
        }
        self.follow_data(kind)?;
        match kind {
            b"IHDR" => {
                self.size = Some(size(content)?);
                self.needs_palette = content[9] == 3;
            }
            b"PLTE" => {
                let fits = (3..=768).contains(&content.len()) && content.len() % 3 == 0;
                if !fits || self.has_palette || self.data != Data::Before {
                    return Err(NotAPicture::Broken("the palette is broken"));
                }
                self.has_palette = true;
            }
            b"IEND" if !content.is_empty() => return Err(NotAPicture::Broken("the end is broken")),
            b"IDAT" | b"IEND" => {}
            b"eXIf" => return self.exif(sieve, length),
            _ if kind[0].is_ascii_uppercase() => {
                return Err(NotAPicture::Broken("a chunk is unknown"));
            }
            b"acTL" if content.len() == 8 && self.data == Data::Before => self.is_animated = true,
            // Without the chunk above the frames would not be shown: nobody should find them there.
            b"fcTL" | b"fdAT" if self.is_animated => {}
            _ if changes_colours(kind, content.len()) && self.data == Data::Before => {}
            _ => return sieve.skip(length),
        }
        sieve.keep(length)
    }

    /// The chunks with the pixels must follow one another.
    fn follow_data(&mut self, kind: &[u8; 4]) -> Result<(), NotAPicture> {
        match (&self.data, kind == b"IDAT") {
            (Data::Before, true) if self.needs_palette && !self.has_palette => {
                return Err(NotAPicture::Broken("it has no palette"));
            }
            (Data::Before, true) => self.data = Data::Within,
            (Data::Within, false) => self.data = Data::After,
            (Data::After, true) => return Err(NotAPicture::Broken("the pixels are scattered")),
            _ => {}
        }
        Ok(())
    }

    /// Keeps the orientation, which counts only before the pixels.
    fn exif(&mut self, sieve: &mut Sieve, length: usize) -> Result<(), NotAPicture> {
        let content = sieve.peek(length)?.get(8..length - 4).unwrap_or_default();
        if self.orientation.is_some() || self.data != Data::Before {
            return sieve.skip(length);
        }
        self.orientation = exif::orientation(content);
        let chunk = self.orientation.and_then(exif::block).map(|block| {
            let named = [b"eXIf", &block[..]].concat();
            let sum = crc32fast::hash(&named).to_be_bytes();
            [&[0, 0, 0, exif::LENGTH as u8], &named[..], &sum].concat()
        });
        sieve.replace(length, &chunk.unwrap_or_default())
    }
}

/// Whether this is a chunk, of the length it should have, that changes how the pixels are shown.
fn changes_colours(kind: &[u8; 4], length: usize) -> bool {
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
fn size(content: &[u8]) -> Result<(u32, u32), NotAPicture> {
    let broken = NotAPicture::Broken("the header is broken");
    let &[.., depth, colour, 0, 0, 0 | 1] = content else {
        return Err(broken);
    };
    let sound = match colour {
        0 => matches!(depth, 1 | 2 | 4 | 8 | 16),
        3 => matches!(depth, 1 | 2 | 4 | 8),
        2 | 4 | 6 => matches!(depth, 8 | 16),
        _ => false,
    };
    if content.len() != 13 || !sound {
        return Err(broken);
    }
    let [width, height] = [array(content, 0)?, array(content, 4)?].map(u32::from_be_bytes);
    checked_size(width, height)
}
