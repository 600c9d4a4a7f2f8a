#!/usr/bin/env node
// NAME: a probe for runbook. It only looks.
//
// `NAME --describe` prints what it is. A run gets one request as JSON on standard input and prints lines of JSON: any number of
// {"progress": "..."}, then one {"result": {...}} or {"error": {...}}. Messages for people belong on standard error.
"use strict";
const fs = require("fs");
const path = require("path");

const DESCRIPTION = {
  protocol: 1,
  name: "NAME",
  kind: "probe",
  description: "Looks how many entries a folder has.",
  main: "path",
  verdict: "entries > 0",
  says: "{{ entries }} entries",
  // What it looks at, so that a dry run knows when an earlier step would change it.
  reads: ["file:{{ path }}"],
  args: {
    type: "object",
    required: ["path"],
    properties: {
      path: { type: "string", description: "The folder; relative ones start at the project root." },
    },
  },
  result: {
    type: "object",
    properties: {
      entries: { type: "integer", description: "How many entries it has." },
    },
  },
  examples: [{ title: "The root folder", yaml: "NAME: /", runs: true }],
};

function observe(args, context) {
  const folder = path.resolve(context.root, args.path);
  try {
    return { result: { entries: fs.readdirSync(folder).length } };
  } catch (error) {
    // "Looked, and the answer is no" and "could not look" are never the same thing.
    const kind = error.code === "ENOENT" ? "unmet" : "cannot_tell";
    return { error: { kind, message: `${folder}: ${error.code}` } };
  }
}

if (process.argv[2] === "--describe") {
  console.log(JSON.stringify(DESCRIPTION));
} else {
  const request = JSON.parse(fs.readFileSync(0, "utf8"));
  const unknown = { error: { kind: "invalid", message: `unknown operation ${request.op}` } };
  console.log(JSON.stringify(request.op === "observe" ? observe(request.args, request.context) : unknown));
}
