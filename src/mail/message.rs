//! What mails say: a subject, and the same words as plain text and as HTML.

use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
};

use super::model::{DueMail, Kind};

/// The words of a mail.
pub(super) struct Letter {
    subject: &'static str,
    paragraphs: Vec<Paragraph>,
}

enum Paragraph {
    Text(String),
    /// What the link is for, and where it leads.
    Link(&'static str, String),
}

use Paragraph::{Link, Text};

const IGNORE: &str = "If it was not you, you need do nothing: without this link nothing happens.";
const NOT_YOU: &str = "If it was not you, set a new password at once: ask for a password reset where you sign in. All \
    sessions end thereby.";

impl Letter {
    /// `link` makes the address of a page of the app, with the mail's token.
    pub(super) fn of(mail: &DueMail, link: impl Fn(&str) -> String) -> Letter {
        let text = |words: &str| Text(words.to_owned());
        let (subject, paragraphs) = match mail.kind {
            Kind::PasswordReset => (
                "Reset your SnapNote password",
                vec![
                    text("Somebody asked to reset the password of your SnapNote account."),
                    Link("Set a new password", link("reset-password")),
                    text("The link is good for 30 minutes, and once. A newer one replaces it."),
                    text(IGNORE),
                ],
            ),
            Kind::EmailVerification => (
                "Verify your e-mail address for SnapNote",
                vec![
                    text("Please show that this address is yours."),
                    Link("Verify the address", link("verify-email")),
                    text("Sign in first. The link is good for 24 hours, and once."),
                    text(IGNORE),
                ],
            ),
            Kind::EmailChange => (
                "Verify your new e-mail address for SnapNote",
                vec![
                    text("Somebody asked to use this address for their SnapNote account."),
                    Link("Use this address from now on", link("verify-email")),
                    text("Sign in first. The link is good for 24 hours, and once."),
                    text(IGNORE),
                ],
            ),
            Kind::EmailChangeRequested => (
                "Your SnapNote account is to get another e-mail address",
                vec![
                    text(
                        "Somebody who is signed in as you asked to change the address of your SnapNote account. It is \
                          changed as soon as the new address is verified.",
                    ),
                    Text(from_where(mail)),
                    text(NOT_YOU),
                ],
            ),
            Kind::EmailChanged => (
                "Your SnapNote account has another e-mail address now",
                vec![
                    text(
                        "The address of your SnapNote account was changed. From now on, mails go to the new one.",
                    ),
                    Text(from_where(mail)),
                    text("If it was not you, answer at once to those who run this service."),
                ],
            ),
            Kind::PasswordChanged => (
                "Your SnapNote password was changed",
                vec![
                    text(
                        "The password of your SnapNote account was changed, and other sessions were ended.",
                    ),
                    Text(from_where(mail)),
                    text(NOT_YOU),
                ],
            ),
            Kind::NewDevice => (
                "New sign-in to your SnapNote account",
                vec![
                    text(
                        "Somebody signed in to your SnapNote account from an address or with a program that was not seen \
                          there in the last 90 days.",
                    ),
                    Text(from_where(mail)),
                    text("If it was you, all is well."),
                    text(NOT_YOU),
                ],
            ),
            Kind::SignUpAttempted => (
                "You have a SnapNote account already",
                vec![
                    text(
                        "Somebody tried to sign up for SnapNote with this address, which has an account.",
                    ),
                    Text(from_where(mail)),
                    text(
                        "If it was you: sign in, or ask for a password reset. If not, you need do nothing.",
                    ),
                ],
            ),
            Kind::AccountLinked => (
                "Your SnapNote account is signed in to in another way now",
                vec![
                    text(
                        "Somebody signed in to SnapNote through an identity provider that vouches for this address.",
                    ),
                    text(
                        "The address had never been verified here. So that nobody else can have a way in, the password \
                          and all sessions of the account were removed; what is kept in it is still there.",
                    ),
                    Text(from_where(mail)),
                    text("To sign in with a password again, ask for a password reset."),
                ],
            ),
            Kind::AccountDeleted => (
                "Your SnapNote account was deleted",
                vec![
                    text(
                        "Your SnapNote account and all that was in it are deleted, as you asked. This cannot be undone.",
                    ),
                    text("Farewell, and thank you. You will hear no more from us."),
                ],
            ),
        };
        Letter {
            subject,
            paragraphs,
        }
    }

