//! The cost of a request. On request, the `extensions` of its responses contain it.

use async_graphql::{Response, Value, value};

/// The cost of a request and its limit, in points.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub(super) requested: u64,
    pub(super) limit: u64,
}

impl Cost {
    /// Adds the cost to a response.
    pub fn report(self, response: &mut Response) {
        response.extensions.insert("cost".to_owned(), self.value());
    }

    /// The cost in a response.
    pub(super) fn value(self) -> Value {
        let Cost { requested, limit } = self;
        value!({ "requested": requested, "limit": limit })
    }
}
