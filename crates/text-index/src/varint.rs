//! Numbers in groups of seven bits, the lowest first. The highest bit of a byte is set if more bytes follow.

/// Appends a number.
pub(crate) fn put(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// Removes a number from the start. `None` if the bytes do not start with one.
#[inline]
pub(crate) fn take(bytes: &mut &[u8]) -> Option<u32> {
    let (first, mut rest) = bytes.split_first()?;
    let mut number = u32::from(first & 0x7f);
    let mut last = *first;
    let mut shift = 7;
    while last & 0x80 != 0 {
        (last, rest) = rest.split_first().map(|(byte, rest)| (*byte, rest))?;
        number |= u32::from(last & 0x7f).checked_shl(shift)?;
        shift += 7;
    }
    *bytes = rest;
    Some(number)
}

/// Whether a number ends with this byte.
#[inline]
pub(crate) fn is_end(byte: &u8) -> bool {
    byte & 0x80 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_were_written() {
        for number in [0, 1, 127, 128, 300, 16_383, 16_384, 1 << 28, u32::MAX] {
            let mut bytes = Vec::new();
            put(&mut bytes, number);
            let mut rest = &bytes[..];
            assert_eq!(take(&mut rest), Some(number));
            assert!(rest.is_empty());
            assert_eq!(take(&mut &bytes[..bytes.len() - 1]), None);
        }
    }

    #[test]
    fn a_number_that_never_ends_is_invalid() {
        assert_eq!(take(&mut &[0xff; 9][..]), None);
    }
}
