"""Python's gql: documents checked against schema.graphql and against the introspected schema, custom scalars as Python objects, requests
with `requests` and `aiohttp`, subscriptions over graphql-ws."""

import asyncio
import json
import sys
import urllib.request
import uuid
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

from gql import Client, gql
from gql.dsl import DSLQuery, DSLSchema, dsl_gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.exceptions import TransportQueryError
from gql.transport.requests import RequestsHTTPTransport
from gql.transport.websockets import WebsocketsTransport
from gql.utilities import update_schema_scalars
from graphql import GraphQLError, GraphQLScalarType

url = sys.argv[1]
schema = Path(__file__, "../../../../../schema.graphql").resolve().read_text()

# `fromisoformat` reads the `Z` of the service from Python 3.11 on.
scalars = [
    GraphQLScalarType("DateTime", serialize=lambda value: value.isoformat(), parse_value=datetime.fromisoformat),
    GraphQLScalarType("Date", serialize=lambda value: value.isoformat(), parse_value=date.fromisoformat),
]
due_at = datetime(2026, 12, 1, 10, tzinfo=timezone(timedelta(hours=2)))
due_on = date(2026, 12, 8)
metadata = {"pages": [1, 2.5], "scan": {"device": "Ä", "ok": True, "note": None}}
titles = [f"Sheet {number}" for number in range(1, 8)]

SIGN_UP = """mutation SignUp($input: SignUpInput!) {
  signUp(input: $input) { accessToken user { id name } userErrors { code field message } } }"""
UPDATE_ME = """mutation UpdateMe($input: UpdateMeInput!) {
  updateMe(input: $input) { user { id avatarUrl } userErrors { code } } }"""
CREATE_COURSE = """mutation CreateCourse($input: CreateCourseInput!) {
  createCourse(input: $input) { course { id name color } userErrors { code field } } }"""
CREATE_DOCUMENT = """mutation CreateDocument($input: CreateDocumentInput!) {
  createDocument(input: $input) { document { id title metadata } userErrors { code field } } }"""
CREATE_TASK = """mutation CreateTask($input: CreateTaskInput!) {
  createTask(input: $input) { task { id title dueAt dueOn priority createdAt } userErrors { code field message } } }"""
UPDATE_TASK = """mutation UpdateTask($input: UpdateTaskInput!) {
  updateTask(input: $input) { task { id completed version } userErrors { code field } } }"""
TASKS = """query Tasks($courseId: ID!, $first: Int!, $after: String) {
  tasks(filter: { courseId: $courseId }, orderBy: [{ field: TITLE }], first: $first, after: $after) {
    nodes { id title } pageInfo { endCursor hasNextPage } } }"""
BY_ID = """query ById($id: ID!, $ids: [ID!]!) {
  node(id: $id) { __typename id ... on Task { title completed version } }
  nodes(ids: $ids) { __typename id ... on Item { version } ... on CourseItem { title } ... on Course { name } } }"""
CHANGES = """subscription Changes($after: String) {
  changes(after: $after) { action itemId version item { __typename id ... on Task { title } } } }"""


def request(text, **variables):
    query = gql(text)
    query.variable_values = variables or None  # gql fails to serialize an empty dictionary.
    return query


def code_of(session, text, **variables):
    try:
        session.execute(request(text, **variables))
    except TransportQueryError as error:
        return error.errors[0]["extensions"]["code"]
    raise AssertionError(f"no error: {text}")


def rename_elsewhere(token, task, title):
    """Changes a task as another device of the same user does."""
    body = {"query": UPDATE_TASK, "variables": {"input": {"id": task, "title": title}}}
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers)) as response:
        return json.load(response)["data"]["updateTask"]["task"]["version"]


def sign_up():
    """gql's defaults: `requests`, and the schema read from the service by introspection."""
    client = Client(transport=RequestsHTTPTransport(url=url), fetch_schema_from_transport=True)
    email = f"python-{uuid.uuid4()}@example.com"
    with client as session:
        # The introspected schema is the one of the file.
        assert set(client.schema.type_map) == set(Client(schema=schema).schema.type_map)
        input = {"email": email, "name": "User of Python", "password": "correct horse battery"}
        result = session.execute(request(SIGN_UP, input=input))["signUp"]
        assert result["userErrors"] == [] and result["user"]["name"] == "User of Python", result
        assert code_of(session, "{ courses { nodes { id } } }") == "UNAUTHENTICATED"
        return result["accessToken"]


