//! The settings of quotas.

use clap::Args;

use crate::items::Quotas;

/// The largest number of bytes that every JSON parser reads exactly.
const MAX_BYTES: i64 = (1 << 53) - 1;

/// How much each user may have.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Quotas")]
pub struct QuotaConfig {
    /// Maximum courses, documents, tasks and tags of one user, including those in the trash. Creating more fails with
    /// LIMIT_REACHED. If unset, there is no maximum.
    #[arg(long, env = "SNAPNOTE_MAX_ITEMS_PER_USER", value_parser = clap::value_parser!(i32).range(1..))]
    pub max_items_per_user: Option<i32>,
    /// Maximum bytes of one user's texts, metadata and images, including those in the trash. Writing more fails with
    /// LIMIT_REACHED. If unset, there is no maximum.
    #[arg(long, env = "SNAPNOTE_MAX_BYTES_PER_USER", value_parser = clap::value_parser!(i64).range(1..=MAX_BYTES))]
    pub max_bytes_per_user: Option<i64>,
}

impl QuotaConfig {
    /// The settings in the form that `items` takes.
    pub fn settings(&self) -> Quotas {
        Quotas {
            max_items: self.max_items_per_user.map(i64::from),
            max_bytes: self.max_bytes_per_user,
        }
    }
}
