//! Executes a query with its plan and by the library, and compares the responses. Tests run in this way.

use async_graphql::Response;

use super::write::START;
use crate::{
    error::{Code, Error},
    graphql::{Executed, error},
};

/// How often both are executed again if they differ: objects may have changed between the two.
const MAX_REPEATS: usize = 5;

/// The library's response, or an internal error if the plan's differs from it. `planned`: what [`Plan::run`](super::Plan::run) has written, if
/// there is a plan.
pub(crate) async fn verify<P: Future<Output = Option<Vec<u8>>>, E: Future<Output = Executed>>(
    planned: impl Fn() -> P,
    executed: impl Fn() -> E,
) -> Executed {
    let mut difference = None;
    for _ in 0..=MAX_REPEATS {
        let planned = planned().await;
        let executed = executed().await;
        match planned.and_then(|planned| difference_of(&planned, &executed.response)) {
            None => return executed,
            different => difference = different,
        }
    }
    let detail = difference.unwrap_or_default();
    error::error_response(Error::internal(detail)).into()
}

/// How the response of a plan differs from the library's.
fn difference_of(planned: &[u8], response: &Response) -> Option<String> {
    let passes = |error: &async_graphql::ServerError| {
        let cause = error.source::<Error>();
        cause.is_some_and(|cause| matches!(cause.code, Code::Unavailable | Code::Timeout))
    };
    if response.errors.iter().any(passes) {
        return None;
    }
    let mut expected = START.to_vec();
    // If it fails, the texts differ.
    let _ = serde_json::to_writer(&mut expected, &response.data);
    if response.errors.is_empty() && planned == expected {
        return None;
    }
    let (planned, expected) = (
        String::from_utf8_lossy(planned),
        String::from_utf8_lossy(&expected),
    );
    let errors = &response.errors;
    Some(format!(
        "a plan wrote {planned} instead of {expected}, with errors {errors:?}"
    ))
}
