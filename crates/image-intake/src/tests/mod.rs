//! Real images: complete, truncated, changed, and with appended data.

mod metadata;
mod rejected;
mod samples;
mod thumbnails;

use crate::{ImageError, ImageInfo, clean};
use samples::*;

/// Every sample and its expected information.
const ALL: [(&[u8], ImageInfo); 11] = [
    (JPEG, info("image/jpeg", 8, 16)),
    (PROGRESSIVE_JPEG, info("image/jpeg", 16, 8)),
    (TWO_JPEGS, info("image/jpeg", 8, 16)),
    (PNG, info("image/png", 8, 16)),
    (PALETTE_PNG, info("image/png", 16, 8)),
    (ANIMATED_PNG, info("image/png", 16, 8)),
    (ANIMATED_GIF, info("image/gif", 16, 8)),
    (LOSSY_WEBP, info("image/webp", 16, 8)),
    (LOSSLESS_WEBP, info("image/webp", 16, 8)),
    (EXTENDED_WEBP, info("image/webp", 8, 16)),
    (ANIMATED_WEBP, info("image/webp", 16, 8)),
];

const fn info(content_type: &'static str, width: u32, height: u32) -> ImageInfo {
    ImageInfo {
        content_type,
        width,
        height,
    }
}

/// The kept bytes of a valid image.
fn kept(bytes: &[u8]) -> Vec<u8> {
    clean(bytes.to_vec()).expect("a valid image").1
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// The error for bytes that must be rejected.
fn rejected(bytes: &[u8]) -> ImageError {
    clean(bytes.to_vec()).expect_err("not a valid image")
}

/// The bytes with one part replaced.
fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = find(bytes, old).expect("the old part");
    [&bytes[..at], new, &bytes[at + old.len()..]].concat()
}

/// A PNG chunk.
fn chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let named = [kind, content].concat();
    let length = (content.len() as u32).to_be_bytes();
    [&length[..], &named, &crc32fast::hash(&named).to_be_bytes()].concat()
}

/// A small PNG file that declares this size.
fn small_png(width: u32, height: u32) -> Vec<u8> {
    let header = [
        &width.to_be_bytes()[..],
        &height.to_be_bytes(),
        &[1, 0, 0, 0, 0],
    ]
    .concat();
    let chunks = [
        chunk(b"IHDR", &header),
        chunk(b"IDAT", &[0; 900]),
        chunk(b"IEND", b""),
    ];
    [b"\x89PNG\r\n\x1A\n".to_vec(), chunks.concat()].concat()
}
