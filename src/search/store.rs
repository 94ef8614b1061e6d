//! All SQL of the search: a user's dictionary (`search_words`) and their entries (`search_entries`). Triggers write both
//! (migration `…_search`).

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{SearchCursor, SearchFilter, plan::Plan};
use crate::{
    auth::UserId,
    db::{Connection, Statement, row},
    error::Error,
    items::ItemKind,
};

row! {
    /// A term and a similar word of the owner's dictionary.
    #[derive(Debug, Clone)]
    pub(super) struct DictionaryMatch {
        /// The number of the term, starting at 1.
        pub(super) number: i64,
        /// The prefix of all of the owner's lexemes.
        pub(super) scope: String,
        /// The term's folded words, separated by single spaces.
        pub(super) folded: String,
        /// Whether it is a word without meaning of its own, such as `the`.
        pub(super) is_stop_word: bool,
        /// A similar word of the dictionary; `None` if there is none.
        pub(super) word: Option<String>,
        /// How similar it is. Maximum 100.
        pub(super) likeness: Option<i32>,
    }
}

/// The planner cannot estimate how many rows a partial or misspelled word matches, and assumes too many. All statements read
/// only the owner's rows, so an index is always the better choice.
const PREFER_INDEXES: &str = "SELECT set_config('enable_seqscan', 'off', true)";

/// Makes the statements of this transaction use indexes.
pub(super) async fn prefer_indexes(conn: &mut Connection) -> Result<(), Error> {
    conn.row(Statement::<(String,)>::new(PREFER_INDEXES))
        .await?;
    Ok(())
}

/// The first two steps are materialized, so that a term is folded once and not for each word of the dictionary. The whole
/// dictionary is read, some tens of thousands of words, by an index-only scan. Misspellings are compared only with words that
/// start or end like the term, which is eight times as fast.
const LOOK_UP: &str = "
    WITH folded_term AS MATERIALIZED (
        SELECT number, with_similar, btrim(search_fold(text)) AS folded
        FROM unnest($2, $3) WITH ORDINALITY AS terms (text, with_similar, number)
    ), term AS MATERIALIZED (
        SELECT number, folded, search_look(folded) AS look, '%' || folded || '%' AS part,
            left(search_look(folded), 2) || '%' AS head, '%' || right(search_look(folded), 2) AS tail,
            CASE WHEN length(folded) BETWEEN 5 AND 64 THEN ARRAY(
                SELECT overlay(search_look(folded) PLACING reverse(substr(search_look(folded), at, 2)) FROM at FOR 2)
                FROM generate_series(1, length(search_look(folded)) - 1) AS at) END AS swaps,
            ts_lexize('pg_catalog.english_stem', folded) = '{}' AS is_stop_word,
            coalesce((ts_lexize('pg_catalog.english_stem', folded))[1], folded) AS stem,
            CASE WHEN length(folded) < 5 THEN 0 WHEN length(folded) < 8 THEN 1 ELSE 2 END AS max_edits,
            with_similar AND length(folded) BETWEEN 3 AND 64 AND position(' ' IN folded) = 0 AS with_similar
        FROM folded_term
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
                WHEN words.look = ANY (swaps) OR levenshtein_less_equal(words.look, term.look, max_edits) <= max_edits THEN 50
                ELSE 40
            END AS likeness
            FROM search_words AS words
            WHERE user_id = $1 AND with_similar AND (
                words.stem = term.stem OR words.look = term.look OR words.word LIKE part
                OR (max_edits > 0 AND (words.look LIKE head OR words.look LIKE tail)
                    AND (words.look = ANY (swaps) OR levenshtein_less_equal(words.look, term.look, max_edits) <= max_edits))
                OR (max_edits > 1 AND words.look LIKE head
                    AND levenshtein_less_equal(left(words.look, length(term.look)), term.look, max_edits) <= max_edits))
        ) AS candidate GROUP BY word ORDER BY likeness DESC, length(word), word LIMIT 100
    ) AS found ON true
    ORDER BY number, likeness DESC";

/// The matches of each term in the owner's dictionary. `with_similar`: for each term, whether similar words match too.
pub(super) async fn look_up(
    conn: &mut Connection,
    owner: UserId,
    terms: Vec<String>,
    with_similar: Vec<bool>,
) -> Result<Vec<DictionaryMatch>, Error> {
    let statement = Statement::new(LOOK_UP)
        .bind(owner)
        .bind(terms)
        .bind(with_similar);
    conn.rows(statement).await
}

