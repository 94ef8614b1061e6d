//! Search in the API: the results, their highlights, and the query.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::{connection::PageInfo, context::ContextExt, node::Item, page::PageArguments};
use crate::{
    documents::{self, DocumentTexts},
    error::Error,
    items::{ItemKind, ItemRef},
    scalars::ObjectId,
    search::{
        self, Field, FieldKind, Highlighter, Passage, SearchCursor, SearchFilter, SearchResults,
    },
};

/// Number of items whose texts are in memory at the same time, for their highlights. Each has up to 400,000 characters.
const TEXTS: usize = 25;

/// The document's id, if the item is one.
fn document_id(item: &Item) -> Option<Uuid> {
    match item {
        Item::Document(document) => Some(document.0.id),
        Item::Course(_) | Item::Task(_) | Item::Tag(_) => None,
    }
}

/// The searched fields of an item, the title first. `texts`: those of a document.
fn searched_fields(item: &Item, texts: DocumentTexts) -> Vec<Field> {
    let title = |name, text: &str| Field {
        name,
        text: text.to_owned(),
        kind: FieldKind::Title,
    };
    let text = |name, text, kind| Field { name, text, kind };
    let described = |title, description: &Option<String>| {
        let description = description.clone().unwrap_or_default();
        vec![title, text("description", description, FieldKind::Plain)]
    };
    match item {
        Item::Course(course) => {
            let name = title("name", &course.row.name);
            described(name, &course.row.description)
        }
        Item::Tag(tag) => vec![title("name", &tag.row.name)],
        Item::Task(task) => described(title("title", &task.0.title), &task.0.description),
        Item::Document(document) => vec![
            title("title", &document.0.title),
            text("formattedNote", texts.formatted_note, FieldKind::Markdown),
            text("originalText", texts.original_text, FieldKind::Plain),
        ],
    }
}

/// A range of a text in UTF-16 code units, as for `String.slice` in JavaScript.
#[derive(SimpleObject)]
pub(crate) struct TextRange {
    /// The start of the range.
    start: i32,
    /// The end of the range, exclusive.
    end: i32,
}

/// A passage of an item that shows why the item was found.
#[derive(SimpleObject)]
pub(crate) struct Highlight {
    /// The field that the passage is from: `name`, `title`, `description`, `formattedNote` or `originalText`.
    field: &'static str,
    /// The passage, about 200 characters, or a whole title. Plain text on one line, without Markdown syntax.
    text: String,
    /// The parts of `text` that match the query. May be empty.
    ranges: Vec<TextRange>,
}

impl Highlight {
    fn of((field, passage): (&'static str, Passage)) -> Self {
        let in_api = |units: usize| i32::try_from(units).unwrap_or(i32::MAX);
        let range = |range: std::ops::Range<usize>| TextRange {
            start: in_api(range.start),
            end: in_api(range.end),
        };
        Highlight {
            field,
            text: passage.text,
            ranges: passage.ranges.into_iter().map(range).collect(),
        }
    }
}

/// The items on a page.
struct FoundItems {
    items: Vec<FoundItem>,
    highlighter: Arc<Highlighter>,
    /// The highlights of each item. The first edge that needs them computes them for all.
    highlights: OnceCell<Result<Vec<Vec<Highlight>>, Error>>,
}

struct FoundItem {
    node: Item,
    cursor: SearchCursor,
    score: f64,
}

impl FoundItems {
    /// Loads the found items. Omits those that have been deleted in the meantime.
    async fn load(ctx: &Context<'_>, results: SearchResults) -> Result<FoundItems, Error> {
        let hits = results.hits;
        let items: Vec<ItemRef> = hits.iter().map(|(hit, _)| hit.item).collect();
        let items = Item::load_all(ctx, &items).await?;
        let items = hits.into_iter().zip(items);
        let items = items.filter_map(|((hit, cursor), item)| {
            Some(FoundItem {
                node: item?,
                cursor,
                score: hit.score,
            })
        });
        Ok(FoundItems {
            items: items.collect(),
            highlighter: results.highlighter,
            highlights: OnceCell::new(),
        })
    }

