//! Splits a PostgreSQL connection string into the parameters that tokio-postgres reads and those that this crate reads,
//! and rejects the parameters that cannot be enforced: ignoring them would weaken a requested protection.
//!
//! This module reads no file and does not connect. None of its messages contains a password or a part of one.
//! `tls` and `target` take their parameters from a [`ConnectionString`].

use std::collections::HashMap;

use url::form_urlencoded;

/// Why a connection string is invalid. One line that names the parameter and never contains the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(String);

impl ParseError {
    /// A problem that is not caused by a single parameter.
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        ParseError(problem.into())
    }

    /// A problem with one parameter.
    pub(crate) fn of(parameter: &str, problem: impl AsRef<str>) -> Self {
        ParseError(format!("`{parameter}`: {}", problem.as_ref()))
    }
}

/// A connection string, split into two parts.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConnectionString {
    /// The part that tokio-postgres reads, as it was written.
    pub(crate) passed_on: String,
    /// The parameters that this crate reads.
    own: HashMap<String, String>,
}

/// How a parameter is handled.
enum Handling {
    /// tokio-postgres reads it like libpq.
    PassedOn,
    /// This crate reads it, because tokio-postgres does not know it, or knows it with another name, value or unit.
    Own,
    /// Has no effect, or requests the normal behavior.
    Ignored,
    /// Cannot be enforced. Contains the remedy.
    Rejected(&'static str),
    Unknown,
}

fn handling(name: &str, value: &str) -> Handling {
    match (name, value) {
        ("user" | "password" | "dbname" | "host" | "hostaddr" | "port", _)
        | ("application_name" | "options" | "channel_binding" | "sslnegotiation", _)
        | ("connect_timeout" | "target_session_attrs" | "load_balance_hosts", _)
        | ("keepalives" | "keepalives_retries", _) => Handling::PassedOn,
        ("sslmode" | "sslrootcert" | "sslcert" | "sslkey", _)
        | ("sslsni" | "ssl_min_protocol_version" | "fallback_application_name", _)
        | ("keepalives_idle" | "keepalives_interval" | "keepalives_count", _)
        | ("tcp_user_timeout", _) => Handling::Own,
        _ if is_ignored(name, value) => Handling::Ignored,
        _ => remedy(name).map_or(Handling::Unknown, Handling::Rejected),
    }
}

/// Whether the parameter has no effect or requests the normal behavior. Includes parameters of other drivers that
/// hosting providers add to their strings.
fn is_ignored(name: &str, value: &str) -> bool {
    matches!(
        (name, value),
        (
            "gssdelegation" | "gsslib" | "krbsrvname" | "max_protocol_version",
            _
        ) | (
            "client_encoding",
            "auto" | "utf8" | "UTF8" | "utf-8" | "UTF-8"
        ) | ("gssencmode", "disable" | "prefer")
            | ("min_protocol_version", "3.0")
            | ("replication", "false" | "off" | "no" | "0")
            | ("requiressl" | "sslcompression", "0")
            | ("ssl_max_protocol_version", "TLSv1.3")
            | ("sslcertmode", "allow")
            | ("connection_limit" | "pgbouncer" | "pool_timeout", _)
            | ("statement_cache_size" | "uselibpqcompat", _)
            | ("schema", "public")
    )
}

/// What to do about a parameter that cannot be enforced. `None` if there is no such parameter.
fn remedy(name: &str) -> Option<&'static str> {
    Some(match name {
        "client_encoding" => "only UTF8 is supported; omit it",
        "gssencmode" => "GSSAPI is not supported; use sslmode",
        "min_protocol_version" => "only 3.0 is supported; omit it",
        "passfile" => "is not read; write the password in the connection string",
        "replication" => "replication connections cannot run queries; omit it",
        "require_auth" => {
            "cannot be enforced; channel_binding=require protects the password from impostors"
        }
        "requirepeer" => "cannot be enforced; omit it",
        "schema" => "only public is supported; use ALTER ROLE … SET search_path",
        "service" | "servicefile" => "is not read; write the parameters in the connection string",
        "requiressl" | "ssl" => "use sslmode=require or sslmode=disable",
        "ssl_max_protocol_version" => "the newest version that both sides support is used; omit it",
        "sslcertmode" => "only allow is supported; omit it",
        "sslcompression" => "is unsafe in TLS; omit it",
        "sslcrl" | "sslcrldir" => "revocation is not checked; omit it",
        "sslpassword" => "encrypted keys are not supported; use a key without a password",
        _ => return None,
    })
}