row! {
    /// An item that matches a search.
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub struct Hit {
        /// The item's kind.
        pub kind: ItemKind,
        /// The item's id.
        pub id: Uuid,
        /// How well the item matches. Higher is better.
        pub score: f64,
    }
}

/// `OFFSET 0` keeps the condition on the words apart from the others. One index has the lexemes of all users; since each
/// lexeme starts with its owner's scope, it returns almost only rows of the owner. Without `OFFSET 0`, the planner may read
/// all rows of the owner instead. Each level of similarity is queried separately, so that the words of a row, which are
/// stored out of line, need not be fetched to find its level.
///
/// `is_active` of an entry may be out of date while operations of its owner are pending. Then the items are read instead.
///
/// The score starts with a class of 0 to 7: whether all words are in the title, and whether they match as written, by stem,
/// by similarity or by misspelling. Recency adds up to 0.1. For the 100 best hits, the number and position of the matches add
/// up to 0.8.
const FIND: &str = "
    WITH parameters AS MATERIALIZED (
        SELECT $9::text::tsquery AS literal, $10::text::tsquery AS same_stem, $11::text::tsquery AS similar_words,
            $12::text::tsquery AS misspelled, $13::text::tsquery AS counted
    ), branch AS MATERIALIZED (
        SELECT query::tsquery, string_to_array(patterns, ',') AS patterns FROM unnest($2, $3) AS branches (query, patterns)
    ), entry AS (
        SELECT 5 AS level, * FROM (SELECT * FROM search_entries WHERE words @@ $5::text::tsquery OFFSET 0) AS literal
        UNION ALL SELECT 4, * FROM (SELECT * FROM search_entries WHERE words @@ $6::text::tsquery OFFSET 0) AS same_stem
        UNION ALL SELECT 2, * FROM (SELECT * FROM search_entries WHERE words @@ $7::text::tsquery OFFSET 0) AS similar_words
        UNION ALL SELECT 0, * FROM (SELECT * FROM search_entries WHERE words @@ $8::text::tsquery OFFSET 0) AS misspelled
    ), found AS (
        SELECT kind, id, words, CASE
                WHEN title_words @@ literal THEN 7 WHEN title_words @@ same_stem THEN 6 WHEN level >= 4 THEN level
                WHEN title_words @@ similar_words THEN 3 WHEN level = 2 THEN 2 WHEN title_words @@ misspelled THEN 1 ELSE 0
            END + 0.1 * exp(least(greatest(extract(epoch FROM touched_at - $14)::float8, -1e9), 0) / 15552000) AS base_score
        FROM entry, parameters
        WHERE user_id = $1 AND CASE WHEN EXISTS (SELECT FROM pending_operations WHERE user_id = $1) THEN EXISTS (
                SELECT FROM current_courses AS item WHERE item.user_id = $1 AND item.id = entry.id AND status = 'active'
                UNION ALL
                SELECT FROM current_documents AS item WHERE item.user_id = $1 AND item.id = entry.id AND status = 'active'
                UNION ALL
                SELECT FROM current_tasks AS item WHERE item.user_id = $1 AND item.id = entry.id AND status = 'active')
            ELSE is_active END
            AND ($15 IS NULL OR kind = ANY ($15)) AND ($16 IS NULL OR course_id = $16)
            AND (cardinality($2) = 0 OR EXISTS (
                SELECT FROM branch WHERE (cardinality($2) = 1 OR words @@ query) AND folded LIKE ALL (patterns)))
            AND NOT folded LIKE ANY ($4)
    ), ranked AS (
        SELECT *, row_number() OVER (ORDER BY base_score DESC, id) AS ranking FROM found
    ), scored AS (
        SELECT kind, id, base_score + CASE WHEN ranking <= 100
            THEN 0.8 * ts_rank('{0.1, 0.1, 0.1, 1}', words, counted, 1 | 32)::float8 ELSE 0 END AS score
        FROM ranked, parameters
    )
    SELECT kind, id, score FROM scored
    WHERE $17 IS NULL OR score < $17 OR (score = $17 AND id > $18)
    ORDER BY score DESC, id LIMIT $19";

