-- Returns a text as the search compares it: lower-case words between single spaces. Removes accents, ligatures and widths,
-- joins words that a hyphen splits at the end of a line, writes x^2, x_2 and x² alike, and makes every Chinese, Japanese and
-- Korean character a word of its own.
CREATE OR REPLACE FUNCTION search_fold(value text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    folded text := lower(value COLLATE "und-x-icu");
    wide CONSTANT boolean := octet_length(value) <> length(value);
BEGIN
    IF wide THEN
        -- Decomposition can turn one character into eighteen.
        folded := regexp_replace(left(normalize(folded, NFKD), 500000), '[\u0300-\u036f\u00ad\u200b-\u200d\ufeff]', '', 'g');
        -- Lower case again: ℝ and ™ have none, but the letters that they stand for do.
        folded := translate(lower(normalize(folded, NFC) COLLATE "und-x-icu"), 'ςøłđı‐‑', 'σoldi--');
        folded := replace(replace(replace(folded, 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe');
    END IF;
    IF position(E'\n' IN folded) > 0 AND position('-' IN folded) > 0 THEN
        folded := regexp_replace(folded, '([[:alpha:]])-[ \t\r]*\n[ \t]*([[:alpha:]])', '\1\2', 'g');
    END IF;
    IF folded ~ '[#+^_]' THEN
        folded := regexp_replace(folded, '\m([a-z])#', '\1sharp', 'g');
        folded := regexp_replace(folded, '\m([a-z])\+\+', '\1plusplus', 'g');
        folded := regexp_replace(folded, '[\^_]\{?([0-9])', '\1', 'g');
    END IF;
    folded := regexp_replace(folded COLLATE "und-x-icu", '[^[:alnum:]]+', ' ', 'g');
    IF wide THEN
        folded := regexp_replace(folded,
            '([\u2e80-\u2fdf\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff])',
            ' \1 ', 'g');
        folded := regexp_replace(folded, '  +', ' ', 'g');
    END IF;
    RETURN ' ' || btrim(folded) || ' ';
END
$$;
