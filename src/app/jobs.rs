//! The background jobs of a process: each with its fixed name, its period and its work.

use std::time::Duration;

use super::App;
use crate::{
    audit::Audit,
    auth,
    db::background::{Jobs, Periodic},
    images, pending, search, trash,
};

/// How often rows that are long past are looked for.
const CLEANUPS: Duration = Duration::from_secs(60 * 60);
/// How often the trash is emptied of what has been in it for too long.
const TRASH: Duration = Duration::from_secs(15 * 60);
/// How often words that no item has any more are looked for.
const SEARCH: Duration = Duration::from_secs(15 * 60);
/// How often pictures that nothing refers to are looked for.
const IMAGES: Duration = Duration::from_secs(5 * 60);
/// How often a process reads which sessions were revoked, while there are subscriptions.
const REVOCATIONS: Duration = Duration::from_secs(1);

impl App {
    /// Starts all background jobs. They stop when the value that this returns is dropped.
    pub(super) fn start_jobs(&self) -> Jobs {
        let mut jobs = Jobs::new(self.job_states.clone());
        self.start_continuous(&mut jobs);
        self.start_session_jobs(&mut jobs);
        self.start_cleanups(&mut jobs);
        jobs
    }

    /// Jobs that wait for work all the time.
    fn start_continuous(&self, jobs: &mut Jobs) {
        let database = self.database.clone();
        jobs.run("connection-pool", move |_| {
            database.clone().close_spare_connections()
        });
        let limiter = self.limiter.clone();
        jobs.run("rate-limiter-pool", move |_| {
            limiter.clone().close_spare_connections()
        });
        let database = self.database.clone();
        jobs.run("pending-operations", move |job| {
            pending::run(database.clone(), job)
        });
        let live = self.live.clone();
        jobs.run("change-feed", move |job| live.clone().run(job));
        let (mailer, delivery) = (self.mailer.clone(), self.job_states.job("mail-delivery"));
        jobs.run("mail", move |job| mailer.clone().run(job, delivery.clone()));
    }

    fn start_session_jobs(&self, jobs: &mut Jobs) {
        let auth = self.auth.clone();
        let note_usage = Periodic::new("session-usage", move || {
            let auth = auth.clone();
            async move { auth.note_usage().await }
        });
        jobs.every(self.settings.auth.usage_interval, vec![note_usage]);
        let (auth, streams) = (self.auth.clone(), self.edge.streams.clone());
        let look = Periodic::new("revocations", move || {
            let (auth, streams) = (auth.clone(), streams.clone());
            async move { streams.look_for_revoked(&auth).await }
        });
        jobs.every(REVOCATIONS, vec![look]);
    }

    fn start_cleanups(&self, jobs: &mut Jobs) {
        jobs.every(CLEANUPS, auth::cleanups(&self.database));
        if let Some(audit) = Audit::new(self.settings.audit_days).cleanup(&self.database) {
            jobs.every(CLEANUPS, vec![audit]);
        }
        let (database, days) = (self.database.clone(), self.settings.trash_days);
        if days > 0 {
            let trash = Periodic::new("trash", move || {
                let database = database.clone();
                async move { trash::sweep::sweep(&database, days).await }
            });
            jobs.every(TRASH, vec![trash]);
        }
        let images = self.images.clone();
        let images = Periodic::new("images", move || {
            let images = images.clone();
            async move { images::sweep::sweep(&images).await }
        });
        jobs.every(IMAGES, vec![images]);
        let database = self.database.clone();
        let search = Periodic::new("search-dictionary", move || {
            let database = database.clone();
            async move { search::sweep::sweep(&database).await }
        });
        jobs.every(SEARCH, vec![search]);
    }
}
