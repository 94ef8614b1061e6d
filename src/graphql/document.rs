//! Documents in the API: the object, its lists, its queries and its mutations.

use std::sync::Arc;

use async_graphql::{Context, ID};

use super::{
    budget::{ResponseBudget, json_bytes},
    connection::ItemObject as _,
    course::Course,
    image::Image,
    item_api::{item_mutations, item_object, item_queries, row_object},
    loaders::{ImageOfDocument, Loaders, LongValue},
    payload::payload,
    tag::{self, Tag},
};
use crate::{
    documents::{
        self, CreateDocumentInput, DocumentFilter, DocumentOrder, LongField, UpdateDocumentInput,
    },
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
            self.long_text(ctx, LongField::OriginalText, self.0.original_text.as_deref()).await
        }

        /// The note made from the text, in Markdown. May be empty.
        async fn formatted_note(&self, ctx: &Context<'_>) -> Result<String, Error> {
            self.long_text(ctx, LongField::FormattedNote, self.0.formatted_note.as_deref()).await
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
        async fn metadata(&self, ctx: &Context<'_>) -> Result<JsonObject, Error> {
            let Some(metadata) = &self.0.metadata else {
                let json = self.load(ctx, LongField::Metadata).await?;
                return serde_json::from_str(&json).map(JsonObject).map_err(Error::internal);
            };
            ResponseBudget::of(ctx).write("metadata", json_bytes(metadata)).await?;
            Ok(JsonObject(metadata.clone()))
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

impl Document {
    /// A long text of the document. `row`: the text, if its row was loaded with it.
    async fn long_text(
        &self,
        ctx: &Context<'_>,
        field: LongField,
        row: Option<&str>,
    ) -> Result<String, Error> {
        let Some(text) = row else {
            return self.load(ctx, field).await;
        };
        ResponseBudget::of(ctx)
            .write(field.name(), text.len())
            .await?;
        Ok(text.to_owned())
    }

    /// A long value of the document, which its row was loaded without.
    async fn load(&self, ctx: &Context<'_>, field: LongField) -> Result<String, Error> {
        let document = self.0.id;
        let value = Loaders::of(ctx).get(LongValue { document, field }).await?;
        ResponseBudget::of(ctx)
            .write(field.name(), value.len())
            .await?;
        Ok(Arc::unwrap_or_clone(value))
    }
}

item_queries! {
    /// Queries of documents.
    DocumentQuery for Document {
        /// Your document with this id, active or in the trash. Null if you have none.
        #[doc = example!("document")]
        document;
        /// Your documents.
        #[doc = example!("documents")]
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
        /// `userErrors`: BLANK, INVALID, IN_TRASH, LIMIT_REACHED, NOT_FOUND, TAKEN, TOO_LONG.
        #[doc = example!("create_document")]
        create_document(CreateDocumentInput);
        /// Updates a document that is not in the trash.
        /// `userErrors`: BLANK, CONFLICT, INVALID, IN_TRASH, LIMIT_REACHED, NOT_FOUND, TOO_LONG.
        #[doc = example!("update_document")]
        update_document(UpdateDocumentInput);
        DocumentPayload;
    }
    batches of documents {
        /// Creates a batch of documents in active courses. The maximum size of a request (default 1 MiB) limits the texts of the whole batch.
        /// `userErrors`: BLANK, INVALID, IN_TRASH, LIMIT_REACHED, NOT_FOUND, TAKEN, TOO_LONG.
        #[doc = example!("create_documents")]
        create_documents(CreateDocumentsInput);
        /// Updates a batch of documents that are not in the trash. The maximum size of a request (default 1 MiB) limits the texts of the whole batch.
        /// `userErrors`: BLANK, CONFLICT, INVALID, IN_TRASH, LIMIT_REACHED, NOT_FOUND, TOO_LONG.
        #[doc = example!("update_documents")]
        update_documents(UpdateDocumentsInput);
        DocumentsBatchPayload;
    }
}
