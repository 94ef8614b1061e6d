//! GIF: frames and extensions, made of blocks of at most 255 bytes each.

use super::sieve::Sieve;
use super::{CUT_OFF, NotAPicture, Picture, array, checked_size};

/// The signature and the size of the screen.
const HEADER: usize = 13;
/// The position of a frame and how it is stored.
const FRAME: usize = 10;

/// Keeps the frames, how long each is shown and how often they are repeated.
pub(super) fn sift(sieve: &mut Sieve) -> Result<Picture, NotAPicture> {
    let header: [u8; HEADER] = array(sieve.rest(), 0)?;
    let [width, height] = [array(&header, 6)?, array(&header, 8)?].map(u16::from_le_bytes);
    let size = checked_size(width.into(), height.into())?;
    sieve.keep(HEADER + palette_length(header[10]))?;
    let mut has_frame = false;
    loop {
        match sieve.rest().first().ok_or(CUT_OFF)? {
            b',' => {
                frame(sieve, size)?;
                has_frame = true;
            }
            b'!' => extension(sieve)?,
            b';' if has_frame => break,
            b';' => return Err(NotAPicture::Broken("it has no frame")),
            _ => return Err(NotAPicture::Broken("a part of it is unknown")),
        }
    }
    sieve.keep(1)?;
    Ok(Picture::new("image/gif", size, None))
}

/// How long the palette is that these flags announce.
fn palette_length(flags: u8) -> usize {
    if flags & 0x80 == 0 {
        0
    } else {
        3 << ((flags & 7) + 1)
    }
}

/// How long a run of blocks is, with the empty one that ends it.
fn blocks_length(bytes: &[u8]) -> Result<usize, NotAPicture> {
    let mut length = 0;
    loop {
        let block = usize::from(*bytes.get(length).ok_or(CUT_OFF)?);
        length += 1 + block;
        if block == 0 {
            return Ok(length);
        }
    }
}

/// Keeps a frame, which must lie within the screen.
fn frame(sieve: &mut Sieve, (width, height): (u32, u32)) -> Result<(), NotAPicture> {
    let head: [u8; FRAME] = array(sieve.rest(), 0)?;
    let number = |at: usize| array(&head, at).map(u16::from_le_bytes).map(u32::from);
    let (frame_width, frame_height) = checked_size(number(5)?, number(7)?)?;
    if number(1)? + frame_width > width || number(3)? + frame_height > height {
        return Err(NotAPicture::Broken("a frame is outside the picture"));
    }
    let data = FRAME + palette_length(head[9]);
    let code_size = *sieve.rest().get(data).ok_or(CUT_OFF)?;
    let blocks = blocks_length(sieve.rest().get(data + 1..).unwrap_or_default())?;
    if !(1..=11).contains(&code_size) || blocks < 2 {
        return Err(NotAPicture::Broken("a frame has no pixels"));
    }
    sieve.keep(data + 1 + blocks)
}

/// Keeps the extensions that change how the picture is shown.
fn extension(sieve: &mut Sieve) -> Result<(), NotAPicture> {
    let length = 2 + blocks_length(sieve.rest().get(2..).unwrap_or_default())?;
    let shown = match sieve.peek(length)? {
        // How long the next frame is shown, and what is transparent in it.
        [_, 0xF9, 4, _, _, _, _, 0] => true,
        // How often the animation is repeated.
        [_, 0xFF, 11, name @ .., 3, 1, _, _, 0] => matches!(name, b"NETSCAPE2.0" | b"ANIMEXTS1.0"),
        [_, 0xFF, 11, rest @ ..] => rest.starts_with(b"ICCRGBG1012"),
        _ => false,
    };
    if shown {
        sieve.keep(length)
    } else {
        sieve.skip(length)
    }
}
