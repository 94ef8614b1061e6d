//! Makes the thumbnail of an image, and prints the time and the peak of the memory that it took (Linux only):
//! `thumbnail photo.jpg [thumbnail.jpg]`. `thumbnail sample photo.jpg 8000 8000` writes an image to measure: a JPEG, or a PNG
//! with transparency, depending on the extension.

use std::{env, error::Error, fs, io::BufWriter, time::Instant};

use jpeg_encoder::{ImageBuffer, JpegColorType};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        ["sample", path, width, height] => write_sample(path, width.parse()?, height.parse()?),
        [path] => measure(path, None),
        [path, output] => measure(path, Some(output)),
        _ => Err("usage: thumbnail IMAGE [THUMBNAIL] | thumbnail sample IMAGE WIDTH HEIGHT".into()),
    }
}

fn measure(path: &str, output: Option<&str>) -> Result<(), Box<dyn Error>> {
    let bytes = fs::read(path)?;
    let before = peak()?;
    let began = Instant::now();
    let thumbnail = image_intake::thumbnail(&bytes)?;
    let took = began.elapsed();
    let (width, height) = (thumbnail.width, thumbnail.height);
    println!(
        "{} bytes of {width} × {height} pixels in {took:.0?}; peak of the process {} MiB, {} MiB of it before",
        thumbnail.bytes.len(),
        peak()? / 1024,
        before / 1024
    );
    if let Some(output) = output {
        fs::write(output, thumbnail.bytes)?;
    }
    Ok(())
}

/// The largest resident memory of this process so far, in KiB.
fn peak() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("no VmHWM")?.parse()?)
}

/// Gradients with noise, which compress as badly as photographs.
struct Sample {
    width: u16,
    height: u16,
}

impl Sample {
    fn pixel(&self, x: u16, y: u16) -> [u8; 4] {
        let noise =
            (u32::from(x) * 7919 + u32::from(y) * 104_729).wrapping_mul(2_654_435_761) >> 28;
        let part = |at: u16, all: u16| (u32::from(at) * 239 / u32::from(all) + noise) as u8;
        [
            part(x, self.width),
            part(y, self.height),
            part(x / 2 + y / 2, self.width),
            255 - noise as u8,
        ]
    }
}

impl ImageBuffer for Sample {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        JpegColorType::Ycbcr
    }

    fn width(&self) -> u16 {
        self.width
    }

    fn height(&self) -> u16 {
        self.height
    }

    fn fill_buffers(&self, y: u16, buffers: &mut [Vec<u8>; 4]) {
        for x in 0..self.width {
            let [r, g, b, _] = self.pixel(x, y);
            let (luma, blue, red) = jpeg_encoder::rgb_to_ycbcr(r, g, b);
            for (buffer, value) in buffers.iter_mut().zip([luma, blue, red]) {
                buffer.push(value);
            }
        }
    }
}

fn write_sample(path: &str, width: u16, height: u16) -> Result<(), Box<dyn Error>> {
    let sample = Sample { width, height };
    let file = BufWriter::new(fs::File::create(path)?);
    if !path.ends_with(".png") {
        let mut encoder = jpeg_encoder::Encoder::new(file, 85);
        encoder.set_progressive(path.contains("progressive"));
        return Ok(encoder.encode_image(sample)?);
    }
    let mut encoder = png::Encoder::new(file, width.into(), height.into());
    encoder.set_color(png::ColorType::Rgba);
    let mut writer = encoder.write_header()?;
    let rows = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let pixels: Vec<u8> = rows.flat_map(|(x, y)| sample.pixel(x, y)).collect();
    Ok(writer.write_image_data(&pixels)?)
}
