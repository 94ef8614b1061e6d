//! The process: CPU time, memory, file descriptors and start time, by the names that Prometheus's client libraries use.
//!
//! Memory and open file descriptors are read from `/proc`, so other systems than Linux lack them.

use std::{
    fmt, fs,
    sync::LazyLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use nix::sys::{
    resource::{Resource, UsageWho, getrlimit, getrusage},
    time::TimeVal,
};

use super::{Exposition, NO_LABELS, Source};

static STARTED: LazyLock<SystemTime> = LazyLock::new(SystemTime::now);

/// The metrics of the process, and what it runs.
pub(crate) struct Process {
    version: &'static str,
    commit: &'static str,
}

impl Process {
    /// For a program of this version. The first call is the start time.
    pub(crate) fn new(version: &'static str, commit: &'static str) -> Process {
        LazyLock::force(&STARTED);
        Process { version, commit }
    }
}

impl Source for Process {
    fn write(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let build = [("version", self.version), ("commit", self.commit)];
        let help = "The version and the commit of the program. Always 1.";
        to.gauges("snapnote_build_info", help, [(build, 1_i64)])?;
        let help = "CPU time of the process, in user and system mode.";
        to.counter("process_cpu_seconds", help, cpu_seconds())?;
        let started = STARTED.duration_since(UNIX_EPOCH).unwrap_or_default();
        let help = "When the process started, in seconds since 1970.";
        to.gauge("process_start_time_seconds", help, started.as_secs_f64())?;
        let optional = |value: Option<u64>| value.map(|value| (NO_LABELS, value));
        let help = "Resident memory of the process.";
        let memory = optional(resident_bytes());
        to.gauges("process_resident_memory_bytes", help, memory)?;
        let help = "Open file descriptors of the process.";
        to.gauges("process_open_fds", help, optional(open_descriptors()))?;
        let max = getrlimit(Resource::RLIMIT_NOFILE)
            .ok()
            .map(|(soft, _)| soft);
        let help = "Maximum number of open file descriptors.";
        to.gauges("process_max_fds", help, optional(max))
    }
}

fn cpu_seconds() -> f64 {
    let seconds = |time: TimeVal| {
        let seconds = Duration::from_secs(time.tv_sec().unsigned_abs());
        let micros = Duration::from_micros(time.tv_usec().unsigned_abs());
        (seconds + micros).as_secs_f64()
    };
    let usage = getrusage(UsageWho::RUSAGE_SELF);
    usage.map_or(0.0, |usage| {
        seconds(usage.user_time()) + seconds(usage.system_time())
    })
}

/// `VmRSS:     12345 kB`
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Without the one that reads the folder.
fn open_descriptors() -> Option<u64> {
    let entries = fs::read_dir("/proc/self/fd").ok()?.count();
    Some(entries.saturating_sub(1) as u64)
}
