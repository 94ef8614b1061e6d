//! Makes an image smaller while it is decoded. Each pixel of the result is the average of the area that it covers.
//!
//! Rows can arrive in any order, and with some of their pixels only, as in interlaced files. The sums are exact
//! integers, so the order does not matter, and the memory depends on the size of the result alone.

use super::MAX_THUMBNAIL_SIDE;

/// An image of straight red, green, blue and alpha, one byte each.
pub(super) struct Pixels {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) rgba: Vec<[u8; 4]>,
}

/// Pixels of one row.
pub(super) struct Row {
    /// The row's distance from the top.
    pub(super) y: u32,
    /// The first pixel's distance from the left.
    pub(super) x: u32,
    /// The distance from one pixel to the next.
    pub(super) step: usize,
}

/// The part of a source pixel that falls into `cell` of the result. The rest falls into the next cell.
#[derive(Clone, Copy)]
struct Share {
    cell: usize,
    weight: u32,
    rest: u32,
}

/// Sums of the pixels so far, weighted by area. Colors are multiplied by their alpha.
pub(super) struct Shrinker {
    source: (u32, u32),
    target: (u32, u32),
    columns: Vec<Share>,
    row: Vec<[u32; 4]>,
    sums: Vec<[u64; 4]>,
}

/// The size of the thumbnail of an image: within [`MAX_THUMBNAIL_SIDE`], and never larger than the image.
pub(super) fn thumbnail_size((width, height): (u32, u32)) -> (u32, u32) {
    let longer = width.max(height);
    if longer <= MAX_THUMBNAIL_SIDE {
        return (width, height);
    }
    let scaled = |side: u32| (side * MAX_THUMBNAIL_SIDE + longer / 2) / longer;
    (scaled(width).max(1), scaled(height).max(1))
}

impl Shrinker {
    /// From an image of one size to one of another, which must not be larger. Sides must not exceed 65,535 pixels, so
    /// that no sum overflows.
    pub(super) fn new(source: (u32, u32), target: (u32, u32)) -> Self {
        let columns = (0..source.0).map(|x| share(x, source.0, target.0));
        let (width, height) = (target.0 as usize, target.1 as usize);
        Self {
            source,
            target,
            columns: columns.collect(),
            row: vec![[0; 4]; width],
            sums: vec![[0; 4]; width * height],
        }
    }

    /// Adds pixels of 1 (gray), 2 (gray and alpha), 3 (RGB) or 4 (RGBA) samples.
    pub(super) fn add_samples(&mut self, row: &Row, samples: &[u8], per_pixel: usize) {
        let pixels = samples.chunks_exact(per_pixel);
        match per_pixel {
            1 => self.add(row, pixels.map(|pixel| [pixel[0], pixel[0], pixel[0], 255])),
            2 => self.add(
                row,
                pixels.map(|pixel| [pixel[0], pixel[0], pixel[0], pixel[1]]),
            ),
            3 => self.add(row, pixels.map(|pixel| [pixel[0], pixel[1], pixel[2], 255])),
            _ => self.add(
                row,
                pixels.map(|pixel| [pixel[0], pixel[1], pixel[2], pixel[3]]),
            ),
        }
    }

    /// Adds pixels of red, green, blue and alpha. Pixels outside the image are ignored.
    pub(super) fn add(&mut self, row: &Row, pixels: impl Iterator<Item = [u8; 4]>) {
        if row.y >= self.source.1 {
            return;
        }
        self.row.fill([0; 4]);
        let columns = self.columns.iter().skip(row.x as usize);
        for (column, [r, g, b, alpha]) in columns.step_by(row.step).zip(pixels) {
            let alpha = u32::from(alpha);
            let pixel = [
                u32::from(r) * alpha,
                u32::from(g) * alpha,
                u32::from(b) * alpha,
                alpha,
            ];
            for (cell, weight) in column.parts() {
                if let Some(sums) = self.row.get_mut(cell) {
                    for (sum, value) in sums.iter_mut().zip(pixel) {
                        *sum += value * weight;
                    }
                }
            }
        }
        let width = self.row.len();
        for (cell, weight) in share(row.y, self.source.1, self.target.1).parts() {
            let line = self.sums.iter_mut().skip(cell * width);
            for (sums, values) in line.zip(&self.row) {
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum += u64::from(*value) * u64::from(weight);
                }
            }
        }
    }

    /// The averages. Pixels that were never added are transparent.
    pub(super) fn finish(self) -> Pixels {
        let area = u64::from(self.source.0) * u64::from(self.source.1);
        let rounded = |sum: u64, count: u64| ((sum + count / 2) / count) as u8;
        let average = |[r, g, b, alpha]: [u64; 4]| match alpha {
            0 => [0; 4],
            _ => [
                rounded(r, alpha),
                rounded(g, alpha),
                rounded(b, alpha),
                rounded(alpha, area),
            ],
        };
        Pixels {
            width: self.target.0,
            height: self.target.1,
            rgba: self.sums.into_iter().map(average).collect(),
        }
    }
}

impl Share {
    /// The cells with their weights. Cells without a weight are omitted.
    fn parts(self) -> impl Iterator<Item = (usize, u32)> {
        let rest = (self.rest > 0).then_some((self.cell + 1, self.rest));
        std::iter::once((self.cell, self.weight)).chain(rest)
    }
}

/// The share of pixel `at` of `source` pixels that become `target` ones, no more than before. In units of which a cell
/// has `source` and a pixel `target`, so a pixel touches two cells at most.
fn share(at: u32, source: u32, target: u32) -> Share {
    let start = u64::from(at) * u64::from(target);
    let cell = start / u64::from(source);
    let until_next = (cell + 1) * u64::from(source) - start;
    let weight = until_next.min(u64::from(target)) as u32;
    Share {
        cell: cell as usize,
        weight,
        rest: target - weight,
    }
}

impl Pixels {
    pub(super) fn is_opaque(&self) -> bool {
        self.rgba.iter().all(|pixel| pixel[3] == 255)
    }

    /// The image as displayed with this EXIF orientation.
    pub(super) fn oriented(self, orientation: Option<u8>) -> Self {
        let orientation = orientation.unwrap_or(1);
        let (width, height) = match orientation {
            5..=8 => (self.height, self.width),
            _ => (self.width, self.height),
        };
        let (right, bottom) = (self.width - 1, self.height - 1);
        let stored = |x: u32, y: u32| match orientation {
            2 => (right - x, y),
            3 => (right - x, bottom - y),
            4 => (x, bottom - y),
            5 => (y, x),
            6 => (y, bottom - x),
            7 => (right - y, bottom - x),
            8 => (right - y, x),
            _ => (x, y),
        };
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let rgba = places.map(|(x, y)| {
            let (x, y) = stored(x, y);
            self.rgba[(y * self.width + x) as usize]
        });
        Self {
            width,
            height,
            rgba: rgba.collect(),
        }
    }
}
