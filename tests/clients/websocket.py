"""gql against the service: a query, then changes from a cursor on, a line of JSON each, until standard input ends."""

import asyncio
import json
import sys

from gql import Client, gql
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport

url, token, after = sys.argv[1:]


def say(what):
    print(json.dumps(what), flush=True)


async def listen(session):
    query = gql("subscription($after: String) { changes(after: $after) { cursor action itemId } }")
    query.variable_values = {"after": after}
    async for result in session.subscribe(query):
        say({"change": result["changes"]})


async def main():
    transport = WebsocketsTransport(
        url=url.replace("http", "ws"),
        init_payload={"Authorization": f"Bearer {token}"},
        ping_interval=0.2,
        pong_timeout=5,
    )
    async with Client(transport=transport) as session:
        say({"query": {"data": await session.execute(gql("{ me { email } }"))}})
        try:
            await session.execute(gql("{ nobody }"))
        except TransportQueryError as error:
            say({"refused": error.errors[0]["extensions"]["code"]})
        listening = asyncio.create_task(listen(session))
        await asyncio.to_thread(sys.stdin.read)
        listening.cancel()


asyncio.run(main())
