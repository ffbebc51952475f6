//! Groups of clush beside `nodeset`: the same groups with the same nodes.

use std::collections::BTreeSet;
use std::process::Command;

use crate::fixtures::support::Fan;

const MAIN: &str = "# ours\n[Main]\ndefault: local\nconfdir: /nowhere $CFGDIR/conf.d\nautodir: '$CFGDIR/groups.d'\n\n\
    [local]\nmap: sed -n 's/^$GROUP:\\(.*\\)/\\1/p' \"$CFGDIR/local.cfg\"\n\
    all: sed -n 's/^all:\\(.*\\)/\\1/p' $CFGDIR/local.cfg\n\
    list = sed -n 's/^\\([0-9A-Za-z_-]*\\):.*/\\1/p' \\\n  ${CFGDIR}/local.cfg\n";
const LOCAL: &str = "web: web[01-03,08-10]\ndb: db[1-9/4],@cache\ncache: c[001-002]\n\
    odd: a1 a2,a3\nwithout: @web!web0[1-2]\nboth: @web&web[02-09]\neither: web[01-02]^web[02-03]\ndeep: @without,@racks:old\n\
    grid: n[1-2]p[3-4]-x\nrange: @racks:rack[1,3]\nall: @web,@db,solo.example.com\n";
const CLUSTER: &str = "racks:\n    rack1: 'example[0,2]'\n    rack2: 'example[4-5]'\n    rack3: 'example[32-40]'\n    old: '@rack[1,3]'\n    \
    listed:\n        - 'example[200-205]'\n        - 'example245'\n        - '@rack1,example300'\n\
    roles:\n    adm: 'example0'\n    io: '@racks:rack2,example2'\n    every: '@*'\n    star: '@racks:*!@adm'\n    all: '@io,@adm'\n";

fn fleet() -> Fan {
    Fan::new()
        .file("cs/groups.conf", MAIN)
        .file("cs/local.cfg", LOCAL)
        .file("cs/groups.d/cluster.yaml", CLUSTER)
        .file("cs/groups.d/note.txt", "not: read\n")
        .file(
            "cs/conf.d/more.conf",
            "[north,south]\nmap: echo $SOURCE-$GROUP-[1-2]; echo more\nlist: echo g[1-2]\n\
             [byhost]\nmap: case $GROUP in even) echo h2 h4 ;; odd) echo h1 h3 ;; esac\nall: echo h[1-4]\n\
             reverse: case $NODE in *[13]) echo odd ;; *) echo even ;; esac\n",
        )
}

/// What nodeset prints, in words.
fn nodeset(fan: &Fan, arguments: &[&str]) -> BTreeSet<String> {
    let mut command = Command::new("nodeset");
    command.args(arguments).env("CLUSTERSHELL_CFGDIR", fan.work().join("cs")).env("HOME", fan.home());
    let output = command.env_remove("XDG_CONFIG_HOME").output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().split_whitespace().map(str::to_owned).collect()
}

fn hosts(fan: &Fan, arguments: &[&str]) -> BTreeSet<String> {
    let ran = fan.run([&["hosts", "--list"], arguments].concat());
    assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.stderr);
    ran.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn groups_have_the_nodes_that_clush_gives_them() {
    let fan = fleet();
    for source in ["local", "racks", "roles", "north", "south"] {
        let groups = nodeset(&fan, &["-l", "-s", source]);
        assert!(groups.len() > 1, "{groups:?}");
        for group in groups {
            let whole = format!("@{source}:{}", group.trim_start_matches('@').rsplit(':').next().unwrap());
            let expected = nodeset(&fan, &["-e", &whole]);
            assert_eq!(hosts(&fan, &["-i", "clush:cs", "-H", &whole]), expected, "{whole}");
        }
    }
    // Without a source, the default one is meant; a role goes by its name everywhere.
    for group in ["@web", "@deep", "@web&@both", "@racks:rack1,@db"] {
        assert_eq!(
            hosts(&fan, &["-i", "clush:cs/groups.conf", "-H", group]),
            nodeset(&fan, &["-e", group]),
            "{group}"
        );
    }
    assert_eq!(hosts(&fan, &["-i", "clush:cs", "-R", "racks:old"]), nodeset(&fan, &["-e", "@racks:old"]));
    assert_eq!(hosts(&fan, &["-i", "clush:cs", "-H", "@racks:*"]), nodeset(&fan, &["-e", "@racks:*"]));
    // nodeset has no way to list these.
    assert_eq!(hosts(&fan, &["-i", "clush:cs", "-H", "@byhost:even"]), nodeset(&fan, &["-e", "h2,h4"]));
    // The usual place, and files alone.
    let nowhere = fan.home().display().to_string();
    let fan = fan.env("CLUSTERSHELL_CFGDIR", &nowhere);
    let said = fan.run(["hosts", "-i", "clush:"]);
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("there is no groups.conf"), "{}", said.stderr);
    let cfg = hosts(&fan, &["-i", "clush:cs/groups.d/cluster.yaml", "-H", "@old"]);
    assert_eq!(cfg, nodeset(&fan, &["-e", "@racks:old"]));
    let fan = fan.file("flat.cfg", "# c\nweb: web[1-2]\ndb: db1,@web\n");
    assert_eq!(hosts(&fan, &["-i", "clush:flat.cfg", "-H", "@db"]), nodeset(&fan, &["-e", "db1,web[1-2]"]));
}

