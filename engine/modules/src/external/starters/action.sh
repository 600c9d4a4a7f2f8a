#!/usr/bin/env bash
# NAME: an action for runbook.
#
# `NAME --describe` prints what it is. A run gets one request as JSON on standard input and prints lines of JSON: any number of
# {"progress": "..."}, then one {"result": {...}} or {"error": {...}}. Messages for people belong on standard error.
set -euo pipefail

describe() {
  cat <<'JSON'
{
  "protocol": 1,
  "name": "NAME",
  "kind": "action",
  "effect": "change",
  "idempotent": true,
  "plan": true,
  "description": "Makes a file with a line of text.",
  "main": "path",
  "says": "{{ path }} is there",
  "changes": ["file:{{ path }}"],
  "args": {
    "type": "object",
    "required": ["path"],
    "properties": {
      "path": { "type": "string", "description": "The file; relative ones start at the project root." },
      "text": { "type": "string", "default": "", "description": "The line. Default: an empty one." }
    }
  },
  "result": {
    "type": "object",
    "properties": {
      "path": { "type": "string", "description": "The file." }
    }
  },
  "examples": [{ "title": "A flag", "yaml": "NAME: /tmp/NAME.flag", "runs": true }]
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
op=$(jq -r .op <<<"$request")
cd "$(jq -r .context.root <<<"$request")"
path=$(jq -r .args.path <<<"$request")
text=$(jq -r '.args.text // ""' <<<"$request")
there=false
if [ -f "$path" ] && [ "$(cat "$path")" = "$text" ]; then there=true; fi
case $op in
  plan)
    jq -nc --arg path "$path" --argjson there "$there" '{result: {would_change: ($there | not), summary: "write \($path)",
      because: (if $there then "it is there already" else "it is not there, or says something else" end)}}'
    ;;
  apply)
    if [ "$there" = false ]; then
      printf '%s\n' "$text" 2>/dev/null >"$path" || fail cannot_tell "$path cannot be written"
    fi
    jq -nc --arg path "$path" --argjson there "$there" '{result: {path: $path}, changed: ($there | not)}'
    ;;
  *) fail invalid "unknown operation $op" ;;
esac
