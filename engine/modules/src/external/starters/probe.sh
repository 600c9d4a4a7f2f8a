#!/usr/bin/env bash
# NAME: a probe for runbook. It only looks.
#
# `NAME --describe` prints what it is. A run gets one request as JSON on standard input and prints lines of JSON: any number of
# {"progress": "..."}, then one {"result": {...}} or {"error": {...}}. Messages for people belong on standard error.
set -euo pipefail

describe() {
  cat <<'JSON'
{
  "protocol": 1,
  "name": "NAME",
  "kind": "probe",
  "description": "Looks how many entries a folder has.",
  "main": "path",
  "verdict": "entries > 0",
  "says": "{{ entries }} entries",
  "reads": ["file:{{ path }}"],
  "args": {
    "type": "object",
    "required": ["path"],
    "properties": {
      "path": { "type": "string", "description": "The folder; relative ones start at the project root." }
    }
  },
  "result": {
    "type": "object",
    "properties": {
      "entries": { "type": "integer", "description": "How many entries it has." }
    }
  },
  "examples": [{ "title": "The root folder", "yaml": "NAME: /", "runs": true }]
}
JSON
}

# fail KIND MESSAGE: `unmet` if it looked and the answer is no, `cannot_tell` if it could not look, `invalid` for arguments.
fail() {
  jq -nc --arg kind "$1" --arg message "$2" '{error: {kind: $kind, message: $message}}'
  exit 0
}

if [ "${1:-}" = --describe ]; then
  describe
  exit
fi
if ! command -v jq >/dev/null; then
  echo '{"error": {"kind": "cannot_tell", "message": "jq is missing: install it"}}'
  exit 0
fi
request=$(cat)
[ "$(jq -r .op <<<"$request")" = observe ] || fail invalid "unknown operation"
cd "$(jq -r .context.root <<<"$request")"
path=$(jq -r .args.path <<<"$request")
[ -d "$path" ] || fail unmet "there is no folder $path"
[ -r "$path" ] || fail cannot_tell "$path may not be read"
entries=$(find "$path/" -mindepth 1 -maxdepth 1 -printf . | wc -c)
jq -nc --argjson entries "$entries" '{result: {entries: $entries}}'
