"""Requests of users with few and with many rows."""

import http.client
import json
import statistics
import time

from servers import SECRET, Cpu
from workloads import QUERIES, VARIABLES, token, uuid

# The requests of one user and round. Expensive ones are sent less often.
SECONDS, MOST = 0.4, 200
# More often than PostgreSQL plans a statement for the given values, so that the plans are those of a service that has run for a while.
WARM_UP, WARM_USERS = 3, 20
TASKS = ["CREATED_AT", "UPDATED_AT", "DUE_AT", "COMPLETED_AT", "POSITION", "PRIORITY", "TITLE"]
DOCUMENTS = ["CREATED_AT", "UPDATED_AT", "TITLE"]
NODES = {"tasks": "id title completed dueAt createdAt", "documents": "id title excerpt createdAt"}


def page(noun, arguments, total=False):
    count = "totalCount " if total else ""
    variables = "($after: String)" if "$after" in arguments else ""
    return f"query{variables} {{ {noun}({arguments}) {{ {count}pageInfo {{ endCursor }} nodes {{ {NODES[noun]} }} }} }}"


def order(field, direction=None):
    return f"orderBy: {{ field: {field}{f', direction: {direction}' if direction else ''} }}"


def requests():
    """The name of each request, the query, its variables, and the list whose middle it continues at, or `task` for the id of one."""
    found = []
    add = (lambda name, query, variables=None, middle=None: found.append((name, query, variables or {}, middle)))
    for workload in ("me", "courses", "tree", "tasks", "search"):
        add(f"`{workload}`", QUERIES[workload], VARIABLES.get(workload))
    add("`task` by its id: id and title", "query($id: ID!) { task(id: $id) { id title } }", middle="task")
    add("`trash`: first 50 and the count", "{ trash(first: 50) { totalCount nodes { ... on Task { id title } ... on Document { id title } } } }")
    for noun, fields in (("tasks", TASKS), ("documents", DOCUMENTS)):
        for field in fields:
            by = order(field)
            add(f"{noun} by {field}: first 50", page(noun, f"first: 50, {by}"))
            add(f"… 50 from the middle", page(noun, f"first: 50, after: $after, {by}"), middle=(noun, by))
            add(f"… last 50", page(noun, f"last: 50, {by}"))
            add(f"… of any status, first 50", page(noun, f"first: 50, {by}, filter: {{ status: null }}"))
            add(f"… of any status, 50 from the middle", page(noun, f"first: 50, after: $after, {by}, filter: {{ status: null }}"), middle=(noun, by))
        add(f"{noun}: `offset: 10000`", page(noun, "first: 50, offset: 10000"))
        add(f"… of any status", page(noun, "first: 50, offset: 10000, filter: { status: null }"))
        add(f"{noun}: count", f"{{ {noun}(first: 1) {{ totalCount }} }}")
        add(f"… of any status", f"{{ {noun}(first: 1, filter: {{ status: null }}) {{ totalCount }} }}")
        for part, what in (("ma", "common"), ("xq", "absent")):
            contains = f'filter: {{ titleContains: "{part}" }}'
            add(f"{noun}: `titleContains` of two letters, {what}", page(noun, f"first: 50, {contains}"))
            add(f"… by TITLE", page(noun, f"first: 50, {order('TITLE')}, {contains}"))
            add(f"… and the count", page(noun, f"first: 50, {contains}", total=True))
    add("search for a rare phrase", QUERIES["search"], {"query": '"neurodynamics 77"'})
    add("search for two words", QUERIES["search"], {"query": "lecture hydrology"})
    return found


class Client:
    def __init__(self, service, user):
        self.connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
        self.headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token(user, SECRET)}"}

    def data(self, query, variables):
        body = json.dumps({"query": query, "variables": variables})
        self.connection.request("POST", "/graphql", body, self.headers)
        result = json.loads(self.connection.getresponse().read())
        assert "errors" not in result, result
        return result["data"]

    def middle(self, noun, by):
        """The cursor in the middle of a list, to which it walks in pages."""
        query = f"query($after: String) {{ {noun}(first: 100, after: $after, {by}) {{ totalCount pageInfo {{ endCursor }} }} }}"
        count = query.replace("first: 100", "first: 1")
        pages = self.data(count, {})[noun]["totalCount"] // 200
        cursor = None
        for _ in range(max(1, pages)):
            cursor = self.data(query.replace("totalCount ", ""), {"after": cursor})[noun]["pageInfo"]["endCursor"]
        return cursor


def sample(client, postgres, service, request):
    """The median time of a request, and CPU of the service and of PostgreSQL per request, in ms."""
    _, query, variables = request
    times, cpu, end = [], Cpu(service, postgres), time.monotonic() + SECONDS
    while len(times) < 3 or time.monotonic() < end and len(times) < MOST:
        begun = time.monotonic()
        client.data(query, variables)
        times.append((time.monotonic() - begun) * 1e3)
    return [statistics.median(times)] + [used / len(times) * 1e3 for used in cpu.used()]


def warm_up(service, clients, query, variables):
    for client in [*(Client(service, user) for user in range(1, WARM_USERS + 1)), *clients]:
        for _ in range(WARM_UP):
            client.data(query, variables)


def cell(samples):
    took, service, database = (statistics.median(values) for values in zip(*samples))
    return f"{took:.1f} ms ({service:.2f} + {database:.2f})"


def measure(postgres, service, options, users):
    columns = ["100 rows: p50 (CPU of service + PostgreSQL)", "100,000 rows", "200,000 tasks, 50,000 documents", "ratio of CPU, 100,000 to 100"]
    print("\n| " + " | ".join(["request", *columns]) + " |\n| --- |" + " ---: |" * len(columns), flush=True)
    clients = [Client(service, user) for user in users]
    middles = {}
    for name, query, variables, middle in requests():
        given = []
        for client, user in zip(clients, users):
            if middle == "task":
                given.append((name, query, {"id": uuid(f"task{user}:7")}))
                continue
            if middle and (client, middle) not in middles:
                middles[client, middle] = client.middle(*middle)
            given.append((name, query, variables | ({"after": middles[client, middle]} if middle else {})))
        warm_up(service, clients, query, given[0][2])
        samples = [[] for _ in clients]
        for _ in range(options.rounds):
            for client, request, found in zip(clients, given, samples):
                found.append(sample(client, postgres, service, request))
        sums = [[found[1] + found[2] for found in of_user] for of_user in samples]
        ratio = statistics.median(many / few for few, many in zip(*sums[:2]))
        print(f"| {name} | " + " | ".join(cell(found) for found in samples) + f" | {ratio:.2f} |", flush=True)
