#!/usr/bin/env bash
# api_key: asks an AI provider (Groq, ElevenLabs) whether it answers and takes the key, without using any of the quota.
#
# Needs curl and jq. The key goes to curl on standard input, so that it is in no list of processes. The protocol is described in
# docs/guide/modules-of-your-own.md.
set -euo pipefail

describe() {
  cat <<'JSON'
{
  "protocol": 1,
  "name": "api_key",
  "kind": "probe",
  "description": "Asks an AI provider whether it answers and takes the key.\n\nIt lists models (Groq) or looks at the account (ElevenLabs), which costs nothing. Any answer means that the provider is reachable; `accepted` says whether it took the key. 429 means that the quota is used up, and `retry_after` how long the provider wants to be left alone.",
  "verdict": "accepted",
  "says": "{{ provider }} answers {{ http_status }}",
  "columns": ["http_status", "elapsed"],
  "timeout": "15s",
  "reads": ["net:{{ url | default(provider) }}"],
  "args": {
    "type": "object",
    "required": ["provider", "key"],
    "properties": {
      "provider": { "enum": ["groq", "elevenlabs"], "description": "Whose key it is: `groq` or `elevenlabs`." },
      "key": { "type": "string", "minLength": 1, "description": "The key; give a secret param." },
      "url": { "type": "string", "format": "uri", "description": "Where the provider is. Default: its public address." }
    }
  },
  "result": {
    "type": "object",
    "properties": {
      "provider": { "type": "string", "description": "Whose key it is." },
      "reachable": { "type": "boolean", "description": "Whether any answer came." },
      "accepted": { "type": "boolean", "description": "Whether the key was taken." },
      "http_status": { "type": ["integer", "null"], "description": "The status of the answer; null if none came." },
      "retry_after": { "type": ["string", "null"], "format": "duration", "description": "How long to wait before the next call; null if the provider does not say." },
      "characters_left": { "type": ["integer", "null"], "description": "What is left of an ElevenLabs account, in characters; null if it is not said." },
      "elapsed": { "type": ["string", "null"], "format": "duration", "description": "How long the answer took." }
    }
  },
  "examples": [
    { "title": "Groq", "yaml": "api_key: { provider: groq, key: \"{{ params.groq_key }}\" }" },
    { "title": "ElevenLabs, with something left to speak", "yaml": "api_key: { provider: elevenlabs, key: \"{{ params.elevenlabs_key }}\" }\nexpect:\n  - accepted\n  - characters_left > 1000" },
    { "title": "Nobody there", "yaml": "api_key: { provider: groq, key: none, url: \"http://127.0.0.1:1\" }", "runs": true }
  ]
}
JSON
}

# fail KIND MESSAGE [RESULT]: `unmet` if it looked and the answer is no, `cannot_tell` if it could not look, `invalid` for arguments.
fail() {
  jq -nc --arg kind "$1" --arg message "$2" --argjson result "${3:-null}" '{error: {kind: $kind, message: $message, result: $result}}'
  exit 0
}

if [ "${1:-}" = --describe ]; then
  describe
  exit
fi
for program in jq curl; do
  if ! command -v "$program" >/dev/null; then
    printf '{"error": {"kind": "cannot_tell", "message": "%s is missing: install it"}}\n' "$program"
    exit 0
  fi
done
request=$(cat)
get() { jq -r "$1 // empty" <<<"$request"; }
[ "$(get .op)" = observe ] || fail invalid "unknown operation"
provider=$(get .args.provider)
key=$(get .args.key)
case $key in
  *[$'\n\r"\\']*) fail invalid "the key holds a character that no key has" ;;
esac
case $provider in
  groq)
    url=$(get .args.url)
    url=${url:-https://api.groq.com}/openai/v1/models
    header="authorization: Bearer $key"
    ;;
  elevenlabs)
    url=$(get .args.url)
    url=${url:-https://api.elevenlabs.io}/v1/user/subscription
    header="xi-api-key: $key"
    ;;
esac
limit=$(jq -r '[.context.timeout_seconds, 15] | min * 0.9' <<<"$request")
body=$(mktemp)
headers=$(mktemp)
trap 'rm -f "$body" "$headers"' EXIT
rc=0
seen=$(printf 'header = "%s"\n' "$header" | curl --config - --silent --max-time "$limit" --output "$body" --dump-header "$headers" \
  --write-out '%{http_code} %{time_total}' --url "$url") || rc=$?
none='{"provider": "'$provider'", "reachable": false, "accepted": false}'
case $rc in
  0) ;;
  6) fail unmet "the host of $url is not known" "$none" ;;
  7) fail unmet "connection refused" "$none" ;;
  28) fail unmet "no answer in time" "$none" ;;
  35 | 60) fail unmet "no TLS connection that can be trusted" "$none" ;;
  *) fail cannot_tell "curl ended with exit code $rc" ;;
esac
status=${seen% *}
retry=$(tr -d '\r' <"$headers" | sed -n 's/^[Rr]etry-[Aa]fter: *\([0-9][0-9]*\)$/\1s/p' | head -n 1)
left=null
if [ "$provider" = elevenlabs ] && [ "$status" = 200 ]; then
  left=$(jq 'if (.character_limit and .character_count) then .character_limit - .character_count else null end' "$body" 2>/dev/null || echo null)
fi
result=$(jq -nc --arg provider "$provider" --argjson status "$status" --arg retry "$retry" --argjson left "$left" --arg took "${seen#* }" '{
  provider: $provider, reachable: true, accepted: ($status == 200), http_status: $status,
  retry_after: (if $retry == "" then null else $retry end), characters_left: $left,
  elapsed: "\(($took | tonumber * 1000) | round)ms" }')
case $status in
  200) jq -nc --argjson result "$result" '{result: $result}' ;;
  401 | 403) fail unmet "the key is not accepted (HTTP $status)" "$result" ;;
  429) fail unmet "too many requests: the quota is used up${retry:+, again in $retry}" "$result" ;;
  *) fail unmet "the provider answers HTTP $status" "$result" ;;
esac
