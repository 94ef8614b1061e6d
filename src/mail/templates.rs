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
    /// Its paragraphs. Those in braces are replaced: `{link}` by a link to the page with the token, `{app}` by one to the
    /// app, and `{time}`, `{address}` and `{program}` by what is known about the request that caused the mail.
    pub(super) body: &'static [&'static str],
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

pub(super) const TEMPLATES: [Template; 11] = [
    Template {
        kind: "password_reset",
        urgency: Urgency::Reset,
        subject: "Choose a new SnapNote password",
        page: Some("reset-password"),
        body: &[
            "Someone requested a new password for the SnapNote account with this address. If it was you, choose one here:",
            "{link}",
            "The link is valid for 30 minutes and can be used once.",
            "If it was not you, do nothing: your password does not change.",
        ],
    },
    Template {
        kind: "email_verification",
        urgency: Urgency::Other,
        subject: "Confirm your SnapNote address",
        page: Some("verify-email"),
        body: &[
            "A SnapNote account uses this address. If it is yours, sign in and confirm the address here:",
            "{link}",
            "The link is valid for 24 hours.",
            "If you have not signed up, do nothing: the address will not be confirmed.",
        ],
    },
    Template {
        kind: "email_change",
        urgency: Urgency::Other,
        subject: "Confirm your new SnapNote address",
        page: Some("verify-email"),
        body: &[
            "A SnapNote user wants to use this address from now on. If it was you, sign in and \
                 confirm it here:",
            "{link}",
            "The link is valid for 24 hours. Until you confirm the address, your old one stays.",
            "If it was not you, do nothing: the address will not be used.",
        ],
    },
    Template {
        kind: "email_change_requested",
        urgency: Urgency::Security,
        subject: "Your SnapNote address is about to change",
        page: None,
        body: &[
            "You are receiving this because someone who is signed in to your SnapNote account requested another email address \
                 for it. It will change as soon as the other address is confirmed.",
            "If it was you, you do not need to do anything here.",
            "If it was not you, sign in and change your password immediately:",
            "{app}",
        ],
    },
    Template {
        kind: "email_changed",
        urgency: Urgency::Security,
        subject: "Your SnapNote address has changed",
        page: None,
        body: &[
            "You are receiving this because your SnapNote account had this email address until now. It has another one from now \
                 on, and nothing more will be sent to this one.",
            "If it was you, you do not need to do anything.",
            "If it was not you, someone else has access to your account: tell the operator of this SnapNote immediately.",
        ],
    },
    Template {
        kind: "password_changed",
        urgency: Urgency::Security,
        subject: "Your SnapNote password has changed",
        page: None,
        body: &[
            "You are receiving this because the password of your SnapNote account was changed.",
            "If it was you, you do not need to do anything.",
            "If it was not you, use \"Forgot password\" to choose a new one:",
            "{app}",
        ],
    },
    Template {
        kind: "new_device",
        urgency: Urgency::Security,
        subject: "A new device has signed in to SnapNote",
        page: None,
        body: &[
            "You are receiving this because someone signed in to your SnapNote account from a new device:",
            "{time}",
            "{address}",
            "{program}",
            "If it was you, you do not need to do anything.",
            "If it was not you, sign in, end that session and change your password immediately:",
            "{app}",
        ],
    },
    Template {
        kind: "sign_up_attempted",
        urgency: Urgency::Other,
        subject: "You already have a SnapNote account",
        page: None,
        body: &[
            "You are receiving this because someone tried to sign up for SnapNote with your address, which already has an account.",
            "If it was you, sign in. If you have forgotten your password, choose a new one:",
            "{app}",
            "If it was not you, do nothing: nothing has changed.",
        ],
    },
    Template {
        kind: "account_linked",
        urgency: Urgency::Security,
        subject: "A new way to sign in to your SnapNote account",
        page: None,
        body: &[
            "You are receiving this because an external identity provider confirmed that this email address is yours, and your \
                 SnapNote account can be opened by signing in there from now on:",
            "{time}",
            "{address}",
            "{program}",
            "If the address had not been confirmed here before, the password, the sessions and the other ways to sign \
                 in that the account had were removed. Your courses, documents, tasks and tags are unchanged.",
            "If it was you, you do not need to do anything.",
            "If it was not you, secure your account at that provider, change your SnapNote password, and tell the \
                 operator of this SnapNote.",
        ],
    },
    Template {
        kind: "account_deleted",
        urgency: Urgency::Other,
        subject: "Your SnapNote account was deleted",
        page: None,
        body: &[
            "You are receiving this because your SnapNote account was deleted with all its content. This is the last mail; \
                 farewell.",
            "If it was not you, tell the operator of this SnapNote.",
        ],
    },
    Template {
        kind: "refresh_token_reused",
        urgency: Urgency::Security,
        subject: "SnapNote has ended one of your sessions",
        page: None,
        body: &[
            "You are receiving this because a refresh token of your SnapNote account was used again after it had been replaced. \
                 Another program may have a copy of it, so the session was ended. The replaced token came with this request:",
            "{time}",
            "{address}",
            "{program}",
            "If you know this program, its connection probably broke at a bad moment. Sign in with it again. You do not \
                 need to do anything else.",
            "Otherwise sign in and change your password immediately, which ends all other sessions:",
            "{app}",
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
