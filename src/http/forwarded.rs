//! Where a request comes from: the other end of the connection, or, where that is a trusted proxy, what it tells.
//!
//! `X-Forwarded-For` is read from its end, since anybody can send a beginning of it: the first address that is no trusted
//! proxy's is the caller's. What they sent need not be text: it is read as bytes, so that nothing in it hides what a proxy
//! wrote behind it.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// The caller's address.
pub(super) fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut caller = peer.to_canonical();
    let values = headers.get_all("x-forwarded-for").iter().rev();
    let hops = values.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
    for hop in hops {
        if !trusted.iter().any(|network| network.contains(&caller)) {
            break;
        }
        match parsed(hop) {
            Some(address) => caller = address.to_canonical(),
            None => break,
        }
    }
    caller
}

/// An address, which some proxies write with a port.
fn parsed(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim();
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']'));
    let address = bare.unwrap_or(hop).parse().ok();
    address.or_else(|| Some(hop.parse::<SocketAddr>().ok()?.ip()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn told(peer: &str, values: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header");
            headers.append("x-forwarded-for", value);
        }
        let trusted: Vec<IpNet> = trusted
            .iter()
            .map(|network| network.parse().expect("a network"))
            .collect();
        address(peer.parse().expect("an address"), &headers, &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let proxies = ["10.0.0.0/8", "::1/128"];
        let table: [(&str, &[&str], &str); 13] = [
            ("192.0.2.1", &["203.0.113.9"], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("::ffff:10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
            (
                "10.0.0.1",
                &["1.1.1.1, 203.0.113.9, 10.0.0.2"],
                "203.0.113.9",
            ),
            ("10.0.0.1", &["1.1.1.1", "203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["203.0.113.9:4711"], "203.0.113.9"),
            ("::1", &["[2001:db8::1]:80"], "2001:db8::1"),
            ("10.0.0.1", &["203.0.113.9, nonsense"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9, \u{e9}"], "10.0.0.1"),
            ("10.0.0.1", &["\u{e9}, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["\u{e9}", "203.0.113.9"], "203.0.113.9"),
        ];
        for (peer, values, expected) in table {
            assert_eq!(told(peer, values, &proxies), expected, "{peer} {values:?}");
        }
        assert_eq!(told("10.0.0.1", &["203.0.113.9"], &[]), "10.0.0.1");
    }
}
