//! A PostgreSQL connection string taken apart: the parameters that tokio-postgres reads, those that are read here, and
//! those that are refused because to pass over them would weaken what somebody asked for.
//!
//! It reads no file and connects nowhere, and no message of its own shows a password or a piece of one.
//! Read on in `tls.rs` and `../connect.rs`, which take their parameters out of a [`ConnectionString`].

use std::collections::HashMap;

use url::form_urlencoded;

/// Why a connection string cannot be used, in one line that names the parameter and never holds the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TargetError(String);

impl TargetError {
    /// A problem that no single parameter is to blame for.
    pub(super) fn new(problem: impl Into<String>) -> Self {
        TargetError(problem.into())
    }

    /// A problem with one parameter.
    pub(super) fn of(parameter: &str, problem: impl AsRef<str>) -> Self {
        TargetError(format!("`{parameter}`: {}", problem.as_ref()))
    }
}

/// A connection string without what tokio-postgres would not understand, and that beside it.
#[derive(Debug, Default)]
pub(super) struct ConnectionString {
    /// What tokio-postgres reads, as it was written.
    pub(super) handed_on: String,
    own: HashMap<String, String>,
}

/// What becomes of a parameter.
enum Role {
    /// tokio-postgres understands it as libpq does.
    HandedOn,
    /// Read by us, because tokio-postgres does not know it, or not by libpq's name, values or unit.
    Own,
    /// Asks for nothing, or for what is done anyway.
    Harmless,
    /// Cannot be honoured; what to do instead.
    Refused(&'static str),
    Unknown,
}

fn role(name: &str, value: &str) -> Role {
    match (name, value) {
        ("user" | "password" | "dbname" | "host" | "hostaddr" | "port", _)
        | ("application_name" | "options" | "channel_binding" | "sslnegotiation", _)
        | ("connect_timeout" | "target_session_attrs" | "load_balance_hosts", _)
        | ("keepalives" | "keepalives_idle" | "keepalives_interval" | "keepalives_retries", _) => {
            Role::HandedOn
        }
        ("sslmode" | "sslrootcert" | "sslcert" | "sslkey", _)
        | ("sslsni" | "ssl_min_protocol_version" | "fallback_application_name", _)
        | ("keepalives_count" | "tcp_user_timeout", _) => Role::Own,
        _ => role_in_libpq(name, value),
    }
}

/// The rest of libpq's parameters, and other drivers' that hosters put into the strings which they hand out.
fn role_in_libpq(name: &str, value: &str) -> Role {
    match (name, value) {
        ("gssdelegation" | "gsslib" | "krbsrvname" | "max_protocol_version", _)
        | ("client_encoding", "auto" | "utf8" | "UTF8" | "utf-8" | "UTF-8")
        | ("gssencmode", "disable" | "prefer")
        | ("min_protocol_version", "3.0")
        | ("replication", "false" | "off" | "no" | "0")
        | ("requiressl" | "sslcompression", "0")
        | ("ssl_max_protocol_version", "TLSv1.3")
        | ("sslcertmode", "allow")
        | ("connection_limit" | "pgbouncer" | "pool_timeout", _)
        | ("statement_cache_size" | "uselibpqcompat", _)
        | ("schema", "public") => Role::Harmless,
        ("client_encoding", _) => Role::Refused("text always travels as UTF-8: leave it out"),
        ("gssencmode", _) => Role::Refused("there is no GSSAPI here: use sslmode"),
        ("min_protocol_version", _) => Role::Refused("only 3.0 is spoken: leave it out"),
        ("passfile", _) => Role::Refused("is not read: write the password into the string"),
        ("replication", _) => Role::Refused("such a connection serves no queries: leave it out"),
        ("require_auth", _) => Role::Refused(
            "cannot be checked: channel_binding=require keeps a password from impostors",
        ),
        ("requirepeer", _) => Role::Refused("cannot be checked: leave it out"),
        ("schema", _) => Role::Refused("only public: or use ALTER ROLE … SET search_path"),
        ("service" | "servicefile", _) => Role::Refused("is not read: write the parameters out"),
        ("requiressl" | "ssl", _) => Role::Refused("write sslmode=require or sslmode=disable"),
        ("ssl_max_protocol_version", _) => {
            Role::Refused("the newest version that both sides know is spoken: leave it out")
        }
        ("sslcertmode", _) => Role::Refused("only allow: leave it out"),
        ("sslcompression", _) => Role::Refused("is unsafe in TLS: leave it out"),
        ("sslcrl" | "sslcrldir", _) => Role::Refused("revocation is not checked: leave it out"),
        ("sslpassword", _) => Role::Refused("encrypted keys are not read: give one without it"),
        _ => Role::Unknown,
    }
}

impl ConnectionString {
    /// Takes apart a `postgres://` or `postgresql://` URL, or a string of `key=value` pairs.
    ///
    /// # Errors
    /// A text that is neither, and parameters that are unknown or cannot be honoured.
    pub(super) fn parse(text: &str) -> Result<Self, TargetError> {
        let text = text.trim();
        let is_url = ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.starts_with(scheme));
        let (start, parameters, separator) = if is_url {
            let (start, parameters) = split_url(text)?;
            (start, parameters, "&")
        } else {
            ("", split_pairs(text)?, " ")
        };
        let mut parsed = ConnectionString::default();
        let mut handed_on = Vec::new();
        for parameter in parameters {
            let Parameter {
                name,
                value,
                written,
            } = parameter;
            match role(&name, &value) {
                Role::Unknown => return Err(TargetError::of(&name, "there is no such parameter")),
                // As in libpq, the same as leaving it out.
                _ if value.is_empty() => {}
                Role::HandedOn => handed_on.push(written),
                Role::Own => drop(parsed.own.insert(name, value)),
                // For Java's sake, as in libpq; but never instead of a stronger mode.
                _ if name == "ssl" && value == "true" => {
                    let mode = parsed.own.entry("sslmode".to_owned());
                    mode.or_insert_with(|| "require".to_owned());
                }
                Role::Harmless => {}
                Role::Refused(instead) => return Err(TargetError::of(&name, instead)),
            }
        }
        let query = if is_url && !handed_on.is_empty() {
            "?"
        } else {
            ""
        };
        parsed.handed_on = format!("{start}{query}{}", handed_on.join(separator));
        Ok(parsed)
    }