    async fn highlights(&self, ctx: &Context<'_>) -> Result<Vec<Vec<Highlight>>, Error> {
        let mut highlights = Vec::with_capacity(self.items.len());
        for items in self.items.chunks(TEXTS) {
            let ids = items.iter().filter_map(|item| document_id(&item.node));
            let mut conn = ctx.reading_connection().await?;
            let texts =
                documents::texts(&mut conn, ctx.viewer()?, ids.collect(), search::MAX_TEXT).await;
            drop(conn);
            let mut texts = texts?;
            let fields = items.iter().map(|item| {
                let texts = document_id(&item.node).and_then(|id| texts.remove(&id));
                searched_fields(&item.node, texts.unwrap_or_default())
            });
            let fields = fields.collect();
            let found = search::passages(self.highlighter.clone(), fields).await?;
            let of_item = |found: Vec<_>| found.into_iter().map(Highlight::of).collect();
            highlights.extend(found.into_iter().map(of_item));
        }
        Ok(highlights)
    }
}

/// An edge of a search's connection.
pub(crate) struct SearchEdge {
    page: Arc<FoundItems>,
    /// The item's place on the page.
    at: usize,
}

impl SearchEdge {
    fn item(&self) -> &FoundItem {
        &self.page.items[self.at]
    }
}

/// A found item with its cursor, score and highlights.
#[Object]
impl SearchEdge {
    /// The node's opaque cursor in this search. Pass it as `after` to fetch the next page.
    async fn cursor(&self) -> String {
        self.item().cursor.encode()
    }

    /// The item.
    async fn node(&self) -> &Item {
        &self.item().node
    }

    /// How well the item matches. Higher is better. Scores can only be compared within one search. Items with all words in the
    /// title rank above other items. Exact matches rank above similar ones, and recent items slightly above older ones.
    async fn score(&self) -> f64 {
        self.item().score
    }

    /// The passages that show why the item was found (0–3), those of the title first. Empty if no passage shows it.
    async fn highlights(&self, ctx: &Context<'_>) -> Result<&[Highlight], Error> {
        let highlights = self
            .page
            .highlights
            .get_or_init(|| self.page.highlights(ctx));
        match highlights.await {
            Ok(highlights) => Ok(&highlights[self.at]),
            Err(error) => Err(error.clone()),
        }
    }
}

/// A page of a search's results.
pub(crate) struct SearchConnection {
    page: Arc<FoundItems>,
    has_next_page: bool,
    has_previous_page: bool,
    is_incomplete: bool,
}

/// A page of search results.
#[Object]
impl SearchConnection {
    /// The found items, best first, with their cursors, scores and highlights.
    async fn edges(&self) -> Vec<SearchEdge> {
        let edge = |at| SearchEdge {
            page: self.page.clone(),
            at,
        };
        (0..self.page.items.len()).map(edge).collect()
    }

    /// The found items, best first, without their cursors, scores and highlights.
    async fn nodes(&self) -> Vec<&Item> {
        self.page.items.iter().map(|item| &item.node).collect()
    }

    /// The position of this page in the results.
    async fn page_info(&self) -> PageInfo {
        let cursor = |item: &FoundItem| item.cursor.encode();
        PageInfo {
            has_next_page: self.has_next_page,
            has_previous_page: self.has_previous_page,
            start_cursor: self.page.items.first().map(cursor),
            end_cursor: self.page.items.last().map(cursor),
        }
    }

    /// Whether items or recent changes may be missing, because your search index does not have all of them yet. Search again to continue
    /// indexing. It stays true while the index has the maximum size that the server allows.
    async fn is_incomplete(&self) -> bool {
        self.is_incomplete
    }
}

/// The query `search`.
#[derive(Default)]
pub(crate) struct SearchQuery;

#[Object]
impl SearchQuery {
    /// Searches names, titles, descriptions, notes and recognized texts of your active items. Returns the best matches first. An
    /// item must contain all words, in any order and grammatical form. `"Quoted phrases"` match as written. `-excluded` words
    /// and phrases must not occur. `OR` separates alternatives. Misspelled or badly recognized words match similar words, and
    /// parts of words match the words that contain them. The last word also matches as a prefix. Only the first 200,000
    /// characters of each text are searched.
    #[doc = example!("search")]
    async fn search(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The query. Maximum 1,000 characters. A query without words matches nothing."
        )]
        query: String,
        #[graphql(
            desc = "Only items of these types. By default, all types. An empty list matches nothing."
        )]
        types: Option<Vec<ItemKind>>,
        #[graphql(
            desc = "Only documents and tasks in this course, without the course itself and without tags. Null searches everywhere. An id that is not a UUID matches nothing."
        )]
        course_id: Option<ObjectId>,
        #[graphql(desc = "Return the first *n* items (1–100, default 50).")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor of the same search.")] after: Option<String>,
    ) -> Result<SearchConnection, Error> {
        let viewer = ctx.viewer()?;
        let size = PageArguments::forward(first, None).size()?;
        let size = usize::try_from(size).map_err(Error::internal)?;
        let after = after.as_deref().map(SearchCursor::decode).transpose()?;
        let filter = SearchFilter {
            kinds: types,
            course_id: course_id.map(|course| course.0),
        };
        let indexes = &ctx.services().search;
        let after = after.as_ref();
        let results = indexes.search(viewer, &query, &filter, after, size).await?;
        Ok(SearchConnection {
            has_next_page: results.has_more,
            has_previous_page: after.is_some(),
            is_incomplete: results.is_incomplete,
            page: Arc::new(FoundItems::load(ctx, results).await?),
        })
    }
}
