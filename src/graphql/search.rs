//! The search in the API.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject, Union};
use futures_util::future::try_join_all;
use tokio::sync::Semaphore;

use super::{
    context::ContextExt,
    course::Course,
    document::Document,
    loaders::{Loaders, TextsOfDocument},
    node::Item,
    page::{PageArguments, PageInfo},
    task::Task,
};
use crate::{
    documents::excerpt,
    error::Error,
    items::ItemKind,
    scalars::ObjectId,
    search::{self, Field, Found, Marks, Narrowed, Passage, Place},
};

/// Items whose passages are looked for at a time, in the whole process.
static PASSAGES: Semaphore = Semaphore::const_new(4);

/// What a search finds.
#[derive(Union)]
pub(crate) enum SearchResult {
    Course(Course),
    Document(Document),
    Task(Task),
}

impl From<Item> for SearchResult {
    fn from(item: Item) -> Self {
        match item {
            Item::Course(course) => SearchResult::Course(course),
            Item::Document(document) => SearchResult::Document(document),
            Item::Task(task) => SearchResult::Task(task),
        }
    }
}

impl SearchResult {
    /// What of it was searched, the title first.
    async fn searched(&self, ctx: &Context<'_>) -> Result<Vec<Field>, Error> {
        let field = |name, text: &str| Field {
            name,
            text: text.to_owned(),
        };
        let described = |name, title: &str, description: &Option<String>| {
            let description = description.as_deref().unwrap_or_default();
            vec![field(name, title), field("description", description)]
        };
        Ok(match self {
            SearchResult::Course(course) => {
                described("name", &course.row.name, &course.row.description)
            }
            SearchResult::Task(task) => described("title", &task.0.title, &task.0.description),
            SearchResult::Document(document) => {
                let texts = Loaders::of(ctx)
                    .maybe(TextsOfDocument(document.0.id))
                    .await?;
                let texts = texts.unwrap_or_default();
                vec![
                    field("title", &document.0.title),
                    field("formattedNote", &excerpt::plain_text(&texts.formatted_note)),
                    field("originalText", &texts.original_text),
                ]
            }
        })
    }
}

/// A part of a passage, in UTF-16 code units as JavaScript's `String.slice` takes them.
#[derive(SimpleObject)]
pub(crate) struct TextRange {
    /// Where it begins.
    start: i32,
    /// Where it ends, exclusive.
    end: i32,
}

/// A passage that shows why something was found.
#[derive(SimpleObject)]
pub(crate) struct Highlight {
    /// The field that it is from: `name`, `title`, `description`, `formattedNote` or `originalText`.
    field: &'static str,
    /// Some 200 characters of it, or a whole title: plain text on one line, Markdown's marks left out.
    text: String,
    /// What of it was looked for. It may be empty.
    ranges: Vec<TextRange>,
}

impl From<Passage> for Highlight {
    fn from(passage: Passage) -> Self {
        let range = |range: std::ops::Range<i32>| TextRange {
            start: range.start,
            end: range.end,
        };
        Highlight {
            field: passage.field,
            text: passage.text,
            ranges: passage.ranges.into_iter().map(range).collect(),
        }
    }
}

/// Something that was found, with its place.
pub(crate) struct SearchEdge {
    node: SearchResult,
    place: Place,
    score: f64,
    marks: Arc<Marks>,
}

#[Object]
impl SearchEdge {
    /// Its place in this answer; opaque. Give it as `after` to read on.
    async fn cursor(&self) -> String {
        self.place.cursor()
    }

    /// What was found.
    async fn node(&self) -> &SearchResult {
        &self.node
    }

    /// How well it fits. Higher is better; comparable within one answer. What has all the words in its title comes before
    /// what has them elsewhere, what has them as written before what resembles them, and the recent a little before the old.
    async fn score(&self) -> f64 {
        self.score
    }

