//! Inventories of Ansible's beside `ansible-inventory --list`: the same hosts, groups and variables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::fixtures::support::Fan;

/// Hosts with their groups and their variables.
type Fleet = BTreeMap<String, (BTreeSet<String>, Value)>;

/// What Ansible makes of an inventory.
fn of_ansible(inventory: &Path) -> Fleet {
    let mut command = Command::new("ansible-inventory");
    command.arg("-i").arg(inventory).arg("--list").env("ANSIBLE_INVENTORY_UNPARSED_FAILED", "true");
    command.env("ANSIBLE_LOCALHOST_WARNING", "false").env("HOME", inventory.parent().unwrap());
    command.env("ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED", "true").env("LC_ALL", "C.UTF-8");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut members: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let groups = listed.as_object().unwrap();
    for group in groups.keys().filter(|name| !matches!(name.as_str(), "_meta" | "all")) {
        let mut open = vec![group.clone()];
        while let Some(name) = open.pop() {
            let strings = |key: &str| {
                let list =
                    groups.get(&name).and_then(|group| group[key].as_array()).cloned().unwrap_or_default();
                list.into_iter().map(|item| item.as_str().unwrap().to_owned()).collect::<Vec<_>>()
            };
            for host in strings("hosts") {
                members.entry(host).or_default().insert(group.clone());
            }
            open.extend(strings("children"));
        }
    }
    let vars = &listed["_meta"]["hostvars"];
    members
        .into_iter()
        .map(|(host, groups)| {
            let vars = vars.get(&host).cloned().unwrap_or_else(|| json!({}));
            (host, (groups, vars))
        })
        .collect()
}

/// What fan makes of it.
fn of_fan(inventory: &Path) -> Fleet {
    let ran = Fan::new().run(["hosts", "--json", "-i", &inventory.display().to_string()]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let hosts: Vec<Value> = serde_json::from_str(&ran.stdout).unwrap();
    hosts
        .into_iter()
        .map(|mut host| {
            let roles =
                host["roles"].as_array().unwrap().iter().map(|role| role.as_str().unwrap().to_owned());
            let roles: BTreeSet<String> = roles.collect();
            let name = host["name"].as_str().unwrap().to_owned();
            (name, (roles, host["vars"].take()))
        })
        .collect()
}

#[track_caller]
fn assert_same(inventory: &Path, what: &str) {
    let (theirs, ours) = (of_ansible(inventory), of_fan(inventory));
    let names = |fleet: &Fleet| fleet.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&ours), names(&theirs), "{what}");
    for (host, (groups, vars)) in &theirs {
        let (our_groups, our_vars) = &ours[host];
        // Of a list alone, fan makes no group.
        let mut groups = groups.clone();
        if our_groups.is_empty() {
            groups.remove("ungrouped");
        }
        assert_eq!(our_groups, &groups, "{what}: groups of {host}");
        for (name, value) in vars.as_object().unwrap() {
            assert_eq!(our_vars.get(name), Some(value), "{what}: {name} of {host}");
        }
        let count = |vars: &Value| vars.as_object().unwrap().len();
        assert_eq!(count(our_vars), count(vars), "{what}: {host}: {our_vars} {vars}");
    }
}

/// Values as people write them behind `=`, and some that nobody should.
const VALUES: &[&str] = &[
    "80",
    "1.10",
    "-5",
    "+5",
    "1e3",
    "1_000",
    "0644",
    "0o17",
    "0x1F",
    "0b101",
    "00",
    "1.",
    ".5",
    "True",
    "False",
    "true",
    "yes",
    "no",
    "on",
    "None",
    "null",
    "10.0.0.1",
    "2001:db8::1",
    "2024-01-01",
    "12:30",
    "~",
    "a,b,c",
    "http://x/y?a=b&c=d",
    "{{x}}",
    "[1,2,3]",
    "['a','b']",
    "[]",
    "{}",
    "{'a':1}",
    "{'a':{'b':[1,True,None]}}",
    "(1,2)",
    "(1)",
    "()",
    "/path/to",
    "~/.ssh/id",
    "user@host",
    "C:\\\\temp",
    "a=b=c",
    "1-2",
    "1+1",
    "not_a_word",
    "ünïcode",
    "[1,",
    "1 ",
    "'",
    "0_1",
    "1__0",
    "99999999999",
    "-0",
    "-0.0",
    "1e-7",
    "u'x'",
    "b",
    "[1, 2]",
    "{'a': 'b c'}",
];