    /// The letter as a mail, from and to them.
    ///
    /// # Errors
    /// Why it cannot be written: the recipient is no address that mail can be sent to.
    pub(super) fn message(&self, mail: &DueMail, from: &Mailbox) -> Result<Message, String> {
        let recipient: Address = mail
            .recipient
            .parse()
            .map_err(|error| format!("the recipient's address cannot be used: {error}"))?;
        let message_id = format!("<{}@{}>", mail.id, from.email.domain());
        Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, recipient))
            .subject(self.subject)
            .message_id(Some(message_id))
            .date_now()
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .multipart(MultiPart::alternative_plain_html(self.text(), self.html()))
            .map_err(|error| error.to_string())
    }

    fn text(&self) -> String {
        let paragraphs = self.paragraphs.iter().map(|paragraph| match paragraph {
            Text(words) => words.clone(),
            Link(words, url) => format!("{words}:\n{url}"),
        });
        paragraphs.collect::<Vec<_>>().join("\n\n") + "\n"
    }

    fn html(&self) -> String {
        let paragraphs = self.paragraphs.iter().map(|paragraph| match paragraph {
            Text(words) => format!("<p>{}</p>\n", escaped(words).replace('\n', "<br>\n")),
            Link(words, url) => format!("<p><a href=\"{}\">{words}</a></p>\n", escaped(url)),
        });
        let body: String = paragraphs.collect();
        let subject = self.subject;
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{subject}</title></head>\n\
             <body>\n{body}</body>\n</html>\n"
        )
    }
}

/// When and from where what the mail tells of was done.
fn from_where(mail: &DueMail) -> String {
    let time = mail.created_at.format("%Y-%m-%d %H:%M UTC");
    let address = mail.ip_address.as_deref().unwrap_or("unknown");
    let program = mail.user_agent.as_deref().unwrap_or("unknown");
    format!("When: {time}\nAddress: {address}\nProgram: {program}")
}

/// A caller chose some of the words.
fn escaped(words: &str) -> String {
    let mut escaped = String::with_capacity(words.len());
    for character in words.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use uuid::Uuid;

    use super::*;

    fn mail(kind: Kind, recipient: &str) -> DueMail {
        DueMail {
            id: Uuid::nil(),
            kind,
            recipient: recipient.to_owned(),
            token_id: None,
            has_token: true,
            ip_address: Some("192.0.2.1".to_owned()),
            user_agent: Some("<script>alert('x')</script>&\"".to_owned()),
            created_at: Utc::now(),
        }
    }

    fn from() -> Mailbox {
        "SnapNote <no-reply@example.com>"
            .parse()
            .expect("a mailbox")
    }

    fn letter(kind: Kind) -> Letter {
        Letter::of(&mail(kind, "ada@example.com"), |page| {
            format!("https://app.example.com/{page}#token=abc")
        })
    }

    #[test]
    fn every_kind_says_the_same_as_text_and_as_html() {
        for kind in Kind::ALL {
            let letter = letter(kind);
            let message = letter.message(&mail(kind, "ada@example.com"), &from());
            let written = String::from_utf8(message.expect("it can be written").formatted())
                .expect("it is ASCII");
            for part in [
                "multipart/alternative",
                "text/plain",
                "text/html",
                "Message-ID: <",
            ] {
                assert!(written.contains(part), "{written}");
            }
            for (paragraph, html) in letter
                .paragraphs
                .iter()
                .zip(letter.html().split("<p>").skip(1))
            {
                if let Link(_, url) = paragraph {
                    assert!(letter.text().contains(url) && html.contains(url), "{html}");
                }
            }
            assert_eq!(kind.needs_token(), letter.text().contains("#token=abc"));
        }
    }

    #[test]
    fn what_a_caller_wrote_is_no_markup() {
        let html = letter(Kind::NewDevice).html();
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)"), "{html}");
    }

    #[test]
    fn no_recipient_can_add_a_header() {
        for recipient in [
            "ada@example.com\r\nBcc: eve@example.com",
            "ada",
            "a b@example.com",
        ] {
            let mail = mail(Kind::NewDevice, recipient);
            assert!(
                letter(Kind::NewDevice).message(&mail, &from()).is_err(),
                "{recipient}"
            );
        }
        let mail = mail(Kind::NewDevice, "ädä@bücher.example");
        assert!(letter(Kind::NewDevice).message(&mail, &from()).is_ok());
    }
}
