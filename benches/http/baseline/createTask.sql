\set u random(1, 200)
INSERT INTO tasks (user_id, id, title, description, due_at) VALUES (md5('user' || :u)::uuid, gen_random_uuid(), 'bench', 'for the notes', '2026-01-15T09:00:00Z') RETURNING id, title, description, completed_at, due_at, created_at;
