//! Which files are rejected, and that none causes a panic.

use std::io::Write;

use super::{samples::*, *};

#[test]
fn rejects_every_truncation() {
    for (bytes, expected) in ALL {
        // Of two images, the first is complete on its own.
        let second = bytes
            .windows(3)
            .rposition(|three| three == b"\xFF\xD8\xFF")
            .unwrap_or(0);
        let whole = if second == 0 { bytes.len() } else { second };
        for length in 0..bytes.len() {
            match clean(bytes[..length].to_vec()) {
                Ok((_, cut)) if length >= whole => {
                    assert!(cut == kept(bytes), "{expected:?} {length}");
                }
                // Within the scans of a JPEG, the end is not known.
                Ok((info, cut)) => {
                    assert_eq!(info.content_type, "image/jpeg", "{length}");
                    let data = cut.strip_suffix(b"\xFF\xD9").expect("an end");
                    assert!(kept(bytes).starts_with(data), "{length}");
                }
                Err(reason) => assert!(length < whole && reason != ImageError::TooManyPixels),
            }
        }
    }
}

#[test]
fn a_jpeg_without_its_end_marker_is_completed() {
    for bytes in [JPEG, PROGRESSIVE_JPEG] {
        let end = bytes.len() - 2;
        assert_eq!(&bytes[end..], b"\xFF\xD9");
        for cut in [
            bytes[..end].to_vec(),
            bytes[..=end].to_vec(),
            [&bytes[..end], b"\xFF\xFF\xFF"].concat(),
        ] {
            assert_eq!(clean(cut), clean(bytes.to_vec()));
        }
    }
    // The data of the only scan is missing.
    let scan = find(JPEG, b"\xFF\xDA").expect("a scan");
    let header = usize::from(u16::from_be_bytes([JPEG[scan + 2], JPEG[scan + 3]]));
    let without = &JPEG[..scan + 2 + header];
    for bytes in [without.to_vec(), [without, b"\xFF"].concat()] {
        assert_eq!(rejected(&bytes), ImageError::Invalid("a scan is empty"));
    }
}

#[test]
fn never_panics_on_changed_files() {
    // A fixed pseudo-random sequence (xorshift).
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
            if let Ok((info, once)) = clean(changed) {
                // An end marker may have been added.
                assert!(once.len() <= length + 2 && info.width > 0 && info.height > 0);
                assert_eq!(clean(once.clone()), Ok((info, once)));
            }
        }
    }
}

#[test]
fn never_panics_on_changed_chunks_with_valid_checksums() {
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
                    if let Ok((_, once)) = clean(bytes) {
                        assert_eq!(kept(&once), once);
                    }
                }
            }
        }
    }
}

#[test]
fn rejects_other_types() {
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
        assert_eq!(rejected(bytes), ImageError::UnknownType);
    }
}

#[test]
fn rejects_decompression_bombs() {
    assert!(small_png(50_000, 50_000).len() < 1_024);
    for (width, height) in [
        (50_000, 50_000),
        (20_001, 1),
        (1, 20_001),
        (10_001, 10_000),
        (i32::MAX as u32, 1),
    ] {
        assert_eq!(
            rejected(&small_png(width, height)),
            ImageError::TooManyPixels
        );
    }
    for (width, height) in [(20_000, 5_000), (10_000, 10_000), (1, 1)] {
        assert!(clean(small_png(width, height)).is_ok());
    }
    for (width, height) in [(0, 1), (1, 0)] {
        assert!(matches!(
            rejected(&small_png(width, height)),
            ImageError::Invalid(_)
        ));
    }
    let bomb = replaced(JPEG, b"\x11\x08\0\x08\0\x10", b"\x11\x08\xFF\xFF\xFF\xFF");
    assert_eq!(rejected(&bomb), ImageError::TooManyPixels);
    let bomb = replaced(
        ANIMATED_GIF,
        b"GIF89a\x10\0\x08\0",
        b"GIF89a\xFF\xFF\xFF\xFF",
    );
    assert_eq!(rejected(&bomb), ImageError::TooManyPixels);
    let bomb = replaced(
        EXTENDED_WEBP,
        b"\x0F\0\0\x07\0\0",
        b"\xFF\xFF\xFF\xFF\xFF\xFF",
    );
    assert_eq!(rejected(&bomb), ImageError::TooManyPixels);
}

#[test]
fn rejects_invalid_structure() {
    let frame = find(JPEG, b"\xFF\xC0").expect("a frame");
    let tables = &JPEG[frame..frame + 19];
    let broken = [
        replaced(JPEG, tables, &[tables, tables].concat()),
        replaced(JPEG, tables, b""),
        // A frame with arithmetic coding, and one with 12 bits.
        replaced(JPEG, b"\xFF\xC0\0\x11\x08", b"\xFF\xC9\0\x11\x08"),
        replaced(JPEG, b"\xFF\xC0\0\x11\x08", b"\xFF\xC0\0\x11\x0C"),
        // Bytes between segments, and no scan.
        replaced(JPEG, b"\xFF\xC0", b"x\xFF\xC0"),
        [&JPEG[..frame + 19], b"\xFF\xD9"].concat(),
        b"\xFF\xD8\xFF\xD9".to_vec(),
        replaced(PNG, b"IEND", b"IEMD"),
        replaced(ANIMATED_PNG, b"IHDR", b"IHDS"),
        replaced(ANIMATED_GIF, b"\x2C\0\0\0\0\x10\0", b"\x2C\x01\0\0\0\x10\0"),
        b"GIF89a\x10\0\x08\0\0\0\0;".to_vec(),
        replaced(EXTENDED_WEBP, b"\x0F\0\0\x07\0\0", b"\x0E\0\0\x07\0\0"),
        replaced(ANIMATED_WEBP, b"ANIM", b"ANIN"),
        replaced(LOSSLESS_WEBP, b"VP8L", b"VP8M"),
    ];
    for bytes in broken {
        assert!(matches!(rejected(&bytes), ImageError::Invalid(_)));
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
    assert!(clean(bytes).is_ok());
    // One copy for each part would take minutes.
    assert!(started.elapsed().as_secs() < 20);
    Ok(())
}
