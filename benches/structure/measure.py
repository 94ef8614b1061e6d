#!/usr/bin/env python3
"""Measures how the Rust code is structured, at one or several git revisions.

    benches/structure/measure.py [REVISION ...]     default: HEAD

Prints one Markdown table with a column per revision. A function's length is the number of its lines from `fn` to its closing
brace, in code that rustfmt has formatted. "Places" are lines that name a column of documents; "files" are files that name a noun.
Types include those that a macro declares.

    benches/structure/measure.py --change REVISION

Prints what one commit edits by hand: for each file, its places (contiguous runs of changed lines). Tests and generated files
are listed apart."""
import re
import subprocess
import sys


def git(*arguments):
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


def sources(revision):
    """The text of each Rust source at a revision, without the generated one."""
    paths = git("ls-tree", "-r", "--name-only", revision).splitlines()
    wanted = [path for path in paths if path.endswith((".rs", ".sql")) and not path.endswith("db/schema.rs")]
    return {path: git("show", f"{revision}:{path}") for path in wanted}


def functions(text):
    """The lengths of all functions with a body."""
    lines = text.splitlines()
    for start, line in enumerate(lines):
        found = re.match(r"( *)(pub(\([^)]*\))? )?(const |async |unsafe )*fn \w", line)
        if not found:
            continue
        for end in range(start, len(lines)):
            if lines[end].startswith(found[1] + "}") or (lines[end].rstrip().endswith("}") and end == start):
                yield end - start + 1
                break
            if lines[end].rstrip().endswith(";") and len(lines[end]) - len(lines[end].lstrip()) <= len(found[1]):
                break


def is_test(path):
    return path.startswith("tests/") or "/tests" in path


# How many types a macro of the product declares.
DECLARING = {"payload": 1, "mutations": 1, "item_queries": 1, "item_mutations": 1, "row_object": 1, "order": 2}


def types(texts, noun):
    """Structs and enums of a noun that commands and the API use."""
    own = [text for path, text in texts.items() if path in (f"src/graphql/{noun}.rs", f"src/{noun}s/model.rs")]
    written = sum(len(re.findall(r"^ *(?:pub(?:\([^)]*\))? )?(?:struct|enum) \w", text, re.M)) for text in own)
    return written + sum(DECLARING.get(name, 0) for text in own for name in re.findall(r"^(\w+)! \{", text, re.M))


def places(texts, column):
    """Lines, and files, that name a column by hand, comments and tests apart."""
    name = re.compile(rf"\b({column}|{re.sub('_(.)', lambda m: m[1].upper(), column)})\b")
    lines, files = 0, set()
    for path, text in texts.items():
        if is_test(path) or not path.startswith(("src/", "migrations/")):
            continue
        for line in text.split("#[cfg(test)]")[0].splitlines():
            if name.search(line) and not line.strip().startswith(("//", "--")):
                lines += 1
                files.add(path)
    return lines, len(files)


def outside(texts, noun):
    """Files outside a noun's own that name it, migrations and tests apart."""
    kind = noun.capitalize()
    name = re.compile(rf"\b(crate::{noun}s|{noun}s::|{noun}::{kind}|ItemKind::{kind}|{kind}Query|Node::{kind}|\"{noun}s\"|{noun}s,|mod {noun}s?;|FROM {noun}s|UPDATE {noun}s)\b")
    own = (f"src/{noun}s/", f"src/graphql/{noun}.rs")
    named = {
        path
        for path, text in texts.items()
        if path.startswith("src/") and not path.startswith(own) and not is_test(path)
        for line in text.split("#[cfg(test)]")[0].splitlines()
        if name.search(line) and not line.strip().startswith("//!")
    }
    return len(named)


def measure(revision):
    texts = sources(revision)
    rust = {path: text for path, text in texts.items() if path.endswith(".rs")}
    length = {path: len(text.splitlines()) for path, text in rust.items()}
    product = {path: lines for path, lines in length.items() if path.startswith("src/")}
    product_long = [
        lines
        for path, text in rust.items()
        if not is_test(path)
        for lines in functions(re.split(r"#\[cfg\(test\)\]\s+mod \w+ \{", text)[0])
        if lines > 40
    ]
    column = places(texts, "processing_time")
    return {
        "lines of Rust": sum(length.values()),
        "… of the product (`src/`)": sum(product.values()),
        "… of leaf crates (`crates/`)": sum(lines for path, lines in length.items() if path.startswith("crates/")),
        "… of tests (`tests/`)": sum(lines for path, lines in length.items() if path.startswith("tests/")),
        "files of Rust": len(rust),
        "files over 400 lines": sum(lines > 400 for lines in length.values()),
        "functions over 40 lines": sum(lines > 40 for text in rust.values() for lines in functions(text)),
        "… without tests": len(product_long),
        "types of the noun `task`": types(rust, "task"),
        "types of the noun `document`": types(rust, "document"),
        "lines that name `documents.processing_time`": column[0],
        "files that name it": column[1],
        "files outside its own that name `tasks`": outside(rust, "task"),
        "migrations": len({path.split("/")[1] for path in texts if re.match(r"migrations/[^/]+/up.sql", path)}),
        "lines of SQL in migrations": sum(len(text.splitlines()) for path, text in texts.items() if path.startswith("migrations/")),
    }


GENERATED = ("schema.graphql", "src/db/schema.rs")


def change(revision):
    """The places of one commit, by file."""
    diff = git("diff", "--unified=0", f"{revision}~1", revision)
    found = {}
    for path, hunks in re.findall(r"^diff --git a/\S+ b/(\S+)\n(.*?)(?=^diff --git |\Z)", diff, re.M | re.S):
        found[path] = len(re.findall(r"^@@ ", hunks, re.M))
    return found


def print_change(revision):
    found = change(revision)
    kinds = {path: "test" if is_test(path) else "generated" if path in GENERATED else "by hand" for path in found}
    print("| file | places | |\n| --- | ---: | --- |")
    for path in sorted(found, key=lambda path: (kinds[path], path)):
        print(f"| `{path}` | {found[path]} | {kinds[path]} |")
    by_hand = [count for path, count in found.items() if kinds[path] == "by hand"]
    print(f"\n{len(by_hand)} files and {sum(by_hand)} places by hand")


def main():
    if sys.argv[1:2] == ["--change"]:
        print_change(sys.argv[2])
        return
    revisions = sys.argv[1:] or ["HEAD"]
    measured = [measure(revision) for revision in revisions]
    print("| |", " | ".join(f"`{revision}`" for revision in revisions), "|")
    print("| --- |", " | ".join("---:" for _ in revisions), "|")
    for row in measured[0]:
        print(f"| {row} |", " | ".join(f"{column[row]:,}" for column in measured), "|")


main()
