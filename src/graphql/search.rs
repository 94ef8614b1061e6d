//! Search in the API: the results, their highlights, and the query.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use futures_util::future::try_join_all;
use text_analysis::PlainText;
use tokio::sync::Semaphore;

use super::{
    connection::PageInfo,
    context::ContextExt,
    loaders::{Loaders, TextsOfDocument},
    node::Item,
    page::PageArguments,
};
use crate::{
    error::Error,
    items::ItemKind,
    scalars::ObjectId,
    search::{self, Field, Highlighter, Passage, SearchCursor, SearchFilter, SearchResults},
};

/// Permits to compute highlights: four items at the same time per process.
static PERMITS: Semaphore = Semaphore::const_new(4);

/// The searched fields of an item, the title first.
async fn searched_fields(item: &Item, ctx: &Context<'_>) -> Result<Vec<Field>, Error> {
    let field = |name, text: &str| Field {
        name,
        text: text.to_owned(),
        whole: matches!(name, "name" | "title"),
    };
    let described = |name, title: &str, description: &Option<String>| {
        let description = description.as_deref().unwrap_or_default();
        vec![field(name, title), field("description", description)]
    };
    Ok(match item {
        Item::Course(course) => described("name", &course.row.name, &course.row.description),
        Item::Tag(tag) => vec![field("name", &tag.row.name)],
        Item::Task(task) => described("title", &task.0.title, &task.0.description),
        Item::Document(document) => {
            let texts = Loaders::of(ctx).find(TextsOfDocument(document.0.id));
            let texts = texts.await?.unwrap_or_default();
            let note = PlainText::from_markdown(&texts.formatted_note);
            vec![
                field("title", &document.0.title),
                field("formattedNote", note.text()),
                field("originalText", &texts.original_text),
            ]
        }
    })
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

/// An edge of a search's connection.
pub(crate) struct SearchEdge {
    node: Item,
    cursor: SearchCursor,
    score: f64,
    highlighter: Arc<Highlighter>,
}

/// A found item with its cursor, score and highlights.
#[Object]
impl SearchEdge {
    /// The node's opaque cursor in this search. Pass it as `after` to fetch the next page.
    async fn cursor(&self) -> String {
        self.cursor.encode()
    }

    /// The item.
    async fn node(&self) -> &Item {
        &self.node
    }

    /// How well the item matches. Higher is better. Scores can only be compared within one search. Items with all words in the
    /// title rank above other items. Exact matches rank above similar ones, and recent items slightly above older ones.
    async fn score(&self) -> f64 {
        self.score
    }

    /// The passages that show why the item was found (0–3), those of the title first. Empty if no passage shows it.
    async fn highlights(&self, ctx: &Context<'_>) -> Result<Vec<Highlight>, Error> {
        let fields = searched_fields(&self.node, ctx).await?;
        let highlighter = self.highlighter.clone();
        // Long texts take milliseconds. A request that was canceled while it waits for a permit starts no work.
        let permit = PERMITS.acquire().await.map_err(Error::internal)?;
        let found = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            search::passages(&highlighter, &fields)
        });
        let found = found.await.map_err(Error::internal)?;
        Ok(found.into_iter().map(Highlight::of).collect())
    }
}

/// A page of a search's results.
pub(crate) struct SearchConnection {
    edges: Vec<SearchEdge>,
    has_next_page: bool,
    has_previous_page: bool,
}

/// A page of search results.
#[Object]
impl SearchConnection {
    /// The found items, best first, with their cursors, scores and highlights.
    async fn edges(&self) -> &[SearchEdge] {
        &self.edges
    }

    /// The found items, best first, without their cursors, scores and highlights.
    async fn nodes(&self) -> Vec<&Item> {
        self.edges.iter().map(|edge| &edge.node).collect()
    }

    /// The position of this page in the results.
    async fn page_info(&self) -> PageInfo {
        PageInfo {
            has_next_page: self.has_next_page,
            has_previous_page: self.has_previous_page,
            start_cursor: self.edges.first().map(|edge| edge.cursor.encode()),
            end_cursor: self.edges.last().map(|edge| edge.cursor.encode()),
        }
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
            desc = "Only documents and tasks in this course, not the course itself, and no tags. Null searches everywhere. An id that is not a UUID matches nothing."
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
            edges: edges(ctx, results).await?,
        })
    }
}

/// Loads the found items. Omits those that have been deleted in the meantime.
async fn edges(ctx: &Context<'_>, results: SearchResults) -> Result<Vec<SearchEdge>, Error> {
    let (loaders, highlighter) = (Loaders::of(ctx), Arc::new(results.highlighter));
    let items = results
        .hits
        .iter()
        .map(|(hit, _)| Item::load(loaders, hit.kind, hit.id));
    let items = try_join_all(items).await?;
    let edges = results
        .hits
        .into_iter()
        .zip(items)
        .filter_map(|((hit, cursor), item)| {
            Some(SearchEdge {
                node: item?,
                cursor,
                score: hit.score,
                highlighter: highlighter.clone(),
            })
        });
    Ok(edges.collect())
}
