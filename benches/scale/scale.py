"""Measures users, rows and connections. Run by benches/scale/run."""

import argparse
import os
import re
import statistics
import subprocess
import tempfile

import rows
from servers import SECRET, Cpu, Postgres, Service
from workloads import line

FEW_USERS, FEW_ROWS, MANY_ROWS = 1_000, 1_000_001, 1_000_002
LARGEST = 1_000_003
# The last one writes, and the rows that it writes would change the others.
WORKLOADS = ["me", "courses", "tree", "tasks", "search", "createTask"]
CONNECTIONS = [1, 8, 32, 128, 512, 1_000]
# Users who send the requests, spread over all of them.
ACTIVE = 1_000


def wrk(service, requests, connections, seconds, check=False):
    """The requests that wrk has sent, in how many seconds, the median of their latency in ms, and how many failed."""
    environment = os.environ | {"REQUESTS": requests} | ({"CHECK": "1"} if check else {})
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "--latency"]
    command += ["-s", "benches/http/load.lua", service.url]
    out = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    count, took = re.search(r"(\d+) requests in ([\d.]+)s", out).groups()
    latency, unit = re.search(r"50% +([\d.]+)(us|ms|s)", out).groups()
    failed = sum(int(number) for number in re.findall(r"Failed: (\d+)", out))
    sockets = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
    failed += sum(int(number) for number in sockets.groups()) if sockets else 0
    return int(count), float(took), float(latency) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit], failed


def requests_file(workload, users, folder):
    path = os.path.join(folder, f"{workload}-{users}")
    with open(path, "w") as file:
        for user in range(1, users + 1, max(1, users // ACTIVE)):
            file.write(line(workload, user, SECRET) + "\n")
    return path


def table(*columns):
    print("\n| " + " | ".join(columns) + " |\n| --- |" + " ---: |" * (len(columns) - 1), flush=True)


def row(*cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def ratio(one, other):
    """The median of the ratios of measurements that were made one after the other."""
    return statistics.median(b / a for a, b in zip(one, other))


def users(postgres, services, options, folder):
    counts = [FEW_USERS, options.users]
    table("one connection", *[f"{count:,} users: CPU of service + PostgreSQL, p50" for count in counts], "ratio of CPU", "ratio of p50")
    for workload in WORKLOADS:
        files = [requests_file(workload, count, folder) for count in counts]
        for service, file in zip(services, files):
            _, _, _, failed = wrk(service, file, 4, 2 * options.seconds, check=True)
            assert not failed, (workload, service.database, failed)
        measured = [[], []]
        for _ in range(options.rounds):
            for service, file, results in zip(services, files, measured):
                cpu = Cpu(service, postgres)
                count, _, p50, _ = wrk(service, file, 1, options.seconds)
                results.append((*[used / count * 1e6 for used in cpu.used()], p50))
        cells = []
        for results in measured:
            service, database, p50 = (statistics.median(values) for values in zip(*results))
            cells.append(f"{service:.0f} + {database:.0f} µs, {p50:.2f} ms")
        sums, p50s = ([[of(result) for result in results] for results in measured] for of in (lambda it: it[0] + it[1], lambda it: it[2]))
        row(f"`{workload}`", *cells, f"{ratio(*sums):.2f}", f"{ratio(*p50s):.2f}")
    for service in services:
        postgres.sql("DELETE FROM tasks WHERE title = 'bench'", service.database)


def connections(postgres, service, options, folder):
    table("connections", *[f"`{workload}`: {what}" for workload in ("me", "tasks") for what in ("requests/s", "CPU", "p50", "failed")])
    rates = {"me": [], "tasks": []}
    files = {workload: requests_file(workload, options.users, folder) for workload in rates}
    for number in CONNECTIONS:
        cells = []
        for workload, file in files.items():
            rounds = []
            for _ in range(options.rounds):
                cpu = Cpu(service, postgres)
                count, took, p50, failed = wrk(service, file, number, options.seconds, check=True)
                rounds.append((count / took, sum(cpu.used()) / count * 1e6, p50, failed))
            rate, used, p50 = (statistics.median(values) for values in list(zip(*rounds))[:3])
            rates[workload].append(rate)
            cells += [f"{rate:,.0f}", f"{used:.0f} µs", f"{p50:.1f} ms", str(sum(failed for *_, failed in rounds))]
        row(f"{number:,}", *cells)
    for workload, found in rates.items():
        print(f"\n`{workload}`: with {CONNECTIONS[-1]:,} connections {found[-1] / max(found):.2f} of the best throughput")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", choices=["users", "rows", "connections", []])
    parser.add_argument("--folder")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    options = parser.parse_args()
    parts = options.parts or ["users", "rows", "connections"]
    postgres, services = Postgres(options.folder), []
    try:
        few, many = (f"snapnote_scale_{count}" for count in (FEW_USERS, options.users))
        postgres.create(few, [(1, FEW_USERS, 30, 25)])
        largest = [(FEW_ROWS, FEW_ROWS, 100, 100), (MANY_ROWS, MANY_ROWS, 100_000, 100_000), (LARGEST, LARGEST, 50_000, 200_000)]
        postgres.create(many, [(1, options.users, 30, 25), *largest])
        services = [Service(few, 8094), Service(many, 8095)]
        with tempfile.TemporaryDirectory() as folder:
            if "users" in parts:
                users(postgres, services, options, folder)
            if "rows" in parts:
                rows.measure(postgres, services[1], options, [FEW_ROWS, MANY_ROWS, LARGEST])
            if "connections" in parts:
                connections(postgres, services[1], options, folder)
    finally:
        for service in services:
            service.stop()
        postgres.stop()


main()
