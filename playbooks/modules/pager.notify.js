#!/usr/bin/env node
// pager.notify: tells an on-call service about an incident, as PagerDuty's Events API v2 and those like it take it.
//
// Node's standard library is all it needs. The protocol is described in docs/guide/modules-of-your-own.md.
"use strict";
const fs = require("fs");
const http = require("http");
const https = require("https");

const DESCRIPTION = {
  protocol: 1,
  name: "pager.notify",
  kind: "action",
  effect: "change",
  // The service takes events of one key together: a second `trigger` of it wakes nobody twice.
  idempotent: true,
  plan: true,
  description:
    "Tells an on-call service that an incident begins, is seen to, or is over.\n\n" +
    "It speaks PagerDuty's Events API v2. Events with the same `key` belong to one incident, so telling it twice wakes nobody twice. The " +
    "answer is judged: anything but 202 fails, with what the service said.",
  main: "summary",
  says: "{{ action }} of {{ key }} taken",
  timeout: "20s",
  changes: ["net:{{ url | default('events.pagerduty.com') }}"],
  args: {
    type: "object",
    required: ["routing_key", "summary", "key"],
    properties: {
      summary: { type: "string", minLength: 1, description: "What is wrong, in one line; at most 1024 characters are sent." },
      routing_key: { type: "string", minLength: 1, description: "The integration's key; give a secret param." },
      key: { type: "string", minLength: 1, description: "What the incident is known by, such as `sonia/api-gateway`." },
      action: { enum: ["trigger", "acknowledge", "resolve"], default: "trigger", description: "What happened. Default: `trigger`." },
      severity: { enum: ["critical", "error", "warning", "info"], default: "error", description: "How bad it is. Default: `error`." },
      source: { type: "string", default: "runbook", description: "What it is about: a host or service. Default: `runbook`." },
      details: { type: "object", additionalProperties: true, description: "More, by name. Default: none." },
      url: { type: "string", format: "uri", description: "Where the service is. Default: PagerDuty's public address." },
    },
  },
  result: {
    type: "object",
    properties: {
      key: { type: "string", description: "What the incident is known by." },
      action: { type: "string", description: "What was told." },
      http_status: { type: ["integer", "null"], description: "The status of the answer; null if none came." },
      message: { type: ["string", "null"], description: "What the service said." },
    },
  },
  examples: [
    {
      title: "A service is down",
      yaml:
        "pager.notify:\n  summary: The gateway does not answer\n  key: sonia/api-gateway\n  severity: critical\n" +
        '  routing_key: "{{ params.pager_key }}"\n',
    },
    {
      title: "It is up again",
      yaml: 'pager.notify: { summary: up again, key: sonia/api-gateway, action: resolve, routing_key: "{{ params.pager_key }}" }',
    },
  ],
};

const ENDPOINT = "https://events.pagerduty.com/v2/enqueue";

function event(args) {
  const action = args.action ?? "trigger";
  const body = { routing_key: args.routing_key, event_action: action, dedup_key: args.key };
  if (action === "trigger") {
    body.payload = {
      summary: args.summary.slice(0, 1024),
      severity: args.severity ?? "error",
      source: args.source ?? "runbook",
      custom_details: args.details ?? {},
    };
  }
  return body;
}

function send(url, body, limit) {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body);
    const options = { method: "POST", headers: { "content-type": "application/json", "content-length": Buffer.byteLength(text) } };
    const request = (url.protocol === "https:" ? https : http).request(url, options, (answer) => {
      let seen = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk) => (seen = (seen + chunk).slice(0, 65536)));
      answer.on("end", () => resolve({ status: answer.statusCode, text: seen }));
      answer.on("error", reject);
    });
    request.setTimeout(limit, () => request.destroy(new Error("no answer in time")));
    request.on("error", reject);
    request.end(text);
  });
}

async function apply(args, context) {
  const action = args.action ?? "trigger";
  const known = { key: args.key, action };
  const unmet = (message, more) => ({ error: { kind: "unmet", message, result: { ...known, ...more } } });
  const limit = Math.min(context.timeout_seconds, 20) * 900;
  let answer;
  try {
    answer = await send(new URL(args.url ?? ENDPOINT), event(args), limit);
  } catch (error) {
    return unmet(error.code === "ECONNREFUSED" ? "connection refused" : error.message);
  }
  let said = null;
  try {
    const json = JSON.parse(answer.text);
    said = [json.message, ...(json.errors ?? [])].filter(Boolean).join("; ") || null;
  } catch {
    // Not JSON: the status says enough.
  }
  const more = { http_status: answer.status, message: said };
  if (answer.status !== 202) return unmet(`the service answers HTTP ${answer.status}${said ? `: ${said}` : ""}`, more);
  return { result: { ...known, ...more }, changed: true };
}

function plan(args) {
  const { event_action: action, payload } = event(args);
  const what = payload ? `${payload.severity}: ${payload.summary}` : args.key;
  return { result: { would_change: true, summary: `tell the on-call service: ${action} ${what}`, because: `of the incident ${args.key}` } };
}

async function main() {
  if (process.argv[2] === "--describe") {
    console.log(JSON.stringify(DESCRIPTION));
    return;
  }
  const request = JSON.parse(fs.readFileSync(0, "utf8"));
  let answer = { error: { kind: "invalid", message: `unknown operation ${request.op}` } };
  if (request.op === "plan") answer = plan(request.args);
  if (request.op === "apply") answer = await apply(request.args, request.context);
  console.log(JSON.stringify(answer));
}

main();
