#!/usr/bin/env python3
"""What the direct dependencies can do, read from their sources: the facts of packaging/audits.toml.

    packaging/audit.py          prints what differs between the facts and the list; ends with 1 if anything does
    packaging/audit.py --write  brings the facts of the list up to date; sentences are for people to write

A version that is not in the list has nobody's word yet: read what changed, write why it may come in, run this again.
Needs cargo, for `cargo metadata` and the sources that it fetched.
"""

import json
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIST = ROOT / "packaging/audits.toml"

HEAD = """\
# The direct dependencies that were looked at, each at one version: what its code can do, found by packaging/audit.py in
# its sources, and why that is all right, written by a person. tests/tidy.rs wants an entry for every version in Cargo.lock,
# so an update is a decision. Why there is a dependency at all is in docs/design/dependencies.md.
#
# build: it runs a program when fan is built. macros: it runs inside the compiler. c: it brings C code. unsafe: blocks,
# functions and impls. uses: what else of the system its own code names (files, net, processes, environment). brings:
# what comes with it on Linux, and is C or runs while fan is built.
"""

USES = {
    "environment": r"\benv::(var|vars|args|temp_dir|home_dir)|\bstd::env\b",
    "files": r"\bfs::|\bFile::|\bOpenOptions\b",
    "net": r"\b(TcpStream|TcpListener|UdpSocket|UnixStream|ToSocketAddrs)\b|\bnet::Tcp",
    "processes": r"\bprocess::|\bCommand::new\b",
}


def code(text):
    """Rust without its comments and without what stands in modules of tests."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"//.*", "", text)
    return text.split("#[cfg(test)]\nmod ")[0]


def kinds_of(package):
    return {kind for target in package["targets"] for kind in target["kind"]}


def has_c(package):
    return any(pathlib.Path(package["manifest_path"]).parent.rglob("*.c"))


def runs_early(package):
    """C, or code that runs while fan is built."""
    return has_c(package) or bool({"proc-macro", "custom-build"} & kinds_of(package))


def facts(package):
    folder = pathlib.Path(package["manifest_path"]).parent
    kinds = kinds_of(package)
    sources = [code(path.read_text(errors="replace")) for path in sorted((folder / "src").rglob("*.rs"))]
    text = "\n".join(sources)
    found = {
        "version": package["version"],
        "build": "custom-build" in kinds,
        "macros": "proc-macro" in kinds,
        "c": has_c(package),
        "unsafe": len(re.findall(r"\bunsafe\s*(\{|fn|impl|extern|trait)", text)),
        "uses": [name for name, pattern in USES.items() if re.search(pattern, text)],
    }
    return found


def toml(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)


def main():
    told = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--locked"], cwd=ROOT, check=True, capture_output=True
    )
    metadata = json.loads(told.stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    (root,) = (node for node in metadata["resolve"]["nodes"] if node["id"] == metadata["resolve"]["root"])
    direct = sorted(
        {
            dependency["pkg"]
            for dependency in root["deps"]
            if any(kind["kind"] is None for kind in dependency["dep_kinds"])
        },
        key=lambda id: packages[id]["name"],
    )
    listed = tomllib.loads(LIST.read_text()) if LIST.exists() else {}
    # Of `cargo metadata`, the graph has crates that are not built; of `cargo tree` not.
    by_name = {(package["name"], package["version"]): package for package in metadata["packages"]}

    def brings(package):
        spec = f"{package['name']}@{package['version']}"
        arguments = ["-e", "normal,build", "--prefix", "none", "--format", "{p}", "--package", spec]
        told = subprocess.run(["cargo", "tree", "--locked", *arguments], cwd=ROOT, check=True, capture_output=True)
        lines = {tuple(line.split()[:2]) for line in told.stdout.decode().splitlines() if line.strip()}
        below = [by_name[name, version.removeprefix("v")] for name, version in lines]
        return sorted({other["name"] for other in below if runs_early(other)} - {packages[id]["name"] for id in direct})

    text, problems = HEAD, []
    for id in direct:
        package = packages[id]
        name, found = package["name"], facts(package) | {"brings": brings(package)}
        entry = listed.get(name, {})
        why = entry.get("why", "")
        if not why or entry.get("version") not in (None, found["version"]):
            problems.append(f"{name} {found['version']}: nobody has said why it may come in")
        for key, value in found.items():
            if entry.get(key) != value:
                problems.append(f"{name}: {key} is {value!r}, the list has {entry.get(key)!r}")
        text += f"\n[{name}]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in found.items())
        text += f"why = {toml(why)}\n"
    problems += [f"{name}: listed, and no dependency" for name in listed if name not in {packages[id]["name"] for id in direct}]
    if "--write" in sys.argv[1:]:
        LIST.write_text(text)
    print("\n".join(problems) or "the list is up to date")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
