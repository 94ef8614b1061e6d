//! Delivery over SMTP. Passwords are only sent in plain text to loopback hosts, or if the URL allows it. Errors never
//! contain them.
//!
//! Connections stay open for the next mail (`smtp_pool`). A connection is dropped if its mail failed or timed out.
//! Otherwise the next mail could mistake a late response for its own and count as sent. If the server has closed an
//! idle connection, the mail is sent over a new one.

use std::time::Duration;

use lettre::{
    Message,
    transport::smtp::{
        Error as SmtpError,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, Tls, TlsParameters},
        extension::ClientId,
    },
};
use tokio::time::timeout;
use url::{Host, Url, form_urlencoded};

use super::{
    smtp_pool::SmtpPool,
    transport::{DeliveryError, redacted},
};

/// Maximum time for sending one mail.
const DEADLINE: Duration = Duration::from_secs(30);

/// The server requires a login or TLS first (RFC 4954, RFC 3207). The settings are wrong, not the mail.
const LOGIN_REQUIRED: u16 = 530;
/// The server closes the connection (RFC 5321).
const SERVICE_CLOSING: u16 = 421;

/// An SMTP server.
pub(super) struct Smtp {
    host: String,
    port: u16,
    tls: Tls,
    login: Option<(String, String)>,
    hello: ClientId,
    pool: SmtpPool,
}

impl Smtp {
    /// This machine identifies itself with the host of `app_url`, since it has no better name. `idle`: how long an
    /// unused connection stays open.
    pub(super) fn new(url: &str, app_url: &Url, idle: Duration) -> Result<Self, String> {
        let url =
            Url::parse(url).map_err(|error| invalid_url(&format!("is not a URL ({error})")))?;
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(invalid_url("has a path or a fragment after the host"));
        }
        let encrypted = match (url.scheme(), url.query()) {
            (_, None) => None,
            ("smtp", Some("tls=none")) => Some(false),
            ("smtp", Some("tls=required")) => Some(true),
            _ => {
                return Err(invalid_url(
                    "has an unknown parameter or an invalid combination of parameters",
                ));
            }
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| invalid_url("has no host"))?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let tls = || {
            TlsParameters::new(host.clone())
                .map_err(|error| invalid_url(&format!("cannot be used with TLS ({error})")))
        };
        let (tls, port) = match url.scheme() {
            "smtps" => (Tls::Wrapper(tls()?), 465),
            "smtp" if !encrypted.unwrap_or(!is_loopback(&host)) => (Tls::None, 587),
            "smtp" => (Tls::Required(tls()?), 587),
            _ => return Err(invalid_url("is neither smtps:// nor smtp://")),
        };
        Ok(Smtp {
            port: url.port().unwrap_or(port),
            host,
            tls,
            login: login(&url)?,
            hello: hello(app_url),
            pool: SmtpPool::new(idle),
        })
    }

    /// Sends a mail, over an open connection if there is one.
    ///
    /// # Errors
    /// The reason why it was not sent.
    pub(super) async fn send(&self, message: &Message) -> Result<(), DeliveryError> {
        let delivery = timeout(DEADLINE, self.deliver(message)).await;
        let connection = delivery.map_err(|_| {
            let seconds = DEADLINE.as_secs();
            DeliveryError::temporary(format!(
                "the server did not accept it within {seconds} seconds"
            ))
        })??;
        self.pool.put(connection);
        Ok(())
    }

    /// Connects and signs in, to check the settings. Sends nothing.
    ///
    /// # Errors
    /// The server's response, or why there is none.
    pub(super) async fn probe(&self) -> Result<(), String> {
        let connected = self.connect().await;
        let mut connection = connected.map_err(|error| self.describe(&error))?;
        // The check has succeeded, whatever the server responds.
        let _ = timeout(DEADLINE, connection.quit()).await;
        Ok(())
    }

    /// Closes the open connections.
    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    /// Returns the connection over which the mail was sent. After a failure the connection is dropped.
    async fn deliver(&self, message: &Message) -> Result<AsyncSmtpConnection, DeliveryError> {
        let bytes = message.formatted();
        if let Some(mut connection) = self.pool.take().await {
            match connection.send(message.envelope(), &bytes).await {
                Ok(_) => return Ok(connection),
                Err(error) if is_closed_by_server(&error) => {}
                Err(error) => return Err(self.rejected(&error)),
            }
        }
        let connected = self.connect().await;
        let mut connection = connected.map_err(|error| DeliveryError {
            server_unavailable: true,
            ..DeliveryError::temporary(self.describe(&error))
        })?;
        let sent = connection.send(message.envelope(), &bytes).await;
        sent.map_err(|error| self.rejected(&error))?;
        Ok(connection)
    }

    /// The error of a mail that the server rejected.
    fn rejected(&self, error: &SmtpError) -> DeliveryError {
        DeliveryError {
            permanent: is_permanent(error),
            ..DeliveryError::temporary(self.describe(error))
        }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SmtpError> {
        let from_the_start = match &self.tls {
            Tls::Wrapper(parameters) => Some(parameters.clone()),
            _ => None,
        };
        let server = (&*self.host, self.port);
        let connecting =
            AsyncSmtpConnection::connect_tokio1(server, None, &self.hello, from_the_start, None);
        let mut connection = connecting.await?;
        if let Tls::Required(parameters) = &self.tls {
            connection.starttls(parameters.clone(), &self.hello).await?;
        }
        if let Some((user, password)) = &self.login {
            let credentials = Credentials::new(user.clone(), password.clone());
            connection.auth(DEFAULT_MECHANISMS, &credentials).await?;
        }
        Ok(connection)
    }

    /// The text of an error without the password, which the server may repeat.
    fn describe(&self, error: &SmtpError) -> String {
        let login = self.login.as_ref();
        redacted(error.to_string(), login.map(|(_, password)| &**password))
    }
}

