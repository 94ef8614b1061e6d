#!/usr/bin/env python3
"""Sends, sets and reads pictures, all at once, and one after the other: `pictures.py PID PICTURES MIB`."""
import http.client, json, os, struct, sys, threading, time, zlib
from urllib.parse import urlsplit

PID, COUNT, MIB = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
HOST = "127.0.0.1:8090"


def ask(token, query, **fields):
    conn = http.client.HTTPConnection(HOST, timeout=120)
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    conn.request("POST", "/graphql", json.dumps({"query": query, "variables": {"input": fields}}), headers)
    answer = json.loads(conn.getresponse().read())
    assert "errors" not in answer, answer
    (payload,) = answer["data"].values()
    assert not payload["userErrors"], payload
    return payload


def picture(size):
    """A grey PNG with stored pixels, of that many bytes at most."""
    width = 4000
    height = (size - 4096) * 1000 // 1001 // (width + 1)
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    pixels = zlib.compress(b"".join(b"\0" + os.urandom(width) for _ in range(height)), 0)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def resident():
    with open(f"/proc/{PID}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu():
    with open(f"/proc/{PID}/stat") as stat:
        fields = stat.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(name, works, at_once):
    """Does all of it, and tells how long it took and how much memory the service had at most."""
    peak, done = [resident()], threading.Event()

    def watch():
        while not done.wait(0.005):
            peak[0] = max(peak[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    began, used = time.perf_counter(), cpu()
    if at_once:
        threads = [threading.Thread(target=work) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    else:
        for work in works:
            work()
    took, used = time.perf_counter() - began, cpu() - used
    done.set()
    watcher.join()
    size = len(works) * len(BYTES) / 2**20
    how = f"{len(works)} at once" if at_once else "one after the other"
    print(f"{name}, {how}: {size / took:.0f} MiB/s, {used / len(works) * 1000:.0f} ms of processor each, "
          f"resident memory at most {peak[0]:.0f} MiB")


class Page:
    """A document, and its picture on its way."""

    def __init__(self, token, course):
        self.token = token
        made = ask(token, "mutation($input: CreateDocumentInput!) { createDocument(input: $input) { document { id } userErrors { code } } }",
                   courseId=course, title="Page", originalText="", formattedNote="")
        self.id = made["document"]["id"]

    def request(self):
        self.upload = ask(self.token, "mutation($input: RequestImageUploadInput!) { requestImageUpload(input: $input) {"
                          " upload { id url headers { name value } } userErrors { code } } }",
                          documentId=self.id, contentType="image/png", byteSize=len(BYTES))["upload"]

    def send(self):
        conn, url = http.client.HTTPConnection(HOST, timeout=300), urlsplit(self.upload["url"])
        headers = {header["name"]: header["value"] for header in self.upload["headers"]}
        conn.request("PUT", f"{url.path}?{url.query}", BYTES, headers)
        answer = conn.getresponse()
        assert answer.status == 204, (answer.status, answer.read())

    def set(self):
        done = ask(self.token, "mutation($input: SetDocumentImageInput!) { setDocumentImage(input: $input) {"
                   " document { image { url } } userErrors { code } } }", documentId=self.id, uploadId=self.upload["id"])
        self.url = urlsplit(done["document"]["image"]["url"])

    def read(self):
        conn = http.client.HTTPConnection(HOST, timeout=300)
        conn.request("GET", f"{self.url.path}?{self.url.query}")
        answer, buffer, length = conn.getresponse(), bytearray(1 << 20), 0
        while read := answer.readinto(buffer):
            length += read
        assert (answer.status, length) == (200, len(BYTES))


BYTES = picture(MIB * 2**20)
pages = []
while len(pages) < COUNT:
    name = f"reader-{len(pages)}"
    token = ask(None, "mutation($input: SignUpInput!) { signUp(input: $input) { accessToken userErrors { code } } }",
                email=f"{name}@example.com", password="correct horse", name=name)["accessToken"]
    course = ask(token, "mutation($input: CreateCourseInput!) { createCourse(input: $input) { course { id } userErrors { code } } }",
                 name="Algebra")["course"]["id"]
    pages += [Page(token, course) for _ in range(min(20, COUNT - len(pages)))]
print(f"{COUNT} pictures of {len(BYTES) / 2**20:.1f} MiB; resident memory before: {resident():.0f} MiB")
for at_once in (True, False):
    for page in pages:
        page.request()
    for name in ("send", "set", "read"):
        measured(name, [getattr(page, name) for page in pages], at_once)
print(f"resident memory after: {resident():.0f} MiB")
