//! The background jobs of a process: name, period and work of each. Periods count while callers use the database
//! (`db::background`).

use std::time::Duration;

use super::App;
use crate::{
    audit::Audit,
    auth,
    db::background::{Jobs, Periodic},
    images,
    items::titles,
    pending, trash,
};

/// How often outdated rows are deleted.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(60 * 60);
/// How often expired items in the trash are deleted.
const TRASH_INTERVAL: Duration = Duration::from_secs(15 * 60);
/// How often search indexes are built for users with many documents and no index.
const SEARCH_INTERVAL: Duration = Duration::from_secs(15 * 60);
/// How often images that nothing refers to are removed.
const IMAGE_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// How often thumbnails are made that no request made.
const THUMBNAIL_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// How often titles are folded that other programs wrote.
const TITLES_INTERVAL: Duration = Duration::from_secs(5 * 60);

impl App {
    /// Starts all background jobs. They stop when the returned value is dropped.
    pub(super) fn start_jobs(&self) -> Jobs {
        let activity = self.database.activity().clone();
        let mut jobs = Jobs::new(self.job_states.clone(), activity);
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
        if let Some(replica) = self.database.replica().cloned() {
            let pool = replica.database().clone();
            jobs.run("replica-pool", move |_| {
                pool.clone().close_spare_connections()
            });
            let database = self.database.clone();
            jobs.run("read-replica", move |job| {
                replica.clone().monitor(database.clone(), job)
            });
        }
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
        let record_usage = Periodic::with("session-usage", self.auth.clone(), async |auth| {
            auth.record_usage().await
        });
        jobs.every(self.settings.auth.usage_interval, [record_usage]);
        let (auth, live) = (self.auth.clone(), self.live.clone());
        let streams = self.edge.streams.clone();
        jobs.run("revocations", move |job| {
            let (auth, live, streams) = (auth.clone(), live.clone(), streams.clone());
            async move { streams.follow_revocations(&auth, &live, &job).await }
        });
    }

    fn start_cleanups(&self, jobs: &mut Jobs) {
        let database = &self.database;
        jobs.every(CLEANUP_INTERVAL, auth::cleanups(database));
        let audit = Audit::new(self.settings.audit_days);
        jobs.every(CLEANUP_INTERVAL, audit.cleanup(database));
        let days = self.settings.trash_days;
        let trash = Periodic::with("trash", database.clone(), move |database| async move {
            trash::sweep::sweep(&database, days).await
        });
        jobs.every(TRASH_INTERVAL, (days > 0).then_some(trash));
        let images = Periodic::with("images", self.images.clone(), async |images| {
            images::sweep::sweep(&images).await
        });
        jobs.every(IMAGE_INTERVAL, [images]);
        let thumbnails = Periodic::with("thumbnails", self.images.clone(), async |images| {
            images::thumbnails::make_due(&images).await
        });
        jobs.every(THUMBNAIL_INTERVAL, [thumbnails]);
        let fold_titles = Periodic::with("titles", database.clone(), async |database| {
            titles::fold_all(&database).await
        });
        jobs.every(TITLES_INTERVAL, [fold_titles]);
        let search = Periodic::with("search-indexes", self.search.clone(), async |search| {
            search.build_missing().await
        });
        jobs.every(SEARCH_INTERVAL, [search]);
    }
}
