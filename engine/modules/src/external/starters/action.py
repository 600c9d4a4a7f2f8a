#!/usr/bin/env python3
"""NAME: an action for runbook.

`NAME --describe` prints what it is. A run gets one request as JSON on standard input and prints lines of JSON: any number of
{"progress": "..."}, then one {"result": {...}} or {"error": {...}}. Messages for people belong on standard error.
"""
import json
import os
import sys

DESCRIPTION = {
    "protocol": 1,
    "name": "NAME",
    "kind": "action",
    # `change`, or `destroy` if something is lost: then people are asked for a word first.
    "effect": "change",
    "idempotent": True,
    # It knows the operation `plan`: what it would do, without doing it.
    "plan": True,
    "description": "Makes a file with a line of text.",
    "main": "path",
    "says": "{{ path }} is there",
    # What it changes, so that a dry run knows which later probes cannot be told.
    "changes": ["file:{{ path }}"],
    "args": {
        "type": "object",
        "required": ["path"],
        "properties": {
            "path": {"type": "string", "description": "The file; relative ones start at the project root."},
            "text": {"type": "string", "default": "", "description": "The line. Default: an empty one."},
        },
    },
    "result": {
        "type": "object",
        "properties": {
            "path": {"type": "string", "description": "The file, as an absolute path."},
        },
    },
    "examples": [{"title": "A flag", "yaml": "NAME: /tmp/NAME.flag", "runs": True}],
}


def look(args, context):
    """The path, the line that is to be there, and whether it is."""
    path = os.path.join(context["root"], args["path"])
    line = args.get("text", "") + "\n"
    try:
        with open(path, encoding="utf-8") as file:
            return path, line, file.read() == line
    except FileNotFoundError:
        return path, line, False


def plan(args, context):
    path, _, there = look(args, context)
    if there:
        return {"result": {"would_change": False, "summary": f"write {path}", "because": "it is there already"}}
    return {"result": {"would_change": True, "summary": f"write {path}", "because": "it is not there, or says something else"}}


def apply(args, context):
    path, line, there = look(args, context)
    if not there:
        with open(path, "w", encoding="utf-8") as file:
            file.write(line)
    return {"result": {"path": path}, "changed": not there}


def main():
    if sys.argv[1:] == ["--describe"]:
        print(json.dumps(DESCRIPTION))
        return
    request = json.load(sys.stdin)
    operation = {"plan": plan, "apply": apply}.get(request["op"])
    try:
        if operation is None:
            answer = {"error": {"kind": "invalid", "message": f"unknown operation {request['op']}"}}
        else:
            answer = operation(request["args"], request["context"])
    except OSError as error:
        answer = {"error": {"kind": "cannot_tell", "message": f"{error.filename}: {error.strerror}"}}
    print(json.dumps(answer))


main()