#[test]
fn commands_are_shown_and_get_nothing_but_words() {
    let fan = fleet();
    let ran = fan.run(["exec", "-n", "-v", "-i", "clush:cs", "-H", "@north:g1", "--", "true"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("ran for the inventory: echo north-g1-[1-2]; echo more\n"), "{}", ran.stderr);
    let fan = fan.file(
        "cs/conf.d/more.conf",
        "[bad]\nmap: echo $GROUP >>ran; echo n1\nlist: echo 'good $(touch${IFS}gone) a;b -x'\n",
    );
    let ran = fan.run(["hosts", "-i", "clush:cs"]);
    assert_eq!(ran.code, Some(2));
    for group in ["$(touch${IFS}gone)", "a;b", "-x"] {
        let said = format!(
            "error: group {group:?}: {group:?} cannot be $GROUP in a command: the shell would read more than a word"
        );
        assert!(ran.stderr.contains(&said), "{group}: {}", ran.stderr);
    }
    assert_eq!(std::fs::read_to_string(fan.work().join("cs/conf.d/ran")).unwrap(), "good\n");
    assert!(!fan.work().join("cs/conf.d/gone").exists());
}

#[test]
fn what_is_wrong_with_groups_is_told_at_its_place() {
    let fan = Fan::new()
        .file("groups.conf", "[Main]\ndefault: nowhere\n[a]\nlist: echo x\n[b]\nmap: exit 3\nlist: echo x\nnonsense\n")
        .file("g.yaml", "racks:\n  a: '@b'\n  b: '@a'\n  c: n[3-1]\n  d: '@none'\n  e: '@no:x'\n  f: {a: b}\n  g: 'n1,'\n");
    let said = fan.run(["hosts", "-i", "groups.conf"]);
    assert_eq!(said.code, Some(2));
    assert_eq!(
        said.stderr,
        "groups.conf:1:1: error: default source of groups \"nowhere\" is not defined\n\
         groups.conf:3:1: error: source of groups [a] has no \"map\"\n\
         groups.conf:5:1: error: group \"x\": \"exit 3\" failed (exit status: 3)\n\
         groups.conf:8:1: error: expected \"key: value\", found \"nonsense\"\n"
    );
    let said = fan.run(["hosts", "-i", "clush:g.yaml"]);
    assert_eq!(
        said.stderr,
        "g.yaml:2:3: error: group \"a\": it would be within itself\n\
         g.yaml:3:3: error: group \"b\": it would be within itself\n\
         g.yaml:4:3: error: group \"c\": \"n[3-1]\": \"3-1\" is no range: it goes from the smaller number to the larger one\n\
         g.yaml:5:3: error: group \"d\": \"@racks:none\" is not defined\n\
         g.yaml:6:3: error: group \"e\": \"@no:x\": there is no source \"no\"\n\
         g.yaml:7:6: error: expected nodes, found a map\n\
         g.yaml:8:3: error: group \"g\": a node is missing at the end of \"n1,\"\n"
    );
}
