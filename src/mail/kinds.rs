//! What mails say: a text for each kind. To say something otherwise, change it here.
//!
//! Each says why somebody gets it, and what to do if it was not they who did what it tells of. Nothing is filled in here:
//! `message` does that.

/// What mails of a kind say.
pub(super) struct Kind {
    /// As it stands in the row.
    pub(super) name: &'static str,
    pub(super) subject: &'static str,
    /// Which mails are sent before it.
    pub(super) urgency: Urgency,
    /// The page that takes its token; `None` if it carries none.
    pub(super) page: Option<&'static str>,
    pub(super) body: &'static [Paragraph],
}

/// How urgent mails of a kind are: the most urgent ones are sent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// A user waits for it and cannot sign in without it.
    Reset,
    /// It tells the owner of an account that access to it has changed, or is about to.
    Security,
    Other,
}

/// A part of what a mail says.
pub(super) enum Paragraph {
    Text(&'static str),
    /// To the kind's page, with the token.
    Link,
    /// To where people use SnapNote.
    App,
    /// When what it tells of happened.
    Time,
    /// From which address it was done.
    Origin,
    /// With which program it was done.
    Program,
}

use Paragraph::{App, Link, Origin, Program, Text, Time};

pub(super) const KINDS: [Kind; 11] = [
    Kind {
        name: "password_reset",
        urgency: Urgency::Reset,
        subject: "Choose a new SnapNote password",
        page: Some("reset-password"),
        body: &[
            Text(
                "Somebody asked for a new password for the SnapNote account with this address. If it was you, choose one here:",
            ),
            Link,
            Text("The link is good for 30 minutes and can be used once."),
            Text("If it was not you, do nothing: your password stays as it is."),
        ],
    },
    Kind {
        name: "email_verification",
        urgency: Urgency::Other,
        subject: "Confirm your SnapNote address",
        page: Some("verify-email"),
        body: &[
            Text(
                "A SnapNote account has this address. If it is yours, sign in and confirm the address here:",
            ),
            Link,
            Text("The link is good for 24 hours."),
            Text(
                "If you have not signed up, do nothing: the address will not be confirmed without you.",
            ),
        ],
    },
    Kind {
        name: "email_change",
        urgency: Urgency::Other,
        subject: "Confirm your new SnapNote address",
        page: Some("verify-email"),
        body: &[
            Text(
                "Somebody who is signed in to SnapNote wants to use this address from now on. If it was you, sign in and \
                 confirm it here:",
            ),
            Link,
            Text("The link is good for 24 hours. Until you confirm it, your old address stays."),
            Text("If it was not you, do nothing: the address will not be used."),
        ],
    },
    Kind {
        name: "email_change_requested",
        urgency: Urgency::Security,
        subject: "Your SnapNote address is about to change",
        page: None,
        body: &[
            Text(
                "You get this because somebody who is signed in to your SnapNote account asked to use another e-mail address \
                 for it. It will change as soon as the other address is confirmed.",
            ),
            Text("If it was you, there is nothing to do here."),
            Text("If it was not you, sign in and change your password at once:"),
            App,
        ],
    },
    Kind {
        name: "email_changed",
        urgency: Urgency::Security,
        subject: "Your SnapNote address has changed",
        page: None,
        body: &[
            Text(
                "You get this because your SnapNote account had this e-mail address until now. It has another one from now \
                 on, and nothing more will be sent to this one.",
            ),
            Text("If it was you, there is nothing to do."),
            Text(
                "If it was not you, somebody else can get into your account: tell whoever runs this SnapNote at once.",
            ),
        ],
    },
    Kind {
        name: "password_changed",
        urgency: Urgency::Security,
        subject: "Your SnapNote password has changed",
        page: None,
        body: &[
            Text("You get this because the password of your SnapNote account was changed."),
            Text("If it was you, there is nothing to do."),
            Text("If it was not you, say that you forgot your password, and choose a new one:"),
            App,
        ],
    },
    Kind {
        name: "new_device",
        urgency: Urgency::Security,
        subject: "A new device has signed in to SnapNote",
        page: None,
        body: &[
            Text(
                "You get this because somebody signed in to your SnapNote account from a device that it did not know:",
            ),
            Time,
            Origin,
            Program,
            Text("If it was you, there is nothing to do."),
            Text("If it was not you, sign in, end that session and change your password at once:"),
            App,
        ],
    },
    Kind {
        name: "sign_up_attempted",
        urgency: Urgency::Other,
        subject: "You have a SnapNote account already",
        page: None,
        body: &[
            Text(
                "You get this because somebody tried to sign up for SnapNote with your address, which has an account already.",
            ),
            Text(
                "If it was you, sign in; if you do not know the password any more, choose a new one:",
            ),
            App,
            Text("If it was not you, do nothing: nothing has changed."),
        ],
    },
    Kind {
        name: "account_linked",
        urgency: Urgency::Security,
        subject: "A new way to sign in to your SnapNote account",
        page: None,
        body: &[
            Text(
                "You get this because an external identity provider confirmed that this email address is yours, and your \
                 SnapNote account can be opened by signing in there from now on:",
            ),
            Time,
            Origin,
            Program,
            Text(
                "If the address had not been confirmed here before, the password, the sessions and the other ways to sign \
                 in that the account had were removed. Your courses, documents and tasks are unchanged.",
            ),
            Text("If it was you, there is nothing to do."),
            Text(
                "If it was not you, secure your account at that provider, change your SnapNote password, and tell the \
                 operator of this SnapNote.",
            ),
        ],
    },
    Kind {
        name: "account_deleted",
        urgency: Urgency::Other,
        subject: "Your SnapNote account is deleted",
        page: None,
        body: &[
            Text(
                "You get this because your SnapNote account was deleted, with all that you kept in it. This is the last mail; \
                 farewell.",
            ),
            Text("If it was not you, tell whoever runs this SnapNote."),
        ],
    },
    Kind {
        name: "refresh_token_reused",
        urgency: Urgency::Security,
        subject: "SnapNote has ended one of your sessions",
        page: None,
        body: &[
            Text(
                "You get this because a refresh token of your SnapNote account was used again after it had been replaced. \
                 Another program may have a copy of it, so the session was ended. The replaced token came with this request:",
            ),
            Time,
            Origin,
            Program,
            Text(
                "If you know this program, its connection probably broke at a bad moment. Sign in with it again; there is \
                 nothing else to do.",
            ),
            Text(
                "Otherwise sign in and change your password at once, which ends all other sessions:",
            ),
            App,
        ],
    },
];

impl Kind {
    /// The kind with that name.
    pub(super) fn named(name: &str) -> Option<&'static Kind> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    /// Whether a mail of this kind is of no use without a token.
    pub(super) fn needs_token(&self) -> bool {
        self.page.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_are_those_of_the_table() {
        let migration = include_str!("../../migrations/2026-11-29-000002_people/up.sql");
        let (_, list) = migration.split_once("kind IN (").expect("it has a list");
        let (list, _) = list.split_once(')').expect("it ends");
        let mut known: Vec<&str> = list
            .split(',')
            .map(|name| name.trim().trim_matches('\''))
            .collect();
        let mut said: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        known.sort_unstable();
        said.sort_unstable();
        assert_eq!(known, said);
    }
}
