//! A script and the playbook that is made of it leave the same behind.

use crate::harness::{Workspace, finish};

/// Runs a script with bash in one folder and its playbook in another, and compares the file `out` that both write.
#[track_caller]
fn same(script: &str, params: &[&str]) {
    let by_shell = Workspace::new();
    by_shell.write("x.sh", script);
    let mut command = std::process::Command::new("bash");
    let arguments = params.iter().map(|p| p.split_once('=').unwrap().1);
    command.arg("x.sh").args(arguments).current_dir(by_shell.path("")).env("HOME", by_shell.path(""));
    let out = finish(command);
    assert_eq!(out.code, 0, "{}{}", out.stdout, out.stderr);
    let by_playbook = Workspace::new();
    by_playbook.write("x.sh", script);
    by_playbook.run(&["new", "x", "--from-shell", "x.sh"]).expect(0);
    let mut args = vec!["play", "x", "--yes"];
    for param in params {
        args.extend(["--param", param]);
    }
    let out = by_playbook.run(&args);
    assert_eq!(out.code, 0, "{}\n{}\n{}", by_playbook.read("playbooks/x.yaml"), out.stdout, out.stderr);
    let expected = by_shell.read("out");
    assert!(!expected.is_empty());
    assert_eq!(by_playbook.read("out"), expected, "{}", by_playbook.read("playbooks/x.yaml"));
}

#[test]
fn words_and_quotes() {
    same(
        r#"touch out
printf '%s|' 'a  b' "c \"d\" \$e" f\ g '' $'h\ti' --x={{.ID}} {1..3} >> out
tee -a out <<< "it's \`quoted\` \\ "
tee -a out <<'EOF'
$not {{ a template }} 'quotes'
EOF
"#,
        &[],
    );
}

#[test]
fn variables_and_arguments() {
    same(
        r#"#!/bin/bash
set -eu
NAME=${1:?who}
GREETING="hello, $NAME"
COUNT=$(printf 'a\nb\n' | wc -l)
UPPER="$(echo "$NAME" | tr a-z A-Z) of $COUNT"
export SHOWN="$GREETING!"
LIST=(one "two three")
printf '%s\n' "$GREETING" >> out
printf '%s\n' "$UPPER" "$1" >> out
for item in "${LIST[@]}"; do printf '<%s>' "$item" >> out; done
bash -c 'echo "$SHOWN" >> out'
COUNT=again
echo "$COUNT" >> out
if [ "$COUNT" = again ]; then MODE=late; else MODE=early; fi
echo "mode $MODE" >> out
"#,
        &["name=Ann O'Hara $x"],
    );
}

#[test]
fn functions_folders_and_state() {
    same(
        r#"#!/bin/bash
OUT="$(pwd)/out"
say() { echo "said: $* in $(basename "$PWD")" >> "$OUT"; }
twice() { say "$1"; say "$1"; }
mkdir -p deep/er
cd deep
say one
cd er
twice "two words"
cd ../..
mkdir bin
printf '#!/bin/sh\necho from bin >> "$1"\n' > bin/own-tool
chmod +x bin/own-tool
PATH="$PWD/bin:$PATH"
own-tool "$OUT"
false
echo "it was $?" >> "$OUT"
umask 077
touch private
stat -c %a private >> "$OUT"
"#,
        &[],
    );
}

/// Scripts that change a variable on the way, each of which becomes one step as far as the variable reaches.
#[test]
fn variables_that_change_on_the_way() {
    for script in [
        "X=1\nX=$((X+1))\necho \"x is $X\" >> out\n",
        "MSG=hello\nMSG=\"$MSG world\"\necho \"$MSG\" >> out\n",
        "COUNT=0\nfor i in 1 2 3; do COUNT=$((COUNT+1)); done\necho \"count $COUNT\" >> out\n",
        "COUNT=0; while [ $COUNT -lt 3 ]; do COUNT=$((COUNT+1)); touch f$COUNT; done; ls f* >> out; echo $COUNT >> out\n",
        "export A=1\nA+=2\necho \"$A\" >> out\nsh -c 'echo \"in $A\"' >> out\n",
        "f() { RESULT=ok; }\nf\necho \"$RESULT\" >> out\n",
        "f() { N=$((N+1)); }\ng() { f; f; }\nN=1\ng\nf\necho $N >> out\nf\n",
        "V=1\nif [ -e nothing ]; then V=2; fi\ntouch nothing\necho $V >> out\n",
        "A=x\nV=1\nif [ $A = x ]; then V=2; fi\n[ -z $V ] || V=${V}3\nA=y\ntouch out\necho $V >> out\n",
        "A=x\ncase $A in x) V=4 ;; esac\necho $V >> out\ntouch b\nls b >> out\necho $V >> out\n",
        "read -r FIRST < x.sh\necho \"$FIRST\" >> out\n",
        "let I=3\nlet I=I+1\necho $I >> out\n",
        "A=1\nB=$((A+1))\nA=5\necho \"$A $B\" >> out\n",
        "BASE=/srv\nDIR=$BASE/app\nBASE=/opt\necho \"$DIR $BASE\" >> out\n",
        "LIST=(a b)\nLIST+=(c)\nprintf '<%s>' \"${LIST[@]}\" >> out\n",
        "N=0\nmkdir -p deep\ncd deep\nN=$((N+1))\nhelp() { echo \"help $1\" >> ../out; }\necho $N >> ../out\npwd | sed 's/.*\\///' >> ../out\nhelp me\n",
        "N=1\nN=$((N+1))\nM=\"$N!\"\nexport SEEN=yes\necho $N >> out\nO=${M}x\necho $O >> out\nsh -c 'echo $SEEN' >> out\n",
    ] {
        same(&format!("#!/bin/bash\n{script}"), &[]);
    }
    same("#!/bin/bash\nN=${1:-3}\nwhile [ $N -gt 1 ]; do N=$((N-1)); echo $N >> out; done\necho \"last $N\" >> out\n", &["n=5"]);
}
