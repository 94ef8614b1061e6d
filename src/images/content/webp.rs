//! WebP: a RIFF file of chunks, either one picture alone or, begun by `VP8X`, a picture with more around it.

use super::sieve::Sieve;
use super::{CUT_OFF, NotAPicture, Picture, array, checked_size, exif};

const TYPE: &str = "image/webp";
const HEADER: usize = 12;
/// The kind and the length before the content of a chunk.
const HEAD: usize = 8;

// What the flags of VP8X announce.
const ANIMATION: u8 = 0x02;
const EXIF: u8 = 0x08;
const ALPHA: u8 = 0x10;
const PROFILE: u8 = 0x20;

/// A chunk and how many bytes it takes, with the one that pads it.
struct Chunk<'a> {
    kind: [u8; 4],
    content: &'a [u8],
    length: usize,
}

/// What was found of a picture so far.
struct Found {
    size: (u32, u32),
    /// What the file announces.
    flags: u8,
    /// What of it is there and kept.
    kept: u8,
    has_alpha_plane: bool,
    /// Whether the animation's own header is there.
    has_animation: bool,
    has_pixels: bool,
    orientation: Option<u8>,
}

/// Keeps the picture, its colour profile and its orientation.
pub(super) fn sift(sieve: &mut Sieve) -> Result<Picture, NotAPicture> {
    let size = u32::from_le_bytes(array(sieve.rest(), 4)?) as usize;
    sieve.end_at(size.saturating_add(8))?;
    sieve.keep(HEADER)?;
    let first = next_chunk(sieve.rest())?;
    let picture = if first.kind == *b"VP8X" {
        extended(sieve)?
    } else {
        let size = stored_size(&first)?;
        let length = first.length;
        sieve.keep(length)?;
        // Nothing else belongs into such a file.
        Picture::new(TYPE, size, None)
    };
    // No longer than before, so it fits.
    let size = (sieve.kept() - 8) as u32;
    sieve.patch(4, &size.to_le_bytes());
    Ok(picture)
}

/// Keeps what is shown of a picture that begins with `VP8X`.
fn extended(sieve: &mut Sieve) -> Result<Picture, NotAPicture> {
    let chunk = next_chunk(sieve.rest())?;
    let &[flags, _, _, _, w0, w1, w2, h0, h1, h2] = chunk.content else {
        return Err(NotAPicture::Broken("the header is broken"));
    };
    let size = checked_size(number(&[w0, w1, w2]) + 1, number(&[h0, h1, h2]) + 1)?;
    sieve.keep(HEAD + 10)?;
    let mut found = Found {
        size,
        flags,
        kept: flags & (ANIMATION | ALPHA),
        has_alpha_plane: false,
        has_animation: false,
        has_pixels: false,
        orientation: None,
    };
    while !sieve.rest().is_empty() {
        found.chunk(sieve)?;
    }
    if !found.has_pixels {
        return Err(NotAPicture::Broken("it has no pixels"));
    }
    sieve.patch(HEADER + HEAD, &[found.kept, 0, 0, 0]);
    Ok(Picture::new(TYPE, size, found.orientation))
}

