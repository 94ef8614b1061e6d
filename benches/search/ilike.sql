\set n random(1, 3)
SELECT id FROM documents WHERE user_id = md5('reader0')::uuid AND status = 'active'
    AND (title ILIKE '%' || (ARRAY['matrix', 'waverproei', 'jectdenverzen'])[:n] || '%'
        OR formatted_note ILIKE '%' || (ARRAY['matrix', 'waverproei', 'jectdenverzen'])[:n] || '%'
        OR original_text ILIKE '%' || (ARRAY['matrix', 'waverproei', 'jectdenverzen'])[:n] || '%')
ORDER BY title ILIKE '%' || (ARRAY['matrix', 'waverproei', 'jectdenverzen'])[:n] || '%' DESC, updated_at DESC LIMIT 20;
