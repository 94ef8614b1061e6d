//! The texts of all mails. To change what a mail says, change its template here.
//!
//! Each mail says why the user gets it, and what to do if the user did not cause it. `message` fills in the values.

/// The text of one kind of mail.
pub(super) struct Template {
    /// Its value in `mails.kind`.
    pub(super) kind: &'static str,
    pub(super) subject: &'static str,
    /// The order of sending.
    pub(super) urgency: Urgency,
    /// The page that takes its token. `None` if it has no token.
    pub(super) page: Option<&'static str>,
    pub(super) body: &'static [Paragraph],
}

/// How urgent mails are. The most urgent ones are sent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// A user waits for it and cannot sign in without it.
    Reset,
    /// It tells the owner of an account that access to it has changed or is about to.
    Security,
    Other,
}

/// A part of a mail's text.
pub(super) enum Paragraph {
    Text(&'static str),
    /// A link to the template's page, with the token.
    Link,
    /// A link to the app.
    App,
    /// When the event happened.
    Time,
    /// The IP address of the client that caused it.
    Origin,
    /// The program of the client that caused it.
    Program,
}

use Paragraph::{App, Link, Origin, Program, Text, Time};

pub(super) const TEMPLATES: [Template; 11] = [
    Template {
        kind: "password_reset",
        urgency: Urgency::Reset,
        subject: "Choose a new SnapNote password",
        page: Some("reset-password"),
        body: &[
            Text(
                "Someone requested a new password for the SnapNote account with this address. If it was you, choose one here:",
            ),
            Link,
            Text("The link is valid for 30 minutes and can be used once."),
            Text("If it was not you, do nothing: your password does not change."),
        ],
    },
    Template {
        kind: "email_verification",
        urgency: Urgency::Other,
        subject: "Confirm your SnapNote address",
        page: Some("verify-email"),
        body: &[
            Text(
                "A SnapNote account uses this address. If it is yours, sign in and confirm the address here:",
            ),
            Link,
            Text("The link is valid for 24 hours."),
            Text("If you have not signed up, do nothing: the address will not be confirmed."),
        ],
    },
    Template {
        kind: "email_change",
        urgency: Urgency::Other,
        subject: "Confirm your new SnapNote address",
        page: Some("verify-email"),
        body: &[
            Text(
                "A SnapNote user wants to use this address from now on. If it was you, sign in and \
                 confirm it here:",
            ),
            Link,
            Text(
                "The link is valid for 24 hours. Until you confirm the address, your old one stays.",
            ),
            Text("If it was not you, do nothing: the address will not be used."),
        ],
    },
    Template {
        kind: "email_change_requested",
        urgency: Urgency::Security,
        subject: "Your SnapNote address is about to change",
        page: None,
        body: &[
            Text(
                "You are receiving this because someone who is signed in to your SnapNote account requested another email address \
                 for it. It will change as soon as the other address is confirmed.",
            ),
            Text("If it was you, you do not need to do anything here."),
            Text("If it was not you, sign in and change your password immediately:"),
            App,
        ],
    },
    Template {
        kind: "email_changed",
        urgency: Urgency::Security,
        subject: "Your SnapNote address has changed",
        page: None,
        body: &[
            Text(
                "You are receiving this because your SnapNote account had this email address until now. It has another one from now \
                 on, and nothing more will be sent to this one.",
            ),
            Text("If it was you, you do not need to do anything."),
            Text(
                "If it was not you, someone else has access to your account: tell the operator of this SnapNote immediately.",
            ),
        ],
    },
    Template {
        kind: "password_changed",
        urgency: Urgency::Security,
        subject: "Your SnapNote password has changed",
        page: None,
        body: &[
            Text(
                "You are receiving this because the password of your SnapNote account was changed.",
            ),
            Text("If it was you, you do not need to do anything."),
            Text("If it was not you, use \"Forgot password\" to choose a new one:"),
            App,
        ],
    },
    Template {
        kind: "new_device",
        urgency: Urgency::Security,
        subject: "A new device has signed in to SnapNote",
        page: None,
        body: &[
            Text(
                "You are receiving this because someone signed in to your SnapNote account from a new device:",
            ),
            Time,
            Origin,
            Program,
            Text("If it was you, you do not need to do anything."),
            Text(
                "If it was not you, sign in, end that session and change your password immediately:",
            ),
            App,
        ],
    },
    Template {
        kind: "sign_up_attempted",
        urgency: Urgency::Other,
        subject: "You already have a SnapNote account",
        page: None,
        body: &[
            Text(
                "You are receiving this because someone tried to sign up for SnapNote with your address, which already has an account.",
            ),
            Text("If it was you, sign in. If you have forgotten your password, choose a new one:"),
            App,
            Text("If it was not you, do nothing: nothing has changed."),
        ],
    },
    Template {
        kind: "account_linked",
        urgency: Urgency::Security,
        subject: "A new way to sign in to your SnapNote account",
        page: None,
        body: &[
            Text(
                "You are receiving this because an external identity provider confirmed that this email address is yours, and your \
                 SnapNote account can be opened by signing in there from now on:",
            ),
            Time,
            Origin,
            Program,
            Text(
                "If the address had not been confirmed here before, the password, the sessions and the other ways to sign \
                 in that the account had were removed. Your courses, documents and tasks are unchanged.",
            ),
            Text("If it was you, you do not need to do anything."),
            Text(
                "If it was not you, secure your account at that provider, change your SnapNote password, and tell the \
                 operator of this SnapNote.",
            ),
        ],
    },
    Template {
        kind: "account_deleted",
        urgency: Urgency::Other,
        subject: "Your SnapNote account was deleted",
        page: None,
        body: &[
            Text(
                "You are receiving this because your SnapNote account was deleted with all its content. This is the last mail; \
                 farewell.",
            ),
            Text("If it was not you, tell the operator of this SnapNote."),
        ],
    },
    Template {
        kind: "refresh_token_reused",
        urgency: Urgency::Security,
        subject: "SnapNote has ended one of your sessions",
        page: None,
        body: &[
            Text(
                "You are receiving this because a refresh token of your SnapNote account was used again after it had been replaced. \
                 Another program may have a copy of it, so the session was ended. The replaced token came with this request:",
            ),
            Time,
            Origin,
            Program,
            Text(
                "If you know this program, its connection probably broke at a bad moment. Sign in with it again. You do not \
                 need to do anything else.",
            ),
            Text(
                "Otherwise sign in and change your password immediately, which ends all other sessions:",
            ),
            App,
        ],
    },
];

impl Template {
    /// The template of a kind.
    pub(super) fn of_kind(kind: &str) -> Option<&'static Template> {
        TEMPLATES.iter().find(|template| template.kind == kind)
    }

    /// Whether a mail of this kind is useless without a token.
    pub(super) fn needs_token(&self) -> bool {
        self.page.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_match_the_kinds_of_the_table() {
        let migration = include_str!("../../migrations/2026-11-29-000002_people/up.sql");
        let (_, list) = migration.split_once("kind IN (").expect("it has a list");
        let (list, _) = list.split_once(')').expect("it ends");
        let mut known: Vec<&str> = list
            .split(',')
            .map(|name| name.trim().trim_matches('\''))
            .collect();
        let mut said: Vec<&str> = TEMPLATES.iter().map(|template| template.kind).collect();
        known.sort_unstable();
        said.sort_unstable();
        assert_eq!(known, said);
    }
}
