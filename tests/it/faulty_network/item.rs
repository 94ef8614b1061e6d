//! An item as its only writer knows it: what was acknowledged, and what else may have happened.

/// A course, a document or a task.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// `Course`, `Document` or `Task`.
    pub(super) kind: &'static str,
    pub(super) id: String,
    /// Whether it is known to exist.
    pub(super) exists: bool,
    /// The newest version that the writer has seen.
    pub(super) version: i64,
    /// The title at that version, if the writer saw it.
    title: String,
    /// Changes without a response since then, each of which may have been committed, or may still be.
    doubts: i64,
    /// The titles that they would set.
    possible: Vec<String>,
}

impl Item {
    /// An item whose creation will be requested.
    pub(super) fn new(kind: &'static str, title: &str) -> Item {
        Item {
            kind,
            id: uuid::Uuid::now_v7().to_string(),
            exists: false,
            version: 0,
            title: title.to_owned(),
            doubts: 0,
            possible: Vec::new(),
        }
    }

    /// Whether its version is known.
    pub(super) fn is_certain(&self) -> bool {
        self.exists && self.doubts == 0
    }

    pub(super) fn title(&self) -> &str {
        &self.title
    }

    /// Its creation was acknowledged or repeated.
    pub(super) fn created(&mut self, version: i64) {
        assert_eq!(
            version, 1,
            "a creation that is repeated changes nothing: {self:?}"
        );
        self.exists = true;
        self.version = 1;
    }

    /// A change was acknowledged with this version. `may_be_none`: the change does nothing if the item is already as requested.
    pub(super) fn changed(&mut self, version: i64, title: Option<&str>, may_be_none: bool) {
        let least = self.version + i64::from(!may_be_none || self.doubts == 0);
        let most = self.version + self.doubts + 1;
        assert!(
            (least..=most).contains(&version),
            "version {version} was acknowledged: {self:?}"
        );
        self.doubts = (most - version).min(self.doubts);
        self.version = version;
        if let Some(title) = title {
            title.clone_into(&mut self.title);
        } else {
            self.possible.push(self.title.clone());
        }
    }

    /// A change had no response.
    pub(super) fn may_have_changed(&mut self, title: Option<&str>) {
        self.doubts += 1;
        let title = title.unwrap_or(&self.title).to_owned();
        self.possible.push(title);
    }

    /// A read returned this version.
    pub(super) fn was_read(&mut self, version: i64, title: &str) {
        let most = self.version + self.doubts;
        assert!(
            (self.version..=most).contains(&version),
            "version {version} was read: {self:?}"
        );
        let is_known = title == self.title || self.possible.iter().any(|it| it == title);
        assert!(is_known, "{title} was read: {self:?}");
        if version > self.version {
            self.doubts = most - version;
            self.version = version;
            title.clone_into(&mut self.title);
        }
    }

    /// Nothing can happen any more: a last read.
    pub(super) fn settled(&mut self, version: i64, title: &str) {
        if self.exists {
            if version == self.version && self.possible.is_empty() {
                assert_eq!(title, self.title, "{self:?}");
            }
            self.was_read(version, title);
        }
        *self = Item {
            exists: true,
            version,
            title: title.to_owned(),
            doubts: 0,
            possible: Vec::new(),
            ..self.clone()
        };
    }
}
