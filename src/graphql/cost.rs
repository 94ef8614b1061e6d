//! The cost of a request. On request, the `extensions` of its responses contain it.

use async_graphql::{Response, value};

/// The cost of a request and its limit, in points.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub(super) requested: u64,
    pub(super) limit: u64,
}

impl Cost {
    /// Adds the cost to a response.
    pub fn report(self, response: &mut Response) {
        let Cost { requested, limit } = self;
        let cost = value!({ "requested": requested, "limit": limit });
        response.extensions.insert("cost".to_owned(), cost);
    }
}
