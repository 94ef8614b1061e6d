"""Measures operations on many rows. Run by benches/large/run."""

import json
import subprocess
import sys
import time
import urllib.request

URL = "http://127.0.0.1:8091/graphql"
COUNT = int(sys.argv[1])


def sql(text):
    command = ["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", text]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def graphql(query, token=None, **variables):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    body = json.dumps({"query": query, "variables": variables}).encode()
    with urllib.request.urlopen(urllib.request.Request(URL, body, headers)) as response:
        result = json.load(response)
    assert "errors" not in result, result
    return result["data"]


def sign_up(name):
    query = """mutation($input: SignUpInput!) { signUp(input: $input) { accessToken user { id } userErrors { code } } }"""
    data = graphql(query, input={"email": f"{name}@example.com", "password": "correct horse", "name": name})
    return data["signUp"]["accessToken"], data["signUp"]["user"]["id"]


def course(token):
    data = graphql('mutation { createCourse(input: { name: "Zebras" }) { course { id } } }', token)
    return data["createCourse"]["course"]["id"]


def tasks(user, course_id):
    course_id = f"'{course_id}'" if course_id else "NULL"
    sql(f"""INSERT INTO tasks (user_id, id, course_id, title)
            SELECT '{user}', gen_random_uuid(), {course_id}, 'Read chapter ' || n || ' of book ' || n % 97
            FROM generate_series(1, {COUNT}) AS n""")


def timed(what, run, check):
    """Runs an operation, checks that a reader sees it, and waits until nothing is pending."""
    began = time.monotonic()
    run()
    responded = time.monotonic() - began
    check()
    while sql("SELECT count(*) FROM pending_operations") != "0":
        time.sleep(0.1)
    done = time.monotonic() - began
    check()
    print(f"{what}: response {responded:.2f} s, all rows {done:.1f} s", flush=True)


def active(token):
    return graphql("{ tasks { totalCount } }", token)["tasks"]["totalCount"]


def in_trash(token):
    return graphql("{ trash { totalCount } }", token)["trash"]["totalCount"]


def expect(*values):
    def check():
        for value, expected in values:
            assert value() == expected, (value(), expected)
    return check


def items(token, mutation, *ids):
    field = "deletedIds" if mutation == "deleteItems" else "items { id }"
    query = f"mutation($ids: [ID!]!) {{ {mutation}(input: {{ ids: $ids }}) {{ {field} userErrors {{ code }} }} }}"
    payload = graphql(query, token, ids=ids)[mutation]
    assert payload["userErrors"] == [], payload
    return payload


def empty(token):
    return graphql("mutation { emptyTrash { deletedIds } }", token)["emptyTrash"]["deletedIds"]


def main():
    token, user = sign_up("ada")
    zebras = course(token)
    tasks(user, zebras)
    sql("ANALYZE")
    count = (lambda: active(token))
    trash = (lambda: in_trash(token))
    timed("trashItems, a course", lambda: items(token, "trashItems", zebras), expect((count, 0), (trash, COUNT + 1)))
    timed("restoreItems, a course", lambda: items(token, "restoreItems", zebras), expect((count, COUNT), (trash, 0)))
    items(token, "trashItems", zebras)
    while sql("SELECT count(*) FROM pending_operations") != "0":
        time.sleep(0.1)
    timed("deleteItems, a course", lambda: items(token, "deleteItems", zebras), expect((count, 0), (trash, 0)))
    tasks(user, None)
    sql("UPDATE tasks SET status = 'trash', deleted_at = now()")
    timed("emptyTrash, single tasks", lambda: empty(token), expect((count, 0), (trash, 0)))
    tasks(user, course(token))
    rows = (lambda: sql("SELECT count(*) FROM users WHERE deleted_at IS NULL"))
    delete = 'mutation { deleteMe(input: { password: "correct horse" }) { deletedIds } }'
    timed("deleteMe", lambda: graphql(delete, token), expect((rows, "0")))
    assert sql("SELECT count(*) FROM tasks") == "0"

    token, user = sign_up("grace")
    notes = course(token)
    words = "(SELECT string_agg(md5(n::text || '-' || word), ' ') FROM generate_series(1, 12000) AS word)"
    sql(f"""INSERT INTO documents (user_id, id, course_id, title, original_text, formatted_note, excerpt)
            SELECT '{user}', gen_random_uuid(), '{notes}', 'Note ' || n, '', {words}, '' FROM generate_series(1, 28) AS n""")
    timed("trashItems, 28 documents of 400 KB", lambda: items(token, "trashItems", notes), expect((lambda: in_trash(token), 29)))
    timed("emptyTrash, 28 documents of 400 KB", lambda: empty(token), expect((lambda: in_trash(token), 0)))


main()
