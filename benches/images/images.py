#!/usr/bin/env python3
"""Sends, sets and reads images, first concurrently, then one after another: images.py PID IMAGES MIB"""
import http.client, json, os, struct, sys, threading, time, zlib
from urllib.parse import urlsplit

PID, COUNT, MIB = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
HOST = "127.0.0.1:8090"


def send(token, query, **fields):
    conn = http.client.HTTPConnection(HOST, timeout=120)
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    conn.request("POST", "/graphql", json.dumps({"query": query, "variables": {"input": fields}}), headers)
    response = json.loads(conn.getresponse().read())
    assert "errors" not in response, response
    (payload,) = response["data"].values()
    assert not payload["userErrors"], payload
    return payload


def image(size):
    """A grey PNG with uncompressed pixels, of nearly this many bytes."""
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


def measure(name, calls, concurrent):
    """Makes all calls, and prints the throughput, CPU time and maximum memory of the service."""
    peak, done = [resident()], threading.Event()

    def watch():
        while not done.wait(0.005):
            peak[0] = max(peak[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    began, used = time.perf_counter(), cpu()
    if concurrent:
        threads = [threading.Thread(target=call) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    else:
        for call in calls:
            call()
    took, used = time.perf_counter() - began, cpu() - used
    done.set()
    watcher.join()
    size = len(calls) * len(BYTES) / 2**20
    how = f"{len(calls)} concurrently" if concurrent else "one after another"
    print(f"{name}, {how}: {size / took:.0f} MiB/s, {used / len(calls) * 1000:.0f} ms CPU each, "
          f"maximum resident memory {peak[0]:.0f} MiB")


class Page:
    """A document and the upload of its image."""

    def __init__(self, token, course):
        self.token = token
        made = send(token, "mutation($input: CreateDocumentInput!) { createDocument(input: $input) { document { id } userErrors { code } } }",
                   courseId=course, title="Page", originalText="", formattedNote="")
        self.id = made["document"]["id"]

    def request(self):
        self.upload = send(self.token, "mutation($input: RequestImageUploadInput!) { requestImageUpload(input: $input) {"
                          " upload { id url headers { name value } } userErrors { code } } }",
                          documentId=self.id, contentType="image/png", byteSize=len(BYTES))["upload"]

    def send(self):
        conn, url = http.client.HTTPConnection(HOST, timeout=300), urlsplit(self.upload["url"])
        headers = {header["name"]: header["value"] for header in self.upload["headers"]}
        conn.request("PUT", f"{url.path}?{url.query}", BYTES, headers)
        response = conn.getresponse()
        assert response.status == 204, (response.status, response.read())

    def set(self):
        done = send(self.token, "mutation($input: SetDocumentImageInput!) { setDocumentImage(input: $input) {"
                   " document { image { url } } userErrors { code } } }", documentId=self.id, uploadId=self.upload["id"])
        self.url = urlsplit(done["document"]["image"]["url"])

    def read(self):
        conn = http.client.HTTPConnection(HOST, timeout=300)
        conn.request("GET", f"{self.url.path}?{self.url.query}")
        response, buffer, length = conn.getresponse(), bytearray(1 << 20), 0
        while read := response.readinto(buffer):
            length += read
        assert (response.status, length) == (200, len(BYTES))


BYTES = image(MIB * 2**20)
pages = []
while len(pages) < COUNT:
    name = f"reader-{len(pages)}"
    token = send(None, "mutation($input: SignUpInput!) { signUp(input: $input) { accessToken userErrors { code } } }",
                email=f"{name}@example.com", password="correct horse", name=name)["accessToken"]
    course = send(token, "mutation($input: CreateCourseInput!) { createCourse(input: $input) { course { id } userErrors { code } } }",
                 name="Algebra")["course"]["id"]
    pages += [Page(token, course) for _ in range(min(20, COUNT - len(pages)))]
print(f"{COUNT} images of {len(BYTES) / 2**20:.1f} MiB; resident memory before: {resident():.0f} MiB")
for concurrent in (True, False):
    for page in pages:
        page.request()
    for name in ("send", "set", "read"):
        measure(name, [getattr(page, name) for page in pages], concurrent)
print(f"resident memory after: {resident():.0f} MiB")
