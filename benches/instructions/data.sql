-- The data of the measured user, who is the only one: 21 courses (one in the trash) of 8 or 18 documents, and 75 tasks, 60 of them open.
CREATE FUNCTION words(seed integer, count integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT string_agg((ARRAY['the', 'energy', 'of', 'a', 'system', 'entropy', 'and', 'its', 'limit', 'model', 'proof', 'theory', 'state',
        'vector', 'market', 'cell', 'in', 'which', 'history', 'growth', 'phase', 'is', 'source', 'tissue', 'graph', 'with', 'rule'])
        [1 + (seed * 7 + n * n * 11 + n * (seed % 13)) % 27], ' ' ORDER BY n)
    FROM generate_series(1, count) AS n $$;
INSERT INTO courses (user_id, id, name, description, color, icon, status, created_at, updated_at, deleted_at)
SELECT user_id, md5('course' || c)::uuid, 'Course ' || c, words(c, 12), '#4F6BED', 'book', CASE WHEN c = 0 THEN 'trash' ELSE 'active' END,
    t, t, CASE WHEN c = 0 THEN t + interval '9 days' END
FROM user_profiles, generate_series(0, 20) AS c, LATERAL (SELECT timestamptz '2026-02-01' + c * interval '1 day' AS t) AS x;
INSERT INTO documents (user_id, id, course_id, title, original_text, formatted_note, excerpt, metadata, created_at, updated_at)
SELECT user_id, md5('document' || c || ':' || d)::uuid, md5('course' || c)::uuid, words(c * 20 + d, 5), words(c * 20 + d, 60),
    '# Notes' || E'\n\n' || words(c * 20 + d, 150), words(c * 20 + d, 25), jsonb_build_object('pages', d, 'lang', 'en', 'source', 'upload'), t, t
FROM user_profiles, generate_series(1, 20) AS c, LATERAL generate_series(1, CASE WHEN c > 10 THEN 18 ELSE 8 END) AS d,
    LATERAL (SELECT timestamptz '2026-03-01' + (c * 20 + d) * interval '3 hours' AS t) AS x;
INSERT INTO tasks (user_id, id, course_id, title, description, completed_at, due_at, created_at, updated_at)
SELECT user_id, md5('task' || n)::uuid, CASE WHEN n % 3 > 0 THEN md5('course' || (1 + n % 20))::uuid END, 'Task ' || n, words(n, 10),
    CASE WHEN n % 5 = 4 THEN t END, timestamptz '2026-09-01' + n * interval '1 day', t, t
FROM user_profiles, generate_series(0, 74) AS n, LATERAL (SELECT timestamptz '2026-04-01' + n * interval '2 hours' AS t) AS x;
DROP FUNCTION words;
