//! How files that are compiled into the program are sent: those of GraphiQL and of the documentation.

use std::io::{self, Read};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use flate2::read::GzDecoder;
use futures_util::stream;

use super::negotiate;

/// The size of the pieces in which a file is decompressed.
const PIECE: usize = 16 * 1024;

/// A file in the program.
pub(super) struct Embedded {
    /// The content in gzip.
    pub(super) gzip: &'static [u8],
    pub(super) content_type: &'static str,
    pub(super) caching: Caching,
    /// The Content-Security-Policy.
    pub(super) policy: &'static str,
}

/// How long clients may keep a file.
#[derive(Clone, Copy)]
pub(super) enum Caching {
    /// Forever, because its path contains a hash of its content.
    Forever,
    /// Until it has another entity tag than this one, which is in quotes.
    #[cfg_attr(
        not(feature = "docs"),
        expect(dead_code, reason = "only the documentation has such files")
    )]
    Revalidate(&'static str),
}

impl Embedded {
    /// The response to a request for the file. Clients that do not accept gzip get it decompressed.
    pub(super) fn respond(&self, request: &HeaderMap) -> Response {
        let mut response = match self.caching {
            Caching::Revalidate(tag) if negotiate::is_cached(request, tag) => {
                StatusCode::NOT_MODIFIED.into_response()
            }
            _ => self.content(negotiate::accepts_gzip(request)),
        };
        let headers = response.headers_mut();
        let caching = match self.caching {
            Caching::Forever => "public, max-age=31536000, immutable",
            Caching::Revalidate(_) => "no-cache",
        };
        for (name, value) in common_headers(caching, self.policy) {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        if let Caching::Revalidate(tag) = self.caching
            // The tag is weak, because both forms have it.
            && let Ok(tag) = HeaderValue::from_str(&format!("W/{tag}"))
        {
            headers.insert(header::ETAG, tag);
        }
        response
    }

    fn content(&self, accepts_gzip: bool) -> Response {
        let content_type = (header::CONTENT_TYPE, self.content_type);
        if accepts_gzip {
            let encoding = (header::CONTENT_ENCODING, "gzip");
            return ([content_type, encoding], self.gzip).into_response();
        }
        let length = [(header::CONTENT_LENGTH, self.length().to_string())];
        let body = Body::from_stream(stream::iter(Pieces(GzDecoder::new(self.gzip))));
        ([content_type], length, body).into_response()
    }

    /// The size of the decompressed file, which gzip has at its end.
    fn length(&self) -> u32 {
        let end = self.gzip.last_chunk().copied().unwrap_or_default();
        u32::from_le_bytes(end)
    }
}

/// The headers of every page and file in the program.
pub(super) fn common_headers(
    caching: &'static str,
    policy: &'static str,
) -> [(HeaderName, &'static str); 4] {
    [
        (header::CACHE_CONTROL, caching),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ]
}

/// The media type of a file, by the end of its name.
pub(super) fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("ttf") => "font/ttf",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Decompresses piece by piece, so that a slow client holds little memory.
struct Pieces(GzDecoder<&'static [u8]>);

impl Iterator for Pieces {
    type Item = io::Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut piece = Vec::with_capacity(PIECE);
        let read = (&mut self.0).take(PIECE as u64).read_to_end(&mut piece);
        match read {
            Ok(0) => None,
            Ok(_) => Some(Ok(piece.into())),
            Err(error) => Some(Err(error)),
        }
    }
}
