#!/usr/bin/env python3
"""Checks the golden set by plain comparison, independently of the service's own analysis.

For each query, the items that contain its words as a reader sees them must be the expected ones. Run it after every change
of the set: `pip install snowballstemmer && python3 tests/golden/check.py`. It prints one line per disagreement.
"""

import functools
import html
import json
import pathlib
import re
import sys
import unicodedata

import snowballstemmer

FOLDER = pathlib.Path(__file__).parent
LANGUAGES = {"de": "german", "fr": "french", "es": "spanish", "it": "italian", "pt": "portuguese", "nl": "dutch"}
STEMMERS = {name: snowballstemmer.stemmer(name) for name in ["english", *LANGUAGES.values()]}
# Categories whose expected items do not contain the words of the query as written.
INEXACT = {"typo", "ocr", "russian революцыя"}

EMOJI_PART = "[\u231a-\u27ff\u2b00-\u2bff\U0001f000-\U0001faff]\ufe0f?[\U0001f3fb-\U0001f3ff]?"
EMOJI = re.compile(f"[\U0001f1e6-\U0001f1ff]{{2}}|{EMOJI_PART}(?:\u200d{EMOJI_PART})*")
MARKS = "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u17b4-\u17d3"
# Chinese, Japanese, Korean, Thai, Lao and Khmer: no spaces between words, so each character counts as a word.
NO_SPACES = re.compile(f"([\u0e01-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3][{MARKS}]*)")
BREAK = r"[-\u2010\u00ac\u00ad][ \t]*[\r\n\f][\s>]*"


def visible(note):
    """The text that a reader of a rendered note sees."""
    note = re.sub(r"\A---\n.*?\n---\n", "", note, flags=re.S)
    pieces = re.split(r"(```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$\n]*\$)", note, flags=re.S)
    return "".join(piece if at % 2 else visible_prose(piece) for at, piece in enumerate(pieces))


def visible_prose(text):
    text = re.sub(r"<!--.*?-->|<style>.*?</style>|<script>.*?</script>", "", text, flags=re.S)
    text = re.sub(r"^\[[^\]^]+\]: .*$", "", text, flags=re.M)
    text = re.sub(r"\[\^\w+\]:?", " ", text)
    text = re.sub(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])", r"\1", text)
    text = re.sub(r"<(https?:[^>]*)>", r"\1", text)
    text = re.sub(r"</?(?:p|div|br|t[dr]|li|[uo]l|table|details|summary)\b[^<>]*>", "\n", text)
    text = re.sub(r"</?[a-zA-Z][^<>]*>", "", text)
    text = re.sub(r"(?<![a-z0-9])_(\w+?)_(?![a-z0-9])", r"\1", text)
    text = re.sub(r"(\*\*|~~|\*)(?=\S)(.+?)(?<=\S)\1", r"\2", text)
    text = re.sub(r"\\([!-/:-@\[-`{-~\n])", r"\1", text)
    return html.unescape(text)


def is_ignored_mark(character):
    """Accents, points and vowel marks that readers may leave out. Vowel signs of Indic and other scripts are letters."""
    name = unicodedata.name(character, "")
    return unicodedata.category(character) == "Mn" and name.startswith(("COMBINING", "HEBREW", "ARABIC"))


def join_lines(text):
    """Joins words that are hyphenated at the end of a line."""
    return re.sub(rf"(?<=[^\W\d]){BREAK}(?=[^\W\d])", "", text)


@functools.cache
def fold(text):
    text = EMOJI.sub(lambda found: f" {found[0].replace(chr(0x200d), '')} ", join_lines(text))
    text = unicodedata.normalize("NFKD", text)
    text = "".join(" " if c == "\u202f" else c for c in text if not is_ignored_mark(c))
    text = "".join(c for c in text if unicodedata.category(c) != "Cf" and c not in "\u0640\ufe0f")
    text = text.casefold().translate(str.maketrans("ıđøł", "idol")).replace("æ", "ae").replace("œ", "oe")
    text = "".join(str(unicodedata.digit(c)) if c.isdigit() else c for c in text)
    text = re.sub(r"\b([a-z])#", r"\1sharp", re.sub(r"\b([a-z])\+\+", r"\1plusplus", text))
    return unicodedata.normalize("NFC", re.sub(r"[\^_]\{?(?=\d)", "", text))


@functools.cache
def words(text):
    """Words without punctuation. Each character of a script without spaces and each emoji is a word."""
    folded = NO_SPACES.sub(r" \1 ", fold(text))
    kept = (c if unicodedata.category(c)[0] in "LMN" or c > "~" and unicodedata.category(c) in ("So", "Sk") else " " for c in folded)
    return "".join(kept).split()


