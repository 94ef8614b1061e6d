//! Documents: the recognized text of a lecture page, and the Markdown note made from it. Each is in one course.
//!
//! The columns, the inputs and their limits are in [`model`], all the SQL in `store`, and in `excerpt` how the start of a note
//! becomes plain text.

pub mod excerpt;
pub mod model;
mod store;

pub use model::{
    CreateDocumentInput, Document, DocumentFilter, DocumentOrder, DocumentOrderField,
    DocumentTexts, UpdateDocumentInput,
};
pub(crate) use store::{LongField, LongValues, long_values, texts};