impl Found {
    /// Keeps or drops the next chunk.
    fn chunk(&mut self, sieve: &mut Sieve) -> Result<(), NotAPicture> {
        let chunk = next_chunk(sieve.rest())?;
        let length = chunk.length;
        let is_animated = self.flags & ANIMATION != 0;
        let keep = match &chunk.kind {
            b"VP8 " | b"VP8L" => {
                if is_animated || self.has_pixels || stored_size(&chunk)? != self.size {
                    return Err(NotAPicture::Broken("the picture does not fit its header"));
                }
                self.has_pixels = true;
                true
            }
            b"ALPH" if !is_animated => {
                if self.has_alpha_plane || self.has_pixels {
                    return Err(NotAPicture::Broken("the transparency is misplaced"));
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
            b"EXIF" => return self.exif(sieve),
            _ => false,
        };
        if keep {
            sieve.keep(length)
        } else {
            sieve.skip(length)
        }
    }

    /// Whether to keep a colour profile: the first one, announced and before the pixels, as decoders do.
    fn profile(&mut self) -> bool {
        let counts = self.flags & !self.kept & PROFILE != 0 && !self.has_pixels;
        self.kept |= if counts { PROFILE } else { 0 };
        counts
    }

    /// Keeps the orientation, if the file announces it.
    fn exif(&mut self, sieve: &mut Sieve) -> Result<(), NotAPicture> {
        let chunk = next_chunk(sieve.rest())?;
        let length = chunk.length;
        if self.flags & EXIF == 0 || self.orientation.is_some() {
            return sieve.skip(length);
        }
        self.orientation = exif::orientation(chunk.content);
        let Some(block) = self.orientation.and_then(exif::block) else {
            return sieve.skip(length);
        };
        self.kept |= EXIF;
        sieve.replace(
            length,
            &[b"EXIF", &[exif::LENGTH as u8, 0, 0, 0], &block[..]].concat(),
        )
    }
}

/// The chunk that `bytes` begin with.
fn next_chunk(bytes: &[u8]) -> Result<Chunk<'_>, NotAPicture> {
    let size = u32::from_le_bytes(array(bytes, 4)?) as usize;
    let length = size
        .checked_next_multiple_of(2)
        .and_then(|size| size.checked_add(HEAD))
        .ok_or(CUT_OFF)?;
    let chunk = bytes.get(..length).ok_or(CUT_OFF)?;
    let content = chunk.get(HEAD..HEAD + size).unwrap_or_default();
    Ok(Chunk {
        kind: array(bytes, 0)?,
        content,
        length,
    })
}

/// A number of 24 bits.
fn number(bytes: &[u8; 3]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0])
}

/// Checks a frame of an animation: it lies within the picture, and nothing but its pixels is in it.
fn frame(content: &[u8], (width, height): (u32, u32)) -> Result<(), NotAPicture> {
    let part = |at: usize| array(content, at).map(|bytes| number(&bytes));
    let (x, y) = (2 * part(0)?, 2 * part(3)?);
    let size = (part(6)? + 1, part(9)? + 1);
    if x + size.0 > width || y + size.1 > height {
        return Err(NotAPicture::Broken("a frame is outside the picture"));
    }
    let rest = content.get(16..).ok_or(CUT_OFF)?;
    let mut pixels = next_chunk(rest)?;
    let mut length = pixels.length;
    if pixels.kind == *b"ALPH" {
        pixels = next_chunk(rest.get(length..).unwrap_or_default())?;
        length += pixels.length;
    }
    if stored_size(&pixels)? != size || length != rest.len() {
        return Err(NotAPicture::Broken("a frame is broken"));
    }
    Ok(())
}

/// Reads the size out of the compressed pixels.
fn stored_size(chunk: &Chunk<'_>) -> Result<(u32, u32), NotAPicture> {
    match (&chunk.kind, chunk.content) {
        (b"VP8 ", &[t0, t1, t2, 0x9D, 0x01, 0x2A, w0, w1, h0, h1, ref rest @ ..]) => {
            let tag = number(&[t0, t1, t2]);
            // A key frame of a known version that is shown, with its first part whole.
            if tag & 1 != 0
                || (tag >> 1) & 7 > 3
                || tag & 0x10 == 0
                || (tag >> 5) as usize > rest.len()
            {
                return Err(NotAPicture::Broken("the pixels are broken"));
            }
            let [width, height] =
                [[w0, w1], [h0, h1]].map(|side| u16::from_le_bytes(side) & 0x3FFF);
            checked_size(width.into(), height.into())
        }
        (b"VP8L", &[0x2F, b0, b1, b2, b3, _, ..]) => {
            let bits = u32::from_le_bytes([b0, b1, b2, b3]);
            // The last three bits are a version that must be 0.
            if bits >> 29 != 0 {
                return Err(NotAPicture::Broken("the pixels are broken"));
            }
            checked_size((bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1)
        }
        _ => Err(NotAPicture::Broken("the pixels are broken")),
    }
}
