//! All the SQL of the search: a person's dictionary, and their entries. Triggers write both (`migrations/…_search`).

use chrono::{DateTime, Utc};
use diesel::{
    Queryable,
    sql_types::{BigInt, Bool, Double, Integer, Nullable, SmallInt, Text, Uuid as SqlUuid},
};
use uuid::Uuid;

use super::{Place, plan::Plan};
use crate::{
    auth::UserId,
    db::{Connection, Row, Statement},
    error::Error,
    trash::ItemKind,
};

/// A term as the dictionary sees it, beside one of the words that it stands for.
#[derive(Debug, Clone, Queryable)]
pub(super) struct LookedUp {
    /// Which term: 1, 2, ….
    pub(super) number: i64,
    /// What the owner's lexemes begin with.
    pub(super) scope: String,
    /// The term's words between single spaces.
    pub(super) folded: String,
    /// Whether it is a word that says nothing by itself, such as `the`.
    pub(super) is_stop_word: bool,
    /// A word of the owner's; `None` if none is like it.
    pub(super) word: Option<String>,
    /// How much it is like it, up to 100.
    pub(super) likeness: Option<i32>,
}

impl Row for LookedUp {
    type Sql = (BigInt, Text, Text, Bool, Nullable<Text>, Nullable<Integer>);
}

/// What a part of a word or a misspelt one matches cannot be foreseen, and the planner fears the worst; but the rows are the
/// owner's alone, and the indexes know them.
const BY_INDEX: &str = "SELECT set_config('enable_seqscan', 'off', true)";

/// Has the statements of this transaction go by the indexes.
pub(super) async fn go_by_index(conn: &mut Connection) -> Result<(), Error> {
    conn.row(Statement::<(String,)>::new(BY_INDEX)).await?;
    Ok(())
}

/// The two steps are materialized, so that a term is folded once and not for each word of the dictionary. That is read
/// from its start to its end: some tens of thousands of words, all from the index.
const LOOK_UP: &str = "
    WITH bare AS MATERIALIZED (
        SELECT number, looked_up, btrim(search_fold(text)) AS folded
        FROM unnest($2, $3) WITH ORDINALITY AS terms (text, looked_up, number)
    ), term AS MATERIALIZED (
        SELECT number, folded, search_look(folded) AS look, '%' || folded || '%' AS part,
            ts_lexize('pg_catalog.english_stem', folded) = '{}' AS is_stop_word,
            coalesce((ts_lexize('pg_catalog.english_stem', folded))[1], folded) AS stem,
            CASE WHEN length(folded) < 5 THEN 0 WHEN length(folded) < 8 THEN 1 ELSE 2 END AS slips,
            looked_up AND length(folded) BETWEEN 3 AND 64 AND position(' ' IN folded) = 0 AS looked_up
        FROM bare
    )
    SELECT number, search_scope($1), folded, coalesce(is_stop_word, false), word, likeness
    FROM term LEFT JOIN LATERAL (
        SELECT word, max(likeness) AS likeness FROM (
            SELECT word, CASE
                WHEN words.word = folded THEN 100
                WHEN words.stem = term.stem THEN 90
                WHEN starts_with(words.word, folded) THEN 80
                WHEN words.look = term.look THEN 70
                WHEN words.word LIKE part THEN 60
                WHEN levenshtein_less_equal(words.look, term.look, slips) <= slips THEN 50
                ELSE 40
            END AS likeness
            FROM search_words AS words
            WHERE user_id = $1 AND looked_up AND (
                words.stem = term.stem OR words.look = term.look OR words.word LIKE part
                OR (slips > 0 AND levenshtein_less_equal(words.look, term.look, slips) <= slips)
                OR (slips > 1 AND length(words.look) > length(term.look)
                    AND levenshtein_less_equal(left(words.look, length(term.look)), term.look, slips) <= slips))
        ) AS alike GROUP BY word ORDER BY likeness DESC, length(word), word LIMIT 100
    ) AS alike ON true
    ORDER BY number, likeness DESC";

/// What each of the terms stands for in the owner's dictionary; `looked_up`: whether only as it is, or what is like it, too.
pub(super) async fn look_up(
    conn: &mut Connection,
    owner: UserId,
    terms: Vec<String>,
    looked_up: Vec<bool>,
) -> Result<Vec<LookedUp>, Error> {
    let statement = Statement::new(LOOK_UP)
        .bind(owner)
        .bind(terms)
        .bind(looked_up);
    conn.rows(statement).await
}

/// Something that was found.
#[derive(Debug, Clone, Copy, PartialEq, Queryable)]
pub struct Hit {
    /// What it is.
    #[diesel(deserialize_as = i16)]
    pub kind: ItemKind,
    /// Its id.
    pub id: Uuid,
    /// How well it fits: higher is better.
    pub score: f64,
}

impl Row for Hit {
    type Sql = (SmallInt, SqlUuid, Double);
}

