//! PNG images, with or without private metadata.

/// A PNG of that size with pixels that no compression makes smaller: width × height bytes and a little.
pub(super) fn png(width: u32, height: u32) -> Vec<u8> {
    with_chunks(width, height, &[])
}

/// A PNG with private metadata.
pub(super) fn private_png(width: u32, height: u32) -> Vec<u8> {
    let chunk = (*b"tEXt", b"Comment\0taken at a secret place".as_slice());
    with_chunks(width, height, &[chunk])
}

fn with_chunks(width: u32, height: u32, more: &[([u8; 4], &[u8])]) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    // 8 bits of grey.
    let head = [
        &width.to_be_bytes()[..],
        &height.to_be_bytes(),
        &[8, 0, 0, 0, 0],
    ]
    .concat();
    chunk(&mut file, *b"IHDR", &head);
    for (kind, data) in more {
        chunk(&mut file, *kind, data);
    }
    chunk(&mut file, *b"IDAT", &stored(&pixels(width, height)));
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
