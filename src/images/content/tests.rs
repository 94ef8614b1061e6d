//! Real pictures, cut, changed and with more behind them.

mod samples;

use std::io::Write;

use super::{NotAPicture, Picture, cleaned, exif};
use samples::*;

/// Every sample and how it should be told.
const ALL: [(&[u8], Picture); 11] = [
    (JPEG, picture("image/jpeg", 8, 16)),
    (PROGRESSIVE_JPEG, picture("image/jpeg", 16, 8)),
    (TWO_JPEGS, picture("image/jpeg", 8, 16)),
    (PNG, picture("image/png", 8, 16)),
    (PALETTE_PNG, picture("image/png", 16, 8)),
    (ANIMATED_PNG, picture("image/png", 16, 8)),
    (ANIMATED_GIF, picture("image/gif", 16, 8)),
    (LOSSY_WEBP, picture("image/webp", 16, 8)),
    (LOSSLESS_WEBP, picture("image/webp", 16, 8)),
    (EXTENDED_WEBP, picture("image/webp", 8, 16)),
    (ANIMATED_WEBP, picture("image/webp", 16, 8)),
];

const fn picture(content_type: &'static str, width: u32, height: u32) -> Picture {
    Picture {
        content_type,
        width,
        height,
    }
}

/// The bytes of a picture that must be sound.
fn kept(bytes: &[u8]) -> Vec<u8> {
    cleaned(bytes.to_vec()).expect("a sound picture").1
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// Says why it is no picture, and fails if it is one.
fn refused(bytes: &[u8]) -> NotAPicture {
    cleaned(bytes.to_vec()).expect_err("no sound picture")
}

/// The bytes with one part, found by its own bytes, exchanged for another.
fn exchanged(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = find(bytes, old).expect("the old part");
    [&bytes[..at], new, &bytes[at + old.len()..]].concat()
}

/// A chunk of a PNG.
fn chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let named = [kind, content].concat();
    let length = (content.len() as u32).to_be_bytes();
    [&length[..], &named, &crc32fast::hash(&named).to_be_bytes()].concat()
}

/// A PNG of the size, with so few pixels as the writer likes.
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

#[test]
fn tells_type_and_displayed_size() {
    for (bytes, expected) in ALL {
        let (picture, _) = cleaned(bytes.to_vec()).expect("a sound picture");
        assert_eq!(picture, expected);
    }
}

#[test]
fn takes_out_what_is_not_for_others() {
    for (bytes, expected) in ALL {
        let kept = kept(bytes);
        assert_eq!(find(&kept, b"SECRET"), None, "{expected:?}");
        assert_eq!(find(&kept, b"\x88\x25"), None, "the place of {expected:?}");
        assert_eq!(find(&kept, b"MPF\0"), None, "{expected:?}");
    }
}

#[test]
fn keeps_orientation_alone() {
    for (bytes, value) in [(JPEG, 6), (TWO_JPEGS, 8), (PNG, 6), (EXTENDED_WEBP, 6)] {
        let kept = kept(bytes);
        let block = exif::block(value).expect("a block");
        assert_eq!(exif::orientation(&block), Some(value));
        assert!(find(&kept, &block).is_some());
        let blocks = kept
            .windows(4)
            .filter(|four| four == b"MM\0*" || four == b"II*\0");
        assert_eq!(blocks.count(), 1);
    }
}

#[test]
fn every_orientation_turns_the_size() {
    let old = b"\x01\x12\0\x03\0\0\0\x01\0\x06";
    for value in 0..=9 {
        let bytes = exchanged(JPEG, old, &[1, 0x12, 0, 3, 0, 0, 0, 1, 0, value]);
        let (picture, kept) = cleaned(bytes).expect("a sound picture");
        let is_turned = (5..=8).contains(&value);
        assert_eq!(
            (picture.width, picture.height),
            if is_turned { (8, 16) } else { (16, 8) }
        );
        // One that changes nothing, or means nothing, needs no EXIF.
        assert_eq!(find(&kept, b"Exif\0\0").is_some(), (2..=8).contains(&value));
    }
}

