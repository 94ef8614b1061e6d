//! Decodes each type into a [`Shrinker`], in rows where the decoder can.

use std::io::Cursor;

use super::{
    MAX_MEMORY, ThumbnailError, require_size,
    shrink::{Row, Shrinker, thumbnail_size},
    undecodable,
};
use crate::{exif, filter::Filter, webp};

/// Maximum number of scans of a JPEG. Encoders write about ten. Each scan visits all pixels, however few bytes it has.
const MAX_SCANS: usize = 50;

/// A decoded image, as it is stored.
pub(super) struct Decoded {
    pub(super) shrinker: Shrinker,
    pub(super) orientation: Option<u8>,
    pub(super) profile: Option<Vec<u8>>,
}

/// Rows of an interlaced image that belong together: the first pixel and the distance to the next one, in both
/// directions.
struct Pass {
    x: u32,
    step_x: usize,
    y: u32,
    step_y: usize,
}

impl Pass {
    const WHOLE: Self = Self::new(0, 1, 0, 1);
    const ADAM7: [Self; 7] = [
        Self::new(0, 8, 0, 8),
        Self::new(4, 8, 0, 8),
        Self::new(0, 4, 4, 8),
        Self::new(2, 4, 0, 4),
        Self::new(0, 2, 2, 4),
        Self::new(1, 2, 0, 2),
        Self::new(0, 1, 1, 2),
    ];
    const GIF: [Self; 4] = [
        Self::new(0, 1, 0, 8),
        Self::new(0, 1, 4, 8),
        Self::new(0, 1, 2, 4),
        Self::new(0, 1, 1, 2),
    ];

    const fn new(x: u32, step_x: usize, y: u32, step_y: usize) -> Self {
        Self {
            x,
            step_x,
            y,
            step_y,
        }
    }

    /// The rows of these passes, in the order in which a file has them.
    fn rows(passes: &[Self], (width, height): (u32, u32)) -> impl Iterator<Item = Row> {
        let passes = passes.iter().filter(move |pass| pass.x < width);
        passes.flat_map(move |pass| {
            (pass.y..height).step_by(pass.step_y).map(|y| Row {
                y,
                x: pass.x,
                step: pass.step_x,
            })
        })
    }
}

/// Decodes at a fraction of the size. It stays at least twice that of the thumbnail where possible, because the average of
/// few pixels is blurred.
pub(super) fn jpeg(bytes: &[u8]) -> Result<Decoded, ThumbnailError> {
    let mut decoder = jpeg_decoder::Decoder::new(bytes);
    decoder.read_info().map_err(undecodable)?;
    let info = decoder.info().ok_or_else(|| undecodable("no frame"))?;
    let size = require_size(info.width.into(), info.height.into())?;
    require_affordable(bytes, info.coding_process, size)?;
    let target = thumbnail_size(size);
    let scaled = decoder.scale(2 * target.0 as u16, 2 * target.1 as u16);
    let (width, height) = scaled.map_err(undecodable)?;
    let (width, height) = (u32::from(width), u32::from(height));
    let samples = decoder.decode().map_err(undecodable)?;
    let target = (target.0.min(width), target.1.min(height));
    let mut shrinker = Shrinker::new((width, height), target);
    let per_pixel = info.pixel_format.pixel_bytes();
    let rows = Pass::rows(&[Pass::WHOLE], (width, height));
    for (row, samples) in rows.zip(samples.chunks_exact(width as usize * per_pixel)) {
        match info.pixel_format {
            jpeg_decoder::PixelFormat::L8 | jpeg_decoder::PixelFormat::RGB24 => {
                shrinker.add_samples(&row, samples, per_pixel);
            }
            jpeg_decoder::PixelFormat::CMYK32 => {
                shrinker.add(&row, samples.chunks_exact(4).map(rgba_of_cmyk));
            }
            jpeg_decoder::PixelFormat::L16 => return Err(undecodable("it has 16 bits per sample")),
        }
    }
    Ok(Decoded {
        shrinker,
        orientation: decoder.exif_data().and_then(exif::orientation),
        profile: decoder.icc_profile(),
    })
}

/// Rejects a JPEG that takes too much memory or time to decode.
fn require_affordable(
    bytes: &[u8],
    process: jpeg_decoder::CodingProcess,
    size: (u32, u32),
) -> Result<(), ThumbnailError> {
    // It would be decoded at its full size, and browsers do not display it.
    if process == jpeg_decoder::CodingProcess::Lossless {
        return Err(undecodable("it is a lossless JPEG"));
    }
    if bytes.windows(2).filter(|pair| pair == b"\xFF\xDA").count() > MAX_SCANS {
        return Err(undecodable("it has too many scans"));
    }
    let is_progressive = process == jpeg_decoder::CodingProcess::DctProgressive;
    match is_progressive && coefficients(bytes, size).is_none_or(|size| size > MAX_MEMORY) {
        true => Err(ThumbnailError::TooMuchMemory),
        false => Ok(()),
    }
}

