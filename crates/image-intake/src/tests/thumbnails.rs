//! Thumbnails: size, orientation, transparency, colors, and images that get none.

use std::io::Cursor;

use super::{samples::*, *};
use crate::{Thumbnail, ThumbnailError, exif, thumbnail};

const RED: [u8; 4] = [250, 20, 20, 255];
const GREEN: [u8; 4] = [20, 200, 20, 255];
const BLUE: [u8; 4] = [20, 20, 250, 255];
const WHITE: [u8; 4] = [255, 255, 255, 255];
const CLEAR: [u8; 4] = [0, 0, 0, 0];

/// The thumbnail of a valid image.
fn made(bytes: &[u8]) -> Thumbnail {
    thumbnail(bytes).expect("a thumbnail")
}

/// A square of which each quarter has one color: top left, top right, bottom left, bottom right.
fn quarters(colors: [[u8; 4]; 4], width: usize, height: usize) -> Vec<u8> {
    let pixel = |at: usize| {
        let (x, y) = (at % width, at / width);
        colors[2 * usize::from(y >= height / 2) + usize::from(x >= width / 2)]
    };
    (0..width * height).flat_map(pixel).collect()
}

fn jpeg(rgba: &[u8], width: u16, height: u16, segments: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 95);
    for (number, content) in segments {
        let added = encoder.add_app_segment(*number, content.clone());
        added.expect("a segment");
    }
    let encoded = encoder.encode(rgba, width, height, jpeg_encoder::ColorType::Rgba);
    encoded.expect("a JPEG");
    bytes
}

fn png(rgba: &[u8], width: u32, height: u32, profile: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut info = png::Info::with_size(width, height);
    (info.color_type, info.bit_depth) = (png::ColorType::Rgba, png::BitDepth::Eight);
    info.icc_profile = profile.map(|profile| profile.to_vec().into());
    let encoder = png::Encoder::with_info(&mut bytes, info).expect("an encoder");
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(rgba).expect("pixels");
    writer.finish().expect("an end");
    bytes
}

fn webp(rgba: &[u8], width: u32, height: u32, exif: Vec<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = image_webp::WebPEncoder::new(&mut bytes);
    encoder.set_exif_metadata(exif);
    let encoded = encoder.encode(rgba, width, height, image_webp::ColorType::Rgba8);
    encoded.expect("a WebP");
    bytes
}

/// The pixels and the color profile of a thumbnail.
fn decoded(thumbnail: &Thumbnail) -> (Vec<[u8; 4]>, Option<Vec<u8>>) {
    if thumbnail.content_type == "image/png" {
        let decoder = png::Decoder::new(Cursor::new(&thumbnail.bytes));
        let mut reader = decoder.read_info().expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
        reader.next_frame(&mut pixels).expect("pixels");
        let profile = reader.info().icc_profile.as_deref().map(<[u8]>::to_vec);
        return (pixels.as_chunks().0.to_vec(), profile);
    }
    let mut decoder = jpeg_decoder::Decoder::new(&*thumbnail.bytes);
    let pixels = decoder.decode().expect("a JPEG");
    let rgba = pixels
        .chunks_exact(3)
        .map(|rgb| [rgb[0], rgb[1], rgb[2], 255]);
    (rgba.collect(), decoder.icc_profile())
}

/// The colors in the middle of the four quarters. JPEG changes colors slightly.
fn corners(thumbnail: &Thumbnail) -> [[u8; 4]; 4] {
    let (pixels, _) = decoded(thumbnail);
    let (width, height) = (thumbnail.width as usize, thumbnail.height as usize);
    [(1, 1), (3, 1), (1, 3), (3, 3)].map(|(x, y)| pixels[y * height / 4 * width + x * width / 4])
}

#[track_caller]
fn assert_similar(seen: [[u8; 4]; 4], expected: [[u8; 4]; 4]) {
    let differences = seen.as_flattened().iter().zip(expected.as_flattened());
    let largest = differences.map(|(one, other)| one.abs_diff(*other)).max();
    assert!(largest < Some(8), "{seen:?} is not {expected:?}");
}