/// The words alone are fenced off: the index over everybody's lexemes answers the owner's rows and next to none of others',
/// since lexemes are scoped, and nothing may tempt the planner to read all of the owner's instead. What is asked is read
/// once, and so are the words of each row, which may lie elsewhere: appending nothing fetches them.
///
/// A class of 0 to 7 comes first: all in the title or not; as written, of the same stem, alike, or misspelt. Then how often
/// and where (up to 0.8), and how recent (up to 0.1).
const FIND: &str = "
    WITH branch AS MATERIALIZED (
        SELECT query::tsquery, string_to_array(present, ',') AS present FROM unnest($2, $3) AS branches (query, present)
    ), asked AS MATERIALIZED (
        SELECT $5::text::tsquery AS literal, $6::text::tsquery AS same, $7::text::tsquery AS alike, $8::text::tsquery AS any_of,
            $9::text::tsquery AS counted
    ), entry AS (
        SELECT user_id, kind, id, course_id, is_active, touched_at, folded, title_words, words || '' AS words
        FROM search_entries WHERE words @@ $8::text::tsquery OFFSET 0
    ), scored AS (
        SELECT kind, id, CASE
                WHEN title_words @@ literal THEN 7 WHEN title_words @@ same THEN 6
                WHEN words @@ literal THEN 5 WHEN words @@ same THEN 4
                WHEN title_words @@ alike THEN 3 WHEN words @@ alike THEN 2 WHEN title_words @@ any_of THEN 1 ELSE 0
            END
            + 0.8 * ts_rank('{0.1, 0.1, 0.1, 1}', words, counted, 1 | 32)::float8
            + 0.1 * exp(greatest(extract(epoch FROM touched_at - $10)::float8, -1e9) / 15552000) AS score
        FROM entry, asked
        WHERE user_id = $1 AND is_active AND ($11 IS NULL OR kind = ANY ($11)) AND ($12 IS NULL OR course_id = $12)
            AND (cardinality($2) = 0 OR EXISTS (
                SELECT FROM branch WHERE words @@ query AND folded LIKE ALL (present)))
            AND NOT folded LIKE ANY ($4)
    )
    SELECT kind, id, score FROM scored
    WHERE $13 IS NULL OR score < $13 OR (score = $13 AND id > $14)
    ORDER BY score DESC, id LIMIT $15";

/// What fits, best first, behind a place.
pub(super) async fn find(
    conn: &mut Connection,
    owner: UserId,
    plan: &Plan,
    narrowed: &super::Narrowed,
    asked_at: DateTime<Utc>,
    after: Option<&Place>,
    size: i64,
) -> Result<Vec<Hit>, Error> {
    let mut statement = Statement::new(FIND)
        .bind(owner)
        .bind(plan.with_phrases.queries.clone())
        .bind(plan.with_phrases.present.clone())
        .bind(plan.absent.clone());
    for class in &plan.classes {
        statement = statement.bind(class.as_str());
    }
    let statement = statement
        .bind(plan.counted.as_str())
        .bind(asked_at)
        .bind(narrowed.kinds.as_ref().map(|kinds| {
            let numbers = kinds.iter().map(|kind| i16::from(*kind));
            numbers.collect::<Vec<i16>>()
        }))
        .bind(narrowed.course_id)
        .bind(after.map(|place| place.score))
        .bind(after.map(|place| place.id))
        .bind(size);
    conn.rows(statement).await
}

/// An item that has the word takes it over; a word that none has goes. Words that another process has in hand are left to it.
const SWEEP: &str = "
    WITH lost AS MATERIALIZED (
        SELECT id, user_id, word FROM search_words WHERE lost_at < now() - interval '10 minutes'
        ORDER BY lost_at LIMIT $1 FOR UPDATE SKIP LOCKED
    ), looked_up AS MATERIALIZED (
        SELECT lost.id, (
            SELECT entry.id FROM (
                SELECT user_id, id FROM search_entries
                WHERE words @@ (quote_literal(search_scope(lost.user_id) || lost.word))::tsquery OFFSET 0
            ) AS entry WHERE entry.user_id = lost.user_id LIMIT 1) AS item_id
        FROM lost
    ), taken_over AS (
        UPDATE search_words SET item_id = looked_up.item_id, lost_at = NULL FROM looked_up
        WHERE search_words.id = looked_up.id AND looked_up.item_id IS NOT NULL
    ), forgotten AS (
        DELETE FROM search_words USING looked_up
        WHERE search_words.id = looked_up.id AND looked_up.item_id IS NULL
    )
    SELECT count(*) FROM lost";

/// Answers how many words were looked at: `most`, unless there are no more.
pub(super) async fn sweep(conn: &mut Connection, most: i64) -> Result<u64, Error> {
    let statement = Statement::<(i64,)>::new(SWEEP).bind(most);
    let looked_at = conn.row(statement).await?.map_or(0, |(count,)| count);
    Ok(looked_at.unsigned_abs())
}
