"""Measures batches and single mutations. Run by benches/batches/run."""

import http.client
import json
import os
import statistics
import sys

SERVICE, POSTMASTER, ROUNDS = (int(argument) for argument in sys.argv[1:])
ENTRIES = 100
TICK = os.sysconf("SC_CLK_TCK")
NOTE = "# Groups\n\nA *group* is a set with an associative operation, a neutral element and inverses. " * 10
connection = http.client.HTTPConnection("127.0.0.1", 8092)


def graphql(query, token=None, **variables):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connection.request("POST", "/graphql", json.dumps({"query": query, "variables": variables}), headers)
    result = json.load(connection.getresponse())
    assert "errors" not in result, result
    return result["data"]


def stat(pid):
    """The fields of /proc/PID/stat after the name of the program."""
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()


def seconds(of_service):
    """The CPU time of the service, or of PostgreSQL with its ended processes."""
    if of_service:
        fields = stat(SERVICE)
        return (int(fields[11]) + int(fields[12])) / TICK
    fields = stat(POSTMASTER)
    ticks = int(fields[13]) + int(fields[14])
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = stat(pid)
        except OSError:
            continue
        if int(fields[1]) == POSTMASTER:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / TICK


def measured(run):
    before = seconds(True), seconds(False)
    run()
    return seconds(True) - before[0], seconds(False) - before[1]


def compare(token, name, entries):
    """Runs a mutation with new entries for each round, alternately one by one and as a batch."""
    noun = name.removeprefix("create").removeprefix("update")
    field = noun.lower()
    single = f"mutation($input: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $input) {{ {field} {{ id }} userErrors {{ code }} }} }}"
    batch = (
        f"mutation($input: {name[0].upper()}{name[1:]}sInput!) {{ {name}s(input: $input)"
        f" {{ results {{ {field} {{ id }} userErrors {{ code }} }} userErrors {{ code }} }} }}"
    )

    def one_by_one(inputs):
        for given in inputs:
            assert graphql(single, token, input=given)[name][field]

    def at_once(inputs):
        results = graphql(batch, token, input={f"{field}s": inputs})[f"{name}s"]["results"]
        assert all(result[field] for result in results)

    # At first, each connection plans a statement for every call.
    for number in range(20):
        one_by_one(entries(f"a{number}")[:1])
        at_once(entries(f"b{number}"))
    costs = {one_by_one: [], at_once: []}
    for number in range(ROUNDS):
        for run, cost in costs.items():
            inputs = entries(f"{run.__name__} {number}")
            cost.append(measured(lambda run=run, inputs=inputs: run(inputs)))
    means = [[statistics.mean(part) * 1e3 for part in zip(*cost)] for cost in costs.values()]
    (service, postgres), (batch_service, batch_postgres) = means
    ratio = (service + postgres) / (batch_service + batch_postgres)
    print(
        f"{ENTRIES} {name}: {service:.0f} + {postgres:.0f} ms, one {name}s: {batch_service:.1f} + {batch_postgres:.1f} ms,"
        f" ratio {ratio:.1f}",
        flush=True,
    )


def main():
    sign_up = "mutation($input: SignUpInput!) { signUp(input: $input) { accessToken userErrors { code } } }"
    token = graphql(sign_up, input={"email": "ada@example.com", "password": "correct horse", "name": "Ada"})["signUp"]["accessToken"]
    course = graphql('mutation { createCourse(input: { name: "Algebra" }) { course { id } } }', token)["createCourse"]["course"]["id"]

    def tasks(name):
        return [{"courseId": course, "title": f"Read chapter {number} of {name}"} for number in range(ENTRIES)]

    def documents(name):
        return [
            {"courseId": course, "title": f"Lecture {number} of {name}", "originalText": NOTE, "formattedNote": NOTE + name}
            for number in range(ENTRIES)
        ]

    created = {}
    for kind, entries in (("Task", tasks), ("Document", documents)):
        field = kind.lower()
        create = f"mutation($input: Create{kind}sInput!) {{ create{kind}s(input: $input) {{ results {{ {field} {{ id }} }} }} }}"
        results = graphql(create, token, input={f"{field}s": entries("updated")})[f"create{kind}s"]["results"]
        created[kind] = [result[field]["id"] for result in results]

    def changes(kind, new):
        return lambda name: [{"id": item} | new(f"{name} {number}") for number, item in enumerate(created[kind])]

    compare(token, "createTask", tasks)
    compare(token, "updateTask", changes("Task", lambda name: {"title": name}))
    compare(token, "createDocument", documents)
    compare(token, "updateDocument", changes("Document", lambda name: {"formattedNote": NOTE + name}))


main()