    /// The value of a parameter that is not handed on; `None` if it is left out or empty, which is the same in libpq.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.own.remove(name)
    }
}

/// One `name=value`, decoded, and as it was written.
struct Parameter<'a> {
    name: String,
    value: String,
    written: &'a str,
}

/// A URL's part before the parameters, and these.
fn split_url(url: &str) -> Result<(&str, Vec<Parameter<'_>>), TargetError> {
    let address = url.find("://").map_or(0, |scheme| scheme + "://".len());
    let end_of_host = url[address..]
        .find(['/', '?'])
        .map_or(url.len(), |end| address + end);
    // tokio-postgres takes all before the first `@` for name and password, wherever it stands: an `@` further on would
    // have it show a piece of the password as the host, or the host as the name.
    let (credentials, _) = url.split_once('@').unwrap_or_default();
    if credentials.len() > end_of_host || url[address..end_of_host].matches('@').count() > 1 {
        return Err(TargetError::of(
            "password",
            "percent-encode special characters in the URL: @ as %40, / as %2F, ? as %3F",
        ));
    }
    let Some(question) = url[end_of_host..].find('?') else {
        return Ok((url, Vec::new()));
    };
    let (start, query) = url.split_at(end_of_host + question);
    let pairs = query[1..].split('&').filter(|pair| !pair.is_empty());
    let parameters = pairs.map(|written| {
        // A plus sign is itself in a connection string, and a blank in a form.
        let escaped = written.replace('+', "%2B");
        let (name, value) = form_urlencoded::parse(escaped.as_bytes())
            .into_owned()
            .next()
            .unwrap_or_default();
        if !written.contains('=') {
            return Err(TargetError::of(&name, "has no value: write name=value"));
        }
        Ok(Parameter {
            name,
            value,
            written,
        })
    });
    Ok((start, parameters.collect::<Result<_, _>>()?))
}

/// The parameters of a string of `key=value` pairs.
fn split_pairs(text: &str) -> Result<Vec<Parameter<'_>>, TargetError> {
    let mut parameters: Vec<Parameter<'_>> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after_name) = rest.split_once('=').unwrap_or_default();
        let name = name.trim_end();
        let last = parameters.last();
        // What is no pair, or an unknown one, may be the rest of a password that has a blank in it: it is not shown.
        let in_password = last.is_some_and(|last| last.name == "password")
            && matches!(role(name, ""), Role::Unknown);
        if !is_name(name) || in_password {
            return Err(match last {
                Some(last) => TargetError::of(
                    &last.name,
                    "what follows it is no parameter: put quotes around a value with blanks in it",
                ),
                None => TargetError::new(
                    "neither a URL that starts with postgres:// or postgresql://, nor name=value pairs",
                ),
            });
        }
        let value_text = after_name.trim_start();
        let (value, length) = read_value(value_text).ok_or_else(|| {
            TargetError::of(
                name,
                "its value begins with a quote but does not end with one",
            )
        })?;
        let end = text.len() - value_text.len() + length;
        let start = text.len() - rest.len();
        parameters.push(Parameter {
            name: name.to_owned(),
            value,
            written: &text[start..end],
        });
        rest = text[end..].trim_start();
    }
    Ok(parameters)
}

fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    !text.is_empty() && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The value at the start of a text, quoted or not, and how many bytes of the text it takes; `None` if a quote is open.
fn read_value(text: &str) -> Option<(String, usize)> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut characters = text.char_indices().skip(usize::from(quoted));
    while let Some((at, character)) = characters.next() {
        match character {
            '\'' if quoted => return Some((value, at + 1)),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            blank if blank.is_whitespace() && !quoted => return Some((value, at)),
            other => value.push(other),
        }
    }
    (!quoted).then_some((value, text.len()))
}