#[test]
fn reads_orientation_from_either_end_and_survives_any_block() {
    let little = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x05\0\0\0\0\0\0\0";
    assert_eq!(exif::orientation(little), Some(5));
    for length in 0..little.len() {
        assert_eq!(exif::orientation(&little[..length]), None);
    }
    for at in 0..little.len() {
        let mut changed = *little;
        changed[at] = 0xFF;
        exif::orientation(&changed);
    }
}

#[test]
fn keeps_colours_and_animation() {
    for bytes in [JPEG, EXTENDED_WEBP] {
        assert!(find(&kept(bytes), b"acsp").is_some());
    }
    assert!(find(&kept(PNG), b"iCCP").is_some());
    assert!(find(&kept(PALETTE_PNG), b"tRNS").is_some());
    // Nothing in these is only for its writer.
    for bytes in [
        PALETTE_PNG,
        ANIMATED_PNG,
        LOSSY_WEBP,
        LOSSLESS_WEBP,
        ANIMATED_WEBP,
    ] {
        assert_eq!(kept(bytes), bytes);
    }
    let kept = kept(ANIMATED_GIF);
    assert!(find(&kept, b"NETSCAPE2.0\x03\x01").is_some());
    assert_eq!(
        kept.windows(3)
            .filter(|three| three == b"\x21\xF9\x04")
            .count(),
        2
    );
}

#[test]
fn takes_out_previews_in_headers() {
    let old = b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0";
    let at = find(JPEG, old).expect("the header");
    let header = b"\0\x1CJFIF\0\x01\x01\0\0\x01\0\x01\x02\x02SECRETSECRET";
    let bytes = [&JPEG[..at - 2], header, &JPEG[at + old.len()..]].concat();
    assert_eq!(kept(&bytes), kept(JPEG));
    let preview = b"\xFF\xD8\xFF\xE0\0\x10JFXX\0\x10SECRETIN";
    assert_eq!(kept(&exchanged(JPEG, b"\xFF\xD8", preview)), kept(JPEG));
}

#[test]
fn takes_out_what_stands_between_scans() {
    let comment = b"\xFF\xFE\0\x08SECRET";
    let last = PROGRESSIVE_JPEG
        .windows(2)
        .rposition(|two| two == b"\xFF\xDA")
        .expect("a scan");
    let bytes = [
        &PROGRESSIVE_JPEG[..last],
        comment,
        &PROGRESSIVE_JPEG[last..],
    ]
    .concat();
    assert_eq!(kept(&bytes), kept(PROGRESSIVE_JPEG));
}

#[test]
fn takes_out_other_extensions_of_gif() {
    let xmp = b"\x21\xFF\x0BXMP DataXMP\x06SECRET\0\x21\x01\x03abc\0";
    let at = find(ANIMATED_GIF, b"\x21\xFF\x0B").expect("an extension");
    let bytes = [&ANIMATED_GIF[..at], xmp, &ANIMATED_GIF[at..]].concat();
    assert_eq!(kept(&bytes), kept(ANIMATED_GIF));
}

#[test]
fn keeps_the_profile_of_a_gif() {
    let profile = b"\x21\xFF\x0BICCRGBG1012\x04acsp\0";
    let at = find(ANIMATED_GIF, b"\x21\xFF\x0B").expect("an extension");
    let bytes = [&ANIMATED_GIF[..at], profile, &ANIMATED_GIF[at..]].concat();
    assert!(find(&kept(&bytes), profile).is_some());
}

#[test]
fn takes_out_chunks_behind_a_webp_alone() {
    let mut bytes = [LOSSY_WEBP, b"EXIF\x06\0\0\0SECRET"].concat();
    let size = (bytes.len() - 8) as u32;
    bytes[4..8].copy_from_slice(&size.to_le_bytes());
    assert_eq!(kept(&bytes), LOSSY_WEBP);
}

