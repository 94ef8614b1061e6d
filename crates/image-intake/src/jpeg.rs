//! JPEG: segments, then compressed scans with more segments between them.
//!
//! Some cameras and scanners do not write the end marker, and browsers display such files. If a file ends with a scan, the marker is added.
//! Whether the last scan is complete is not known, because pixels are not decoded.

use crate::filter::Filter;
use crate::{ImageError, ImageInfo, TRUNCATED, array, checked_size, exif};

const END: u8 = 0xD9;
const START_OF_SCAN: u8 = 0xDA;

/// The parts seen so far.
#[derive(Default)]
struct Seen {
    frame: Option<Frame>,
    /// The components with a scan, one bit each.
    scanned: u8,
    orientation: Option<u8>,
    in_scans: bool,
}

struct Frame {
    size: (u32, u32),
    /// The identifiers of the color components.
    components: Vec<u8>,
}

/// Keeps the image, and only those parts of application segments that affect the display.
pub(crate) fn filter_image(filter: &mut Filter) -> Result<ImageInfo, ImageError> {
    filter.keep(2)?;
    let mut seen = Seen::default();
    loop {
        if seen.in_scans && filter.rest().iter().all(|byte| *byte == 0xFF) {
            filter.end_with(&[0xFF, END]);
            break;
        }
        let marker = next_marker(filter)?;
        if marker == END {
            filter.keep(2)?;
            break;
        }
        let length = usize::from(u16::from_be_bytes(array(filter.rest(), 2)?));
        if length < 2 {
            return Err(ImageError::Invalid("a segment is too short"));
        }
        seen.segment(filter, marker, 2 + length)?;
    }
    let frame = seen.frame.ok_or(ImageError::Invalid("it has no frame"))?;
    if seen.scanned.count_ones() as usize != frame.components.len() {
        return Err(ImageError::Invalid("a color component has no scan"));
    }
    Ok(ImageInfo::new("image/jpeg", frame.size, seen.orientation))
}

/// Moves to the next marker and returns it. Additional 0xFF bytes before it are padding.
fn next_marker(filter: &mut Filter) -> Result<u8, ImageError> {
    if *filter.rest().first().ok_or(TRUNCATED)? != 0xFF {
        return Err(ImageError::Invalid("a segment has no marker"));
    }
    let padded = filter
        .rest()
        .iter()
        .position(|byte| *byte != 0xFF)
        .ok_or(TRUNCATED)?;
    filter.skip(padded - 1)?;
    filter.rest().get(1).copied().ok_or(TRUNCATED)
}

impl Seen {
    /// Keeps or removes one segment. `length` includes its marker.
    fn segment(
        &mut self,
        filter: &mut Filter,
        marker: u8,
        length: usize,
    ) -> Result<(), ImageError> {
        let content = filter.peek(length)?.get(4..).unwrap_or_default();
        match marker {
            0xC0..=0xC2 => {
                let frame = frame(content)?;
                if self.frame.replace(frame).is_some() {
                    return Err(ImageError::Invalid("it has two frames"));
                }
                filter.keep(length)
            }
            // Huffman tables, quantisation tables, and the restart interval.
            0xC4 | 0xDB | 0xDD => filter.keep(length),
            START_OF_SCAN => {
                self.scan(content)?;
                let data = scan_length(filter.rest().get(length..).unwrap_or_default())?;
                filter.keep(length + data)
            }
            0xE0..=0xEF => self.application(filter, marker, length),
            0xFE => filter.skip(length),
            _ => Err(ImageError::Invalid(
                "browsers do not support this kind of JPEG",
            )),
        }
    }