impl ConnectionString {
    /// A parameter that this crate reads.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.own.get(name).map(String::as_str)
    }

    /// Splits a `postgres://` or `postgresql://` URL, or a string of `key=value` pairs.
    ///
    /// # Errors
    /// If the text is neither, or a parameter is unknown or cannot be enforced.
    pub(crate) fn parse(text: &str) -> Result<Self, ParseError> {
        let text = text.trim();
        let is_url = ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.starts_with(scheme));
        let ((start, parameters), separator) = match is_url {
            true => (split_url(text)?, "&"),
            false => (("", split_pairs(text)?), " "),
        };
        let mut parsed = ConnectionString::default();
        let mut passed_on = Vec::new();
        for Parameter {
            name,
            value,
            written,
        } in parameters
        {
            match handling(&name, &value) {
                Handling::Unknown => return Err(ParseError::of(&name, "unknown parameter")),
                // As in libpq, an empty value means that the parameter is omitted.
                _ if value.is_empty() => {}
                Handling::PassedOn => passed_on.push(written),
                Handling::Own => drop(parsed.own.insert(name, value)),
                // A parameter of the Java driver, as in libpq. It never replaces a stronger mode.
                _ if name == "ssl" && value == "true" => {
                    let mode = parsed.own.entry("sslmode".to_owned());
                    mode.or_insert_with(|| "require".to_owned());
                }
                Handling::Ignored => {}
                Handling::Rejected(instead) => return Err(ParseError::of(&name, instead)),
            }
        }
        let query = if is_url && !passed_on.is_empty() {
            "?"
        } else {
            ""
        };
        parsed.passed_on = format!("{start}{query}{}", passed_on.join(separator));
        Ok(parsed)
    }

    /// The value of a parameter that is not passed on. `None` if it is omitted or empty.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        self.own.remove(name)
    }
}

/// One `name=value` pair, decoded and as written.
struct Parameter<'a> {
    name: String,
    value: String,
    written: &'a str,
}

/// The part of a URL before its parameters, and the parameters.
fn split_url(url: &str) -> Result<(&str, Vec<Parameter<'_>>), ParseError> {
    let address = url.find("://").map_or(0, |scheme| scheme + "://".len());
    let end_of_host = url[address..]
        .find(['/', '?'])
        .map_or(url.len(), |end| address + end);
    // tokio-postgres takes everything before the first `@` as the credentials, wherever the `@` is. With a second `@` it
    // would show a part of the password as the host, or the host as the name.
    let (credentials, _) = url.split_once('@').unwrap_or_default();
    if credentials.len() > end_of_host || url[address..end_of_host].matches('@').count() > 1 {
        return Err(ParseError::of(
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
        // A plus sign is literal in a connection string, but means a space in a form.
        let escaped = written.replace('+', "%2B");
        let (name, value) = form_urlencoded::parse(escaped.as_bytes())
            .into_owned()
            .next()
            .unwrap_or_default();
        if !written.contains('=') {
            return Err(ParseError::of(&name, "has no value; write name=value"));
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
fn split_pairs(text: &str) -> Result<Vec<Parameter<'_>>, ParseError> {
    let mut parameters: Vec<Parameter<'_>> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after_name) = rest.split_once('=').unwrap_or_default();
        let name = name.trim_end();
        let last = parameters.last();
        // Text that is not a known pair may be the rest of a password with a space, so it is not shown.
        let in_password = last.is_some_and(|last| last.name == "password")
            && matches!(handling(name, ""), Handling::Unknown);
        if !is_name(name) || in_password {
            return Err(match last {
                Some(last) => ParseError::of(
                    &last.name,
                    "is followed by text that is not a parameter; quote a value that contains spaces",
                ),
                None => ParseError::new(
                    "must be a URL that starts with postgres:// or postgresql://, or name=value pairs",
                ),
            });
        }
        let value_text = after_name.trim_start();
        let (value, length) = read_value(value_text)
            .ok_or_else(|| ParseError::of(name, "starts with a quote but does not end with one"))?;
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

/// The value at the start of a text, quoted or not, and its length in bytes. `None` if a quote is not closed.
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
