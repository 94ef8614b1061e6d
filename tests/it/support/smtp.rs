//! A small SMTP server, which can fail in several ways.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::{TcpStream, tcp::OwnedReadHalf},
    task::JoinHandle,
};

use super::{at_least, eventually, listener_at};

/// How the server treats its clients. It is looked up at each command.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Manner {
    Takes,
    /// Sends that response to that command; for an empty command, as the greeting.
    Answers(&'static str, &'static str),
    /// Closes the connection in the middle of the mail.
    HangsUp,
    /// Refuses the mail, and repeats its links.
    RepeatsLinks,
    /// Sends no response for recipients that start with this.
    HangsFor(&'static str),
    /// Takes one mail per connection and rejects the next one with 421.
    TakesOne,
    /// Closes each connection after one mail, without a response.
    ClosesAfterOne,
}

/// What the server has seen.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) commands: Vec<String>,
    /// Recipients, in the order in which they were named.
    pub(crate) recipients: Vec<String>,
    /// Connections that were made, and how many of them are open.
    pub(crate) connections: usize,
    pub(crate) open: usize,
    mails: Vec<String>,
}

pub(crate) struct SmtpServer {
    pub(crate) port: u16,
    manner: Arc<Mutex<Manner>>,
    pub(crate) seen: Arc<Mutex<Seen>>,
    listening: JoinHandle<()>,
}

impl SmtpServer {
    /// A server on any port.
    pub(crate) async fn start() -> SmtpServer {
        SmtpServer::at("127.0.0.1", 0).await
    }

    /// A server on this port of this host; 0 is any port.
    pub(crate) async fn at(host: &str, port: u16) -> SmtpServer {
        let listener = listener_at((host, port)).await;
        let port = listener.local_addr().unwrap().port();
        let manner = Arc::new(Mutex::new(Manner::Takes));
        let seen = Arc::<Mutex<Seen>>::default();
        let shared = (manner.clone(), seen.clone());
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (manner, seen) = shared.clone();
                // A client may go away at any time.
                tokio::spawn(async move {
                    {
                        let mut seen = seen.lock().unwrap();
                        seen.connections += 1;
                        seen.open += 1;
                    }
                    let _ = converse(stream, &manner, &seen).await;
                    seen.lock().unwrap().open -= 1;
                });
            }
        });
        SmtpServer {
            port,
            manner,
            seen,
            listening,
        }
    }

    pub(crate) fn becomes(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    pub(crate) fn mails(&self) -> Vec<String> {
        self.seen.lock().unwrap().mails.clone()
    }

    pub(crate) async fn stop(self) -> u16 {
        self.listening.abort();
        let _ = self.listening.await;
        self.port
    }

    /// Waits until so many mails have arrived.
    pub(crate) async fn has(&self, count: usize) {
        self.until(|seen| seen.mails.len() >= count).await;
    }

    /// Waits until this holds.
    pub(crate) async fn until(&self, holds: impl Fn(&Seen) -> bool) {
        eventually("the mail server has seen it", async || {
            let seen = self.seen.lock().unwrap();
            if holds(&seen) {
                Ok(())
            } else {
                Err(format!("{:?}", seen.recipients))
            }
        })
        .await;
    }
}

async fn converse(
    stream: TcpStream,
    manner: &Mutex<Manner>,
    seen: &Mutex<Seen>,
) -> std::io::Result<()> {
    let (input, mut output) = stream.into_split();
    let mut lines = BufReader::new(input).lines();
    let now = || *manner.lock().unwrap();
    let greeting = match now() {
        Manner::Answers("", answer) => answer,
        _ => "220 test ESMTP",
    };
    output
        .write_all(format!("{greeting}\r\n").as_bytes())
        .await?;
    let mut mails = 0;
    while let Some(line) = lines.next_line().await? {
        let manner = now();
        let (mut answer, mut ends) = answer(&line, manner, mails, seen);
        let hangs = answer.is_empty() || answer.starts_with("354") && manner == Manner::HangsUp;
        if answer.starts_with("354") {
            output.write_all(b"354 go on\r\n").await?;
        }
        if hangs {
            // Until the client gives up.
            lines.next_line().await?;
            return Ok(());
        }
        if answer.starts_with("354") {
            mails += 1;
            answer = taken(&mut lines, manner, seen).await?;
            ends = manner == Manner::ClosesAfterOne;
        }
        output.write_all(format!("{answer}\r\n").as_bytes()).await?;
        if ends {
            return Ok(());
        }
    }
    Ok(())
}

/// The response to a command, empty if there is none, and whether it ends the connection, over which so many mails came.
fn answer(line: &str, manner: Manner, mails: usize, seen: &Mutex<Seen>) -> (String, bool) {
    let command = line.split([' ', ':']).next().unwrap_or_default();
    let command = command.to_uppercase();
    let mut seen = seen.lock().unwrap();
    seen.commands.push(command.clone());
    let answer = match &*command {
        _ if let Manner::Answers(to, answer) = manner
            && to == command =>
        {
            answer
        }
        "EHLO" => "250-test\r\n250-8BITMIME\r\n250-AUTH PLAIN\r\n250 SMTPUTF8",
        "AUTH" => "235 welcome",
        "MAIL" if manner == Manner::TakesOne && mails > 0 => "421 4.7.0 enough",
        "RCPT" => {
            let recipient = line.split(['<', '>']).nth(1).unwrap_or_default();
            seen.recipients.push(recipient.to_owned());
            match manner {
                Manner::HangsFor(start) if recipient.starts_with(start) => "",
                _ => "250 well",
            }
        }
        "DATA" => "354 go on",
        "QUIT" => "221 bye",
        _ => "250 well",
    };
    (
        answer.to_owned(),
        ["221 bye", "421 4.7.0 enough"].contains(&answer),
    )
}

async fn taken(
    lines: &mut Lines<BufReader<OwnedReadHalf>>,
    manner: Manner,
    seen: &Mutex<Seen>,
) -> std::io::Result<String> {
    let mut mail = String::new();
    while let Some(line) = lines.next_line().await?
        && line != "."
    {
        mail.push_str(&format!("{line}\n"));
    }
    if manner == Manner::RepeatsLinks {
        let links: Vec<&str> = mail
            .lines()
            .filter(|line| line.starts_with("https:"))
            .collect();
        return Ok(format!("554 5.7.1 harmful: {}", links.join(" ")));
    }
    // Long enough for two workers to send at the same time.
    at_least(std::time::Duration::from_millis(10)).await;
    seen.lock().unwrap().mails.push(mail);
    Ok("250 taken".to_owned())
}
