//! Progress bars of commands. They are drawn on standard error, only on terminals, and not beside JSON.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A progress bar in bytes. Without a total, only a counter.
pub(super) fn bytes(is_quiet: bool, what: &'static str, total: Option<u64>) -> ProgressBar {
    let template = match total {
        Some(_) => "{prefix:<9} {wide_bar} {bytes} of {total_bytes}, {eta} left",
        None => "{prefix:<9} {spinner} {bytes}",
    };
    bar(is_quiet, what, total, template)
}

/// A progress bar that counts. Without a total, only a counter.
pub(super) fn count(is_quiet: bool, what: &'static str, total: Option<u64>) -> ProgressBar {
    let template = match total {
        Some(_) => "{prefix:<9} {wide_bar} {pos} of {len}, {eta} left",
        None => "{prefix:<9} {spinner} {pos}",
    };
    bar(is_quiet, what, total, template)
}

fn bar(is_quiet: bool, what: &'static str, total: Option<u64>, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template);
    let bar = match total {
        Some(total) => ProgressBar::new(total),
        None => ProgressBar::no_length(),
    };
    if is_quiet {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_prefix(what)
}
