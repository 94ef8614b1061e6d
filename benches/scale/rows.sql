-- Users :first to :last, each with 20 courses, :documents documents in ten of them, :tasks tasks and an open session. One in twelve
-- documents and tasks is in the trash, and one in five tasks is completed. Run by benches/scale/run between begin.sql and end.sql.
\set ON_ERROR_STOP 1
SET session_replication_role = replica;
SET synchronous_commit = off;

INSERT INTO users (id, email, email_key, name)
SELECT md5('user' || u)::uuid, 'user' || u || '@example.test', 'user' || u || '@example.test', 'User ' || u
FROM generate_series(:first, :last) AS u;
INSERT INTO user_profiles (user_id) SELECT md5('user' || u)::uuid FROM generate_series(:first, :last) AS u;
INSERT INTO sessions (user_id, id, refresh_token_hash, expires_at)
SELECT md5('user' || u)::uuid, md5('session' || u)::uuid, sha256('none'), now() + interval '30 days'
FROM generate_series(:first, :last) AS u;

INSERT INTO courses (user_id, id, name, name_folded, description, color, icon, created_at, updated_at)
SELECT md5('user' || u)::uuid, md5('course' || u || ':' || c)::uuid, 'Course ' || c, 'course ' || c, body, '#4F6BED', 'book', t, t
FROM generate_series(:first, :last) AS u, generate_series(1, 20) AS c, scale_sentences AS sentence,
    LATERAL (SELECT timestamptz '2026-02-01' + c * interval '1 day' + u * interval '1 second' AS t) AS time
WHERE sentence.n = (u * 7 + c) % 5000;

INSERT INTO documents (user_id, id, course_id, title, title_folded, original_text, formatted_note, excerpt, status, deleted_at,
    created_at, updated_at)
SELECT md5('user' || u)::uuid, md5('document' || u || ':' || d)::uuid, md5('course' || u || ':' || (11 + d % 10))::uuid,
    'Lecture ' || d || ' on ' || word, 'lecture ' || d || ' on ' || word, body, '# Notes' || E'\n\n' || body || ' ' || word || '.',
    left('Notes ' || body, 200), CASE d % 12 WHEN 11 THEN 'trash' ELSE 'active' END, CASE d % 12 WHEN 11 THEN t END, t, t
FROM generate_series(:first, :last) AS u, generate_series(1, :documents) AS d, scale_sentences AS sentence, scale_words,
    LATERAL (SELECT timestamptz '2026-10-01' - (:documents - d) * interval '3 minutes' + u * interval '1 second' AS t) AS time
WHERE sentence.n = (u * 31 + d * 17) % 5000 AND scale_words.n = (u + d * 7) % 200;

INSERT INTO tasks (user_id, id, course_id, title, title_folded, description, completed_at, due_at, position, priority, status,
    deleted_at, created_at, updated_at)
SELECT md5('user' || u)::uuid, md5('task' || u || ':' || i)::uuid,
    CASE WHEN i % 3 > 0 THEN md5('course' || u || ':' || (1 + i % 20))::uuid END, 'Read ' || word || ' ' || i, 'read ' || word || ' ' || i,
    'What task ' || i || ' is about.', CASE i % 5 WHEN 4 THEN t END, CASE i % 2 WHEN 0 THEN t + interval '30 days' END,
    CASE i % 4 WHEN 0 THEN 'a' || lpad(i::text, 6, '0') END, i % 3, CASE i % 12 WHEN 11 THEN 'trash' ELSE 'active' END,
    CASE i % 12 WHEN 11 THEN t END, t, t
FROM generate_series(:first, :last) AS u, generate_series(1, :tasks) AS i, scale_words,
    LATERAL (SELECT timestamptz '2026-10-01' - (:tasks - i) * interval '2 minutes' + u * interval '1 second' AS t) AS time
WHERE scale_words.n = (u * 3 + i) % 200;