#[test]
fn every_type_gets_a_thumbnail_of_the_displayed_size() {
    for (bytes, info) in ALL {
        let thumbnail = made(&kept(bytes));
        let size = (thumbnail.width, thumbnail.height);
        assert_eq!(size, (info.width, info.height), "{info:?}");
        let (again, _) = clean(thumbnail.bytes.clone()).expect("a valid image");
        assert_eq!(again.content_type, thumbnail.content_type);
        assert_eq!((again.width, again.height), size);
    }
}

#[test]
fn all_eight_orientations_are_applied() {
    let (r, g, b, w) = (RED, GREEN, BLUE, WHITE);
    let displayed = [
        [r, g, b, w],
        [g, r, w, b],
        [w, b, g, r],
        [b, w, r, g],
        [r, b, g, w],
        [b, r, w, g],
        [w, g, b, r],
        [g, w, r, b],
    ];
    let stored = quarters([r, g, b, w], 64, 32);
    for (orientation, expected) in (1..=8).zip(displayed) {
        let block = exif::block(orientation).map_or(Vec::new(), |block| block.to_vec());
        let segment = (1, [exif::PREFIX, &block].concat());
        let plain = png(&stored, 64, 32, None);
        let plain = replaced(&plain, &chunk(b"IEND", b""), b"");
        let pixels = find(&plain, b"IDAT").expect("pixels") - 4;
        let (head, rest) = plain.split_at(pixels);
        let with_exif = [head, &chunk(b"eXIf", &block), rest, &chunk(b"IEND", b"")].concat();
        for file in [
            jpeg(&stored, 64, 32, &[segment]),
            with_exif,
            webp(&stored, 64, 32, block),
        ] {
            let thumbnail = made(&file);
            let size = (thumbnail.width, thumbnail.height);
            let swapped = orientation >= 5;
            assert_eq!(
                size,
                if swapped { (32, 64) } else { (64, 32) },
                "{orientation}"
            );
            assert_similar(corners(&thumbnail), expected);
        }
    }
}

#[test]
fn a_thumbnail_has_at_most_512_pixels_per_side_and_is_never_larger_than_the_image() {
    for (size, expected) in [
        ((1, 1), (1, 1)),
        ((512, 300), (512, 300)),
        ((513, 513), (512, 512)),
        ((1024, 256), (512, 128)),
        ((300, 900), (171, 512)),
        ((601, 451), (512, 384)),
        ((4099, 3), (512, 1)),
    ] {
        let pixels = vec![200; size.0 * size.1 * 4];
        let rgba: Vec<u8> = pixels.chunks(4).flat_map(|_| GREEN).collect();
        for file in [
            jpeg(&rgba, size.0 as u16, size.1 as u16, &[]),
            png(&rgba, size.0 as u32, size.1 as u32, None),
        ] {
            let thumbnail = made(&file);
            assert_eq!((thumbnail.width, thumbnail.height), expected, "{size:?}");
            assert_similar(corners(&thumbnail), [GREEN; 4]);
        }
    }
}

#[test]
fn photographs_become_jpeg_and_transparent_images_png() {
    let opaque = quarters([RED, GREEN, BLUE, WHITE], 600, 600);
    let clear = quarters([RED, GREEN, BLUE, CLEAR], 600, 600);
    for (pixels, content_type, corner) in
        [(opaque, "image/jpeg", WHITE), (clear, "image/png", CLEAR)]
    {
        for file in [
            png(&pixels, 600, 600, None),
            webp(&pixels, 600, 600, Vec::new()),
        ] {
            let thumbnail = made(&file);
            assert_eq!(thumbnail.content_type, content_type);
            assert_similar(corners(&thumbnail), [RED, GREEN, BLUE, corner]);
        }
    }
}

