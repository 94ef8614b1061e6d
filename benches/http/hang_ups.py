#!/usr/bin/env python3
"""Callers that hang up, beside one that does not: hang_ups.py SECRET [SECONDS] [SOCKETS] [HOLD]

Each socket sends a query that does not end by itself and closes after HOLD seconds (0.02), again and again. Prints how many did,
and the median and the slowest response of another user's `me` meanwhile, without them and with them. Run by hang_ups."""
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
    took = []
    while time.monotonic() < until:
        begun = time.monotonic()
        writer.write(request(tokens[1], "{ me { id } }"))
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))
        assert " 200 " in head, head
        took.append((time.monotonic() - begun) * 1000)
        await asyncio.sleep(0.005)
    return took


async def main():
    for callers in (0, int(sockets)):
        counts, until = [], time.monotonic() + seconds
        took, *_ = await asyncio.gather(other(until), *(hang_up(until, counts) for _ in range(callers)))
        print(f"{len(counts)} hang-ups: me median {statistics.median(took):.1f} ms, slowest {max(took):.0f} ms")


asyncio.run(main())
