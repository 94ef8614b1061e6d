//! The W3C trace context: the header `traceparent`, which names the trace that a request belongs to.

use std::fmt;

/// The trace that a request belongs to, and the span of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TraceContext {
    pub(super) trace_id: u128,
    pub(super) span_id: u64,
    /// Whether the caller records the trace.
    pub(super) is_sampled: bool,
}

impl TraceContext {
    /// Reads a header. `None` if it is invalid: the request then begins a trace of its own.
    pub(crate) fn parse(header: &str) -> Option<TraceContext> {
        let mut parts = header.trim().split('-');
        let (version, trace_id) = (
            hexadecimal(parts.next()?, 2)?,
            hexadecimal(parts.next()?, 32)?,
        );
        let (span_id, flags) = (
            hexadecimal(parts.next()?, 16)?,
            hexadecimal(parts.next()?, 2)?,
        );
        // Later versions may have further parts.
        let fits = version != 0xff && (version != 0 || parts.next().is_none());
        let context = TraceContext {
            trace_id,
            span_id: u64::try_from(span_id).ok()?,
            is_sampled: flags & 1 == 1,
        };
        (fits && trace_id != 0 && span_id != 0).then_some(context)
    }

    /// The same trace, without its caller's wish to record it.
    pub(crate) fn unsampled(self) -> TraceContext {
        TraceContext {
            is_sampled: false,
            ..self
        }
    }

    /// The trace's id: 32 hexadecimal digits.
    pub(crate) fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }
}

/// Lowercase hexadecimal digits, as the specification requires.
fn hexadecimal(text: &str, digits: usize) -> Option<u128> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let fits = text.len() == digits && text.bytes().all(is_digit);
    fits.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

impl fmt::Display for TraceContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TraceContext {
            trace_id,
            span_id,
            is_sampled,
        } = self;
        let flags = u8::from(*is_sampled);
        write!(formatter, "00-{trace_id:032x}-{span_id:016x}-{flags:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_headers_are_read_and_written_alike() {
        for header in [
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
        ] {
            let context = TraceContext::parse(header).expect(header);
            assert_eq!(context.to_string(), header);
            assert_eq!(context.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        }
        let later =
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-brings";
        assert!(TraceContext::parse(later).is_some());
    }

    #[test]
    fn invalid_headers_are_ignored() {
        for header in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceContext::parse(header), None, "{header}");
        }
    }
}
