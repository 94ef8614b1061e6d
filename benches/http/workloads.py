"""The measured requests, and tokens of the users that seed.sql, benches/scale and benches/search insert."""

import base64
import hashlib
import hmac
import json
import time

QUERIES = {
    "me": "{ me { id email name createdAt } }",
    "courses": "{ courses(first: 20, orderBy: {field: CREATED_AT}) "
    "{ nodes { id name description color icon createdAt documentCount } } }",
    "tree": "{ courses(first: 10, orderBy: {field: CREATED_AT}) "
    "{ nodes { id name documents(first: 10) { nodes { id title excerpt } } } } }",
    "tasks": "{ tasks(filter: {completed: false}, first: 50) { totalCount pageInfo { hasNextPage endCursor } "
    "edges { cursor node { id title description completed dueAt createdAt } } } }",
    "createTask": "mutation Create($input: CreateTaskInput!) { createTask(input: $input) "
    "{ task { id title description completed dueAt createdAt } userErrors { code } } }",
    "search": "query Search($query: String!) { search(query: $query, types: [DOCUMENT], first: 20) "
    "{ nodes { ... on Document { id title excerpt } } } }",
}
VARIABLES = {
    "createTask": {"input": {"title": "bench", "description": "for the notes", "dueAt": "2026-01-15T09:00:00Z"}},
    "search": {"query": "notes"},
}


def uuid(text):
    h = hashlib.md5(text.encode()).hexdigest()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def encoded(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")


def signing_key(secret):
    """The key of access tokens, which the service derives from its secret: HKDF-SHA-256 without salt, for one block."""
    extracted = hmac.digest(bytes(32), secret.encode(), "sha256")
    return hmac.digest(extracted, b"snapnote access tokens v1\x01", "sha256")


def access_token(user, session, secret):
    now = int(time.time())
    claims = {"iss": "snapnote", "aud": "snapnote", "sub": user, "sid": session, "iat": now, "exp": now + 86400}
    head = encoded({"alg": "HS256", "typ": "at+jwt"}) + b"." + encoded(claims)
    mac = hmac.digest(signing_key(secret), head, "sha256")
    return (head + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


def token(user, secret):
    return access_token(uuid(f"user{user}"), uuid(f"session{user}"), secret)


def line(workload, user, secret):
    """A request for load.lua."""
    body = json.dumps({"query": QUERIES[workload], "variables": VARIABLES.get(workload, {})})
    return f"{token(user, secret)}\t{body}"
