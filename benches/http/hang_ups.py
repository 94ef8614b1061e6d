#!/usr/bin/env python3
"""Disconnecting clients beside a normal one: hang_ups.py SECRET [SECONDS] [SOCKETS] [HOLD]

Each socket repeatedly sends a query that waits for a lock and disconnects after HOLD seconds (default 0.02). Prints the number of
disconnects and the median and maximum response time of another user's `me`, without and with these clients. Run by hang_ups."""
import asyncio, json, statistics, subprocess, sys, time

secret = sys.argv[1]
seconds, sockets, hold = (float(argument) for argument in (sys.argv[2:] + ["10", "20", "0.02"][len(sys.argv) - 2 :]))
lines = subprocess.run([sys.executable, "benches/http/requests.py", "me", secret, "2"], capture_output=True, check=True, text=True)
tokens = [line.split("\t")[0] for line in lines.stdout.splitlines()]


def request(token, query):
    body = json.dumps({"query": query}).encode()
    head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    return f"{head}authorization: Bearer {token}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


async def hang_up(until, counts):
    while time.monotonic() < until:
        _, writer = await asyncio.open_connection("127.0.0.1", 8088)
        writer.write(request(tokens[0], "{ tasks { totalCount } }"))
        await asyncio.sleep(hold)
        writer.transport.abort()
        counts.append(1)


async def other(until):
    reader, writer = await asyncio.open_connection("127.0.0.1", 8088)
    times = []
    while time.monotonic() < until:
        began = time.monotonic()
        writer.write(request(tokens[1], "{ me { id } }"))
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))
        assert " 200 " in head, head
        times.append((time.monotonic() - began) * 1000)
        await asyncio.sleep(0.005)
    return times


async def main():
    for clients in (0, int(sockets)):
        counts, until = [], time.monotonic() + seconds
        times, *_ = await asyncio.gather(other(until), *(hang_up(until, counts) for _ in range(clients)))
        print(f"{len(counts)} disconnects: me median {statistics.median(times):.1f} ms, maximum {max(times):.0f} ms")


asyncio.run(main())
