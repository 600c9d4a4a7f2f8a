//! Files that try to make the reader run out of time, memory or stack: each of some kind, and as large as a file may be.

/// A hostile file.
pub(crate) struct Hostile {
    /// What it is made of.
    pub(crate) name: &'static str,
    /// Where it lies below the playbooks folder.
    pub(crate) file: &'static str,
    /// Its text for a size in bytes.
    make: fn(usize) -> Vec<u8>,
}

impl Hostile {
    /// Its text, a little less than `size` bytes large.
    pub(crate) fn text(&self, size: usize) -> Vec<u8> {
        let mut text = (self.make)(size.saturating_sub(2_000));
        assert!(text.len() <= size, "{} is too large", self.name);
        text.shrink_to_fit();
        text
    }
}

/// A head, a piece again and again, and a tail.
fn fill(size: usize, head: &str, mut piece: impl FnMut(usize) -> String, tail: &str) -> Vec<u8> {
    let mut out = String::with_capacity(size + 1_000);
    out.push_str(head);
    let mut i = 0;
    while out.len() + tail.len() + 200 < size {
        out.push_str(&piece(i));
        i += 1;
    }
    out.push_str(tail);
    out.into_bytes()
}

const HEAD: &str = "playbook: A\n";
const STEPS: &str = "playbook: A\nsteps:\n";
const END: &str = "\nsteps:\n  - note: x\n";

/// A key that is one slip away from a legal one, another one each time.
fn slip(i: usize) -> String {
    let words = ["timeout", "retry", "description", "when", "continue_on_error", "max_parallel", "for_each", "permissions"];
    let word = words[i % words.len()];
    let at = i % (word.len() - 1) + 1;
    format!("{}{}{}", &word[..at], (b'a' + (i / 8 % 26) as u8) as char, &word[at..])
}

macro_rules! hostile {
    ($($name:literal, $file:literal, |$size:ident| $make:expr;)*) => {
        /// Every kind of hostile file.
        pub(crate) const HOSTILE: &[Hostile] = &[$(Hostile { name: $name, file: $file, make: |$size| $make }),*];
    };
}

