#!/usr/bin/env python3
"""Measures searches of one user, one after another: search.py SECRET READER ROUNDS. Prints a line for each kind of query."""

import base64, hashlib, hmac, http.client, json, sys, time, uuid

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


def uuid_of(text):
    return str(uuid.UUID(hashlib.md5(text.encode()).hexdigest()))


def token(secret, reader):
    encoded = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")
    now = int(time.time())
    claims = {"iss": "snapnote", "aud": "snapnote", "sub": uuid_of(f"reader{reader}"), "sid": uuid_of(f"reading{reader}"),
              "iat": now, "exp": now + 3600}
    body = encoded({"alg": "HS256", "typ": "at+jwt"}) + b"." + encoded(claims)
    signature = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return (body + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def main():
    secret, reader, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    connection = http.client.HTTPConnection("127.0.0.1", 8090)
    headers = {"Content-Type": "application/json", "Authorization": "Bearer " + token(secret, reader)}

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
