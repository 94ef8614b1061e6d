#!/usr/bin/env python3
"""Measures searches of one user, one after another: search.py SECRET READER ROUNDS. Prints a line for each kind of query.

benches/search/run starts it, with benches/http in PYTHONPATH.
"""

import http.client, json, sys, time

from workloads import access_token, uuid

KINDS = {
    "one word": ["matrix", "corden", "genject"],
    "two words": ["waverproei nudenzen", "matrix corden", "fiyogra eigen"],
    "a common word": ["inlem", "trixma"],
    "a prefix": ["matr", "waver", "quas"],
    "a part of a word": ["trixma", "enver", "jusval"],
    "misspelt": ["nudenezn", "wavreproei", "jectdenvrezen"],
    "a phrase": ['"matrix"', '"trixma eigen"', '"waverproei nudenzen"'],
    "excluding": ["matrix -corden", "fiyogra -eigen"],
    "nonsense": ["xqzvw plorfk", "zzzzqqqq"],
}
QUERY = """query($query: String!) { search(query: $query, first: 20) {
    edges { score node { ... on Node { id } ... on Document { title } } highlights { text ranges { start end } } } } }"""


def main():
    secret, reader, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    connection = http.client.HTTPConnection("127.0.0.1", 8090)
    token = access_token(uuid(f"reader{reader}"), uuid(f"reading{reader}"), secret)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}

    def search(query):
        body = json.dumps({"query": QUERY, "variables": {"query": query}})
        began = time.perf_counter()
        connection.request("POST", "/graphql", body, headers)
        response = json.loads(connection.getresponse().read())
        took = (time.perf_counter() - began) * 1000
        assert "errors" not in response, response
        return took, len(response["data"]["search"]["edges"])

    times, found = {kind: [] for kind in KINDS}, {kind: 0 for kind in KINDS}
    for turn in range(rounds + 5):
        for kind, queries in KINDS.items():
            took, hits = search(queries[turn % len(queries)])
            found[kind] += hits
            if turn >= 5:
                times[kind].append(took)
    times["ALL"] = sorted(took for kind in KINDS for took in times[kind])
    for kind, taken in times.items():
        taken.sort()
        print(f"{kind:<22} median {taken[len(taken) // 2]:6.2f} ms   p99 {taken[int(len(taken) * 0.99)]:6.2f} ms   hits {found.get(kind, 0) / (rounds + 5):.0f}")


main()
