import importlib.metadata as metadata, importlib.util, json, os, re, sys

asked = json.loads(sys.argv[1])
out = {"version": ".".join(map(str, sys.version_info[:3])), "executable": sys.executable, "prefix": sys.prefix,
       "venv": sys.prefix != sys.base_prefix, "packages": {}, "missing": [], "unsatisfied": [], "unimportable": [], "unchecked": []}

if asked["at_least"]:
    wanted = [int(p) for p in asked["at_least"].split(".")]
    out["new_enough"] = list(sys.version_info[:len(wanted)]) >= wanted

# What reads requirements is not a part of Python itself; most environments have a copy of it.
Requirement = None
for place in ("packaging.requirements", "pip._vendor.packaging.requirements", "setuptools._vendor.packaging.requirements"):
    try:
        Requirement = __import__(place, fromlist=["Requirement"]).Requirement
        break
    except Exception:
        pass

def version_of(name):
    try:
        return metadata.version(name)
    except Exception:
        return None

def check(text):
    name = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", text)
    if not name:
        out["unchecked"].append(text)
        return
    name = name.group(1)
    requirement = None
    if Requirement:
        try:
            requirement = Requirement(text)
        except Exception:
            out["unchecked"].append(text)
            return
        if requirement.marker and not requirement.marker.evaluate():
            return
    found = version_of(name)
    out["packages"][name] = found
    if found is None:
        out["missing"].append(name)
    elif requirement is not None:
        if not requirement.specifier.contains(found, prereleases=True):
            out["unsatisfied"].append({"name": name, "wanted": str(requirement.specifier), "found": found})
    else:
        exact = re.fullmatch(r"\s*[A-Za-z0-9._-]+\s*==\s*([^\s,;*]+)\s*", text)
        if exact and exact.group(1) != found:
            out["unsatisfied"].append({"name": name, "wanted": "==" + exact.group(1), "found": found})
        elif not exact and re.sub(r"\[.*?\]", "", text).strip() != name:
            out["unchecked"].append(text)

def read(path, seen):
    if path in seen:
        return
    seen.add(path)
    with open(path, encoding="utf-8") as file:
        text = file.read().replace("\\\n", " ")
    for line in text.splitlines():
        line = re.sub(r"(^|\s)#.*$", "", line).strip()
        nested = re.match(r"(?:-r|--requirement)[\s=]+(.+)$", line)
        if nested:
            read(os.path.join(os.path.dirname(path), nested.group(1).strip()), seen)
        elif line.startswith(("-e", "--editable", ".", "/")) or "://" in line.split(";")[0] and "@" not in line:
            out["unchecked"].append(line)
        elif line and not line.startswith("-"):
            check(re.split(r"\s--", line)[0].strip())

for text in asked["packages"]:
    check(text)
for name in asked["modules"]:
    try:
        found = importlib.util.find_spec(name) is not None
    except Exception:
        found = False
    if not found:
        out["unimportable"].append(name)
if asked["requirements"]:
    try:
        read(asked["requirements"], set())
    except OSError as error:
        out["unreadable"] = f"{error.filename}: {error.strerror}"
print(json.dumps(out))
