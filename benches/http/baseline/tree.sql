\set u random(1, 200)
SELECT id, name FROM courses WHERE user_id = md5('user' || :u)::uuid AND status = 'active' ORDER BY created_at DESC, id DESC LIMIT 11;
SELECT course.id, item.* FROM (SELECT id FROM courses WHERE user_id = md5('user' || :u)::uuid AND status = 'active' ORDER BY created_at DESC, id DESC LIMIT 10) AS course CROSS JOIN LATERAL (SELECT id, title, excerpt FROM documents WHERE user_id = md5('user' || :u)::uuid AND course_id = course.id AND status = 'active' ORDER BY created_at DESC, id DESC LIMIT 11) AS item;
