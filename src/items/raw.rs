//! Selected columns of items, as the database sends them (`db::raw`).

pub(crate) mod store;

/// The columns of a list that are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawColumns<'a> {
    /// The selected columns.
    pub(crate) columns: &'a [&'static str],
    /// Whether the keys of the list's order follow them. Cursors need them.
    pub(crate) keys: bool,
}