#[test]
fn transparent_pixels_do_not_tint_their_neighbors() {
    // Each pixel of the thumbnail covers a red pixel and a transparent one, whose color must not count.
    let pair = [RED, [0, 255, 0, 0]].concat();
    let thumbnail = made(&png(&pair.repeat(512), 1024, 1, None));
    let (pixels, _) = decoded(&thumbnail);
    assert_eq!((thumbnail.width, thumbnail.height), (512, 1));
    assert!(pixels.iter().all(|pixel| *pixel == [250, 20, 20, 128]));
}

#[test]
fn interlaced_images_look_like_others() {
    let (width, height) = (19, 13);
    let value = |x: u32, y: u32| (x * 13 + y * 17) as u8;
    // The passes of Adam7, see the PNG specification.
    let passes = [
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ];
    let interlaced = passes.into_iter().flat_map(|(left, top, across, down)| {
        (top..height).step_by(down).flat_map(move |y| {
            let row = (left..width).step_by(across);
            [0].into_iter().chain(row.map(move |x| value(x, y)))
        })
    });
    let whole = (0..height).flat_map(|y| {
        let row = (0..width).map(move |x| value(x, y));
        [0].into_iter().chain(row)
    });
    let files = [(0, whole.collect()), (1, interlaced.collect())].map(|(method, rows)| {
        let rows: Vec<u8> = rows;
        let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
        let chunks = [
            chunk(b"IHDR", &[&size[..], &[8, 0, 0, 0, method]].concat()),
            chunk(b"IDAT", &stored(&rows)),
            chunk(b"IEND", b""),
        ];
        [b"\x89PNG\r\n\x1A\n", &*chunks.concat()].concat()
    });
    assert_eq!(made(&files[0]), made(&files[1]));
    let (pixels, _) = decoded(&made(&files[1]));
    let (seen, expected) = (pixels[(5 * width + 7) as usize], value(7, 5));
    assert!(
        seen[0].abs_diff(expected) < 12,
        "{seen:?} is not {expected}"
    );
}

/// A zlib stream with one uncompressed block.
fn stored(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u16).to_le_bytes();
    let (a, b) = data.iter().fold((1, 0), |(a, b): (u32, u32), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    let sum = ((b << 16) | a).to_be_bytes();
    let inverse = length.map(|byte| !byte);
    [&[0x78, 1, 1], &length[..], &inverse, data, &sum].concat()
}

#[test]
fn of_an_animation_the_first_frame_is_shown() {
    // A frame of one pixel on a screen of two, then one that covers all.
    let gif = b"GIF89a\x02\0\x01\0\x80\0\0\xFF\0\0\0\xFF\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0\
        ,\0\0\0\0\x01\0\x01\0\0\x02\x02L\x01\0;";
    let thumbnail = made(&kept(gif));
    assert_eq!(thumbnail.content_type, "image/png");
    assert_eq!(decoded(&thumbnail).0, [[255, 0, 0, 255], CLEAR]);
}

#[test]
fn cmyk_becomes_rgb() {
    let mut bytes = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut bytes, 95);
    let pixels = [0, 255, 255, 0].repeat(64);
    let encoded = encoder.encode(&pixels, 8, 8, jpeg_encoder::ColorType::Cmyk);
    encoded.expect("a JPEG");
    assert_similar(corners(&made(&bytes)), [[255, 0, 0, 255]; 4]);
}

#[test]
fn small_color_profiles_of_rgb_are_kept() {
    let profile = |space: &[u8; 4], size: usize| {
        let mut profile = vec![7; size];
        profile[16..20].copy_from_slice(space);
        profile
    };
    let opaque = GREEN.repeat(64);
    let clear = CLEAR.repeat(64);
    for (profile, is_kept) in [
        (profile(b"RGB ", 548), true),
        (profile(b"GRAY", 548), false),
        (profile(b"RGB ", 40_000), false),
    ] {
        let segment = [b"ICC_PROFILE\0\x01\x01", &profile[..]].concat();
        for file in [
            jpeg(&opaque, 8, 8, &[(2, segment)]),
            png(&clear, 8, 8, Some(&profile)),
        ] {
            let (_, kept) = decoded(&made(&file));
            assert_eq!(kept, is_kept.then(|| profile.clone()));
        }
    }
}