#[test]
fn hides_frames_that_are_not_announced() {
    let control = find(ANIMATED_PNG, b"acTL").expect("an animation") - 4;
    let bytes = [&ANIMATED_PNG[..control], &ANIMATED_PNG[control + 20..]].concat();
    assert_eq!(find(&kept(&bytes), b"fdAT"), None);
    // The flags of VP8X without the one for the animation: there is nothing left to show.
    let mut bytes = ANIMATED_WEBP.to_vec();
    bytes[20] &= !0x02;
    assert!(matches!(refused(&bytes), NotAPicture::Broken(_)));
}

#[test]
fn is_done_after_one_time() {
    for (bytes, _) in ALL {
        let once = kept(bytes);
        assert!(once.len() <= bytes.len());
        assert_eq!(kept(&once), once);
    }
}

#[test]
fn refuses_every_cut() {
    for (bytes, expected) in ALL {
        // Of two pictures the first may be whole alone.
        let second = bytes
            .windows(3)
            .rposition(|three| three == b"\xFF\xD8\xFF")
            .unwrap_or(0);
        let whole = if second == 0 { bytes.len() } else { second };
        for length in 0..bytes.len() {
            match cleaned(bytes[..length].to_vec()) {
                Ok((_, cut)) => assert!(
                    length >= whole && cut == kept(bytes),
                    "{expected:?} {length}"
                ),
                Err(reason) => assert!(length < whole && reason != NotAPicture::TooManyPixels),
            }
        }
    }
}

#[test]
fn takes_out_what_is_appended() {
    let html = b"<html><script>alert(1)</script></html>";
    let svg = b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>";
    let zip = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    for (bytes, _) in ALL {
        for appended in [&html[..], svg, zip, bytes, PNG, b"\0"] {
            assert_eq!(kept(&[bytes, appended].concat()), kept(bytes));
        }
    }
}

#[test]
fn survives_any_change() {
    // A fixed sequence of numbers that look random (xorshift).
    let mut state: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for (bytes, _) in ALL {
        for _ in 0..4_000 {
            let mut changed = bytes.to_vec();
            for _ in 0..=next(4) {
                let at = next(changed.len());
                match next(6) {
                    0 => changed[at] = 0xFF,
                    1 => changed[at] = 0,
                    2 => changed[at] ^= 1 << next(8),
                    3 => changed.insert(at, next(256) as u8),
                    4 if changed.len() > 1 => drop(changed.remove(at)),
                    _ => changed[at] = next(256) as u8,
                }
            }
            let length = changed.len();
            if let Ok((picture, once)) = cleaned(changed) {
                assert!(once.len() <= length && picture.width > 0 && picture.height > 0);
                assert_eq!(cleaned(once.clone()), Ok((picture, once)));
            }
        }
    }
}

#[test]
fn survives_changes_behind_right_checksums() {
    let kinds = [
        b"IHDR", b"PLTE", b"IDAT", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"tRNS", b"IEND", b"abcd",
        b"ABCD",
    ];
    for first in kinds {
        for second in kinds {
            for length in [0, 1, 3, 4, 8, 13, 26, 40] {
                let content = vec![1; length];
                let added = [chunk(first, &content), chunk(second, &content)].concat();
                for before in [&b"IDAT"[..], b"IEND"] {
                    let at = find(PALETTE_PNG, before).expect("a chunk") - 4;
                    let bytes = [&PALETTE_PNG[..at], &added, &PALETTE_PNG[at..]].concat();
                    if let Ok((_, once)) = cleaned(bytes) {
                        assert_eq!(kept(&once), once);
                    }
                }
            }
        }
    }
}

#[test]
fn refuses_other_types() {
    let others: [&[u8]; 7] = [
        b"",
        b"\xFF\xD8",
        b"BM\x3A\0\0\0\0\0\0\0\x36\0\0\0",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"\0\0\0\x1CftypavifSECRET",
    ];
    for bytes in others {
        assert_eq!(refused(bytes), NotAPicture::UnknownType);
    }
}

