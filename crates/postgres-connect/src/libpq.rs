//! The parameters of a connection string as environment variables of libpq, for programs such as pg_dump. Passwords in arguments
//! would be visible to other users of the machine.

use std::path::Path;

use tokio_postgres::config::{ChannelBinding, Config, Host, TargetSessionAttrs};

use crate::connection_string::ConnectionString;

/// Where systems keep the certificates of trusted authorities. libpq does not look there by itself.
const SYSTEM_ROOTS: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/etc/openssl@3/cert.pem",
];

/// Names and values of the variables. `mode`: the value of `sslmode`.
pub(crate) fn environment(
    string: &ConnectionString,
    config: &Config,
    mode: &str,
) -> Vec<(&'static str, String)> {
    let hosts = config.get_hosts().iter().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(folder) => folder.display().to_string(),
    });
    let joined = |values: Vec<String>| (!values.is_empty()).then(|| values.join(","));
    let addresses = config.get_hostaddrs().iter().map(ToString::to_string);
    let ports = config.get_ports().iter().map(ToString::to_string);
    let password = config.get_password().map(String::from_utf8_lossy);
    let own = |name: &str| string.get(name).map(str::to_owned);
    let variables = [
        ("PGHOST", joined(hosts.collect())),
        ("PGHOSTADDR", joined(addresses.collect())),
        ("PGPORT", joined(ports.collect())),
        ("PGUSER", config.get_user().map(str::to_owned)),
        ("PGDATABASE", config.get_dbname().map(str::to_owned)),
        ("PGPASSWORD", password.map(|password| password.into_owned())),
        ("PGOPTIONS", config.get_options().map(str::to_owned)),
        ("PGSSLMODE", Some(mode.to_owned())),
        ("PGSSLROOTCERT", root(string, mode)),
        ("PGSSLCERT", own("sslcert")),
        ("PGSSLKEY", own("sslkey")),
        ("PGSSLSNI", own("sslsni")),
        ("PGSSLMINPROTOCOLVERSION", own("ssl_min_protocol_version")),
        ("PGCHANNELBINDING", channel_binding(config)),
        ("PGTARGETSESSIONATTRS", session_attributes(config)),
        (
            "PGCONNECT_TIMEOUT",
            config
                .get_connect_timeout()
                .map(|timeout| timeout.as_secs().max(2).to_string()),
        ),
    ];
    let set = |(name, value): (&'static str, Option<String>)| Some((name, value?));
    variables.into_iter().filter_map(set).collect()
}

/// `system` is only known to libpq since version 16, so the file is named.
fn root(string: &ConnectionString, mode: &str) -> Option<String> {
    match string.get("sslrootcert") {
        Some(file) if file != "system" => Some(file.to_owned()),
        _ if mode == "verify-full" => {
            let found = SYSTEM_ROOTS.iter().find(|file| Path::new(file).exists());
            Some((*found.unwrap_or(&"system")).to_owned())
        }
        _ => None,
    }
}

fn channel_binding(config: &Config) -> Option<String> {
    let value = match config.get_channel_binding() {
        ChannelBinding::Disable => "disable",
        ChannelBinding::Require => "require",
        _ => return None,
    };
    Some(value.to_owned())
}

fn session_attributes(config: &Config) -> Option<String> {
    let value = match config.get_target_session_attrs() {
        TargetSessionAttrs::ReadWrite => "read-write",
        TargetSessionAttrs::ReadOnly => "read-only",
        _ => return None,
    };
    Some(value.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::Target;

    fn environment(text: &str) -> Vec<(&'static str, String)> {
        Target::parse(text)
            .expect("valid")
            .libpq_environment()
            .to_vec()
    }

    fn value(text: &str, name: &str) -> Option<String> {
        let all = environment(text);
        let found = all.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value)
    }

    #[test]
    fn urls_and_pairs_become_the_same_variables() {
        let url = "postgres://ada:hush%40@db.example.com:6432/notes?sslmode=require&options=-c%20jit%3Doff";
        let pairs = "host=db.example.com port=6432 user=ada password=hush@ dbname=notes sslmode=require options='-c jit=off'";
        assert_eq!(environment(url), environment(pairs));
        for (name, expected) in [
            ("PGHOST", "db.example.com"),
            ("PGPORT", "6432"),
            ("PGUSER", "ada"),
            ("PGPASSWORD", "hush@"),
            ("PGDATABASE", "notes"),
            ("PGSSLMODE", "require"),
            ("PGOPTIONS", "-c jit=off"),
        ] {
            assert_eq!(value(url, name).as_deref(), Some(expected), "{name}");
        }
        assert_eq!(value(url, "PGSSLROOTCERT"), None);
    }

    #[test]
    fn sockets_have_no_tls_and_verified_servers_have_roots() {
        let socket = "postgres://ada@%2Ftmp%2Fa/notes";
        assert_eq!(value(socket, "PGHOST").as_deref(), Some("/tmp/a"));
        assert_eq!(value(socket, "PGSSLMODE").as_deref(), Some("disable"));
        assert_eq!(value(socket, "PGPASSWORD"), None);
        let verified = "postgres://ada@db.example.com/notes?sslmode=verify-full";
        assert!(value(verified, "PGSSLROOTCERT").is_some());
    }
}
