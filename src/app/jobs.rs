//! The background jobs of a process: name, period and work of each.

use std::time::Duration;

use super::App;
use crate::{
    audit::Audit,
    auth,
    db::background::{Jobs, Periodic},
    images, pending, search, trash,
};

/// How often outdated rows are deleted.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(60 * 60);
/// How often expired items in the trash are deleted.
const TRASH_INTERVAL: Duration = Duration::from_secs(15 * 60);
/// How often words that no item contains are deleted from the search dictionary.
const SEARCH_INTERVAL: Duration = Duration::from_secs(15 * 60);
/// How often images that nothing refers to are removed.
const IMAGE_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// How often a process reads the list of revocations while it has subscriptions.
const REVOCATION_INTERVAL: Duration = Duration::from_secs(1);

impl App {
    /// Starts all background jobs. They stop when the returned value is dropped.
    pub(super) fn start_jobs(&self) -> Jobs {
        let mut jobs = Jobs::new(self.job_states.clone());
        self.start_continuous(&mut jobs);
        self.start_session_jobs(&mut jobs);
        self.start_cleanups(&mut jobs);
        jobs
    }

    /// Jobs that run all the time and wait for work.
    fn start_continuous(&self, jobs: &mut Jobs) {
        let database = self.database.clone();
        jobs.run("connection-pool", move |_| {
            database.clone().close_spare_connections()
        });
        let rate_limiter_database = self.rate_limiter_database.clone();
        jobs.run("rate-limiter-pool", move |_| {
            rate_limiter_database.clone().close_spare_connections()
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
        let record_usage = Periodic::new("session-usage", move || {
            let auth = auth.clone();
            async move { auth.record_usage().await }
        });
        jobs.every(self.settings.auth.usage_interval, vec![record_usage]);
        let (auth, streams) = (self.auth.clone(), self.edge.streams.clone());
        let refresh = Periodic::new("revocations", move || {
            let (auth, streams) = (auth.clone(), streams.clone());
            async move { streams.refresh_revocations(&auth).await }
        });
        jobs.every(REVOCATION_INTERVAL, vec![refresh]);
    }

    fn start_cleanups(&self, jobs: &mut Jobs) {
        jobs.every(CLEANUP_INTERVAL, auth::cleanups(&self.database));
        if let Some(audit) = Audit::new(self.settings.audit_days).cleanup(&self.database) {
            jobs.every(CLEANUP_INTERVAL, vec![audit]);
        }
        let (database, days) = (self.database.clone(), self.settings.trash_days);
        if days > 0 {
            let trash = Periodic::new("trash", move || {
                let database = database.clone();
                async move { trash::sweep::sweep(&database, days).await }
            });
            jobs.every(TRASH_INTERVAL, vec![trash]);
        }
        let images = self.images.clone();
        let images = Periodic::new("images", move || {
            let images = images.clone();
            async move { images::sweep::sweep(&images).await }
        });
        jobs.every(IMAGE_INTERVAL, vec![images]);
        let database = self.database.clone();
        let search = Periodic::new("search-dictionary", move || {
            let database = database.clone();
            async move { search::sweep::sweep(&database).await }
        });
        jobs.every(SEARCH_INTERVAL, vec![search]);
    }
}