hostile! {
    // Text.
    "one plain text", "a.yaml", |n| fill(n, "playbook: ", |_| "x".repeat(64), END);
    "one plain text of many words", "a.yaml", |n| fill(n, "playbook: ", |_| "x ".repeat(64), &format!("x{END}"));
    "one plain text of many lines", "a.yaml", |n| fill(n, "playbook: A\ndescription: x", |_| "\n  x".repeat(16), END);
    "one text in double quotes", "a.yaml", |n| fill(n, "playbook: \"", |_| "\\u00e9\\t".repeat(16), &format!("\"{END}"));
    "one text in single quotes", "a.yaml", |n| fill(n, "playbook: '", |_| "''".repeat(32), &format!("'{END}"));
    "one literal block of one line", "a.yaml", |n| fill(n, "playbook: A\ndescription: |\n  ", |_| "x".repeat(64), END);
    "one literal block of many lines", "a.yaml", |n| fill(n, "playbook: A\ndescription: |\n", |_| "  \n".repeat(16), END);
    "one folded block of many lines", "a.yaml", |n| fill(n, "playbook: A\ndescription: >\n", |_| "  a\n".repeat(16), END);
    "one note", "a.yaml", |n| fill(n, "playbook: A\nsteps:\n  - note: ", |_| "x".repeat(64), "\n");
    "one long key", "a.yaml", |n| fill(n, "playbook: A\n", |_| "k".repeat(64), ": 1\nsteps: []\n");
    "one long key after a question mark", "a.yaml", |n| fill(n, "playbook: A\n? ", |_| "k".repeat(64), "\n: 1\nsteps: []\n");
    "emoji", "a.yaml", |n| fill(n, "playbook: A\ndescription: \"", |_| "\u{1F600}\u{301}".repeat(16), &format!("\"{END}"));
    "one number", "a.yaml", |n| fill(n, "playbook: A\nlanguage: ", |_| "1".repeat(64), END);
    "one number with a point", "a.yaml", |n| fill(n, "playbook: A\nvars: { x: 1.", |_| "1".repeat(64), &format!("}}{END}"));
    "one duration", "a.yaml", |n| fill(n, "playbook: A\nexpected_duration: ", |_| "1h".repeat(32), END);
    "one pattern", "a.yaml", |n| fill(n, "playbook: A\nparams: { x: { type: string, pattern: \"", |_| "(a|b)*".repeat(8), &format!("\" }} }}{END}"));
    "patterns that grow", "a.yaml", |n| fill(n, "playbook: A\nparams:\n", |i| format!("  p{i}: {{ type: string, pattern: \"((a{{99}}){{99}}){{9}}\" }}\n"), END);
    "one URL", "a.yaml", |n| fill(n, "playbook: A\nsteps:\n  - http: \"http://", |_| "a.".repeat(32), "/\"\n");
    "one schedule", "a.yaml", |n| fill(n, "playbook: A\nschedule: { cron: \"", |_| "1,".repeat(32), &format!("1 * * * *\" }}{END}"));
    "one JSONPath", "a.yaml", |n| fill(n, "playbook: A\nsteps:\n  - config: { path: a, query: \"$", |_| "[?@.a]".repeat(8), "\" }\n");

    // Maps.
    "unknown keys", "a.yaml", |n| fill(n, HEAD, |i| format!("key{i}: 1\n"), END);
    "unknown keys that are near misses", "a.yaml", |n| fill(n, HEAD, |i| format!("{}{i}: 1\n", slip(i)), END);
    "steps with keys that are near misses", "a.yaml", |n| fill(n, STEPS, |i| format!("  - {}: x\n", slip(i)), "");
    "duplicate keys", "a.yaml", |n| fill(n, HEAD, |_| "description: x\n".into(), END);
    "duplicates of many keys", "a.yaml", |n| fill(n, "playbook: A\nvars:\n", |i| format!("  k{}: 1\n", i % 100_000), END);
    "variables", "a.yaml", |n| fill(n, "playbook: A\nvars:\n", |i| format!("  k{i}: 1\n"), END);
    "variables that use each other", "a.yaml", |n| fill(n, "playbook: A\nvars:\n  k0: 1\n", |i| format!("  k{}: \"{{{{ k{i} }}}}\"\n", i + 1), END);
    "parameters", "a.yaml", |n| fill(n, "playbook: A\nparams:\n", |i| format!("  k{i}: {{ type: int }}\n"), END);
    "choices", "a.yaml", |n| fill(n, "playbook: A\nparams: { x: { type: choice, choices: [", |i| format!("c{i}, "), &format!("], default: nothing }} }}{END}"));
    "environment", "a.yaml", |n| fill(n, "playbook: A\nenv: [", |i| format!("E{i}, "), &format!("]{END}"));
    "outputs", "a.yaml", |n| fill(n, "playbook: A\noutputs:\n", |i| format!("  o{i}: x\n"), END);
    "one flow map", "a.yaml", |n| fill(n, "playbook: A\nvars: {", |i| format!("a{i}: 1,"), &format!("}}{END}"));
    "keys that are numbers", "a.yaml", |n| fill(n, "playbook: A\nvars:\n", |i| format!("  {i}: 1\n"), END);
    "keys that are lists", "a.yaml", |n| fill(n, "playbook: A\nvars:\n", |_| "  ? [x]\n  : 1\n".into(), END);
    "merge keys", "a.yaml", |n| fill(n, "playbook: A\nvars:\n", |_| "  <<: 1\n".into(), END);

    // Lists.
    "one flow list", "a.yaml", |n| fill(n, "playbook: A\ntags: [", |_| "a, ".repeat(16), &format!("a]{END}"));
    "one flow list of numbers", "a.yaml", |n| fill(n, "playbook: A\nvars: { x: [", |_| "1,".repeat(16), &format!("1] }}{END}"));
    "one list", "a.yaml", |n| fill(n, "playbook: A\nvars:\n  x:\n", |_| "  - a\n".repeat(8), END);
    "one list of nothing", "a.yaml", |n| fill(n, "playbook: A\nvars:\n  x:\n", |_| "  -\n".repeat(8), END);
    "empty lists", "a.yaml", |n| fill(n, "playbook: A\nvars: { x: [", |_| "[],".repeat(16), &format!("] }}{END}"));
    "empty maps", "a.yaml", |n| fill(n, "playbook: A\nvars: { x: [", |_| "{},".repeat(16), &format!("] }}{END}"));
    "pairs", "a.yaml", |n| fill(n, "playbook: A\nvars: { x: [", |_| "a: b,".repeat(16), &format!("] }}{END}"));
    "ambiguous words in one line", "a.yaml", |n| fill(n, "playbook: A\nvars: { x: [", |_| "no,".repeat(16), &format!("no] }}{END}"));
    "ambiguous words in many lines", "a.yaml", |n| fill(n, "playbook: A\nvars:\n  x:\n", |_| "  - no\n".repeat(8), END);
    "ambiguous words that are allowed", "a.yaml", |n| fill(n, "playbook: A\nvars:\n  x:\n", |_| "  - no # runbook: allow W0104\n".repeat(4), END);
    "tags on values", "a.yaml", |n| fill(n, "playbook: A\nvars: { x: [", |_| "!a b,".repeat(16), &format!("] }}{END}"));

    // Depth.
    "square brackets", "a.yaml", |n| "[".repeat(n).into_bytes();
    "braces", "a.yaml", |n| "{".repeat(n).into_bytes();
    "braces with keys", "a.yaml", |n| "{a: ".repeat(n / 4).into_bytes();
    "dashes", "a.yaml", |n| "- ".repeat(n / 2).into_bytes();
    "question marks", "a.yaml", |n| "? ".repeat(n / 2).into_bytes();
    "colons", "a.yaml", |n| ": ".repeat(n / 2).into_bytes();
    "nested maps", "a.yaml", |n| (0..).map(|i| format!("{}a:\n", " ".repeat(i))).take((n as f64 * 2.0).sqrt() as usize - 10).collect::<String>().into_bytes();
    "maps as deep as allowed", "a.yaml", |n| fill(n, "playbook: A\nvars: { x: [", |_| format!("{}1{},", "{a: ".repeat(60), "}".repeat(60)), &format!("] }}{END}"));
    "blocks as deep as allowed", "a.yaml", |n| fill(n, "playbook: A\nsteps: [", |_| format!("{}{{ note: x }}{},", "{ block: [".repeat(28), "] }".repeat(28)), "]\n");

    // Anchors.
    "aliases of one large text", "a.yaml", |n| fill(n, "playbook: A\nvars:\n  x: &x \"", |_| "x".repeat(64), &format!("\"\n  y: [{}]{END}", "*x,".repeat(64)));
    "aliases of one large list", "a.yaml", |n| fill(n, "playbook: A\nvars:\n  x: &x [", |_| "a,".repeat(16), &format!("a]\n  y: [{}]{END}", "*x,".repeat(64)));
    "many aliases", "a.yaml", |n| fill(n, "playbook: A\nvars:\n  x: &x 1\n  y: [", |_| "*x,".repeat(16), &format!("]{END}"));
    "many anchors", "a.yaml", |n| fill(n, "playbook: A\nvars:\n  y: [", |i| format!("&a{i} x,"), &format!("]{END}"));
    "anchors in anchors", "a.yaml", |n| fill(n, "playbook: A\nvars:\n  y: [", |i| format!("&a{i} {}x{},", "[&b [&c ".repeat(15), "]]".repeat(15)), &format!("]{END}"));

    // Comments and white space.
    "comments", "a.yaml", |n| fill(n, STEPS, |_| "# x\n".repeat(16), "  - note: x\n");
    "comments at the end", "a.yaml", |n| fill(n, "playbook: A\nsteps:\n  - note: x\n", |_| "#\n".repeat(16), "");
    "comments beside", "a.yaml", |n| fill(n, "playbook: A\nvars:\n  x:\n", |_| "  - a # x\n".repeat(8), END);
    "one comment", "a.yaml", |n| fill(n, "playbook: A # ", |_| "x".repeat(64), END);
    "comments that allow something", "a.yaml", |n| fill(n, STEPS, |_| "# runbook: allow W9999\n".repeat(8), "  - note: x\n");
    "empty lines", "a.yaml", |n| fill(n, HEAD, |_| "\n".repeat(64), END);
    "spaces", "a.yaml", |n| fill(n, "playbook: A", |_| " ".repeat(64), END);
    "nothing but spaces", "a.yaml", |n| " ".repeat(n).into_bytes();
    "nothing but line breaks", "a.yaml", |n| "\n".repeat(n).into_bytes();
    "nothing but tabs", "a.yaml", |n| "\t".repeat(n).into_bytes();
    "documents", "a.yaml", |n| "--- a\n".repeat(n / 6).into_bytes();

    // Broken text.
    "bytes that are no text", "a.yaml", |n| vec![0xff; n];
    "zeros", "a.yaml", |n| vec![0; n];
    "direction characters", "a.yaml", |n| fill(n, "playbook: ", |_| "\u{202e}".repeat(16), END);
    "lone carriage returns", "a.yaml", |n| "a\r".repeat(n / 2).into_bytes();
    "an open quote", "a.yaml", |n| fill(n, "playbook: A\ndescription: 'x\n", |_| "  a: b\n".repeat(8), "");
    "an open bracket", "a.yaml", |n| fill(n, "playbook: A\nvars: [x,\n", |_| "  a,\n".repeat(8), "");
    "a mistake at the end", "a.yaml", |n| fill(n, STEPS, |_| "  - note: x\n".into(), " - b\n");
    "a mistake at the end of a long line", "a.yaml", |n| fill(n, "playbook: A\nvars: { x: [", |_| "1,".repeat(16), "1 } ]\n");
    "quotes and backslashes", "a.yaml", |n| fill(n, "playbook: \"", |_| "\\\"".repeat(16), "\\q\"\n");
    "percent signs", "a.yaml", |n| "%".repeat(n).into_bytes();
    "ampersands", "a.yaml", |n| "&".repeat(n).into_bytes();
    "bars", "a.yaml", |n| "|\n".repeat(n / 2).into_bytes();

    // Steps.
    "steps", "a.yaml", |n| fill(n, STEPS, |_| "  - note: x\n".into(), "");
    "steps in brackets", "a.yaml", |n| fill(n, "playbook: A\nsteps: [", |_| "{note: x},".into(), "]\n");
    "wrong steps in one line", "a.yaml", |n| fill(n, "playbook: A\nsteps: [", |_| "{n: x},".into(), "]\n");
    "steps that are nothing", "a.yaml", |n| fill(n, STEPS, |_| "  -\n".into(), "");
    "steps with ids", "a.yaml", |n| fill(n, STEPS, |i| format!("  - {{ id: s{i}, note: \"{{{{ run.id }}}}\" }}\n"), "");
    "steps with the same id", "a.yaml", |n| fill(n, STEPS, |_| "  - { id: s, note: x }\n".into(), "");
    "steps that use the one before", "a.yaml", |n| fill(n, "playbook: A\nsteps:\n  - { id: s0, note: x }\n", |i| format!("  - {{ id: s{}, note: \"{{{{ steps.s{i}.outcome }}}}\" }}\n", i + 1), "");
    "steps that use unknown steps", "a.yaml", |n| fill(n, STEPS, |i| format!("  - {{ id: step-{i}, note: \"{{{{ steps.stpe-{i}.outcome }}}}\" }}\n"), "");
    "unknown names beside many variables", "a.yaml", |n| {
        let vars: String = (0..n / 200).map(|i| format!("  variable{i}: 1\n")).collect();
        fill(n, &format!("playbook: A\nvars:\n{vars}steps:\n"), |i| format!("  - note: \"{{{{ variabel{i} }}}}\"\n"), "")
    };
    "unknown modules", "a.yaml", |n| fill(n, STEPS, |i| format!("  - htpp{i}: x\n"), "");
    "unknown playbooks", "a.yaml", |n| fill(n, STEPS, |i| format!("  - play: other{i}\n"), "");
    "wrong arguments", "a.yaml", |n| fill(n, STEPS, |_| "  - http: { ulr: x, mehtod: y }\n".into(), "");
    "wrong durations", "a.yaml", |n| fill(n, STEPS, |_| "  - wait: 5 minuts\n".into(), "");
    "wrong conditions", "a.yaml", |n| fill(n, STEPS, |_| "  - { note: x, when: 1 = 2 }\n".into(), "");
    "two bodies", "a.yaml", |n| fill(n, STEPS, |_| "  - { note: x, fail: y, stop: z }\n".into(), "");
    "a chain of needs", "a.yaml", |n| fill(n, "playbook: A\nsteps:\n  - parallel:\n      - { id: s0, note: x }\n", |i| format!("      - {{ id: s{}, needs: [s{i}], note: x }}\n", i + 1), "");
    "a cycle of needs", "a.yaml", |n| fill(n, "playbook: A\nsteps:\n  - parallel:\n      - { id: s0, needs: [s1], note: x }\n", |i| format!("      - {{ id: s{}, needs: [s{i}, s{}], note: x }}\n", i + 1, i + 2), "");
    "a step that needs many", "a.yaml", |n| fill(n, "playbook: A\nsteps:\n  - parallel:\n      - { id: a, note: x }\n      - id: b\n        note: x\n        needs: [", |_| "a, ".repeat(16), "a]\n");
    "a step with many expectations", "a.yaml", |n| fill(n, "playbook: A\nsteps:\n  - memory: {}\n    expect: [", |_| "used > 1,".repeat(16), "]\n");
    "checks", "a.yaml", |n| fill(n, "playbook: A\nchecks:\n", |_| "  - memory: {}\n".into(), "");
    "one long command", "a.yaml", |n| fill(n, "playbook: A\nsteps:\n  - command: [a", |_| ", b".repeat(16), "]\n");
    "a map of arguments", "a.yaml", |n| fill(n, "playbook: A\nsteps:\n  - command: { argv: [a], env: {", |i| format!("A{i}: b,"), "} }\n");
    "undo in undo", "a.yaml", |n| fill(n, STEPS, |_| format!("  - {}note: x{}\n", "{ command: [a], undo: [{ ".repeat(20), "}] }".repeat(20)), "");
    "loops", "a.yaml", |n| fill(n, STEPS, |_| "  - { for_each: [1, 2], as: x, block: [{ note: \"{{ x }}\" }] }\n".into(), "");

    // Templates, expressions, shell.
    "one template with many values", "a.yaml", |n| fill(n, "playbook: A\nsteps:\n  - note: \"", |_| "{{1}}".repeat(16), "\"\n");
    "one template with an open brace", "a.yaml", |n| fill(n, "playbook: A\nsteps:\n  - note: \"", |_| "{{ ".repeat(16), "\"\n");
    "one template with closing braces", "a.yaml", |n| fill(n, "playbook: A\nsteps:\n  - note: \"", |_| "}}".repeat(16), "\"\n");
    "one template with comments", "a.yaml", |n| fill(n, "playbook: A\nsteps:\n  - note: \"", |_| "{##}".repeat(16), "\"\n");
    "one template with open comments", "a.yaml", |n| fill(n, "playbook: A\nsteps:\n  - note: \"", |_| "{# ".repeat(16), "\"\n");
    "one template with raw parts", "a.yaml", |n| fill(n, "playbook: A\nsteps:\n  - note: \"", |_| "{% raw %}x{% endraw %}".repeat(4), "\"\n");
    "one template with quotes", "a.yaml", |n| fill(n, "playbook: A\nsteps:\n  - note: '{{ ", |_| "\"\" ~ ".repeat(8), "1 }}'\n");
    "one long expression", "a.yaml", |n| fill(n, "playbook: A\nsteps:\n  - note: x\n    when: ", |_| "a and ".repeat(16), "a\n");
    "one deep expression", "a.yaml", |n| fill(n, "playbook: A\nsteps:\n  - note: x\n    when: ", |_| "(".repeat(64), "\n");
    "many expressions of the longest kind", "a.yaml", |n| fill(n, STEPS, |_| format!("  - {{ note: x, when: \"{}1 == 1\" }}\n", "not ".repeat(60)), "");
    "one template in many lines", "a.yaml", |n| fill(n, "playbook: A\nsteps:\n  - note: |\n", |_| "      {{ run.id }} x\n".repeat(4), "");
    "one template in escapes", "a.yaml", |n| fill(n, "playbook: A\nsteps:\n  - note: \"", |_| "\\u00e9{{ 1 }}".repeat(4), "\"\n");
    "one script", "a.yaml", |n| fill(n, "playbook: A\nsteps:\n  - shell: |\n", |_| "      echo \"$(cat 'x')\" # {{ run.id }}\n".into(), "");
    "one script of brackets", "a.yaml", |n| fill(n, "playbook: A\nsteps:\n  - shell: \"", |_| "$(".repeat(16), "{{ run.id }}\"\n");
    "one script of here documents", "a.yaml", |n| fill(n, "playbook: A\nsteps:\n  - shell: |\n", |i| format!("      cat <<E{i}\n"), "      {{ run.id }}\n");
    "scripts with mistakes", "a.yaml", |n| fill(n, STEPS, |_| "  - shell: \"echo '{{ run.id }}'\"\n".into(), "");

    // Other files.
    "services", "system.yaml", |n| fill(n, "system: s\nservices:\n", |i| format!("  s{i}: {{ port: 1 }}\n"), "");
    "services that need each other", "system.yaml", |n| fill(n, "system: s\nservices:\n  s0: { needs: [s1] }\n", |i| format!("  s{}: {{ needs: [s{i}, s{}] }}\n", i + 1, i + 2), "");
    "services that need unknown ones", "system.yaml", |n| fill(n, "system: s\nservices:\n", |i| format!("  service{i}: {{ needs: [sevrice{i}] }}\n"), "");
    "variables of a system", "system.yaml", |n| fill(n, "system: s\nvars:\n", |i| format!("  v{i}: 1\n"), "");
    "thresholds", "system.yaml", |n| fill(n, "system: s\nthresholds:\n", |i| format!("  t{i}: {{ target: 1 }}\n"), "");
    "profiles", "system.yaml", |n| fill(n, "system: s\nprofiles:\n", |i| format!("  p{i}: {{ vars: {{ a: 1 }} }}\n"), "");
    "triage nodes", "a.yaml", |n| fill(n, "playbook: A\ntriage:\n", |i| format!("  - {{ ask: q, yes: {{ finding: f{i} }} }}\n"), "");
    "triage nodes that go elsewhere", "a.yaml", |n| fill(n, "playbook: A\ntriage:\n", |i| format!("  - {{ id: n{i}, ask: q, yes: {{ goto: n{} }} }}\n", i + 1), "");
    "triage cases", "a.yaml", |n| fill(n, "playbook: A\ntriage:\n  ask: q\n  choices: [a]\n  cases:\n", |i| format!("    c{i}: {{ finding: f }}\n"), "");
    "triage trees as deep as allowed", "a.yaml", |n| fill(n, "playbook: A\ntriage:\n", |_| format!("  - {}{{ finding: f }}{}\n", "{ ask: q, yes: ".repeat(55), "}".repeat(55)), "");
    "one test", "tests/a.test.yaml", |n| fill(n, "test: x\nplay: a\nworld:\n", |_| "  - { module: http, returns: { status: 200 } }\n".into(), "");
    "a test of many answers", "tests/a.test.yaml", |n| fill(n, "test: x\nplay: a\nworld:\n  - module: http\n    returns: [", |_| "{a: 1},".into(), "]\n");
}
