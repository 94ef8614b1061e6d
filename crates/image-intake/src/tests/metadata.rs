//! Which parts are kept and which are removed.

use super::{samples::*, *};
use crate::exif;

#[test]
fn returns_type_and_displayed_size() {
    for (bytes, expected) in ALL {
        let (info, _) = clean(bytes.to_vec()).expect("a valid image");
        assert_eq!(info, expected);
    }
}

#[test]
fn removes_private_metadata() {
    for (bytes, expected) in ALL {
        let kept = kept(bytes);
        assert_eq!(find(&kept, b"SECRET"), None, "{expected:?}");
        assert_eq!(
            find(&kept, b"\x88\x25"),
            None,
            "the location of {expected:?}"
        );
        assert_eq!(find(&kept, b"MPF\0"), None, "{expected:?}");
    }
}

#[test]
fn keeps_only_the_orientation_of_exif() {
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
fn orientations_swap_width_and_height() {
    let old = b"\x01\x12\0\x03\0\0\0\x01\0\x06";
    for value in 0..=9 {
        let bytes = replaced(JPEG, old, &[1, 0x12, 0, 3, 0, 0, 0, 1, 0, value]);
        let (info, kept) = clean(bytes).expect("a valid image");
        let is_swapped = (5..=8).contains(&value);
        assert_eq!(
            (info.width, info.height),
            if is_swapped { (8, 16) } else { (16, 8) }
        );
        // The default and invalid orientations need no EXIF.
        assert_eq!(find(&kept, b"Exif\0\0").is_some(), (2..=8).contains(&value));
    }
}

#[test]
fn reads_both_byte_orders_and_any_block() {
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
fn keeps_colors_and_animation() {
    for bytes in [JPEG, EXTENDED_WEBP] {
        assert!(find(&kept(bytes), b"acsp").is_some());
    }
    assert!(find(&kept(PNG), b"iCCP").is_some());
    assert!(find(&kept(PALETTE_PNG), b"tRNS").is_some());
    // These contain no metadata.
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
fn removes_thumbnails_in_headers() {
    let old = b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0";
    let at = find(JPEG, old).expect("the header");
    let header = b"\0\x1CJFIF\0\x01\x01\0\0\x01\0\x01\x02\x02SECRETSECRET";
    let bytes = [&JPEG[..at - 2], header, &JPEG[at + old.len()..]].concat();
    assert_eq!(kept(&bytes), kept(JPEG));
    let preview = b"\xFF\xD8\xFF\xE0\0\x10JFXX\0\x10SECRETIN";
    assert_eq!(kept(&replaced(JPEG, b"\xFF\xD8", preview)), kept(JPEG));
}

#[test]
fn removes_comments_between_scans() {
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
fn removes_other_gif_extensions() {
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
fn removes_chunks_after_a_single_webp_image() {
    let mut bytes = [LOSSY_WEBP, b"EXIF\x06\0\0\0SECRET"].concat();
    let size = (bytes.len() - 8) as u32;
    bytes[4..8].copy_from_slice(&size.to_le_bytes());
    assert_eq!(kept(&bytes), LOSSY_WEBP);
}

#[test]
fn removes_undeclared_frames() {
    let control = find(ANIMATED_PNG, b"acTL").expect("an animation") - 4;
    let bytes = [&ANIMATED_PNG[..control], &ANIMATED_PNG[control + 20..]].concat();
    assert_eq!(find(&kept(&bytes), b"fdAT"), None);
    // VP8X flags without the one for animation: nothing is left to display.
    let mut bytes = ANIMATED_WEBP.to_vec();
    bytes[20] &= !0x02;
    assert!(matches!(rejected(&bytes), ImageError::Invalid(_)));
}

#[test]
fn a_second_pass_changes_nothing() {
    for (bytes, _) in ALL {
        let once = kept(bytes);
        assert!(once.len() <= bytes.len());
        assert_eq!(kept(&once), once);
    }
}

#[test]
fn removes_appended_data() {
    let html = b"<html><script>alert(1)</script></html>";
    let svg = b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>";
    let zip = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    for (bytes, _) in ALL {
        for appended in [&html[..], svg, zip, bytes, PNG, b"\0"] {
            assert_eq!(kept(&[bytes, appended].concat()), kept(bytes));
        }
    }
}
