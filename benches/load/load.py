"""Measures fair sharing and the memory of large responses. Run by benches/load/run."""

import collections
import http.client
import json
import statistics
import subprocess
import sys
import threading
import time

SERVICE, SECONDS = int(sys.argv[1]), float(sys.argv[2])
CLIENTS, LARGE = 20, 12
HEAVY = [
    '{ tasks(filter: { titleContains: "ab" }, orderBy: { field: TITLE }, first: 100) { totalCount nodes { id title } } }',
    '{ tasks(filter: { not: { titleContains: "zz" } }, orderBy: { field: PRIORITY }, first: 100) { totalCount nodes { id title } } }',
]
ME = "{ me { id email } }"
# 15 documents of 1,000,000 bytes fit into 16 MiB.
TEXTS = "query($first: Int) { documents(first: $first) { nodes { originalText } } }"


class Client:
    def __init__(self, token=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", 8093, timeout=60)
        self.headers = {"Content-Type": "application/json"}
        if token:
            self.headers["Authorization"] = f"Bearer {token}"

    def post(self, query, **variables):
        """The body of a response."""
        body = json.dumps({"query": query, "variables": variables})
        self.connection.request("POST", "/graphql", body, self.headers)
        return self.connection.getresponse().read()

    def data(self, query, **variables):
        result = json.loads(self.post(query, **variables))
        assert "errors" not in result, result
        return result["data"]


def psql(sql):
    subprocess.run(["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", sql], check=True)


def sign_up(name):
    query = "mutation($input: SignUpInput!) { signUp(input: $input) { user { id } accessToken } }"
    given = {"email": f"{name}@example.com", "password": "a rather long passphrase", "name": name}
    payload = Client().data(query, input=given)["signUp"]
    return payload["user"]["id"], payload["accessToken"]


def seed_tasks(user):
    psql(
        "INSERT INTO tasks (user_id, id, title, title_folded, priority)"
        f" SELECT '{user}', gen_random_uuid(), title, title, n % 3 FROM (SELECT n, 'task ' || md5(n::text) AS title"
        " FROM generate_series(1, 100000) AS n) AS titles"
    )


def seed_documents(user):
    psql(
        f"WITH course AS (INSERT INTO courses (user_id, id, name) VALUES ('{user}', gen_random_uuid(), 'Scans') RETURNING id)"
        " INSERT INTO documents (user_id, id, course_id, title, original_text, formatted_note, excerpt)"
        f" SELECT '{user}', gen_random_uuid(), course.id, 'Page ' || n, repeat(md5(n::text) || ' ', 30303), '', ''"
        " FROM course, generate_series(1, 60) AS n"
    )


def latencies(client, seconds):
    """Milliseconds of requests for `me`, in ascending order."""
    times, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        begun = time.monotonic()
        client.data(ME)
        times.append((time.monotonic() - begun) * 1000)
        time.sleep(0.02)
    return sorted(times)


def report(name, times):
    p95 = times[int(len(times) * 0.95)]
    print(f"{name}: {len(times)} requests, p50 {statistics.median(times):.1f} ms, p95 {p95:.1f} ms, max {times[-1]:.1f} ms")


def flood(token, stop, sent):
    client, number = Client(token), 0
    while not stop.is_set():
        result = json.loads(client.post(HEAVY[number % len(HEAVY)]))
        error = result.get("errors", [{}])[0].get("extensions", {}).get("code", "OK")
        sent[error] += 1
        number += 1


def fairness():
    (ada, heavy), (_, other) = sign_up("ada"), sign_up("bob")
    seed_tasks(ada)
    psql("ANALYZE")
    me = Client(other)
    report("me alone", latencies(me, SECONDS / 2))
    stop, sent = threading.Event(), collections.Counter()
    threads = [threading.Thread(target=flood, args=(heavy, stop, sent)) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    report(f"me beside {CLIENTS} heavy clients of another user", latencies(me, SECONDS))
    stop.set()
    for thread in threads:
        thread.join()
    print(f"heavy requests: {dict(sent)}")


def resident():
    """The resident memory of the service and its maximum so far, in MB."""
    with open(f"/proc/{SERVICE}/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    return [int(lines[name].split()[0]) / 1000 for name in ("VmRSS", "VmHWM")]


def large_responses():
    people = [sign_up(f"user{number}") for number in range(LARGE)]
    for user, _ in people:
        seed_documents(user)
    print("before large responses: {:.0f} MB resident".format(*resident()))
    results = collections.Counter()

    def request(token, first):
        body = Client(token).post(TEXTS, first=first)
        head = body[:400].decode(errors="replace")
        code = head.split('"code":"')[1].split('"')[0] if '"errors"' in head else "OK"
        results[f"{code}, {len(body) / 1e6:.1f} MB"] += 1

    for first in (15, 60):
        results.clear()
        begun = time.monotonic()
        threads = [threading.Thread(target=request, args=(token, first)) for _, token in people]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - begun
        now, peak = resident()
        print(f"{LARGE} requests for {first} documents of 1 MB in {took:.1f} s: {dict(results)}; {now:.0f} MB resident, peak {peak:.0f} MB")
        time.sleep(10)
        print("10 s later: {:.0f} MB resident".format(*resident()))


fairness()
large_responses()
