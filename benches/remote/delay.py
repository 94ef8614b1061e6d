"""A TCP proxy that delays each byte by half of a round-trip time, in both directions: delay.py LISTEN_PORT HOST PORT MILLISECONDS

HOST can be the folder of PostgreSQL's socket. The timers of the event loop add up to a millisecond.
"""

import asyncio
import sys

listen, host, port, round_trip = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]) / 1000


async def pass_on(reader, writer):
    """Bytes leave in the order in which they arrived, half a round trip later. Reading does not wait for that."""
    queue, loop = asyncio.Queue(), asyncio.get_running_loop()

    async def write():
        while (item := await queue.get()) is not None:
            due, data = item
            await asyncio.sleep(max(0, due - loop.time()))
            writer.write(data)
            await writer.drain()
        writer.close()

    writing = asyncio.create_task(write())
    try:
        while not writing.done() and (data := await reader.read(65536)):
            queue.put_nowait((loop.time() + round_trip / 2, data))
        queue.put_nowait(None)
        await writing
    except ConnectionError:
        writing.cancel()


async def connected(client_reader, client_writer):
    if host.startswith("/"):
        server_reader, server_writer = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
    else:
        server_reader, server_writer = await asyncio.open_connection(host, port)
    await asyncio.gather(pass_on(client_reader, server_writer), pass_on(server_reader, client_writer))


async def main():
    server = await asyncio.start_server(connected, "127.0.0.1", listen)
    async with server:
        await server.serve_forever()


asyncio.run(main())
