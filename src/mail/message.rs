//! Renders a mail from its template, as plain text and as HTML.
//!
//! Strangers control some values, such as the program of a sign-in. Their line breaks are removed, they are escaped in
//! HTML, and they never reach a header. `templates` has the texts.

use lettre::{
    Address, Message,
    address::Envelope,
    message::{
        Body, Mailbox, MultiPart,
        header::{ContentTransferEncoding, HeaderName, HeaderValue},
    },
};
use url::Url;

use super::{store::Mail, templates::Template};
use crate::email_address::EmailAddress;

/// Maximum line length in characters of mails that are not encoded (RFC 5322, 2.1.1).
const MAX_LINE_LENGTH: usize = 998;

/// The sender of all mails, and the app that their links point to.
pub(super) struct MessageBuilder {
    pub(super) from: Mailbox,
    pub(super) app_url: Url,
}

impl MessageBuilder {
    /// Renders a mail. `token` is for templates that need one.
    ///
    /// # Errors
    /// The reason why the recipient is invalid. Retrying does not help.
    pub(super) fn build(
        &self,
        template: &Template,
        mail: &Mail,
        token: Option<&str>,
    ) -> Result<Message, String> {
        let fill = |paragraph: &&str| self.fill(paragraph, template, mail, token);
        let paragraphs: Vec<Filled> = template.body.iter().map(fill).collect();
        let recipient = address(&mail.recipient)?;
        // lettre would parse the addresses in the headers again, and it rejects some that are valid.
        let envelope = Envelope::new(Some(self.from.email.clone()), vec![recipient.clone()])
            .map_err(|error| format!("rendering it failed: {error}"))?;
        let domain = ascii_domain(&self.from.email);
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        Message::builder()
            .envelope(envelope)
            .from(self.from.clone())
            .to(recipient.into())
            .subject(template.subject)
            .message_id(Some(format!("<{}@{domain}>", mail.id)))
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
            .multipart(MultiPart::alternative_plain_html(
                body(text(&paragraphs)),
                body(html(template.subject, &paragraphs)),
            ))
            .map_err(|error| format!("rendering it failed: {error}"))
    }

    fn fill(
        &self,
        paragraph: &str,
        template: &Template,
        mail: &Mail,
        token: Option<&str>,
    ) -> Filled {
        let named = |name: &str, value: &Option<String>| {
            let value = value.as_deref().unwrap_or("unknown");
            Filled::Text(format!("{name}: {}", one_line(value)))
        };
        match paragraph {
            "{link}" => Filled::Link(self.link(template.page.unwrap_or_default(), token)),
            "{app}" => Filled::Link(self.app_url.to_string()),
            "{time}" => {
                let time = mail.created_at.format("%Y-%m-%d %H:%M UTC");
                Filled::Text(format!("Time: {time}"))
            }
            "{address}" => named("Address", &mail.ip_address),
            "{program}" => named("Program", &mail.user_agent),
            text => Filled::Text(text.to_owned()),
        }
    }

    /// A link to a page of the app. The token is in the fragment, which browsers send to no server, so no log has it.
    fn link(&self, page: &str, token: Option<&str>) -> String {
        let mut url = self.app_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(page);
        }
        url.set_fragment(token.map(|token| format!("token={token}")).as_deref());
        url.into()
    }
}

/// A rendered paragraph.
enum Filled {
    Text(String),
    Link(String),
}

fn text(paragraphs: &[Filled]) -> String {
    let texts = paragraphs.iter().map(|paragraph| match paragraph {
        Filled::Text(text) | Filled::Link(text) => &**text,
    });
    format!("{}\n", texts.collect::<Vec<&str>>().join("\n\n"))
}

fn html(subject: &str, paragraphs: &[Filled]) -> String {
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{}</title></head>\n<body>\n",
        escaped(subject)
    );
    for paragraph in paragraphs {
        html.push_str(&match paragraph {
            Filled::Text(text) => format!("<p>{}</p>\n", escaped(text)),
            Filled::Link(url) => format!("<p><a href=\"{0}\">{0}</a></p>\n", escaped(url)),
        });
    }
    html.push_str("</body>\n</html>\n");
    html
}

