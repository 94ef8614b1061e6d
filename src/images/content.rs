//! What a picture is, told from its bytes. A stand-in: nothing is cleaned yet.

/// What a picture is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Picture {
    /// The media type, such as `image/png`.
    pub(super) content_type: &'static str,
    /// The width as displayed, in pixels.
    pub(super) width: u32,
    /// The height as displayed, in pixels.
    pub(super) height: u32,
}

/// Why a file is not taken as a picture.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NotAPicture {
    /// It is no JPEG, PNG, WebP or GIF.
    UnknownType,
    /// It begins like a picture, but is none that could be shown; says why.
    Broken(&'static str),
    /// It is larger than any page needs to be.
    TooManyPixels,
}

/// The picture without what it tells of where and by whom it was taken.
pub(super) fn cleaned(bytes: Vec<u8>) -> Result<(Picture, Vec<u8>), NotAPicture> {
    let content_type = match bytes.as_slice() {
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', ..] => "image/webp",
        _ => return Err(NotAPicture::UnknownType),
    };
    let picture = Picture {
        content_type,
        width: 1,
        height: 1,
    };
    Ok((picture, bytes))
}
