//! Bodies that an editor offers whole. Places to fill in are numbered: `${1:what stands there at first}`.

use serde_json::{Value as Json, json};

/// Snippets of steps, or of steps that only look.
pub(super) fn steps(looks: bool) -> Json {
    let mut all = vec![
        snippet(
            "http check",
            "Asks a URL and says what must hold.",
            json!({ "name": "${1:It answers}", "http": "${2:http://127.0.0.1:8000/healthz}", "expect": "${3:status == 200}" }),
        ),
        snippet(
            "wait until it holds",
            "A check that is repeated until it holds.",
            json!({ "name": "${1:It is ready}", "http": "${2:http://127.0.0.1:8000/healthz}", "expect": "${3:status == 200}", "retry": { "for": "${4:30s}" } }),
        ),
        snippet(
            "command that looks",
            "Runs a program that changes nothing.",
            json!({ "id": "${1:look}", "command": ["${2:systemctl}", "${3:is-active}", "${4:nginx}"], "effect": "read" }),
        ),
    ];
    if !looks {
        all.extend([
            snippet(
                "command",
                "Runs a program, without a shell.",
                json!({ "name": "${1:What it does}", "command": ["${2:program}", "${3:argument}"] }),
            ),
            snippet(
                "shell",
                "Runs shell text; every value in it is quoted.",
                json!({ "name": "${1:What it does}", "shell": "${2:echo done}" }),
            ),
            snippet(
                "block with rescue",
                "Steps, and what to do when one of them fails.",
                json!({
                    "name": "${1:What they do}",
                    "block": [{ "note": "${2:first}" }],
                    "rescue": [{ "note": "${3:what to do when it failed}" }],
                }),
            ),
            snippet(
                "play",
                "Runs another playbook as one step.",
                json!({ "play": "${1:name}", "with": { "${2:parameter}": "${3:value}" } }),
            ),
            snippet(
                "manual",
                "A step that a person does.",
                json!({ "id": "${1:by-hand}", "manual": "${2:What to do, and how to see that it is done.}" }),
            ),
            snippet(
                "ask",
                "A question to the operator.",
                json!({ "id": "${1:answer}", "ask": { "question": "${2:Which one?}", "choices": ["${3:a}", "${4:b}"] } }),
            ),
            snippet(
                "for each",
                "One step for every item of a list.",
                json!({ "for_each": "${1:[1, 2]}", "note": "\"{{ ${2:item} }}\"" }),
            ),
        ]);
    }
    json!(all)
}

/// Snippets of nodes of a triage tree.
pub(super) fn nodes() -> Json {
    json!([
        snippet(
            "question",
            "A question that a check answers.",
            json!({
                "ask": "\"${1:Is it up?}\"",
                "check": { "http": "${2:http://127.0.0.1:8000/healthz}" },
                "yes": { "finding": "${3:healthy}" },
                "no": { "finding": "${4:down}", "severity": "critical", "say": "${5:What that means.}" },
            })
        ),
        snippet(
            "finding",
            "What was found, and what to do about it.",
            json!({ "finding": "${1:not-started}", "severity": "${2:critical}", "say": "${3:What that means.}", "remedy": { "play": "${4:name}" } })
        ),
    ])
}

fn snippet(label: &str, description: &str, body: Json) -> Json {
    json!({ "label": label, "description": description, "body": body })
}