/// Sends ASCII text unencoded, so that links can be copied out of the file. Other text is encoded.
fn body(text: String) -> Body {
    if text.is_ascii() && text.lines().all(|line| line.len() <= MAX_LINE_LENGTH) {
        let lines = text.replace('\n', "\r\n").into_bytes();
        return Body::dangerous_pre_encoded(lines, ContentTransferEncoding::SevenBit);
    }
    Body::new(text)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// Removes line breaks, so that a value cannot add lines to a mail.
fn one_line(text: &str) -> String {
    let breaks =
        |character: char| character.is_control() || matches!(character, '\u{2028}' | '\u{2029}');
    text.replace(breaks, " ")
}

/// The recipient in a form that every mail server accepts.
fn address(recipient: &str) -> Result<Address, String> {
    let wrong = |why: &str| format!("the recipient is not a valid address: {why}");
    let email = EmailAddress::exactly(recipient).map_err(|invalid| wrong(&invalid.reason()))?;
    // lettre rejects the marks of some scripts, e.g. in संपर्क@example.com. `EmailAddress` is stricter in everything else.
    Ok(Address::new_dangerous(email.local_part(), email.domain()))
}

/// The sender's domain in ASCII if possible.
fn ascii_domain(sender: &Address) -> String {
    match EmailAddress::exactly(sender.as_ref()) {
        Ok(email) => email.domain().to_owned(),
        Err(_) => sender.domain().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;
    use crate::mail::templates::TEMPLATES;

    fn mail(kind: &str) -> Mail {
        Mail {
            id: Uuid::from_u128(7),
            kind: kind.to_owned(),
            recipient: "ada@example.org".to_owned(),
            token_id: None,
            token_hash: None,
            ip_address: Some("2001:db8::1".to_owned()),
            user_agent: Some("Browser/1".to_owned()),
            created_at: DateTime::from_timestamp(1_800_000_000, 0).expect("it is a time"),
            user_deleted: false,
            token_expired: false,
            claimed_until: DateTime::from_timestamp(1_800_000_120, 0).expect("it is a time"),
        }
    }

    fn builder() -> MessageBuilder {
        MessageBuilder {
            from: "SnapNote <no-reply@example.com>"
                .parse()
                .expect("it is a mailbox"),
            app_url: "https://app.example.com".parse().expect("it is a URL"),
        }
    }

    fn parts(mail: &Mail) -> (String, String) {
        let template = Template::of_kind(&mail.kind).expect("there is such a kind");
        let builder = builder();
        let fill = |paragraph: &&str| builder.fill(paragraph, template, mail, Some("tOkEn_-1"));
        let paragraphs: Vec<Filled> = template.body.iter().map(fill).collect();
        (text(&paragraphs), html(template.subject, &paragraphs))
    }

    fn written(mail: &Mail) -> Result<String, String> {
        let template = Template::of_kind(&mail.kind).expect("there is such a kind");
        let message = builder().build(template, mail, Some("tOkEn_-1"))?;
        Ok(String::from_utf8(message.formatted()).expect("it is text"))
    }

    #[test]
    fn all_templates_have_both_parts_and_the_headers_of_automatic_mails() {
        for template in &TEMPLATES {
            let (text, _) = parts(&mail(template.kind));
            assert!(!text.contains('{'), "{text}");
            let written = written(&mail(template.kind)).expect("it can be written");
            for part in [
                "From: SnapNote <no-reply@example.com>\r\n",
                "To: ada@example.org\r\n",
                "Message-ID: <00000000-0000-0000-0000-000000000007@example.com>\r\n",
                "Auto-Submitted: auto-generated\r\n",
                "Date: ",
                "multipart/alternative;",
                "text/plain; charset=utf-8",
                "text/html; charset=utf-8",
                &format!("Subject: {}\r\n", template.subject),
            ] {
                assert!(
                    written.contains(part),
                    "{}: {part}: {written}",
                    template.kind
                );
            }
        }
    }

    #[test]
    fn tokens_are_only_in_the_fragments_of_links() {
        let cases = [
            ("password_reset", "/reset-password#token=tOkEn_-1"),
            ("email_verification", "/verify-email#token=tOkEn_-1"),
            ("email_change", "/verify-email#token=tOkEn_-1"),
        ];
        for (kind, link) in cases {
            let link = format!("https://app.example.com{link}");
            let (text, html) = parts(&mail(kind));
            assert!(text.contains(&format!("\n\n{link}\n\n")), "{text}");
            assert!(
                html.contains(&format!("<a href=\"{link}\">{link}</a>")),
                "{html}"
            );
            assert_eq!(text.matches("tOkEn").count(), 1);
        }
        for template in TEMPLATES.iter().filter(|template| !template.needs_token()) {
            let (text, html) = parts(&mail(template.kind));
            assert!(!text.contains("tOkEn") && !html.contains("tOkEn"));
        }
    }

    #[test]
    fn links_keep_the_path_of_the_app_url() {
        let mut builder = builder();
        builder.app_url = "https://example.com/notes/".parse().expect("it is a URL");
        let link = builder.link("verify-email", Some("a"));
        assert_eq!(link, "https://example.com/notes/verify-email#token=a");
    }

    #[test]
    fn new_device_mails_have_time_address_and_program() {
        let (text, _) = parts(&mail("new_device"));
        for line in [
            "Time: 2027-01-15 08:00 UTC\n",
            "Address: 2001:db8::1\n",
            "Program: Browser/1\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
        let mut nothing_known = mail("new_device");
        (nothing_known.ip_address, nothing_known.user_agent) = (None, None);
        let (text, _) = parts(&nothing_known);
        assert!(text.contains("Address: unknown\n\nProgram: unknown\n"));
    }

    #[test]
    fn hostile_user_agents_are_escaped_and_stay_in_one_line() {
        let mut mail = mail("new_device");
        mail.user_agent =
            Some("<script>\"&'\r\nSubject: won\r\n\r\n.\r\n\u{2028}{Link}".to_owned());
        let (text, html) = parts(&mail);
        assert!(text.contains("Program: <script>\"&'  Subject: won    .   {Link}\n\n"));
        assert!(html.contains("<p>Program: &lt;script&gt;&quot;&amp;&#39;  Subject: won"));
        let written = written(&mail).expect("it can be written");
        assert_eq!(written.matches("\r\nSubject: ").count(), 1, "{written}");
    }

    #[test]
    fn text_that_not_every_server_accepts_is_encoded() {
        let mut mail = mail("new_device");
        for (agent, encodings) in [
            ("Browser/1".to_owned(), ["7bit", "7bit"]),
            ("\"".repeat(200), ["7bit", "quoted-printable"]),
            (
                "Bücher".to_owned(),
                ["quoted-printable", "quoted-printable"],
            ),
        ] {
            mail.user_agent = Some(agent);
            let written = written(&mail).expect("it can be written");
            let found: Vec<&str> = written
                .lines()
                .filter_map(|line| line.strip_prefix("Content-Transfer-Encoding: "))
                .collect();
            assert_eq!(found, encodings);
        }
    }

    #[test]
    fn recipients_cannot_add_headers() {
        for wrong in [
            "ada@example.org\r\nBcc: eve@example.org",
            "\"ada\r\nBcc: eve\"@example.org",
            "ada lovelace@example.org",
            "ada\u{85}@example.org",
            "ada",
            "ada@",
            "@example.org",
        ] {
            let mut mail = mail("account_deleted");
            mail.recipient = wrong.to_owned();
            assert!(written(&mail).is_err(), "{wrong:?}");
        }
        let mut mail = mail("account_deleted");
        mail.recipient = "a@example.org,eve@example.org".to_owned();
        assert!(written(&mail).is_err());
    }

    #[test]
    fn addresses_may_have_non_ascii_letters() {
        let address = |recipient| address(recipient).map(|address| address.to_string());
        let cases = [
            ("ada@bücher.example", "ada@xn--bcher-kva.example"),
            ("ädä@example.org", "ädä@example.org"),
            ("Ada@localhost", "Ada@localhost"),
            ("संपर्क@डाटामेल.भारत", "संपर्क@xn--c2bd4bq1db8d.xn--h2brj9c"),
            (
                "a.b!#$%&'*+-/=?^_`{|}~@example.org",
                "a.b!#$%&'*+-/=?^_`{|}~@example.org",
            ),
        ];
        for (recipient, expected) in cases {
            assert_eq!(address(recipient).as_deref(), Ok(expected));
            let mut mail = mail("account_deleted");
            mail.recipient = recipient.to_owned();
            let template = Template::of_kind(&mail.kind).expect("there is such a kind");
            let message = builder().build(template, &mail, None).expect(recipient);
            let envelope = message.envelope().to();
            assert_eq!(envelope.len(), 1, "{recipient}");
            assert_eq!(envelope[0].to_string(), expected);
        }
    }
}