#[test]
fn refuses_bombs() {
    assert!(small_png(50_000, 50_000).len() < 1_024);
    for (width, height) in [
        (50_000, 50_000),
        (20_001, 1),
        (1, 20_001),
        (10_001, 10_000),
        (i32::MAX as u32, 1),
    ] {
        assert_eq!(
            refused(&small_png(width, height)),
            NotAPicture::TooManyPixels
        );
    }
    for (width, height) in [(20_000, 5_000), (10_000, 10_000), (1, 1)] {
        assert!(cleaned(small_png(width, height)).is_ok());
    }
    for (width, height) in [(0, 1), (1, 0)] {
        assert!(matches!(
            refused(&small_png(width, height)),
            NotAPicture::Broken(_)
        ));
    }
    let bomb = exchanged(JPEG, b"\x11\x08\0\x08\0\x10", b"\x11\x08\xFF\xFF\xFF\xFF");
    assert_eq!(refused(&bomb), NotAPicture::TooManyPixels);
    let bomb = exchanged(
        ANIMATED_GIF,
        b"GIF89a\x10\0\x08\0",
        b"GIF89a\xFF\xFF\xFF\xFF",
    );
    assert_eq!(refused(&bomb), NotAPicture::TooManyPixels);
    let bomb = exchanged(
        EXTENDED_WEBP,
        b"\x0F\0\0\x07\0\0",
        b"\xFF\xFF\xFF\xFF\xFF\xFF",
    );
    assert_eq!(refused(&bomb), NotAPicture::TooManyPixels);
}

#[test]
fn refuses_unsound_structure() {
    let frame = find(JPEG, b"\xFF\xC0").expect("a frame");
    let tables = &JPEG[frame..frame + 19];
    let broken = [
        exchanged(JPEG, tables, &[tables, tables].concat()),
        exchanged(JPEG, tables, b""),
        // A frame of arithmetic coding, and one of 12 bits.
        exchanged(JPEG, b"\xFF\xC0\0\x11\x08", b"\xFF\xC9\0\x11\x08"),
        exchanged(JPEG, b"\xFF\xC0\0\x11\x08", b"\xFF\xC0\0\x11\x0C"),
        // Bytes between segments, and no scan at all.
        exchanged(JPEG, b"\xFF\xC0", b"x\xFF\xC0"),
        [&JPEG[..frame + 19], b"\xFF\xD9"].concat(),
        b"\xFF\xD8\xFF\xD9".to_vec(),
        exchanged(PNG, b"IEND", b"IEMD"),
        exchanged(ANIMATED_PNG, b"IHDR", b"IHDS"),
        exchanged(ANIMATED_GIF, b"\x2C\0\0\0\0\x10\0", b"\x2C\x01\0\0\0\x10\0"),
        b"GIF89a\x10\0\x08\0\0\0\0;".to_vec(),
        exchanged(EXTENDED_WEBP, b"\x0F\0\0\x07\0\0", b"\x0E\0\0\x07\0\0"),
        exchanged(ANIMATED_WEBP, b"ANIM", b"ANIN"),
        exchanged(LOSSLESS_WEBP, b"VP8L", b"VP8M"),
    ];
    for bytes in broken {
        assert!(matches!(refused(&bytes), NotAPicture::Broken(_)));
    }
}

#[test]
fn many_small_parts_take_linear_time() -> std::io::Result<()> {
    let mut bytes = PNG[..33].to_vec();
    let part = [chunk(b"tEXt", b"a\0SECRET"), chunk(b"gAMA", &[0, 0, 1, 1])].concat();
    for _ in 0..200_000 {
        bytes.write_all(&part)?;
    }
    bytes.write_all(&PNG[33..])?;
    let started = std::time::Instant::now();
    assert!(cleaned(bytes).is_ok());
    // A second copy for each part would take minutes.
    assert!(started.elapsed().as_secs() < 20);
    Ok(())
}
