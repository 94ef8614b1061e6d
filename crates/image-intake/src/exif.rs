//! Reads the orientation from an EXIF block, and writes a block with only the orientation.
//!
//! Like browsers, it reads only that tag of the first directory. So errors elsewhere in the block cannot hide it.

/// The prefix of the block in a JPEG, and by mistake in some other files.
pub(crate) const PREFIX: &[u8] = b"Exif\0\0";

/// The length of the block written by [`block`].
pub(crate) const LENGTH: usize = 26;

const ENTRY: usize = 12;
const ORIENTATION: u16 = 0x0112;
const SHORT: u16 = 3;

/// The orientation (1–8), if the block contains it.
///
/// A block shorter than [`LENGTH`] is ignored. So the new block always fits in the space of the old one.
pub(crate) fn orientation(block: &[u8]) -> Option<u8> {
    let tiff = block.strip_prefix(PREFIX).unwrap_or(block);
    let little = match tiff.first_chunk()? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    if tiff.len() < LENGTH {
        return None;
    }
    let short = |bytes: &[u8], at: usize| {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(if little {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    };
    let long = |bytes: &[u8], at: usize| {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(if little {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        })
    };
    let directory = tiff.get(usize::try_from(long(tiff, 4)?).ok()?..)?;
    let count = usize::from(short(directory, 0)?);
    let mut entries = directory.get(2..)?.chunks_exact(ENTRY).take(count);
    let entry = entries.find(|entry| short(entry, 0) == Some(ORIENTATION))?;
    if short(entry, 2)? != SHORT || long(entry, 4)? != 1 {
        return None;
    }
    u8::try_from(short(entry, 8)?)
        .ok()
        .filter(|value| (1..=8).contains(value))
}

/// A block with only the orientation. `None` for 1, the default.
pub(crate) fn block(orientation: u8) -> Option<[u8; LENGTH]> {
    if orientation == 1 {
        return None;
    }
    let mut block = *b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0";
    block[19] = orientation;
    Some(block)
}