/// Whether the server rejected the mail permanently (5yz), e.g. because the address does not exist.
fn is_permanent(error: &SmtpError) -> bool {
    let status = error.status().map(u16::from);
    error.is_permanent() && status != Some(LOGIN_REQUIRED)
}

/// Whether the server closed an idle connection instead of rejecting the mail. It may announce this with 421 (RFC 5321,
/// 3.8).
fn is_closed_by_server(error: &SmtpError) -> bool {
    error
        .status()
        .is_none_or(|status| u16::from(status) == SERVICE_CLOSING)
}

fn invalid_url(what: &str) -> String {
    format!(
        "SNAPNOTE_SMTP_URL {what}. Write it as smtps://user:password@host, or smtp://user:password@host for STARTTLS; \
         percent-encode special characters in user and password."
    )
}

/// User and password.
fn login(url: &Url) -> Result<Option<(String, String)>, String> {
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", Some(_)) => Err(invalid_url("has a password but no user")),
        (_, None) => Err(invalid_url("has a user but no password")),
        (user, Some(password)) => Ok(Some((decoded(user), decoded(password)))),
    }
}

/// Whether the SMTP server runs on this machine.
pub(crate) fn is_local_server(url: &str) -> bool {
    let host = Url::parse(url).ok();
    let host = host.as_ref().and_then(Url::host_str);
    host.is_some_and(|host| is_loopback(host.trim_matches(['[', ']'])))
}

fn is_loopback(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "::1")
}

fn hello(app_url: &Url) -> ClientId {
    match app_url.host() {
        Some(Host::Ipv4(address)) => ClientId::Ipv4(address),
        Some(Host::Ipv6(address)) => ClientId::Ipv6(address),
        Some(Host::Domain(name)) => ClientId::Domain(name.to_owned()),
        None => ClientId::default(),
    }
}

/// Percent-decodes a part of the URL, as the only name of a form. `+`, `&` and `=` have other meanings there.
fn decoded(part: &str) -> String {
    let form = part
        .replace('+', "%2B")
        .replace('&', "%26")
        .replace('=', "%3D");
    let names = form_urlencoded::parse(form.as_bytes());
    names.map(|(name, _)| name.into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smtp(url: &str) -> Result<Smtp, String> {
        Smtp::new(
            url,
            &Url::parse("https://app.example.com").expect("it is a URL"),
            Duration::ZERO,
        )
    }

    #[test]
    fn the_url_selects_host_port_and_tls() {
        let cases = [
            ("smtps://example.com", "example.com", 465, "Wrapper"),
            ("smtps://example.com:1465/", "example.com", 1465, "Wrapper"),
            ("smtps://localhost", "localhost", 465, "Wrapper"),
            ("smtp://example.com", "example.com", 587, "Required"),
            ("smtp://10.0.0.1:25", "10.0.0.1", 25, "Required"),
            ("smtp://[2001:db8::1]", "2001:db8::1", 587, "Required"),
            ("smtp://example.com:25?tls=none", "example.com", 25, "None"),
            ("smtp://localhost:1025", "localhost", 1025, "None"),
            (
                "smtp://localhost?tls=required",
                "localhost",
                587,
                "Required",
            ),
            ("smtp://127.0.0.1", "127.0.0.1", 587, "None"),
            ("smtp://[::1]:25", "::1", 25, "None"),
        ];
        for (url, host, port, tls) in cases {
            let smtp = smtp(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            let found = (&*smtp.host, smtp.port, &*format!("{:?}", smtp.tls));
            assert_eq!(found, (host, port, tls), "{url}");
            assert_eq!(smtp.hello, ClientId::Domain("app.example.com".to_owned()));
        }
    }

    #[test]
    fn user_and_password_are_percent_decoded() {
        let url = "smtps://ada%40example.com:a+b&c=d%2Fe%25%C3%A4@example.com";
        let login = smtp(url).map(|smtp| smtp.login);
        let expected = ("ada@example.com".to_owned(), "a+b&c=d/e%ä".to_owned());
        assert_eq!(login, Ok(Some(expected)));
    }

    #[test]
    fn errors_name_the_setting_and_no_password() {
        for url in [
            "example.com",
            "https://ada:secret@example.com",
            "smtp://",
            "smtps://ada:secret@example.com?tls=none",
            "smtp://ada:secret@example.com?tls=opportunistic",
            "smtp://ada:se/secret@example.com",
            "smtp://ada:se#secret@example.com",
            "smtp://ada:secret@example.com/inbox",
            "smtp://ada@example.com",
            "smtp://:secret@example.com",
        ] {
            let Err(error) = smtp(url) else {
                panic!("{url} was accepted");
            };
            assert!(error.starts_with("SNAPNOTE_SMTP_URL "), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