def items(token):
    """Variables and results with Python's types, checked against schema.graphql."""
    headers = {"Authorization": f"Bearer {token}"}
    client = Client(
        schema=schema, transport=RequestsHTTPTransport(url=url, headers=headers), serialize_variables=True, parse_results=True
    )
    update_schema_scalars(client.schema, scalars)
    with client as session:
        try:
            session.execute(gql("{ me { emial } }"))
            raise AssertionError("the document was sent")
        except GraphQLError as error:
            assert "emial" in error.message, error
        course = session.execute(request(CREATE_COURSE, input={"name": "Algebra", "color": "#4F6BED"}))["createCourse"]["course"]
        assert course["color"] == "#4F6BED", course
        note = {"courseId": course["id"], "title": "Groups", "originalText": "", "formattedNote": "# Groups", "metadata": metadata}
        document = session.execute(request(CREATE_DOCUMENT, input=note))["createDocument"]["document"]
        assert document["metadata"] == metadata, document
        avatar = "https://example.com/ada.png"
        user = session.execute(request(UPDATE_ME, input={"avatarUrl": avatar}))["updateMe"]["user"]
        assert user["avatarUrl"] == avatar, user
        ids = []
        for title in titles:
            due = {"dueAt": due_at} if title == titles[0] else {"dueOn": due_on}
            task = {"courseId": course["id"], "title": title, "priority": "HIGH", **due}
            task = session.execute(request(CREATE_TASK, input=task))["createTask"]["task"]
            assert (task["dueAt"], task["dueOn"]) == (due.get("dueAt"), due.get("dueOn")), task
            assert isinstance(task["createdAt"], datetime) and task["priority"] == "HIGH", task
            ids.append(task["id"])

        # Errors in the input, and errors of the request.
        result = session.execute(request(CREATE_TASK, input={"title": " "}))["createTask"]
        assert result["task"] is None and result["userErrors"][0]["code"] == "BLANK", result
        assert result["userErrors"][0]["field"] == ["input", "title"], result
        assert code_of(session, "{ tasks(first: 500) { nodes { id } } }") == "BAD_USER_INPUT"

        # A query composed in Python.
        names = DSLSchema(client.schema)
        query = names.Query.courses(first=1).select(names.CourseConnection.nodes.select(names.Course.name))
        result = session.execute(dsl_gql(DSLQuery(query)))
        assert result == {"courses": {"nodes": [{"name": "Algebra"}]}}, result
    return course["id"], ids


async def pages_and_changes(token, course, ids):
    headers = {"Authorization": f"Bearer {token}"}
    async with Client(schema=schema, transport=AIOHTTPTransport(url=url, headers=headers)) as session:
        # Two pages.
        pages, after, more = [], None, True
        while more:
            page = (await session.execute(request(TASKS, courseId=course, first=4, after=after)))["tasks"]
            pages.append([task["id"] for task in page["nodes"]])
            after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        assert pages == [ids[:4], ids[4:]], pages

        # An update by version. An update of the old version is a conflict, and returns the current one.
        update = {"id": ids[1], "completed": True, "version": 1}
        task = (await session.execute(request(UPDATE_TASK, input=update)))["updateTask"]["task"]
        assert task == {"id": ids[1], "completed": True, "version": 2}, task
        conflict = (await session.execute(request(UPDATE_TASK, input=update)))["updateTask"]
        assert conflict["userErrors"][0]["code"] == "CONFLICT" and conflict["task"]["version"] == 2, conflict

        # `__typename` tells the types of an interface apart.
        found = await session.execute(request(BY_ID, id=ids[1], ids=[course, ids[1], str(uuid.UUID(int=0))]))
        assert found["node"] == {"__typename": "Task", "id": ids[1], "title": titles[1], "completed": True, "version": 2}, found
        assert found["nodes"] == [
            {"__typename": "Course", "id": course, "version": 1, "name": "Algebra"},
            {"__typename": "Task", "id": ids[1], "version": 2, "title": titles[1]},
            None,
        ], found
        after = (await session.execute(gql("{ changesCursor }")))["changesCursor"]

    # A change from another device arrives.
    socket = WebsocketsTransport(url=url.replace("http", "ws"), init_payload=headers)
    async with Client(schema=schema, transport=socket) as session:
        async with asyncio.timeout(10):
            version = await asyncio.to_thread(rename_elsewhere, token, ids[2], "Renamed")
            async for event in session.subscribe(request(CHANGES, after=after)):
                item = {"__typename": "Task", "id": ids[2], "title": "Renamed"}
                expected = {"action": "UPDATED", "itemId": ids[2], "version": version, "item": item}
                assert event["changes"] == expected, event
                break


token = sign_up()
course, ids = items(token)
asyncio.run(pages_and_changes(token, course, ids))
