//! Documents in the API: the object, its lists, its queries and its mutations.

use async_graphql::{Context, ID};

use super::{
    connection::ItemObject as _,
    course::Course,
    image::Image,
    item_api::{item_mutations, item_object, item_queries, row_object},
    loaders::{ImageOfDocument, Loaders, TextsOfDocument},
    payload::payload,
    tag::{self, Tag},
};
use crate::{
    documents::{self, CreateDocumentInput, DocumentFilter, DocumentOrder, UpdateDocumentInput},
    error::Error,
    scalars::{JsonObject, id_of},
};

row_object! {
    /// A document.
    Document(documents::Document)
}

item_object! {
    /// A document: the recognized text of a lecture page, and the note made from it.
    impl Document {
        /// The document's title. 1–500 characters.
        fn title(&self) -> &str {
            &self.0.title
        }

        /// The recognized text of the page. May be empty.
        async fn original_text(&self, ctx: &Context<'_>) -> Result<String, Error> {
            if let Some(text) = &self.0.original_text {
                return Ok(text.clone());
            }
            let texts = Loaders::of(ctx).get(TextsOfDocument(self.0.id)).await?;
            Ok(texts.original_text)
        }

        /// The note made from the text, in Markdown. May be empty.
        async fn formatted_note(&self, ctx: &Context<'_>) -> Result<String, Error> {
            if let Some(note) = &self.0.formatted_note {
                return Ok(note.clone());
            }
            let texts = Loaders::of(ctx).get(TextsOfDocument(self.0.id)).await?;
            Ok(texts.formatted_note)
        }

        /// The start of the note as plain text, or the excerpt that you set. Maximum 200 characters.
        fn excerpt(&self) -> &str {
            &self.0.excerpt
        }

        /// The image of the page. Null if there is none.
        async fn image(&self, ctx: &Context<'_>) -> Option<Result<Image, Error>> {
            let image = Loaders::of(ctx).find(ImageOfDocument(self.0.id)).await;
            Some(image.transpose()?.map(Image))
        }

        /// Seconds that recognition and formatting took. Null if unknown.
        fn processing_time(&self) -> Option<f64> {
            self.0.processing_time
        }

        /// Your app's own data: a JSON object (default `{}`).
        fn metadata(&self) -> JsonObject {
            JsonObject(self.0.metadata.clone())
        }

        /// The id of the document's course.
        fn course_id(&self) -> ID {
            id_of(self.0.course_id)
        }

        /// The document's active tags, sorted by name. Maximum 20, unless tags were restored.
        async fn tags(&self, ctx: &Context<'_>) -> Result<Vec<Tag>, Error> {
            tag::of_item(ctx, self.0.id).await
        }

        /// The document's course.
        async fn course(&self, ctx: &Context<'_>) -> Result<Course, Error> {
            Loaders::of(ctx).get_item(self.0.course_id).await
        }

        /// The course that the document was moved to the trash with. Null while the document is active, or if it was moved to the
        /// trash itself.
        async fn trashed_with(&self, ctx: &Context<'_>) -> Option<Result<Course, Error>> {
            let course = self.0.deleted_at.and(self.0.trashed_with)?;
            Some(Loaders::of(ctx).get_item(course).await)
        }
    }
}

item_queries! {
    /// Queries of documents.
    DocumentQuery for Document {
        /// Your document with this id, active or in the trash. Null if you have none.
        document;
        /// Your documents.
        documents(DocumentFilter, DocumentOrder, "The order: maximum 3 fields, each only once. An empty list means the default: `CREATED_AT`, newest first.");
    }
}

payload! {
    /// The result of creating or updating a document, or of changing its image.
    DocumentPayload {
        /// The document after the mutation. Null if the mutation failed. On CONFLICT, the current version.
        document: Document
    }
}

item_mutations! {
    /// Mutations of documents.
    DocumentMutation for Document {
        /// Creates a document in an active course.
        create_document(CreateDocumentInput);
        /// Updates a document that is not in the trash.
        update_document(UpdateDocumentInput);
        DocumentPayload;
    }
    batches of documents {
        /// Creates a batch of documents in active courses. The maximum size of a request (default 1 MiB) limits the texts of the whole batch.
        create_documents(CreateDocumentsInput);
        /// Updates a batch of documents that are not in the trash. The maximum size of a request (default 1 MiB) limits the texts of the whole batch.
        update_documents(UpdateDocumentsInput);
        DocumentsBatchPayload;
    }
}
