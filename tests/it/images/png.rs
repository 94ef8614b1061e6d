//! PNG images, with or without private metadata.

/// 8 bits of grey.
const GREY: [u8; 2] = [8, 0];
/// 8 bits of grey and 8 of alpha.
const GREY_AND_ALPHA: [u8; 2] = [8, 4];
/// 1 bit of grey.
const BLACK_AND_WHITE: [u8; 2] = [1, 0];

/// A PNG of that size with pixels that no compression makes smaller: width × height bytes and a little.
pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    with_chunks(width, height, &[])
}

/// A PNG with transparent pixels.
pub(super) fn transparent_png(width: u32, height: u32) -> Vec<u8> {
    let rows = pixels(2 * width, height);
    file(width, height, GREY_AND_ALPHA, &[], &stored(&rows))
}

/// A large PNG in black, of an eighth of a byte per pixel.
pub(super) fn black_png(width: u32, height: u32) -> Vec<u8> {
    let row = width.div_ceil(8) as usize + 1;
    let rows = vec![0; row * height as usize];
    file(width, height, BLACK_AND_WHITE, &[], &stored(&rows))
}

/// A PNG whose structure is valid, but whose pixels cannot be decoded.
pub(super) fn undecodable_png(width: u32, height: u32) -> Vec<u8> {
    file(width, height, GREY, &[], b"no pixels")
}

/// A PNG with private metadata.
pub(super) fn private_png(width: u32, height: u32) -> Vec<u8> {
    let chunk = (*b"tEXt", b"Comment\0taken at a secret place".as_slice());
    with_chunks(width, height, &[chunk])
}

fn with_chunks(width: u32, height: u32, more: &[([u8; 4], &[u8])]) -> Vec<u8> {
    file(width, height, GREY, more, &stored(&pixels(width, height)))
}

fn file(
    width: u32,
    height: u32,
    [depth, color]: [u8; 2],
    more: &[([u8; 4], &[u8])],
    pixels: &[u8],
) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let head = [
        &width.to_be_bytes()[..],
        &height.to_be_bytes(),
        &[depth, color, 0, 0, 0],
    ]
    .concat();
    chunk(&mut file, *b"IHDR", &head);
    for (kind, data) in more {
        chunk(&mut file, *kind, data);
    }
    chunk(&mut file, *b"IDAT", pixels);
    chunk(&mut file, *b"IEND", &[]);
    file
}

fn chunk(file: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    let length = u32::try_from(data.len()).unwrap();
    file.extend_from_slice(&length.to_be_bytes());
    let from = file.len();
    file.extend_from_slice(&kind);
    file.extend_from_slice(data);
    let sum = crc32fast::hash(&file[from..]);
    file.extend_from_slice(&sum.to_be_bytes());
}

fn pixels(width: u32, height: u32) -> Vec<u8> {
    let mut rows = Vec::new();
    let mut state = 1_u32;
    for at in 0..height * (width + 1) {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // A row begins with how it is filtered: not at all.
        let begins = at % (width + 1) == 0;
        rows.push(if begins { 0 } else { state.to_be_bytes()[0] });
    }
    rows
}

/// A zlib stream without compression.
fn stored(data: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let blocks = data.chunks(65_535);
    let count = blocks.len();
    for (index, block) in blocks.enumerate() {
        let length = u16::try_from(block.len()).unwrap();
        stream.push(u8::from(index + 1 == count));
        stream.extend_from_slice(&length.to_le_bytes());
        stream.extend_from_slice(&(!length).to_le_bytes());
        stream.extend_from_slice(block);
    }
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in data {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    stream.extend_from_slice(&((b << 16) | a).to_be_bytes());
    stream
}
