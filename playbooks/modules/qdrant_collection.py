#!/usr/bin/env python3
"""qdrant_collection: looks at one collection of a Qdrant server.

Python's standard library is all it needs. The protocol is described in docs/guide/modules-of-your-own.md.
"""
import json
import socket
import sys
import urllib.error
import urllib.parse
import urllib.request

DESCRIPTION = {
    "protocol": 1,
    "name": "qdrant_collection",
    "kind": "probe",
    "description": "Looks at a collection of a Qdrant server.\n\n"
    "It is ok if the collection is there and green. A server that refuses, does not answer or does not know the key is an answer: the "
    "step fails and says so. With `vector_size` a collection of another size fails too: searches in it would be refused.",
    "main": "collection",
    "verdict": "status == 'green'",
    "says": "{{ collection }} is {{ status }} with {{ points }} points",
    "columns": ["status", "points"],
    "timeout": "10s",
    "reads": ["net:{{ url }}"],
    "args": {
        "type": "object",
        "required": ["url", "collection"],
        "properties": {
            "url": {"type": "string", "format": "uri", "description": "The server, such as `http://127.0.0.1:6333`."},
            "collection": {"type": "string", "minLength": 1, "description": "The collection's name."},
            "api_key": {"type": "string", "description": "The key, sent as `api-key`; give a secret param. Default: none."},
            "vector_size": {
                "type": "integer",
                "minimum": 1,
                "description": "The size that its vectors must have. Default: any.",
            },
        },
    },
    "result": {
        "type": "object",
        "properties": {
            "collection": {"type": "string", "description": "The collection's name."},
            "status": {"type": ["string", "null"], "description": "`green`, `yellow` (optimising), `grey` or `red`; null if it is not there."},
            "points": {"type": ["integer", "null"], "description": "How many points it has; null if the server does not say."},
            "segments": {"type": ["integer", "null"], "description": "How many segments it has."},
            "vector_size": {"type": ["integer", "null"], "description": "The size of its vectors; null if it has several or none."},
            "http_status": {"type": ["integer", "null"], "description": "The status of the answer; null if there was none."},
        },
    },
    "examples": [
        {"title": "A collection", "yaml": "qdrant_collection:\n  url: http://127.0.0.1:6333\n  collection: rose_memories\n"},
        {
            "title": "With a key, and vectors of the size that the model makes",
            "yaml": "qdrant_collection:\n  url: https://qdrant.example.org\n  collection: rose_memories\n"
            "  api_key: \"{{ params.qdrant_key }}\"\n  vector_size: 384\nexpect:\n  - status == 'green'\n  - points > 0\n",
        },
    ],
}


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is told, not followed: the key is for this server alone."""

    def redirect_request(self, *_):
        return None


def ask(args, limit):
    """The status of the answer and the JSON in it."""
    url = f"{args['url'].rstrip('/')}/collections/{urllib.parse.quote(args['collection'], safe='')}"
    headers = {"accept": "application/json"}
    if args.get("api_key"):
        headers["api-key"] = args["api_key"]
    request = urllib.request.Request(url, headers=headers)
    try:
        answer = urllib.request.build_opener(NoRedirect).open(request, timeout=limit)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        body = answer.read(4 << 20)
    try:
        return answer.status, json.loads(body)
    except ValueError:
        return answer.status, None


def no(message, **known):
    return {"error": {"kind": "unmet", "message": message, "result": known}}


def observe(args, context):
    name = args["collection"]
    try:
        status, body = ask(args, min(context["timeout_seconds"], 10) * 0.9)
    except (urllib.error.URLError, OSError) as error:
        cause = getattr(error, "reason", error)
        if isinstance(cause, ConnectionRefusedError):
            return no("connection refused", collection=name)
        if isinstance(cause, (TimeoutError, socket.timeout)):
            return no("the server does not answer in time", collection=name)
        return no(f"the server cannot be reached: {cause}", collection=name)
    known = {"collection": name, "http_status": status}
    if status in (401, 403):
        return no(f"the server does not accept the key (HTTP {status})", **known)
    if status == 404:
        return no(f"there is no collection {name}", **known)
    found = body.get("result") if isinstance(body, dict) else None
    if status != 200 or not isinstance(found, dict):
        return no(f"the server answers HTTP {status} and no collection", **known)
    vectors = found.get("config", {}).get("params", {}).get("vectors")
    size = vectors.get("size") if isinstance(vectors, dict) and isinstance(vectors.get("size"), int) else None
    known.update(status=found.get("status"), points=found.get("points_count"), segments=found.get("segments_count"), vector_size=size)
    wanted = args.get("vector_size")
    if wanted is not None and size != wanted:
        has = "no one size, and" if size is None else f"the size {size},"
        return no(f"its vectors have {has} not {wanted}", **known)
    return {"result": known}


def main():
    if sys.argv[1:] == ["--describe"]:
        print(json.dumps(DESCRIPTION))
        return
    request = json.load(sys.stdin)
    if request["op"] == "observe":
        answer = observe(request["args"], request["context"])
    else:
        answer = {"error": {"kind": "invalid", "message": f"unknown operation {request['op']}"}}
    print(json.dumps(answer))


main()