    /// The passages that show why it was found: three at most, the title's first. None where that cannot be shown.
    async fn highlights(&self, ctx: &Context<'_>) -> Result<Vec<Highlight>, Error> {
        let (fields, marks) = (self.node.searched(ctx).await?, self.marks.clone());
        // Long texts take milliseconds; and what nobody waits for any more is not begun.
        let permit = PASSAGES.acquire().await.map_err(Error::internal)?;
        let found = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            search::passages(&marks, &fields)
        });
        let found = found.await.map_err(Error::internal)?;
        Ok(found.into_iter().map(Highlight::from).collect())
    }
}

/// A page of what was found.
pub(crate) struct SearchConnection {
    edges: Vec<SearchEdge>,
    has_next_page: bool,
    has_previous_page: bool,
}

#[Object]
impl SearchConnection {
    /// What was found, best first, with scores, passages and cursors.
    async fn edges(&self) -> &[SearchEdge] {
        &self.edges
    }

    /// What was found alone, best first.
    async fn nodes(&self) -> Vec<&SearchResult> {
        self.edges.iter().map(|edge| &edge.node).collect()
    }

    /// Where this page stands among all that was found.
    async fn page_info(&self) -> PageInfo {
        PageInfo {
            has_next_page: self.has_next_page,
            has_previous_page: self.has_previous_page,
            start_cursor: self.edges.first().map(|edge| edge.place.cursor()),
            end_cursor: self.edges.last().map(|edge| edge.place.cursor()),
        }
    }
}

/// The search.
#[derive(Default)]
pub(crate) struct SearchQuery;

#[Object]
impl SearchQuery {
    /// Searches names, titles, notes, recognised texts and descriptions of your active items, best first. All the words must
    /// be there, in any order and form; `"quoted phrases"` as they are written, `-excluded` words and phrases nowhere, and `OR`
    /// stands between alternatives. A misspelt or badly recognised word still finds what it resembles, a part of a word the words
    /// that have it, and the last word what begins with it. Of a very long text the first 200,000 characters are searched.
    async fn search(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "What is looked for: 1,000 characters at most. Nothing is found by a query without words."
        )]
        query: String,
        #[graphql(desc = "Only items of these types; all if left out or null.")] types: Option<
            Vec<ItemKind>,
        >,
        #[graphql(desc = "Only what stands in this course.")] course_id: Option<ObjectId>,
        #[graphql(desc = "The first so many: 1 to 100; 50 if left out.")] first: Option<i32>,
        #[graphql(desc = "Only what stands behind this cursor of the same search.")] after: Option<
            String,
        >,
    ) -> Result<SearchConnection, Error> {
        let viewer = ctx.viewer()?;
        let arguments = PageArguments {
            first,
            ..Default::default()
        };
        let size = usize::try_from(arguments.size()?).map_err(Error::internal)?;
        let place = |cursor: String| {
            let place = Place::of_cursor(&cursor);
            place.ok_or_else(|| Error::bad_input("after must be a cursor of this search."))
        };
        let after = after.map(place).transpose()?;
        let narrowed = Narrowed {
            kinds: types,
            course_id: course_id.map(|course| course.0),
        };
        let mut conn = ctx.connection().await?;
        let found =
            search::search(&mut conn, viewer, &query, &narrowed, after.as_ref(), size).await?;
        drop(conn);
        Ok(SearchConnection {
            has_next_page: found.has_more,
            has_previous_page: after.is_some(),
            edges: edges(ctx, found).await?,
        })
    }
}

/// Loads what was found; what is gone by now is left out.
async fn edges(ctx: &Context<'_>, found: Found) -> Result<Vec<SearchEdge>, Error> {
    let (loaders, marks) = (Loaders::of(ctx), Arc::new(found.marks));
    let items = found
        .hits
        .iter()
        .map(|(hit, _)| Item::load(loaders, hit.kind, hit.id));
    let items = try_join_all(items).await?;
    let edges = found
        .hits
        .into_iter()
        .zip(items)
        .filter_map(|((hit, place), item)| {
            Some(SearchEdge {
                node: item?.into(),
                place,
                score: hit.score,
                marks: marks.clone(),
            })
        });
    Ok(edges.collect())
}
