#!/usr/bin/env node
// NAME: an action for runbook.
//
// `NAME --describe` prints what it is. A run gets one request as JSON on standard input and prints lines of JSON: any number of
// {"progress": "..."}, then one {"result": {...}} or {"error": {...}}. Messages for people belong on standard error.
"use strict";
const fs = require("fs");
const path = require("path");

const DESCRIPTION = {
  protocol: 1,
  name: "NAME",
  kind: "action",
  // `change`, or `destroy` if something is lost: then people are asked for a word first.
  effect: "change",
  idempotent: true,
  // It knows the operation `plan`: what it would do, without doing it.
  plan: true,
  description: "Makes a file with a line of text.",
  main: "path",
  says: "{{ path }} is there",
  // What it changes, so that a dry run knows which later probes cannot be told.
  changes: ["file:{{ path }}"],
  args: {
    type: "object",
    required: ["path"],
    properties: {
      path: { type: "string", description: "The file; relative ones start at the project root." },
      text: { type: "string", default: "", description: "The line. Default: an empty one." },
    },
  },
  result: {
    type: "object",
    properties: {
      path: { type: "string", description: "The file, as an absolute path." },
    },
  },
  examples: [{ title: "A flag", yaml: "NAME: /tmp/NAME.flag", runs: true }],
};

function look(args, context) {
  const file = path.resolve(context.root, args.path);
  const line = `${args.text ?? ""}\n`;
  return { file, line, there: fs.existsSync(file) && fs.readFileSync(file, "utf8") === line };
}

const OPERATIONS = {
  plan(args, context) {
    const { file, there } = look(args, context);
    const because = there ? "it is there already" : "it is not there, or says something else";
    return { result: { would_change: !there, summary: `write ${file}`, because } };
  },
  apply(args, context) {
    const { file, line, there } = look(args, context);
    if (!there) fs.writeFileSync(file, line);
    return { result: { path: file }, changed: !there };
  },
};

if (process.argv[2] === "--describe") {
  console.log(JSON.stringify(DESCRIPTION));
} else {
  const request = JSON.parse(fs.readFileSync(0, "utf8"));
  let answer = { error: { kind: "invalid", message: `unknown operation ${request.op}` } };
  try {
    if (Object.hasOwn(OPERATIONS, request.op)) answer = OPERATIONS[request.op](request.args, request.context);
  } catch (error) {
    answer = { error: { kind: "cannot_tell", message: `${error.path ?? ""}: ${error.code ?? error.message}` } };
  }
  console.log(JSON.stringify(answer));
}
