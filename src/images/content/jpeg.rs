//! JPEG: segments, then compressed data with further segments between its scans.

use super::sieve::Sieve;
use super::{CUT_OFF, NotAPicture, Picture, array, checked_size, exif};

const END: u8 = 0xD9;
const START_OF_SCAN: u8 = 0xDA;

/// What was found of a picture so far.
#[derive(Default)]
struct Found {
    frame: Option<Frame>,
    /// The components that were in a scan, one bit each.
    scanned: u8,
    orientation: Option<u8>,
    in_scans: bool,
}

struct Frame {
    size: (u32, u32),
    /// The names of the colour components.
    components: Vec<u8>,
}

/// Keeps the picture, and of the application segments only what changes how it is shown.
pub(super) fn sift(sieve: &mut Sieve) -> Result<Picture, NotAPicture> {
    sieve.keep(2)?;
    let mut found = Found::default();
    loop {
        let marker = next_marker(sieve)?;
        if marker == END {
            sieve.keep(2)?;
            break;
        }
        let length = usize::from(u16::from_be_bytes(array(sieve.rest(), 2)?));
        if length < 2 {
            return Err(NotAPicture::Broken("a segment is too short"));
        }
        found.segment(sieve, marker, 2 + length)?;
    }
    let frame = found.frame.ok_or(NotAPicture::Broken("it has no frame"))?;
    if found.scanned.count_ones() as usize != frame.components.len() {
        return Err(NotAPicture::Broken("a colour has no scan"));
    }
    Ok(Picture::new("image/jpeg", frame.size, found.orientation))
}

/// Goes to the next marker and tells it. More than one 0xFF before it are padding.
fn next_marker(sieve: &mut Sieve) -> Result<u8, NotAPicture> {
    if *sieve.rest().first().ok_or(CUT_OFF)? != 0xFF {
        return Err(NotAPicture::Broken("a segment has no marker"));
    }
    let padded = sieve
        .rest()
        .iter()
        .position(|byte| *byte != 0xFF)
        .ok_or(CUT_OFF)?;
    sieve.skip(padded - 1)?;
    sieve.rest().get(1).copied().ok_or(CUT_OFF)
}

impl Found {
    /// Keeps or drops one segment of `length` bytes, counted with its marker.
    fn segment(&mut self, sieve: &mut Sieve, marker: u8, length: usize) -> Result<(), NotAPicture> {
        let content = sieve.peek(length)?.get(4..).unwrap_or_default();
        match marker {
            0xC0..=0xC2 => {
                let frame = frame(content)?;
                if self.frame.replace(frame).is_some() {
                    return Err(NotAPicture::Broken("it has two frames"));
                }
                sieve.keep(length)
            }
            // The tables of the compressed data, and how often it restarts.
            0xC4 | 0xDB | 0xDD => sieve.keep(length),
            START_OF_SCAN => {
                self.scan(content)?;
                let data = scan_length(sieve.rest().get(length..).unwrap_or_default())?;
                sieve.keep(length + data)
            }
            0xE0..=0xEF => self.application(sieve, marker, length),
            0xFE => sieve.skip(length),
            _ => Err(NotAPicture::Broken(
                "it is a JPEG of a kind that browsers do not show",
            )),
        }
    }

    /// Notes the components of a scan, of which each must be in the frame.
    fn scan(&mut self, content: &[u8]) -> Result<(), NotAPicture> {
        let broken = NotAPicture::Broken("a scan is broken");
        let frame = self.frame.as_ref().ok_or(broken)?;
        let (count, rest) = content.split_first().ok_or(broken)?;
        let count = usize::from(*count);
        if !(1..=4).contains(&count) || rest.len() != 2 * count + 3 {
            return Err(broken);
        }
        // A scan that begins after coefficient 0 only refines what another scan began.
        let begins = rest[2 * count] == 0;
        for name in rest[..2 * count].iter().step_by(2) {
            let known = frame
                .components
                .iter()
                .position(|component| component == name);
            let bit = known.map(|component| 1 << component).ok_or(broken)?;
            self.scanned |= if begins { bit } else { 0 };
        }
        self.in_scans = true;
        Ok(())
    }

    /// Keeps of an application segment what changes how the picture is shown.
    fn application(
        &mut self,
        sieve: &mut Sieve,
        marker: u8,
        length: usize,
    ) -> Result<(), NotAPicture> {
        let content = sieve.peek(length)?.get(4..).unwrap_or_default();
        // Decoders look at these only before the first scan.
        if self.in_scans {
            return sieve.skip(length);
        }
        match marker {
            // The header without the preview that may follow it.
            0xE0 if content.starts_with(b"JFIF\0") && content.len() >= 14 => {
                let header: [u8; 12] = array(content, 0)?;
                sieve.replace(
                    length,
                    &[&[0xFF, marker, 0, 16], &header[..], &[0, 0]].concat(),
                )
            }
            0xE1 if self.orientation.is_none() && content.starts_with(exif::PREFIX) => {
                self.orientation = exif::orientation(content);
                let block = self.orientation.and_then(exif::block);
                let segment = block.map(|block| {
                    [
                        &[0xFF, marker, 0, 8 + exif::LENGTH as u8],
                        exif::PREFIX,
                        &block,
                    ]
                    .concat()
                });
                sieve.replace(length, &segment.unwrap_or_default())
            }
            0xE2 if content.starts_with(b"ICC_PROFILE\0") => sieve.keep(length),
            // Tells in which colours the picture is stored.
            0xEE if content.starts_with(b"Adobe") && content.len() >= 12 => {
                let header: [u8; 12] = array(content, 0)?;
                sieve.replace(length, &[&[0xFF, marker, 0, 14], &header[..]].concat())
            }
            _ => sieve.skip(length),
        }
    }
}

/// Reads a frame header of 8 bits a colour, which is all that browsers show.
fn frame(content: &[u8]) -> Result<Frame, NotAPicture> {
    let &[8, h1, h0, w1, w0, count @ (1 | 3 | 4), ref components @ ..] = content else {
        return Err(NotAPicture::Broken("the frame is broken"));
    };
    let sound = |c: &[u8]| (1..=4).contains(&(c[1] >> 4)) && (1..=4).contains(&(c[1] & 15));
    if components.len() != 3 * usize::from(count) || !components.chunks_exact(3).all(sound) {
        return Err(NotAPicture::Broken("the frame is broken"));
    }
    let width = u16::from_be_bytes([w1, w0]);
    let height = u16::from_be_bytes([h1, h0]);
    Ok(Frame {
        size: checked_size(width.into(), height.into())?,
        components: components.iter().step_by(3).copied().collect(),
    })
}

/// How long the compressed data at the beginning of `bytes` is, up to the next marker.
fn scan_length(bytes: &[u8]) -> Result<usize, NotAPicture> {
    // A stuffed zero and a restart belong to the data, and a second 0xFF may be the one of a marker.
    let ends = |pair: &[u8]| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xD0..=0xD7 | 0xFF);
    match bytes.windows(2).position(ends) {
        Some(0) => Err(NotAPicture::Broken("a scan is empty")),
        Some(length) => Ok(length),
        None => Err(CUT_OFF),
    }
}
