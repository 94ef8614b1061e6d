\set u random(1, 200)
SELECT id, name, description, color, icon, created_at, (SELECT count(*) FROM documents WHERE user_id = courses.user_id AND course_id = courses.id AND status = 'active') FROM courses WHERE user_id = md5('user' || :u)::uuid AND status = 'active' ORDER BY created_at DESC, id DESC LIMIT 21;
