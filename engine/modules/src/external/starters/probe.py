#!/usr/bin/env python3
"""NAME: a probe for runbook. It only looks.

`NAME --describe` prints what it is. A run gets one request as JSON on standard input and prints lines of JSON: any number of
{"progress": "..."}, then one {"result": {...}} or {"error": {...}}. Messages for people belong on standard error.
"""
import json
import os
import sys

DESCRIPTION = {
    "protocol": 1,
    "name": "NAME",
    "kind": "probe",
    "description": "Looks how many entries a folder has.",
    "main": "path",
    "verdict": "entries > 0",
    "says": "{{ entries }} entries",
    # What it looks at, so that a dry run knows when an earlier step would change it.
    "reads": ["file:{{ path }}"],
    "args": {
        "type": "object",
        "required": ["path"],
        "properties": {
            "path": {"type": "string", "description": "The folder; relative ones start at the project root."},
        },
    },
    "result": {
        "type": "object",
        "properties": {
            "entries": {"type": "integer", "description": "How many entries it has."},
        },
    },
    "examples": [{"title": "The root folder", "yaml": "NAME: /", "runs": True}],
}


def observe(args, context):
    path = os.path.join(context["root"], args["path"])
    try:
        return {"result": {"entries": len(os.listdir(path))}}
    except FileNotFoundError:
        # It looked, and the answer is no.
        return {"error": {"kind": "unmet", "message": f"there is no folder {path}"}}
    except OSError as error:
        # It could not look, which is something else.
        return {"error": {"kind": "cannot_tell", "message": f"{path} cannot be read: {error.strerror}"}}


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
