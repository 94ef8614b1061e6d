\set u random(1, 200)
SELECT id, title, description, completed_at, due_at, created_at, (SELECT count(*) FROM tasks WHERE user_id = md5('user' || :u)::uuid AND status = 'active' AND completed_at IS NULL) FROM tasks WHERE user_id = md5('user' || :u)::uuid AND status = 'active' AND completed_at IS NULL ORDER BY created_at DESC, id DESC LIMIT 51;
