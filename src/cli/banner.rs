//! What the program prints when it serves: the URLs that clients can open.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::{
    config::Config,
    telemetry::{LogFormat, json_message},
};

/// The URLs, one per line; as JSON one line in all. `metrics`: the address of the listener for metrics.
pub(super) fn of(config: &Config, address: SocketAddr, metrics: Option<SocketAddr>) -> String {
    let url = |address, path| format!("http://{}/{path}", shown_address(address));
    let graphiql = config.server.graphiql;
    let docs = cfg!(feature = "docs") && config.server.docs_site;
    let urls = [
        ("API", Some(url(address, "graphql"))),
        ("GraphiQL", graphiql.then(|| url(address, "graphiql"))),
        ("Docs", docs.then(|| url(address, "docs"))),
        ("Schema", Some(url(address, "schema.graphql"))),
        ("Metrics", metrics.map(|address| url(address, "metrics"))),
    ];
    let urls = urls
        .iter()
        .filter_map(|(name, url)| Some((*name, url.as_deref()?)));
    match config.log.log_format {
        LogFormat::Text => urls
            .map(|(name, url)| format!("{name:<9} {url}\n"))
            .collect(),
        LogFormat::Json => {
            let names: Vec<(String, &str)> = urls
                .map(|(name, url)| (name.to_ascii_lowercase(), url))
                .collect();
            let fields: Vec<(&str, &str)> =
                names.iter().map(|(name, url)| (&**name, *url)).collect();
            json_message("INFO", "the service listens", &fields) + "\n"
        }
    }
}

/// An address that a client on this machine can open, even if the service listens on all addresses.
pub(super) fn shown_address(address: SocketAddr) -> SocketAddr {
    let loopback = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(loopback, address.port())
}
