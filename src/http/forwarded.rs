//! The client's address: the peer of the connection or, if the peer is a trusted proxy, the address in `X-Forwarded-For`.
//!
//! `X-Forwarded-For` is read from its end, because clients can send the beginning of it. The first address from the end that does not belong
//! to a trusted proxy is the client's. The header is read as bytes: clients may send invalid text, which must not hide what a proxy
//! appended.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, Version};
use ipnet::IpNet;

/// The client's address.
pub(super) fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut client = peer.to_canonical();
    for hop in hops(headers) {
        if !trusted.iter().any(|network| network.contains(&client)) {
            break;
        }
        match parse(hop) {
            Some(address) => client = address.to_canonical(),
            None => break,
        }
    }
    client
}

/// Header fields that only proxies send. `X-Forwarded-For` is not listed, because its addresses are checked.
const PROXY_FIELDS: [&str; 5] = [
    "forwarded",
    "via",
    "x-real-ip",
    "x-forwarded-host",
    "x-forwarded-proto",
];

/// Whether the client is probably on this machine. A proxy on this machine, trusted or not, forwards for others unless
/// its `X-Forwarded-For` says that they are on this machine, too. A proxy that adds no header cannot be recognized, except
/// by HTTP/1.0 (nginx's default), so no protection may depend on this.
pub(super) fn is_local(peer: IpAddr, version: Version, headers: &HeaderMap) -> bool {
    let is_loopback = |hop| parse(hop).is_some_and(|address| address.to_canonical().is_loopback());
    peer.to_canonical().is_loopback()
        && version > Version::HTTP_10
        && !PROXY_FIELDS.iter().any(|name| headers.contains_key(*name))
        && hops(headers).all(is_loopback)
}

/// The addresses in `X-Forwarded-For`, from the end.
fn hops(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let values = headers.get_all("x-forwarded-for").iter().rev();
    values.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','))
}

/// Parses an address. Some proxies add a port.
fn parse(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim();
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']'));
    let address = bare.unwrap_or(hop).parse().ok();
    address.or_else(|| Some(hop.parse::<SocketAddr>().ok()?.ip()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::{super::fields::tests::headers, *};

    fn address_of(peer: &str, values: &[&str], trusted: &[&str]) -> String {
        let headers = headers("x-forwarded-for", values);
        let trusted: Vec<IpNet> = trusted
            .iter()
            .map(|network| network.parse().expect("a network"))
            .collect();
        address(peer.parse().expect("an address"), &headers, &trusted).to_string()
    }

    #[test]
    fn clients_of_a_proxy_on_this_machine_are_not_local() {
        let table = [
            ("127.0.0.1", None, true),
            ("::1", None, true),
            ("::ffff:127.0.0.1", None, true),
            ("192.0.2.1", None, false),
            ("127.0.0.1", Some(("x-forwarded-for", "203.0.113.9")), false),
            (
                "127.0.0.1",
                Some(("x-forwarded-for", "::1, 203.0.113.9")),
                false,
            ),
            (
                "127.0.0.1",
                Some(("x-forwarded-for", "203.0.113.9, ::1")),
                false,
            ),
            ("127.0.0.1", Some(("x-forwarded-for", "unknown")), false),
            (
                "127.0.0.1",
                Some(("x-forwarded-for", "::1, 127.0.0.1:99")),
                true,
            ),
            ("127.0.0.1", Some(("forwarded", "for=203.0.113.9")), false),
            ("127.0.0.1", Some(("via", "1.1 proxy")), false),
            ("127.0.0.1", Some(("x-real-ip", "127.0.0.1")), false),
            ("::1", Some(("x-forwarded-host", "localhost")), false),
            ("::1", Some(("x-forwarded-proto", "")), false),
            ("127.0.0.1", Some(("host", "localhost")), true),
            ("192.0.2.1", Some(("x-forwarded-for", "127.0.0.1")), false),
        ];
        for (peer, header, expected) in table {
            let mut headers = HeaderMap::new();
            if let Some((name, value)) = header {
                headers.insert(name, HeaderValue::from_static(value));
            }
            let peer = peer.parse().expect("an address");
            let is_local = |version| is_local(peer, version, &headers);
            for version in [Version::HTTP_11, Version::HTTP_2] {
                assert_eq!(is_local(version), expected, "{peer} {header:?}");
            }
            assert!(!is_local(Version::HTTP_10), "{peer} {header:?}");
        }
    }

    #[test]
    fn only_addresses_from_trusted_proxies_count() {
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
            let address = address_of(peer, values, &proxies);
            assert_eq!(address, expected, "{peer} {values:?}");
        }
        assert_eq!(address_of("10.0.0.1", &["203.0.113.9"], &[]), "10.0.0.1");
    }
}