/// The memory that the coefficients of a progressive JPEG take: two bytes for each sample of each component.
fn coefficients(bytes: &[u8], (width, height): (u32, u32)) -> Option<u64> {
    let mut rest = bytes.get(2..)?;
    let components = loop {
        match rest {
            [0xFF, 0xFF, ..] => rest = &rest[1..],
            [0xFF, 0xC2, _, _, _, _, _, _, _, count, components @ ..] => {
                break components.get(..3 * usize::from(*count))?;
            }
            [0xFF, _, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                rest = rest.get(2 + length..)?;
            }
            _ => return None,
        }
    };
    let factors = components.chunks_exact(3);
    let factors = factors.map(|component| (component[1] >> 4, component[1] & 15));
    let (across, down) = factors.clone().fold((1, 1), |(across, down), (x, y)| {
        (across.max(x), down.max(y))
    });
    let units = |side: u32, factor: u8| u64::from(side.div_ceil(8 * u32::from(factor)));
    let blocks: u64 = factors.map(|(x, y)| u64::from(x) * u64::from(y)).sum();
    Some(units(width, across) * units(height, down) * blocks * 128)
}

/// The usual approximation without a color profile.
fn rgba_of_cmyk(pixel: &[u8]) -> [u8; 4] {
    let light = |ink: u8| {
        let (ink, black) = (u32::from(255 - ink), u32::from(255 - pixel[3]));
        (ink * black / 255) as u8
    };
    [light(pixel[0]), light(pixel[1]), light(pixel[2]), 255]
}

/// Decodes in rows. Of an animated PNG, decodes the image that viewers without animation show.
pub(super) fn png(bytes: &[u8]) -> Result<Decoded, ThumbnailError> {
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    decoder.set_ignore_text_chunk(true);
    let info = decoder.read_header_info().map_err(undecodable)?;
    let size = require_size(info.width, info.height)?;
    let mut reader = decoder.read_info().map_err(undecodable)?;
    let info = reader.info();
    let passes: &[Pass] = match info.interlaced {
        true => &Pass::ADAM7,
        false => &[Pass::WHOLE],
    };
    let orientation = info.exif_metadata.as_deref().and_then(exif::orientation);
    let profile = info.icc_profile.as_deref().map(<[u8]>::to_vec);
    let per_pixel = reader.output_color_type().0.samples();
    let mut shrinker = Shrinker::new(size, thumbnail_size(size));
    for row in Pass::rows(passes, size) {
        let decoded = reader.next_interlaced_row().map_err(undecodable)?;
        let decoded = decoded.ok_or_else(|| undecodable("a row is missing"))?;
        shrinker.add_samples(&row, decoded.data(), per_pixel);
    }
    Ok(Decoded {
        shrinker,
        orientation,
        profile,
    })
}

/// Decodes the whole image, the only way that `image-webp` has.
pub(super) fn webp(bytes: &[u8]) -> Result<Decoded, ThumbnailError> {
    let mut decoder = image_webp::WebPDecoder::new(Cursor::new(bytes)).map_err(undecodable)?;
    let (width, height) = decoder.dimensions();
    let size = require_size(width, height)?;
    // What image-webp allocates for a pixel at the same time, in bytes.
    let per_pixel = match (
        decoder.is_animated(),
        decoder.is_lossy(),
        decoder.has_alpha(),
    ) {
        (true, _, _) => 12,
        (false, true, true) => 11,
        (false, true, false) => 5,
        (false, false, true) => 4,
        (false, false, false) => 7,
    };
    if u64::from(width) * u64::from(height) * per_pixel > MAX_MEMORY {
        return Err(ThumbnailError::TooMuchMemory);
    }
    // image-webp compares the size of a frame with the size above only after decoding the frame.
    webp::filter_image(&mut Filter::new(bytes.to_vec())).map_err(undecodable)?;
    let samples = decoder.output_buffer_size();
    let mut samples = vec![0; samples.ok_or(ThumbnailError::TooMuchMemory)?];
    decoder.read_image(&mut samples).map_err(undecodable)?;
    let per_pixel = if decoder.has_alpha() { 4 } else { 3 };
    let mut shrinker = Shrinker::new(size, thumbnail_size(size));
    let rows = Pass::rows(&[Pass::WHOLE], size);
    for (row, samples) in rows.zip(samples.chunks_exact(width as usize * per_pixel)) {
        shrinker.add_samples(&row, samples, per_pixel);
    }
    let exif = decoder.exif_metadata().map_err(undecodable)?;
    Ok(Decoded {
        shrinker,
        orientation: exif.as_deref().and_then(exif::orientation),
        profile: decoder.icc_profile().map_err(undecodable)?,
    })
}

/// Decodes the first frame in rows. Pixels outside of it are transparent.
pub(super) fn gif(bytes: &[u8]) -> Result<Decoded, ThumbnailError> {
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::RGBA);
    options.check_frame_consistency(true);
    let mut decoder = options.read_info(bytes).map_err(undecodable)?;
    let size = require_size(decoder.width().into(), decoder.height().into())?;
    let frame = decoder.next_frame_info().map_err(undecodable)?;
    let frame = frame.ok_or_else(|| undecodable("it has no frame"))?;
    let frame_size = (u32::from(frame.width), u32::from(frame.height));
    let (left, top) = (u32::from(frame.left), u32::from(frame.top));
    let passes: &[Pass] = match frame.interlaced {
        true => &Pass::GIF,
        false => &[Pass::WHOLE],
    };
    let mut samples = vec![0; decoder.line_length()];
    let mut shrinker = Shrinker::new(size, thumbnail_size(size));
    for mut row in Pass::rows(passes, frame_size) {
        if !decoder.fill_buffer(&mut samples).map_err(undecodable)? {
            return Err(undecodable("a row is missing"));
        }
        (row.x, row.y) = (left, top + row.y);
        shrinker.add_samples(&row, &samples, 4);
    }
    Ok(Decoded {
        shrinker,
        orientation: None,
        profile: None,
    })
}
