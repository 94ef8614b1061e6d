//! Selected columns of items, as the database sends them (`db::raw`).

pub(crate) mod store;