def glued(text):
    """What stands between spaces, without its separators: `to-do` as `todo`."""
    return {"".join(words(chunk)) for chunk in re.split(r"[ \t\r\n]+", join_lines(text))} - {""}


class Item:
    def __init__(self, row):
        self.key, self.kind, self.course = row["key"], row["kind"], row["course"]
        self.source = row["note"]
        note = visible(row["note"]) if row["kind"] == "document" else row["note"]
        fields = [row["title"], note, row["text"]]
        self.fields = [words(field) for field in fields]
        self.stems = [[stem(word) for word in field] for field in self.fields]
        self.plain = re.findall(r"\w+", " ".join(fields).lower())
        self.glued = set().union(*map(glued, fields))

    def has(self, term, quoted, prefix=False, part=False):
        wanted = words(term)
        joined = "".join(wanted)
        if joined in self.glued or prefix and any(word.startswith(joined) for word in self.glued):
            return True
        if part and any(wanted[0] in word for field in self.fields for word in field):
            return True
        fields, sought = (self.fields, wanted) if quoted or prefix else (self.stems, [stem(word) for word in wanted])
        return any(has_sequence(field, sought, prefix) for field in fields)


@functools.cache
def stem(word, language="english"):
    return STEMMERS[language].stemWord(word)


def has_sequence(field, wanted, prefix):
    size = len(wanted)
    for at in range(len(field) - size + 1):
        found = field[at : at + size]
        if found == wanted or prefix and found[:-1] == wanted[:-1] and found[-1].startswith(wanted[-1]):
            return True
    return False


@functools.cache
def parse(query):
    """Branches of terms, and excluded terms. A term is its text and whether it was quoted."""
    branches, excluded = [[]], []
    plain = re.sub("[“”„«»]", '"', query)
    for dash, phrase, word in re.findall(r'(?:(?<=\s)|^)([-–−]?)(?:"([^"]*)"|(\S+))', plain):
        if word == "OR":
            branches.append([])
        elif words(phrase or word):
            (excluded if dash else branches[-1]).append((phrase or word, bool(phrase)))
    return branches, excluded


def matches(item, query, loose):
    """Whether the item contains the words of the query; `loose`: also as prefixes and parts."""
    branches, excluded = parse(query["query"])
    has = lambda term: item.has(*term) or loose and not term[1] and item.has(
        *term, prefix=term == branches[-1][-1], part=query["category"] == "part")
    return any(all(map(has, branch)) for branch in branches) and not any(item.has(*term) for term in excluded)


def shares_stem(item, query):
    language = LANGUAGES[query["category"][-2:]]
    wanted = stem(query["query"].lower(), language)
    return any(stem(word, language) == wanted for word in item.plain)


def problems(query, items):
    keys = query["expect"] + [key for key in query["never"] if key != "*"] + query.get("neutral", [])
    yield from (f"unknown key {key}" for key in keys if key not in items)
    if len(set(keys)) < len(keys) or len(query["expect"]) > 10:
        yield "a key twice, or too many"
    if query["category"] in ("markdown", "html") and query["never"] == ["*"]:
        if not any(query["query"] in item.source.lower() for item in items.values()):
            yield "no item hides it"
    is_stem = query["category"].startswith("stem_")
    inexact = query["category"] in INEXACT or f"{query['category']} {query['query']}" in INEXACT
    for item in items.values():
        expected = item.key in query["expect"]
        if query.get("type", item.kind.upper()) != item.kind.upper() or query.get("course") not in (None, item.course):
            if expected:
                yield f"{item.key} is filtered out"
        elif is_stem and shares_stem(item, query) != expected or is_stem and matches(item, query, loose=True):
            yield f"{item.key}: the stem must decide, and the stem only"
        elif expected and not inexact and not is_stem and not matches(item, query, loose=True):
            yield f"{item.key} is expected, but does not contain it"
        elif not expected and len(query["expect"]) < 10 and item.key not in query.get("neutral", []):
            if matches(item, query, loose=False):
                yield f"{item.key} contains it, but is not expected"


def read(name):
    return [json.loads(line) for line in (FOLDER / name).read_text().splitlines()]


def main():
    rows = read("documents.jsonl") + read("scripts_documents.jsonl")
    items = {row["key"]: Item(row) for row in rows}
    found = [] if len(items) == len(rows) else ["a key is used twice"]
    for query in read("queries.jsonl") + read("scripts_queries.jsonl"):
        found += [f"{query['category']}: {query['query']}: {problem}" for problem in problems(query, items)]
    print("\n".join(found) or "The queries and the items agree.")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