#[test]
fn images_that_are_too_large_to_decode_get_none() {
    assert_eq!(
        thumbnail(&small_png(8000, 8001)),
        Err(ThumbnailError::TooManyPixels)
    );
    // The pixels of this size are read, and are invalid.
    let allowed = thumbnail(&small_png(8000, 8000));
    assert!(
        matches!(allowed, Err(ThumbnailError::Undecodable(_))),
        "{allowed:?}"
    );

    // A progressive JPEG of 8,000 × 8,000 pixels, in full color and with two by two pixels per color sample.
    for (factors, expected) in [(0x11, true), (0x22, false)] {
        let head = b"\xFF\xD8\xFF\xC2\0\x11\x08\x1F\x40\x1F\x40\x03\x01";
        let bytes = [&head[..], &[factors], b"\0\x02\x11\0\x03\x11\0\xFF\xD9"].concat();
        let is_too_much = thumbnail(&bytes) == Err(ThumbnailError::TooMuchMemory);
        assert_eq!(is_too_much, expected, "{factors:x}");
    }
    let header = b"RIFF\x16\0\0\0WEBPVP8L\x0A\0\0\0\x2F\x3F\xDF\xCF\x07\0\0\0\0\0";
    assert_eq!(thumbnail(header), Err(ThumbnailError::TooMuchMemory));
}

#[test]
fn a_jpeg_with_many_scans_gets_none() {
    let scan = find(PROGRESSIVE_JPEG, b"\xFF\xDA").expect("a scan");
    let (head, scans) = PROGRESSIVE_JPEG.split_at(scan);
    let again = &scans[..scans.len() - 2];
    let bytes = [head, &again.repeat(30), scans].concat();
    let error = thumbnail(&bytes).expect_err("too many scans");
    assert!(error.to_string().contains("scans"), "{error}");
}

#[test]
fn broken_images_get_none_and_never_cause_a_panic() {
    assert_eq!(thumbnail(b"%PDF-1.7"), Err(ThumbnailError::UnknownType));
    for bytes in [PNG, JPEG, LOSSY_WEBP, LOSSLESS_WEBP, ANIMATED_GIF] {
        let half = thumbnail(&bytes[..bytes.len() / 2]);
        assert!(
            matches!(half, Err(ThumbnailError::Undecodable(_))),
            "{half:?}"
        );
    }
    // A fixed pseudo-random sequence (xorshift).
    let mut state: u64 = 0x9E37_79B9_7F4A_7C15;
    for (bytes, _) in ALL {
        for _ in 0..300 {
            let mut changed = bytes.to_vec();
            for _ in 0..3 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let at = state as usize % changed.len();
                changed[at] = (state >> 32) as u8;
            }
            let _ = thumbnail(&changed);
        }
    }
}

#[test]
fn images_that_take_more_memory_than_their_size_says_get_none() {
    let lossless = b"\xFF\xD8\xFF\xC3\0\x0B\x08\x1F\x40\x1F\x40\x01\x01\x11\0\xFF\xD9";
    // An image of one pixel with a frame of 8,000 × 8,000.
    let frame = b"RIFF\x28\0\0\0WEBPVP8X\x0A\0\0\0\0\0\0\0\0\0\0\0\0\0\
        VP8 \x0A\0\0\0\x10\0\0\x9D\x01\x2A\x40\x1F\x40\x1F";
    for (bytes, reason) in [
        (&lossless[..], "it is a lossless JPEG"),
        (&frame[..], "the image does not match its header"),
    ] {
        let error = thumbnail(bytes).expect_err(reason).to_string();
        assert!(error.contains(reason), "{error}");
    }
}
