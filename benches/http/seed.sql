-- 1,000 users, each with 20 courses, 200 documents, 75 tasks and an open session. On a migrated, empty database:
-- psql -d DATABASE -f benches/http/seed.sql
\set ON_ERROR_STOP 1
\set users 1000
INSERT INTO users (id, email, email_key, name)
SELECT md5('user' || u)::uuid, 'user' || u || '@example.test', 'user' || u || '@example.test', 'User ' || u FROM generate_series(1, :users) u;
INSERT INTO user_profiles (user_id) SELECT id FROM users;
INSERT INTO sessions (user_id, id, refresh_token_hash, expires_at)
SELECT md5('user' || u)::uuid, md5('session' || u)::uuid, sha256('none'), now() + interval '30 days'
FROM generate_series(1, :users) u;
INSERT INTO courses (user_id, id, name, description, color, icon, created_at, updated_at)
SELECT md5('user' || u)::uuid, md5('course' || u || ':' || c)::uuid, 'Course ' || c, 'What course ' || c || ' is about.',
    '#4F6BED', 'book', t, t
FROM generate_series(1, :users) u, generate_series(1, 20) c,
    LATERAL (SELECT timestamptz '2026-02-01' + c * interval '1 day' + u * interval '1 second' AS t) x;
INSERT INTO documents (user_id, id, course_id, title, original_text, formatted_note, excerpt, created_at, updated_at)
SELECT md5('user' || u)::uuid, md5('document' || u || ':' || c || ':' || d)::uuid, md5('course' || u || ':' || c)::uuid,
    'Lecture ' || d || ' of course ' || c, repeat('Recognised text. ', 40), '# Notes' || E'\n\n' || repeat('A sentence. ', 100),
    'Notes ' || repeat('A sentence. ', 12), t, t
FROM generate_series(1, :users) u, generate_series(1, 20) c, generate_series(1, 10) d,
    LATERAL (SELECT timestamptz '2026-03-01' + (c * 20 + d) * interval '3 hours' + u * interval '1 second' AS t) x;
INSERT INTO tasks (user_id, id, course_id, title, description, completed_at, due_at, created_at, updated_at)
SELECT md5('user' || u)::uuid, md5('task' || u || ':' || n)::uuid,
    CASE WHEN n % 3 > 0 THEN md5('course' || u || ':' || (1 + n % 20))::uuid END, 'Task ' || n, 'What task ' || n || ' is about.',
    CASE WHEN n % 5 = 4 THEN t END, timestamptz '2026-09-01' + n * interval '1 day', t, t
FROM generate_series(0, 74) n, generate_series(1, :users) u,
    LATERAL (SELECT timestamptz '2026-04-01' + n * interval '2 hours' + u * interval '1 second' AS t) x;
VACUUM (ANALYZE) users, user_profiles, sessions, courses, documents, tasks, audit_logs;