    /// Records the components of a scan. Each must be in the frame.
    fn scan(&mut self, content: &[u8]) -> Result<(), ImageError> {
        let invalid = ImageError::Invalid("a scan is invalid");
        let frame = self.frame.as_ref().ok_or(invalid)?;
        let (count, rest) = content.split_first().ok_or(invalid)?;
        let count = usize::from(*count);
        if !(1..=4).contains(&count) || rest.len() != 2 * count + 3 {
            return Err(invalid);
        }
        // A scan that starts after coefficient 0 only refines another scan.
        let begins = rest[2 * count] == 0;
        for name in rest[..2 * count].iter().step_by(2) {
            let known = frame
                .components
                .iter()
                .position(|component| component == name);
            let bit = known.map(|component| 1 << component).ok_or(invalid)?;
            self.scanned |= if begins { bit } else { 0 };
        }
        self.in_scans = true;
        Ok(())
    }

    /// Keeps the part of an application segment that affects the display.
    fn application(
        &mut self,
        filter: &mut Filter,
        marker: u8,
        length: usize,
    ) -> Result<(), ImageError> {
        let content = filter.peek(length)?.get(4..).unwrap_or_default();
        // Decoders read these segments only before the first scan.
        if self.in_scans {
            return filter.skip(length);
        }
        match marker {
            // The header without the thumbnail that may follow it.
            0xE0 if content.starts_with(b"JFIF\0") && content.len() >= 14 => {
                let header: [u8; 12] = array(content, 0)?;
                filter.replace(
                    length,
                    &[&[0xFF, marker, 0, 16], &header[..], &[0, 0]].concat(),
                )
            }
            0xE1 if self.orientation.is_none() && content.starts_with(exif::PREFIX) => {
                self.orientation = exif::orientation(content);
                let segment = self.orientation.and_then(exif_segment);
                filter.replace(length, &segment.unwrap_or_default())
            }
            0xE2 if content.starts_with(b"ICC_PROFILE\0") => filter.keep(length),
            // The color space of the stored pixels.
            0xEE if content.starts_with(b"Adobe") && content.len() >= 12 => {
                let header: [u8; 12] = array(content, 0)?;
                filter.replace(length, &[&[0xFF, marker, 0, 14], &header[..]].concat())
            }
            _ => filter.skip(length),
        }
    }
}

/// A segment with only the orientation. `None` for the default.
fn exif_segment(orientation: u8) -> Option<Vec<u8>> {
    let block = exif::block(orientation)?;
    let head = [0xFF, 0xE1, 0, 8 + exif::LENGTH as u8];
    Some([&head[..], exif::PREFIX, &block].concat())
}

/// Reads a frame header with 8 bits per color component, the only depth that browsers support.
fn frame(content: &[u8]) -> Result<Frame, ImageError> {
    let &[8, h1, h0, w1, w0, count @ (1 | 3 | 4), ref components @ ..] = content else {
        return Err(ImageError::Invalid("the frame header is invalid"));
    };
    let is_valid = |c: &[u8]| (1..=4).contains(&(c[1] >> 4)) && (1..=4).contains(&(c[1] & 15));
    if components.len() != 3 * usize::from(count) || !components.chunks_exact(3).all(is_valid) {
        return Err(ImageError::Invalid("the frame header is invalid"));
    }
    let width = u16::from_be_bytes([w1, w0]);
    let height = u16::from_be_bytes([h1, h0]);
    Ok(Frame {
        size: checked_size(width.into(), height.into())?,
        components: components.iter().step_by(3).copied().collect(),
    })
}

/// The length of the compressed data at the start of `bytes`, up to the next marker or to the end of the file.
fn scan_length(bytes: &[u8]) -> Result<usize, ImageError> {
    // A stuffed zero and a restart marker are part of the data, and a second 0xFF may start a marker.
    let ends = |pair: &[u8]| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xD0..=0xD7 | 0xFF);
    let length = bytes.windows(2).position(ends).unwrap_or_else(|| {
        let data = bytes.iter().rposition(|byte| *byte != 0xFF);
        data.map_or(0, |last| last + 1)
    });
    match length {
        0 => Err(ImageError::Invalid("a scan is empty")),
        length => Ok(length),
    }
}