/// The owner's items that match, best first, after a cursor.
pub(super) async fn find(
    conn: &mut Connection,
    owner: UserId,
    plan: &Plan,
    filter: &SearchFilter,
    searched_at: DateTime<Utc>,
    after: Option<&SearchCursor>,
    size: i64,
) -> Result<Vec<Hit>, Error> {
    let mut statement = Statement::new(FIND)
        .bind(owner)
        .bind(plan.phrases.queries.clone())
        .bind(plan.phrases.patterns.clone())
        .bind(plan.excluded_patterns.clone());
    for level in &plan.exclusive_levels {
        statement = statement.bind(level.clone());
    }
    for level in &plan.levels {
        statement = statement.bind(level.as_str());
    }
    let statement = statement
        .bind(plan.counted.as_str())
        .bind(searched_at)
        .bind(filter.kinds.as_ref().map(|kinds| {
            let numbers = kinds.iter().map(|kind| i16::from(*kind));
            numbers.collect::<Vec<i16>>()
        }))
        .bind(filter.course_id)
        .bind(after.map(|cursor| cursor.score))
        .bind(after.map(|cursor| cursor.id))
        .bind(size);
    conn.rows(statement).await
}

/// Assigns a lost word to another item that has it, unless that item is being deleted, and deletes words that no item has.
/// Skips words that another process has locked. The owner is compared as text, so that the planner uses the index over the
/// words.
const SWEEP: &str = "
    WITH lost AS MATERIALIZED (
        SELECT id, user_id, word FROM search_words WHERE lost_at < now() - interval '10 minutes'
        ORDER BY lost_at, id LIMIT $1 FOR UPDATE SKIP LOCKED
    ), assigned AS MATERIALIZED (
        SELECT lost.id, entry.id AS item_id FROM lost LEFT JOIN LATERAL (
            SELECT id FROM search_entries
            WHERE words @@ (quote_literal(search_scope(lost.user_id) || lost.word))::tsquery
                AND user_id::text = lost.user_id::text
            LIMIT 1 FOR KEY SHARE SKIP LOCKED) AS entry ON true
    ), taken_over AS (
        UPDATE search_words SET item_id = assigned.item_id, lost_at = NULL FROM assigned
        WHERE search_words.id = assigned.id AND assigned.item_id IS NOT NULL
    ), deleted AS (
        DELETE FROM search_words USING assigned
        WHERE search_words.id = assigned.id AND assigned.item_id IS NULL
    )
    SELECT count(*) FROM lost";

/// Sweeps up to `limit` words. Returns their number; fewer than `limit` means that no more are due.
pub(super) async fn sweep(conn: &mut Connection, limit: i64) -> Result<u64, Error> {
    let statement = Statement::<(i64,)>::new(SWEEP).bind(limit);
    let swept = conn.row(statement).await?.map_or(0, |(count,)| count);
    Ok(swept.unsigned_abs())
}

/// The words of deleted items count as lost from now, not from the deletion. A transaction that saves one of these words at
/// this moment does not see that it will be lost. It has the usual ten minutes to commit. An item leaves the queue once it has
/// no words, so an item with words takes at least two steps. Locked rows are skipped, so this never waits and causes no
/// deadlock.
const MARK_LOST: &str = "
    WITH deleted_item AS MATERIALIZED (
        SELECT user_id, item_id FROM search_departed ORDER BY user_id, item_id LIMIT $1 FOR UPDATE SKIP LOCKED
    ), word_of_item AS MATERIALIZED (
        SELECT word.id FROM deleted_item CROSS JOIN LATERAL (
            SELECT id FROM search_words WHERE item_id = deleted_item.item_id AND user_id = deleted_item.user_id
            LIMIT $1 FOR UPDATE SKIP LOCKED) AS word
        LIMIT $1
    ), lost AS (
        UPDATE search_words SET item_id = NULL, lost_at = now() WHERE id IN (SELECT id FROM word_of_item) RETURNING id
    ), finished AS (
        DELETE FROM search_departed USING deleted_item
        WHERE search_departed.user_id = deleted_item.user_id AND search_departed.item_id = deleted_item.item_id AND (
            SELECT true FROM search_words WHERE item_id = deleted_item.item_id AND user_id = deleted_item.user_id LIMIT 1) IS NULL
        RETURNING search_departed.item_id
    )
    SELECT (SELECT count(*) FROM lost) + (SELECT count(*) FROM finished)";

/// Marks up to `limit` words of deleted items as lost, and removes up to `limit` items without words from the queue. Returns the
/// number of both, which is 0 once there is no more work.
pub(super) async fn mark_lost(conn: &mut Connection, limit: i64) -> Result<u64, Error> {
    let statement = Statement::<(i64,)>::new(MARK_LOST).bind(limit);
    let done = conn.row(statement).await?.map_or(0, |(count,)| count);
    Ok(done.unsigned_abs())
}