/// Values of YAML files.
const YAML_VALUES: &[&str] = &[
    "80",
    "1.10",
    "0644",
    "0o17",
    "yes",
    "No",
    "on",
    "off",
    "true",
    "~",
    "null",
    "''",
    "'yes'",
    "\"a\\tb\"",
    "1_000",
    "12:30",
    "1:61",
    "0x1F",
    "1e3",
    "1.5e+3",
    ".5",
    "1.",
    "+5",
    "10.0.0.1",
    "a b",
    "{a: 1, b: [x, yes]}",
    "[1, 2]",
    "[]",
    "'{{ x }}'",
    "08",
    "+1.5",
    "y",
    "n",
];

struct Random(StdRng);

impl Random {
    fn pick<'v>(&mut self, values: &[&'v str]) -> &'v str {
        values.choose(&mut self.0).unwrap()
    }

    fn below(&mut self, end: usize) -> usize {
        self.0.random_range(0..end)
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn variable(&mut self) -> String {
        format!("v{}", self.below(6))
    }

    fn host(&mut self) -> String {
        let patterns = [
            "web[01:04]",
            "web[1:3]",
            "db-[a:c]",
            "n[0:8:4].lan",
            "solo",
            "cache[08:11]",
            "r[1:2]c[a:b]",
            "x-1.example.com",
        ];
        self.pick(&patterns).to_owned()
    }

    /// A value on a host's line: it is split like words of a shell.
    fn quoted(&mut self) -> String {
        let value = self.pick(VALUES);
        match self.below(3) {
            0 if !value.contains('"') => format!("\"{value}\""),
            1 if !value.contains([' ', '\'', '"', '\\']) => value.to_owned(),
            _ if !value.contains('\'') => format!("'{value}'"),
            _ => "plain".to_owned(),
        }
    }

    fn ini(&mut self) -> String {
        let mut text = "# generated\n".to_owned();
        for _ in 0..self.below(3) {
            let _ = writeln!(text, "{} {}={}", self.host(), self.variable(), self.quoted());
        }
        let groups = ["alpha", "beta", "gamma", "delta", "web", "z9"];
        for (at, group) in groups.iter().enumerate() {
            let _ = writeln!(text, "\n[{group}]");
            for _ in 0..self.below(4) {
                let _ = write!(text, "{}", self.host());
                if self.chance(20) {
                    let _ = write!(text, ":{}", 2200 + self.below(9));
                }
                for _ in 0..self.below(3) {
                    let _ = write!(text, "  {}={}", self.variable(), self.quoted());
                }
                text += if self.chance(20) { "  # a comment\n" } else { "\n" };
            }
            if self.chance(70) {
                let _ = writeln!(text, "[{group}:vars]");
                for _ in 0..self.below(4) {
                    let sign = self.pick(&["=", " = "]);
                    let _ = writeln!(text, "{}{sign}{}", self.variable(), self.pick(VALUES));
                }
                if self.chance(30) {
                    let _ = writeln!(text, "ansible_group_priority={}", self.below(20));
                }
            }
            let children: Vec<&str> = groups[at + 1..].iter().copied().filter(|_| self.chance(30)).collect();
            if !children.is_empty() {
                let _ = writeln!(text, "[{group}:children]\n{}", children.join("\n"));
            }
        }
        if self.chance(60) {
            let _ = writeln!(text, "[all:vars]\n{}={}", self.variable(), self.pick(VALUES));
        }
        text
    }

    fn yaml_vars(&mut self, indent: usize) -> String {
        let names: BTreeSet<String> = (0..=self.below(3)).map(|_| self.variable()).collect();
        names.iter().map(|name| format!("{:indent$}{name}: {}\n", "", self.pick(YAML_VALUES))).collect()
    }

    fn yaml(&mut self) -> String {
        let mut text = "---\nall:\n  vars:\n".to_owned() + &self.yaml_vars(4) + "  children:\n";
        for group in ["alpha", "beta", "gamma"] {
            let _ = writeln!(text, "    {group}:\n      hosts:");
            let hosts: BTreeSet<String> = (0..=self.below(3)).map(|_| self.host()).collect();
            for host in hosts {
                let _ = writeln!(text, "        {host}:");
                if self.chance(60) {
                    text += &self.yaml_vars(10);
                }
            }
            if self.chance(60) {
                text += "      vars:\n";
                text += &self.yaml_vars(8);
            }
            if self.chance(50) {
                let _ = writeln!(
                    text,
                    "      children:\n        below_{group}:\n          hosts:\n            {}:",
                    self.host()
                );
            }
        }
        text
    }

    /// Files of variables beside an inventory.
    fn beside(&mut self, folder: &Path) {
        let put = |path: String, text: String| {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let groups = ["all", "ungrouped", "alpha", "beta", "gamma", "delta", "web", "below_alpha"];
        for group in groups {
            match self.below(5) {
                0 => put(format!("group_vars/{group}.yml"), self.yaml_vars(0)),
                1 => put(format!("group_vars/{group}"), self.yaml_vars(0)),
                2 => {
                    put(format!("group_vars/{group}/b.yaml"), self.yaml_vars(0));
                    put(format!("group_vars/{group}/a"), self.yaml_vars(0));
                    put(format!("group_vars/{group}/.hidden.yml"), "v0: hidden\n".to_owned());
                    put(format!("group_vars/{group}/note.txt"), "no: variables".to_owned());
                    put(format!("group_vars/{group}/deeper/c.json"), "{\"v5\": [1, \"yes\"]}".to_owned());
                }
                _ => {}
            }
        }
        for host in ["web01", "solo", "db-a", "x-1.example.com"] {
            if self.chance(50) {
                put(format!("host_vars/{host}.yml"), self.yaml_vars(0));
            }
        }
    }
}

#[test]
fn generated_inventories_are_read_as_ansible_reads_them() {
    let run = |seed: u64| {
        let mut random = Random(StdRng::seed_from_u64(seed));
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        };
        let (ini, yaml) = (random.ini(), random.yaml());
        let path = match seed % 3 {
            0 => file("hosts", &ini),
            1 => file("hosts.yml", &yaml),
            // A folder of both, in the order of their names.
            _ => {
                file("inventory/10-hosts", &ini);
                file("inventory/20-more.yml", &yaml).parent().unwrap().to_owned()
            }
        };
        random.beside(if path.is_dir() { &path } else { folder.path() });
        assert_same(&path, &format!("seed {seed}\n{ini}\n{yaml}"));
    };
    std::thread::scope(|scope| {
        let runs = (0..2).map(|half| scope.spawn(move || (0..9).for_each(|at| run(at * 2 + half))));
        runs.collect::<Vec<_>>().into_iter().for_each(|run| run.join().unwrap());
    });
}

#[test]
fn what_a_program_prints_is_read_as_ansible_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let program = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        path
    };
    let meta = program(
        "meta",
        "#!/bin/sh\n[ \"$1\" = --list ] || exit 9\necho '{\"_meta\": {\"hostvars\": {\"web1\": {\"a\": 1, \"ansible_host\": \"10.0.0.1\"}}}, \
         \"web\": {\"hosts\": [\"web1\", \"web2\"], \"vars\": {\"b\": [1, null]}}, \"old\": [\"web2\", \"db1\"], \
         \"prod\": {\"children\": [\"web\"]}}'\n",
    );
    assert_same(&meta, "with _meta");
    let each = program(
        "each",
        "#!/bin/sh\ncase $1 in\n--list) echo '{\"web\": {\"hosts\": [\"web1\", \"web2\"]}}' ;;\n--host) echo \"{\\\"who\\\": \\\"$2\\\"}\" ;;\nesac\n",
    );
    assert_same(&each, "host by host");
}
