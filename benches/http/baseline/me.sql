\set u random(1, 200)
SELECT id, email, name, created_at FROM users WHERE id = md5('user' || :u)::uuid;
