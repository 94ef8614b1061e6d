//! A small SMTP server, which can treat whoever comes badly in several ways.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf},
    task::JoinHandle,
};

/// How the server treats who comes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Manner {
    Takes,
    /// Answers that command so; the empty one: whoever connects.
    Answers(&'static str, &'static str),
    /// Closes the connection in the middle of the mail.
    HangsUp,
    /// Refuses the mail, and repeats its links.
    RepeatsLinks,
}

/// What the server has seen.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) commands: Vec<String>,
    mails: Vec<String>,
}

pub(super) struct Server {
    pub(super) port: u16,
    manner: Arc<Mutex<Manner>>,
    pub(super) seen: Arc<Mutex<Seen>>,
    listening: JoinHandle<()>,
}

impl Server {
    /// On a port of that host; 0: any that is free.
    pub(super) async fn start(host: &str, port: u16) -> Server {
        let listener = TcpListener::bind((host, port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let manner = Arc::new(Mutex::new(Manner::Takes));
        let seen = Arc::<Mutex<Seen>>::default();
        let shared = (manner.clone(), seen.clone());
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (manner, seen) = shared.clone();
                // A client may go away at any time.
                tokio::spawn(async move {
                    let manner = *manner.lock().unwrap();
                    let _ = converse(stream, manner, &seen).await;
                });
            }
        });
        Server {
            port,
            manner,
            seen,
            listening,
        }
    }

    pub(super) fn becomes(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    pub(super) fn mails(&self) -> Vec<String> {
        self.seen.lock().unwrap().mails.clone()
    }

    pub(super) async fn stop(self) -> u16 {
        self.listening.abort();
        let _ = self.listening.await;
        self.port
    }

    /// Waits until that many mails have come.
    pub(super) async fn has(&self, count: usize) {
        let arrive = async {
            while self.mails().len() < count {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), arrive)
            .await
            .unwrap();
    }
}

async fn converse(stream: TcpStream, manner: Manner, seen: &Mutex<Seen>) -> std::io::Result<()> {
    let (input, mut output) = stream.into_split();
    let mut lines = BufReader::new(input).lines();
    let greeting = match manner {
        Manner::Answers("", answer) => answer,
        _ => "220 test ESMTP",
    };
    output
        .write_all(format!("{greeting}\r\n").as_bytes())
        .await?;
    while let Some(line) = lines.next_line().await? {
        let command = line
            .split([' ', ':'])
            .next()
            .unwrap_or_default()
            .to_uppercase();
        seen.lock().unwrap().commands.push(command.clone());
        let answer = match &*command {
            _ if let Manner::Answers(to, answer) = manner
                && to == command =>
            {
                answer.to_owned()
            }
            "EHLO" => "250-test\r\n250-8BITMIME\r\n250-AUTH PLAIN\r\n250 SMTPUTF8".to_owned(),
            "AUTH" => "235 welcome".to_owned(),
            "DATA" => {
                output.write_all(b"354 go on\r\n").await?;
                if manner == Manner::HangsUp {
                    lines.next_line().await?;
                    return Ok(());
                }
                taken(&mut lines, manner, seen).await?
            }
            "QUIT" => {
                output.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => "250 well".to_owned(),
        };
        output.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
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
    // Long enough for two workers to be at it at once.
    tokio::time::sleep(Duration::from_millis(10)).await;
    seen.lock().unwrap().mails.push(mail);
    Ok("250 taken".to_owned())
}
