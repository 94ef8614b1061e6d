//! The types of setting values and their parsers. Each parser's error says what was expected.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
    time::Duration,
};

use ipnet::IpNet;
use url::{Host, Url};

use crate::graphql::plan;

/// Text that is never shown in messages or logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(secret)")
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Secret(text.to_owned()))
    }
}

/// A duration such as `500ms`, `10s`, `5m` or `2h`. Maximum 30 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

const NOT_A_DURATION: &str = "expected a duration such as 500ms, 10s, 5m or 2h";

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unit_at = text
            .find(|character: char| !character.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(unit_at);
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(NOT_A_DURATION.to_owned()),
        };
        let number: u64 = number.parse().map_err(|_| NOT_A_DURATION.to_owned())?;
        match number.checked_mul(milliseconds) {
            Some(0) => Err("the duration must be greater than 0".to_owned()),
            Some(time) if time <= 30 * 24 * 3_600_000 => Ok(Span(Duration::from_millis(time))),
            _ => Err("the maximum is 30 days (720h)".to_owned()),
        }
    }
}

/// An address to listen on. Names are not resolved, since `localhost` can mean two addresses.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.trim().parse().map_err(|_| {
        "expected an IP address and a port, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080"
            .to_owned()
    })
}

/// The URL that links start with.
pub(super) fn web_url(text: &str) -> Result<Url, String> {
    const EXPECTED: &str =
        "expected a URL such as https://app.example.com or https://example.com/app";
    let url: Url = text.trim().parse().map_err(|_| EXPECTED.to_owned())?;
    let is_unspecified = match url.host() {
        Some(Host::Ipv4(address)) => address.is_unspecified(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_unspecified(),
        _ => false,
    };
    if is_unspecified {
        return Err(format!("{EXPECTED}; no client can open this address"));
    }
    let is_plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if is_plain {
        Ok(url)
    } else {
        Err(format!("{EXPECTED}, without user, query and fragment"))
    }
}

/// A network, or a single address.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let network = text.parse::<IpNet>().ok().or_else(address);
    network.ok_or_else(|| "expected a network such as 10.0.0.0/8 or 2001:db8::/32".to_owned())
}

/// A duration that may be 0.
pub(super) fn delay(text: &str) -> Result<Span, String> {
    match text {
        "0" | "0ms" | "0s" | "0m" | "0h" => Ok(Span(Duration::ZERO)),
        _ => text.parse(),
    }
}

/// How far a replica may be behind. Two samples take a few round trips.
pub(super) fn max_lag(text: &str) -> Result<Span, String> {
    let span: Span = text.parse()?;
    match span.0 < Duration::from_millis(100) {
        true => Err("the minimum is 100ms".to_owned()),
        false => Ok(span),
    }
}

/// Whether queries run with plans.
pub(super) fn plan_mode(text: &str) -> Result<plan::Mode, String> {
    match text {
        "on" => Ok(plan::Mode::On),
        "off" => Ok(plan::Mode::Off),
        "verify" => Ok(plan::Mode::Verify),
        _ => Err("must be on, off or verify".to_owned()),
    }
}

/// A grace period. A client needs time to retry, but a stolen token must not stay usable alongside its owner's.
pub(super) fn grace(text: &str) -> Result<Span, String> {
    let span: Span = text.parse()?;
    let bounds = Duration::from_secs(1)..=Duration::from_secs(600);
    if bounds.contains(&span.0) {
        Ok(span)
    } else {
        Err("it must be between 1s and 10m".to_owned())
    }
}

/// A number of points.
pub(super) fn points(text: &str) -> Result<u64, String> {
    at_least_one(text).map(|number| number as u64)
}

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a whole number, minimum 1".to_owned()),
        Ok(number) => Ok(number),
    }
}
