//! The ways out: over SMTP, or into files where no server is set.
//!
//! Each mail gets a connection of its own. A pool would hand one whose mail ran into the deadline to the next, which could
//! take a late answer for its own and count as sent. A password is sent in plain text only to a loopback host, or if the
//! URL says so; it is in no error.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::Utc;
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

use super::{MailSettings, store::Mail};

/// How long the sending of one mail may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long the server is waited for once it has the mail.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a server answers that wants a login or TLS before anything else (RFC 4954, RFC 3207): the settings must be mended,
/// not the mail.
const LOGIN_WANTED: u16 = 530;

/// Why a mail was not sent.
#[derive(Clone)]
pub(super) struct Undelivered {
    /// For whoever runs the service.
    pub(super) why: String,
    /// No later attempt would mend it.
    pub(super) hopeless: bool,
}

impl Undelivered {
    /// A later attempt may succeed.
    pub(super) fn for_now(why: String) -> Self {
        Undelivered {
            why,
            hopeless: false,
        }
    }
}

/// Where mails go.
pub(super) enum Transport {
    Smtp(Box<Smtp>),
    Files(PathBuf),
}

impl Transport {
    /// As the settings say.
    pub(super) fn new(settings: &MailSettings) -> Result<Self, String> {
        Ok(match &settings.smtp_url {
            Some(url) => Transport::Smtp(Box::new(Smtp::new(url, &settings.app_url)?)),
            None => Transport::Files(settings.folder.clone()),
        })
    }

    /// Sends that mail.
    pub(super) async fn send(&self, mail: &Mail, message: &Message) -> Result<(), Undelivered> {
        match self {
            Transport::Smtp(smtp) => {
                smtp.send(message).await?;
                tracing::info!(mail = %mail.id, kind = mail.kind, "a mail was sent");
            }
            Transport::Files(folder) => {
                let file = file(folder, mail, message.formatted()).await;
                let file = file.map_err(Undelivered::for_now)?;
                tracing::info!(
                    file = %file.display(),
                    "a mail was written into a file, since SNAPNOTE_SMTP_URL is not set"
                );
            }
        }
        Ok(())
    }
}

/// A server that takes mails.
pub(super) struct Smtp {
    host: String,
    port: u16,
    tls: Tls,
    login: Option<(String, String)>,
    hello: ClientId,
}

impl Smtp {
    /// `app_url`: its host is what this machine calls itself, since it has no better name.
    fn new(url: &str, app_url: &Url) -> Result<Self, String> {
        let url = Url::parse(url).map_err(|error| wrong(&format!("is no URL ({error})")))?;
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(wrong("has something behind the host"));
        }
        let encrypted = match (url.scheme(), url.query()) {
            (_, None) => None,
            ("smtp", Some("tls=none")) => Some(false),
            ("smtp", Some("tls=required")) => Some(true),
            _ => return Err(wrong("has a parameter that it cannot have")),
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| wrong("names no host"))?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let tls = || {
            TlsParameters::new(host.clone())
                .map_err(|error| wrong(&format!("cannot be used with TLS ({error})")))
        };
        let (tls, port) = match url.scheme() {
            "smtps" => (Tls::Wrapper(tls()?), 465),
            "smtp" if !encrypted.unwrap_or(!is_loopback(&host)) => (Tls::None, 587),
            "smtp" => (Tls::Required(tls()?), 587),
            _ => return Err(wrong("is neither smtps:// nor smtp://")),
        };
        Ok(Smtp {
            port: url.port().unwrap_or(port),
            host,
            tls,
            login: login(&url)?,
            hello: hello(app_url),
        })
    }

    async fn send(&self, message: &Message) -> Result<(), Undelivered> {
        let delivery = timeout(DEADLINE, self.deliver(message)).await;
        let mut connection = delivery.map_err(|_| {
            let seconds = DEADLINE.as_secs();
            Undelivered::for_now(format!(
                "the server did not take it within {seconds} seconds"
            ))
        })??;
        // It has been taken: what becomes of the farewell does not matter.
        let _ = timeout(FAREWELL, connection.quit()).await;
        Ok(())
    }

    /// A server that cannot be reached, or does not let us in, may do so later; what it says of the mail itself may be final.
    async fn deliver(&self, message: &Message) -> Result<AsyncSmtpConnection, Undelivered> {
        let connected = self.connect().await;
        let mut connection = connected.map_err(|error| Undelivered::for_now(self.words(&error)))?;
        let bytes = message.formatted();
        let sent = connection.send(message.envelope(), &bytes).await;
        sent.map_err(|error| Undelivered {
            why: self.words(&error),
            hopeless: is_final(&error),
        })?;
        Ok(connection)
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

    /// What a server says may repeat what it was told.
    fn words(&self, error: &SmtpError) -> String {
        let words = error.to_string();
        match &self.login {
            Some((_, password)) if !password.is_empty() => words.replace(password, "…"),
            _ => words,
        }
    }
}

/// Whether a server refused a mail for good (5yz), e.g. since nobody has the address.
fn is_final(error: &SmtpError) -> bool {
    let status = error.status().map(u16::from);
    error.is_permanent() && status != Some(LOGIN_WANTED)
}

fn wrong(what: &str) -> String {
    format!(
        "SNAPNOTE_SMTP_URL {what}. Write it as smtps://user:password@host, or smtp://user:password@host for STARTTLS; \
         percent-encode what is special in user and password."
    )
}

/// User and password.
fn login(url: &Url) -> Result<Option<(String, String)>, String> {
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", Some(_)) => Err(wrong("has a password, but no user")),
        (_, None) => Err(wrong("has a user, but no password")),
        (user, Some(password)) => Ok(Some((decoded(user), decoded(password)))),
    }
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

/// Percent-decoded: as the one name of a form, in which `+`, `&` and `=` would mean something else.
fn decoded(part: &str) -> String {
    let form = part
        .replace('+', "%2B")
        .replace('&', "%26")
        .replace('=', "%3D");
    let names = form_urlencoded::parse(form.as_bytes());
    names.map(|(name, _)| name.into_owned()).collect()
}

/// Writes a mail into a file that nobody else can read; answers its path.
async fn file(folder: &Path, mail: &Mail, bytes: Vec<u8>) -> Result<PathBuf, String> {
    let time = Utc::now().format("%Y%m%dT%H%M%SZ");
    let name = format!("{time}-{}-{}.eml", mail.kind, mail.id);
    let folder = folder.to_owned();
    let path = folder.join(&name);
    let shown = path.display().to_string();
    let writing = tokio::task::spawn_blocking(move || write(&folder, &name, &bytes).map(|()| path));
    let written = writing.await.map_err(|error| error.to_string())?;
    written.map_err(|error| format!("{shown} cannot be written: {error}"))
}

/// The file is there whole or not at all.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let unfinished = folder.join(format!(".{name}.unfinished"));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, folder.join(name))?;
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smtp(url: &str) -> Result<Smtp, String> {
        Smtp::new(
            url,
            &Url::parse("https://app.example.com").expect("it is a URL"),
        )
    }

    #[test]
    fn a_url_says_how_the_server_is_reached() {
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
    fn what_is_wrong_is_named_and_no_password_is_shown() {
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
                panic!("{url} was taken");
            };
            assert!(error.starts_with("SNAPNOTE_SMTP_URL "), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
