"""A server on this machine: of files in a folder, and of STAC items to be searched.

It is a process of its own: rasterio keeps the interpreter to itself while it opens a remote file, so that a thread of
the same process could not answer.
"""

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

PAGE = 1
"""Items that a search gives at once."""

CONFORMS = [
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/item-search",
    "https://api.stacspec.org/v1.0.0/collections",
]


class Server(ThreadingHTTPServer):
    """Files under `root`; and under `/api`, where there are items, a STAC API over them."""

    daemon_threads = True

    def __init__(self, root: Path, port: int):
        super().__init__(("127.0.0.1", port), Handler)
        self.root = root
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self.items: list[dict] | None = None
        self.asked: list[str] = []
        self.failing = "(?!)"
        self.conforms: list[str] = []
        self.counting = False
        self.refusing = False

    def collections(self) -> list[dict]:
        extent = {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}}
        return [
            {
                "type": "Collection",
                "stac_version": "1.0.0",
                "id": name,
                "description": name,
                "license": "proprietary",
                "extent": extent,
                "links": [],
            }
            for name in sorted({item["collection"] for item in self.items or []})
        ]

    def search(self, asked: dict) -> dict:
        found = [item for item in self.items or [] if matches(item, asked)]
        start, size = int(asked.get("token") or 0), min(int(asked.get("limit") or PAGE), PAGE)
        links = []
        if start + size < len(found):
            links.append({"rel": "next", "token": str(start + size)})
        counted = {"numberMatched": len(found)} if self.counting else {}
        return {"type": "FeatureCollection", "features": found[start : start + size], "links": links, **counted}


def matches(item: dict, asked: dict) -> bool:
    if asked.get("collections") and item["collection"] not in asked["collections"]:
        return False
    if asked.get("bbox"):
        west, south, east, north = item["bbox"]
        a, b, c, d = asked["bbox"]
        if west > c or east < a or south > d or north < b:
            return False
    if asked.get("datetime"):
        first, _, last = asked["datetime"].partition("/")
        time = datetime.fromisoformat(item["properties"]["datetime"])
        if not datetime.fromisoformat(first) <= time <= datetime.fromisoformat(last or first):
            return False
    bounds = [(key, bound) for key, says in (asked.get("query") or {}).items() for bound in says.items()]
    return all(holds(item, key, *bound) for key, bound in bounds) and fits(item, asked.get("filter"))


def fits(item: dict, condition: dict | None) -> bool:
    """A filter as CQL2 in JSON, of comparisons that must all hold."""
    if condition is None:
        return True
    if condition["op"] == "and":
        return all(fits(item, part) for part in condition["args"])
    named, value = condition["args"]
    value = value["timestamp"] if isinstance(value, dict) else value
    return holds(item, named["property"], {">=": "gte", "<=": "lte"}[condition["op"]], value)


def holds(item: dict, key: str, operator: str, value: object) -> bool:
    said = item["properties"].get(key)
    if said is None:
        return False
    if key == "updated":
        said, value = datetime.fromisoformat(said), datetime.fromisoformat(str(value))
    return said >= value if operator == "gte" else said <= value


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and content are sent apart: the second would wait 40 ms for the receipt of the first.
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        if path == "/control":
            self.say(self.server.asked)
            return
        self.server.asked.append(path)
        if re.search(self.server.failing, path):
            self.answer(503, b"")
        elif self.server.items is not None and path.startswith("/api"):
            self.api(path.removeprefix("/api"), self.query())
        else:
            self.file(path)

    def do_POST(self):
        path = urlsplit(self.path).path
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if path == "/control":
            vars(self.server).update(asked)
            self.say({})
            return
        self.server.asked.append(path)
        if re.search(self.server.failing, path):
            self.answer(503, b"")
        else:
            self.api(path.removeprefix("/api"), asked)

    def query(self) -> dict:
        found: dict = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        if "collections" in found:
            found["collections"] = found["collections"].split(",")
        if "bbox" in found:
            found["bbox"] = [float(value) for value in found["bbox"].split(",")]
        return found

    def api(self, path: str, asked: dict):
        base = f"{self.server.address}/api"
        if path in ("", "/"):
            links = [
                {"rel": "self", "href": base},
                {"rel": "data", "href": f"{base}/collections"},
                {"rel": "search", "href": f"{base}/search", "method": "GET", "type": "application/geo+json"},
                {"rel": "search", "href": f"{base}/search", "method": "POST", "type": "application/geo+json"},
            ]
            content = {"type": "Catalog", "stac_version": "1.0.0", "id": "api", "description": "items"}
            more = [f"https://api.stacspec.org/v1.0.0/item-search#{name}" for name in self.server.conforms]
            self.say(content | {"links": links, "conformsTo": CONFORMS + more})
        elif path == "/collections":
            self.say({"collections": self.server.collections(), "links": []})
        elif path == "/search" and self.server.refusing and {"query", "filter"} & set(asked):
            self.answer(400, b"no such property")
        elif path == "/search":
            content = self.server.search(asked)
            for link in content["links"]:
                token = link.pop("token")
                link |= {"href": f"{base}/search", "method": self.command}
                if self.command == "POST":
                    link["body"] = asked | {"token": token}
                else:
                    query = parse_qs(urlsplit(self.path).query) | {"token": [token]}
                    link["href"] += "?" + urlencode(query, doseq=True)
            self.say(content)
        else:
            self.answer(404, b"")

    def file(self, path: str):
        target = (self.server.root / path.lstrip("/")).resolve()
        if not target.is_file() or not target.is_relative_to(self.server.root.resolve()):
            self.answer(404, b"")
            return
        data = target.read_bytes()
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None:
            self.answer(200, data)
            return
        first = int(wanted[1])
        last = min(int(wanted[2] or len(data) - 1), len(data) - 1)
        if first > last:
            self.answer(416, b"")
            return
        self.answer(206, data[first : last + 1], {"Content-Range": f"bytes {first}-{last}/{len(data)}"})

    def say(self, content: dict | list):
        self.answer(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def answer(self, code: int, data: bytes, headers: dict[str, str] | None = None):
        self.send_response(code)
        for name, value in {"Accept-Ranges": "bytes", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


class Serving:
    """The server as its tests see it."""

    def __init__(self, address: str):
        self.address = address

    def set(self, **fields) -> None:
        """Sets what the server answers.

        `items`; `failing`: the pattern of paths that are answered with 503; `conforms`: of `query` and `filter`, what
        searches take; `counting`: whether they state how many items match; `refusing`: whether they take no condition.
        """
        data = json.dumps(fields).encode()
        urllib.request.urlopen(f"{self.address}/control", data).close()

    def asked(self) -> list[str]:
        """Paths that were asked for since this was last called."""
        with urllib.request.urlopen(f"{self.address}/control") as answer:
            paths = json.loads(answer.read())
        self.set(asked=[])
        return paths


@contextmanager
def serving(root: Path, port: int = 0) -> Iterator[Serving]:
    """A server for as long as the block lasts."""
    command = [sys.executable, __file__, str(root), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Serving(process.stdout.readline().strip())
        finally:
            process.kill()


if __name__ == "__main__":
    server = Server(Path(sys.argv[1]), int(sys.argv[2]))
    print(server.address, flush=True)
    server.serve_forever()
