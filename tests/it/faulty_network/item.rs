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
    /// Whether it is in the trash, if the writer knows that.
    in_trash: Option<bool>,
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
            in_trash: Some(false),
            doubts: 0,
            possible: Vec::new(),
        }
    }

    /// Whether its version is known, and it is active.
    pub(super) fn is_certain(&self) -> bool {
        self.exists && self.doubts == 0 && self.in_trash == Some(false)
    }

    pub(super) fn title(&self) -> &str {
        &self.title
    }

    /// Its creation was acknowledged or repeated.
    pub(super) fn created(&mut self, version: i64) {
        let is_first = version == 1;
        assert!(
            is_first,
            "a creation that is repeated changes nothing: {self:?}"
        );
        self.exists = true;
        self.version = 1;
    }

    /// An update was acknowledged with this version.
    pub(super) fn updated(&mut self, version: i64, title: &str) {
        self.acknowledged(version, self.version + 1);
        title.clone_into(&mut self.title);
        self.in_trash = Some(false).filter(|_| self.doubts == 0);
    }

    /// A move to the trash or back was acknowledged with this version. It does nothing if the item is there already.
    pub(super) fn moved(&mut self, version: i64, to_trash: bool) {
        let is_elsewhere = self.doubts == 0 && self.in_trash == Some(!to_trash);
        self.acknowledged(version, self.version + i64::from(is_elsewhere));
        self.possible.push(self.title.clone());
        self.in_trash = Some(to_trash).filter(|_| self.doubts == 0);
    }

    fn acknowledged(&mut self, version: i64, least: i64) {
        let most = self.version + self.doubts + 1;
        assert!(
            (least..=most).contains(&version),
            "version {version} was acknowledged: {self:?}"
        );
        self.doubts = (most - version).min(self.doubts);
        self.version = version;
    }

    /// An update to this title, or a move, had no response.
    pub(super) fn may_have_changed(&mut self, title: Option<&str>) {
        self.doubts += 1;
        if title.is_none() {
            self.in_trash = None;
        }
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

    /// The last read, when nothing can be committed any more.
    pub(super) fn settled(&mut self, version: i64, title: &str, in_trash: bool) {
        if self.exists {
            self.was_read(version, title);
            let is_known = self.doubts > 0 || self.in_trash.is_none_or(|it| it == in_trash);
            assert!(is_known, "in the trash: {in_trash}; {self:?}");
        }
        self.exists = true;
        self.version = version;
        title.clone_into(&mut self.title);
        self.in_trash = Some(in_trash);
        self.doubts = 0;
        self.possible.clear();
    }
}

#[test]
fn what_contradicts_an_acknowledgement_is_found() {
    let item = || {
        let mut item = Item::new("Task", "one");
        item.created(1);
        item.updated(2, "two");
        item
    };
    let doubtful = || {
        let mut item = item();
        item.may_have_changed(Some("three"));
        item
    };
    // Both outcomes of a change without a response.
    doubtful().settled(2, "two", false);
    doubtful().settled(3, "three", false);
    doubtful().updated(4, "four");
    type Fault = fn(&mut Item);
    let faults: [(Item, Fault); 8] = [
        (item(), |item| item.settled(1, "one", false)),
        (item(), |item| item.settled(2, "one", false)),
        (item(), |item| item.settled(2, "two", true)),
        (item(), |item| item.was_read(1, "one")),
        (item(), |item| item.updated(2, "three")),
        (item(), |item| item.created(2)),
        // Committed twice.
        (doubtful(), |item| item.settled(4, "three", false)),
        (doubtful(), |item| item.updated(5, "four")),
    ];
    for (number, (mut item, fault)) in faults.into_iter().enumerate() {
        let found = std::panic::catch_unwind(move || fault(&mut item));
        assert!(found.is_err(), "fault {number}");
    }
}
