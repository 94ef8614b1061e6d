#!/usr/bin/env python3
"""Prints requests for wrk, one per line: token TAB body. requests.py WORKLOAD SECRET [USERS] > FILE"""
import base64, hashlib, hmac, json, sys, time

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
}
INPUT = {"input": {"title": "bench", "description": "for the notes", "dueAt": "2026-01-15T09:00:00Z"}}


def uuid(text):
    h = hashlib.md5(text.encode()).hexdigest()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def encoded(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")


def token(user, secret):
    now = int(time.time())
    claims = {"iss": "snapnote", "aud": "snapnote", "sub": uuid(f"user{user}"), "sid": uuid(f"session{user}"),
              "iat": now, "exp": now + 86400}
    head = encoded({"alg": "HS256", "typ": "at+jwt"}) + b"." + encoded(claims)
    mac = hmac.new(secret.encode(), head, hashlib.sha256).digest()
    return (head + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


workload, secret, *users = sys.argv[1:]
variables = INPUT if workload == "createTask" else {}
body = json.dumps({"query": QUERIES[workload], "variables": variables})
for user in range(1, int(users[0] if users else 200) + 1):
    print(f"{token(user, secret)}\t{body}")
