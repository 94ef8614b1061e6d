//! All the SQL of the search: a user's dictionary, and their entries. Triggers write both (`migrations/…_search` and
//! `migrations/…_search_words`).

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Place, plan::Plan};
use crate::{
    auth::UserId,
    db::{Connection, Statement, row},
    error::Error,
    items::ItemKind,
};

row! {
    /// A term as the dictionary sees it, beside one of the words that it stands for.
    #[derive(Debug, Clone)]
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
/// from its start to its end: some tens of thousands of words, all from the index. Slips are looked for in words that begin or
/// end alike: it is eight times as fast.
const LOOK_UP: &str = "
    WITH bare AS MATERIALIZED (
        SELECT number, looked_up, btrim(search_fold(text)) AS folded
        FROM unnest($2, $3) WITH ORDINALITY AS terms (text, looked_up, number)
    ), term AS MATERIALIZED (
        SELECT number, folded, search_look(folded) AS look, '%' || folded || '%' AS part,
            left(search_look(folded), 2) || '%' AS head, '%' || right(search_look(folded), 2) AS tail,
            CASE WHEN length(folded) BETWEEN 5 AND 64 THEN ARRAY(
                SELECT overlay(search_look(folded) PLACING reverse(substr(search_look(folded), at, 2)) FROM at FOR 2)
                FROM generate_series(1, length(search_look(folded)) - 1) AS at) END AS swapped,
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
                WHEN words.look = ANY (swapped) OR levenshtein_less_equal(words.look, term.look, slips) <= slips THEN 50
                ELSE 40
            END AS likeness
            FROM search_words AS words
            WHERE user_id = $1 AND looked_up AND (
                words.stem = term.stem OR words.look = term.look OR words.word LIKE part
                OR (slips > 0 AND (words.look LIKE head OR words.look LIKE tail)
                    AND (words.look = ANY (swapped) OR levenshtein_less_equal(words.look, term.look, slips) <= slips))
                OR (slips > 1 AND words.look LIKE head
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

row! {
    /// Something that was found.
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub struct Hit {
        /// What it is.
        pub kind: ItemKind,
        /// Its id.
        pub id: Uuid,
        /// How well it fits: higher is better.
        pub score: f64,
    }
}

/// The words alone are fenced off: the index over everybody's lexemes answers the owner's rows and next to none of others',
/// since lexemes are scoped, and nothing may tempt the planner to read all of the owner's instead. It answers the four sets
/// apart, so that the words of a row, which lie elsewhere, need not be fetched to tell which it is in.
///
/// An entry's `is_active` may be out of date while operations of its owner are pending: then the items themselves are asked.
///
/// A class of 0 to 7 comes first: all in the title or not; as written, of the same stem, alike, or misspelt. Then how recent
/// (up to 0.1), and for the hundred that are best so far how often and where (up to 0.8).
const FIND: &str = "
    WITH asked AS MATERIALIZED (
        SELECT $9::text::tsquery AS literal, $10::text::tsquery AS same, $11::text::tsquery AS alike, $12::text::tsquery AS any_of,
            $13::text::tsquery AS counted
    ), branch AS MATERIALIZED (
        SELECT query::tsquery, string_to_array(present, ',') AS present FROM unnest($2, $3) AS branches (query, present)
    ), entry AS (
        SELECT 5 AS level, * FROM (SELECT * FROM search_entries WHERE words @@ $5::text::tsquery OFFSET 0) AS literal
        UNION ALL SELECT 4, * FROM (SELECT * FROM search_entries WHERE words @@ $6::text::tsquery OFFSET 0) AS same
        UNION ALL SELECT 2, * FROM (SELECT * FROM search_entries WHERE words @@ $7::text::tsquery OFFSET 0) AS alike
        UNION ALL SELECT 0, * FROM (SELECT * FROM search_entries WHERE words @@ $8::text::tsquery OFFSET 0) AS any_of
    ), found AS (
        SELECT kind, id, words, CASE
                WHEN title_words @@ literal THEN 7 WHEN title_words @@ same THEN 6 WHEN level >= 4 THEN level
                WHEN title_words @@ alike THEN 3 WHEN level = 2 THEN 2 WHEN title_words @@ any_of THEN 1 ELSE 0
            END + 0.1 * exp(least(greatest(extract(epoch FROM touched_at - $14)::float8, -1e9), 0) / 15552000) AS fits
        FROM entry, asked
        WHERE user_id = $1 AND CASE WHEN EXISTS (SELECT FROM pending_operations WHERE user_id = $1) THEN EXISTS (
                SELECT FROM current_courses AS item WHERE item.user_id = $1 AND item.id = entry.id AND status = 'active'
                UNION ALL
                SELECT FROM current_documents AS item WHERE item.user_id = $1 AND item.id = entry.id AND status = 'active'
                UNION ALL
                SELECT FROM current_tasks AS item WHERE item.user_id = $1 AND item.id = entry.id AND status = 'active')
            ELSE is_active END
            AND ($15 IS NULL OR kind = ANY ($15)) AND ($16 IS NULL OR course_id = $16)
            AND (cardinality($2) = 0 OR EXISTS (
                SELECT FROM branch WHERE (cardinality($2) = 1 OR words @@ query) AND folded LIKE ALL (present)))
            AND NOT folded LIKE ANY ($4)
    ), placed AS (
        SELECT *, row_number() OVER (ORDER BY fits DESC, id) AS place FROM found
    ), scored AS (
        SELECT kind, id, fits + CASE WHEN place <= 100
            THEN 0.8 * ts_rank('{0.1, 0.1, 0.1, 1}', words, counted, 1 | 32)::float8 ELSE 0 END AS score
        FROM placed, asked
    )
    SELECT kind, id, score FROM scored
    WHERE $17 IS NULL OR score < $17 OR (score = $17 AND id > $18)
    ORDER BY score DESC, id LIMIT $19";

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
    for set in &plan.apart {
        statement = statement.bind(set.clone());
    }
    for set in &plan.sets {
        statement = statement.bind(set.as_str());
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

/// An item that has the word takes it over, unless it is being deleted; a word that none has goes. Words that another process
/// has in hand are left to it. The owner is compared as text, so that the index over the words is what is asked.
const SWEEP: &str = "
    WITH lost AS MATERIALIZED (
        SELECT id, user_id, word FROM search_words WHERE lost_at < now() - interval '10 minutes'
        ORDER BY lost_at, id LIMIT $1 FOR UPDATE SKIP LOCKED
    ), looked_up AS MATERIALIZED (
        SELECT lost.id, entry.id AS item_id FROM lost LEFT JOIN LATERAL (
            SELECT id FROM search_entries
            WHERE words @@ (quote_literal(search_scope(lost.user_id) || lost.word))::tsquery
                AND user_id::text = lost.user_id::text
            LIMIT 1 FOR KEY SHARE SKIP LOCKED) AS entry ON true
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

/// The words of deleted items count as lost from now on, not from the deletion on: a transaction that saves one of them now does not
/// see that it will be lost, and has the usual ten minutes to commit. An item without words leaves the queue, so an item with words
/// takes at least two steps. Rows that others hold are skipped, so that this never waits and cannot be part of a deadlock.
const LEAVE: &str = "
    WITH departed AS MATERIALIZED (
        SELECT user_id, item_id FROM search_departed ORDER BY user_id, item_id LIMIT $1 FOR UPDATE SKIP LOCKED
    ), brought AS MATERIALIZED (
        SELECT word.id FROM departed CROSS JOIN LATERAL (
            SELECT id FROM search_words WHERE item_id = departed.item_id AND user_id = departed.user_id
            LIMIT $1 FOR UPDATE SKIP LOCKED) AS word
        LIMIT $1
    ), lost AS (
        UPDATE search_words SET item_id = NULL, lost_at = now() WHERE id IN (SELECT id FROM brought) RETURNING id
    ), gone AS (
        DELETE FROM search_departed USING departed
        WHERE search_departed.user_id = departed.user_id AND search_departed.item_id = departed.item_id AND (
            SELECT true FROM search_words WHERE item_id = departed.item_id AND user_id = departed.user_id LIMIT 1) IS NULL
        RETURNING search_departed.item_id
    )
    SELECT (SELECT count(*) FROM lost) + (SELECT count(*) FROM gone)";

/// Marks words of deleted items as lost, at most `limit`, and removes items without words from the queue, at most `limit`. Returns the
/// number of both. It is 0 once nothing is left that can be done now.
pub(super) async fn leave(conn: &mut Connection, limit: i64) -> Result<u64, Error> {
    let statement = Statement::<(i64,)>::new(LEAVE).bind(limit);
    let done = conn.row(statement).await?.map_or(0, |(count,)| count);
    Ok(done.unsigned_abs())
}
