//! GIF: frames and extensions that consist of blocks of up to 255 bytes.

use crate::filter::Filter;
use crate::{ImageError, ImageInfo, TRUNCATED, array, checked_size};

/// The length of the signature and the screen descriptor.
const HEADER: usize = 13;
/// The length of a frame descriptor.
const FRAME: usize = 10;

/// Keeps the frames, their durations and the number of repetitions.
pub(crate) fn filter_image(filter: &mut Filter) -> Result<ImageInfo, ImageError> {
    let header: [u8; HEADER] = array(filter.rest(), 0)?;
    let [width, height] = [array(&header, 6)?, array(&header, 8)?].map(u16::from_le_bytes);
    let size = checked_size(width.into(), height.into())?;
    filter.keep(HEADER + palette_length(header[10]))?;
    let mut has_frame = false;
    loop {
        match filter.rest().first().ok_or(TRUNCATED)? {
            b',' => {
                frame(filter, size)?;
                has_frame = true;
            }
            b'!' => extension(filter)?,
            b';' if has_frame => break,
            b';' => return Err(ImageError::Invalid("it has no frame")),
            _ => return Err(ImageError::Invalid("it contains an unknown block")),
        }
    }
    filter.keep(1)?;
    Ok(ImageInfo::new("image/gif", size, None))
}

/// The length of the palette that these flags declare.
fn palette_length(flags: u8) -> usize {
    if flags & 0x80 == 0 {
        0
    } else {
        3 << ((flags & 7) + 1)
    }
}

/// The length of a sequence of blocks, including the empty block at its end.
fn blocks_length(bytes: &[u8]) -> Result<usize, ImageError> {
    let mut length = 0;
    loop {
        let block = usize::from(*bytes.get(length).ok_or(TRUNCATED)?);
        length += 1 + block;
        if block == 0 {
            return Ok(length);
        }
    }
}

/// Keeps a frame, which must be within the screen.
fn frame(filter: &mut Filter, (width, height): (u32, u32)) -> Result<(), ImageError> {
    let head: [u8; FRAME] = array(filter.rest(), 0)?;
    let number = |at: usize| array(&head, at).map(u16::from_le_bytes).map(u32::from);
    let (frame_width, frame_height) = checked_size(number(5)?, number(7)?)?;
    if number(1)? + frame_width > width || number(3)? + frame_height > height {
        return Err(ImageError::Invalid("a frame extends beyond the image"));
    }
    let data = FRAME + palette_length(head[9]);
    let code_size = *filter.rest().get(data).ok_or(TRUNCATED)?;
    let blocks = blocks_length(filter.rest().get(data + 1..).unwrap_or_default())?;
    if !(1..=11).contains(&code_size) || blocks < 2 {
        return Err(ImageError::Invalid("a frame has no pixels"));
    }
    filter.keep(data + 1 + blocks)
}

/// Keeps the extensions that affect the display.
fn extension(filter: &mut Filter) -> Result<(), ImageError> {
    let length = 2 + blocks_length(filter.rest().get(2..).unwrap_or_default())?;
    let is_displayed = match filter.peek(length)? {
        // The next frame's duration and transparency.
        [_, 0xF9, 4, _, _, _, _, 0] => true,
        // The number of repetitions.
        [_, 0xFF, 11, name @ .., 3, 1, _, _, 0] => matches!(name, b"NETSCAPE2.0" | b"ANIMEXTS1.0"),
        [_, 0xFF, 11, rest @ ..] => rest.starts_with(b"ICCRGBG1012"),
        _ => false,
    };
    if is_displayed {
        filter.keep(length)
    } else {
        filter.skip(length)
    }
}
