//! Target expressions against a small inventory: what they select, and what they answer when they are wrong.

use std::sync::Arc;

use proptest::prelude::*;

use crate::model::inventory::{Host, HostName, Inventory, Role, RoleName};
use crate::model::position::{Located, Position};
use crate::model::range::expand;
use crate::model::settings::{Origin, Settings, Sourced};
use crate::model::target::roles::role_members;
use crate::model::target::selection::{TargetError, TargetPlace, select, select_within};

fn at(line: u32) -> Position {
    Position::new("inventory.yaml", line, 8)
}

fn host(line: u32, name: &str, address: Option<&str>) -> Host {
    let address = address.map(|address| Sourced::new(address.to_owned(), Origin::Host(at(line))));
    let settings = Settings { address, ..Settings::default() };
    Host { settings: Arc::new(settings), ..Host::new(HostName::from(name), at(line)) }
}

/// A role by its member expressions and its nested roles, both separated by blanks.
fn role(line: u32, name: &str, members: &str, roles: &str) -> Role {
    Role {
        members: members.split_whitespace().map(|member| Located::new(member.to_owned(), at(line))).collect(),
        roles: roles.split_whitespace().map(|role| Located::new(RoleName::from(role), at(line))).collect(),
        ..Role::new(RoleName::from(name))
    }
}

fn inventory(hosts: Vec<Host>, roles: Vec<Role>) -> Inventory {
    let members = role_members(&hosts, &roles).unwrap();
    Inventory { file: Arc::from("inventory.yaml"), hosts, roles, members, ..Inventory::empty() }
}

fn shop() -> Inventory {
    inventory(
        vec![
            host(1, "jump", Some("bastion.example.com")),
            host(2, "web1", Some("10.0.1.11")),
            host(3, "web2", Some("10.0.1.12")),
            host(4, "web3", Some("10.0.1.13")),
            host(5, "db1", Some("10.0.2.10")),
            host(6, "db2", Some("fd00::10")),
            host(7, "10.0.3.1", None),
        ],
        vec![
            role(10, "web", "web*", ""),
            role(11, "db", "db1 db2", ""),
            role(12, "app", "", "web db"),
            role(13, "prod", "web1 db1", ""),
            role(14, "none", "", ""),
        ],
    )
}

/// The names that a selection gives, separated by blanks.
fn names(inventory: &mut Inventory, include: &[&str], exclude: &[&str]) -> Result<String, Vec<TargetError>> {
    let selected = select(inventory, include, exclude)?;
    assert!(selected.is_sorted_by(|a, b| a < b), "ascending and unique");
    Ok(selected.iter().map(|&index| inventory.hosts[index].name.as_str()).collect::<Vec<_>>().join(" "))
}

fn shown(errors: &[TargetError]) -> String {
    let lines = errors.iter().map(|error| {
        let help = error.help.as_deref().map(|help| format!(" (help: {help})")).unwrap_or_default();
        format!("{}: {error}{help}", error.column)
    });
    lines.collect::<Vec<_>>().join("; ")
}

/// One line for each expression: what it selects, or why it does not.
fn answers(inventory: impl Fn() -> Inventory, expressions: &[&str]) -> String {
    let lines = expressions.iter().map(|expression| {
        let answer = names(&mut inventory(), &[expression], &[]).unwrap_or_else(|errors| shown(&errors));
        format!("{}  {answer}", expression.escape_debug())
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn expressions_select_hosts_in_inventory_order() {
    for (expression, selected) in [
        ("all", "jump web1 web2 web3 db1 db2 10.0.3.1"),
        ("db1,web1", "web1 db1"),
        ("db1,db1,@db", "db1 db2"),
        (" web1 , db1 ", "web1 db1"),
        ("@web", "web1 web2 web3"),
        ("@app", "web1 web2 web3 db1 db2"),
        ("@app&@prod", "web1 db1"),
        ("@web!@prod", "web2 web3"),
        ("@web&!web2", "web1 web3"),
        ("@web&@prod!web1,db2", "db2"),
        ("@app!@db&@prod", "web1"),
        ("@app!web1!db2", "web2 web3 db1"),
        ("@web,!web2", "web1 web3"),
        ("!web2,@web", "web1 web3"),
        ("@app,!@web&@prod", "web2 web3 db1 db2"),
        ("web*", "web1 web2 web3"),
        ("?eb[1-2]", "web1 web2"),
        ("web{1,3}", "web1 web3"),
        ("{web[1-2],db?}", "web1 web2 db1 db2"),
        ("*b{1,}", "web1 db1"),
        ("web[1-3]", "web1 web2 web3"),
        ("web[1:2],db[1,2]", "web1 web2 db1 db2"),
        ("10.0.1.0/24", "web1 web2 web3"),
        ("10.0.0.0/16!web2", "web1 web3 db1 10.0.3.1"),
        ("fd00::/64", "db2"),
        ("10.0.3.0/24", "10.0.3.1"),
        ("10.0.1.12", "web2"),
        ("fd00:0::10", "db2"),
        ("10.0.1.[11-12]", "web1 web2"),
        ("10.0.3.1", "10.0.3.1"),
    ] {
        assert_eq!(names(&mut shop(), &[expression], &[]).as_deref(), Ok(selected), "{expression}");
    }
}

/// The rows of the table of docs/targets.md that has this head: the code in the first cell, the text of the second.
fn documented(head: &str) -> Vec<(&'static str, &'static str)> {
    let rows = include_str!("../../../docs/targets.md").lines().skip_while(|line| *line != head).skip(2);
    let cells = rows.map_while(|row| row.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    cells.collect()
}

#[test]
fn the_documented_examples_hold() {
    let examples = documented("| expression | selects |");
    assert!(examples.len() > 10);
    for (expression, selected) in examples {
        assert_eq!(
            names(&mut shop(), &[expression.trim_matches('`')], &[]).as_deref(),
            Ok(selected),
            "{expression}"
        );
    }
    let ranges = documented("| range | stands for |");
    assert!(ranges.len() > 6);
    for (patterns, names) in ranges {
        for pattern in patterns.split(", ") {
            let expanded = expand(pattern.trim_matches('`'), 100).unwrap();
            assert_eq!(expanded.join(" "), names, "{pattern}");
        }
    }
}

#[test]
fn a_list_is_the_union_of_its_patterns_less_the_negated_ones() {
    assert_eq!(names(&mut shop(), &["all", "!jump"], &[]).unwrap(), "web1 web2 web3 db1 db2 10.0.3.1");
    assert_eq!(names(&mut shop(), &["!web1", "@web", "db1"], &[]).unwrap(), "web2 web3 db1");
    assert_eq!(names(&mut shop(), &["@web", "db1"], &["@prod"]).unwrap(), "web2 web3");
    assert_eq!(names(&mut shop(), &["all"], &["all,!@db"]).unwrap(), "db1 db2");
    assert_eq!(names(&mut shop(), &["@web"], &["db1"]).unwrap(), "web1 web2 web3");
}

#[test]
fn what_matches_nothing_is_answered_with_suggestions() {
    insta::assert_snapshot!(answers(shop, &[
        "webs", "web", "wbe*", "dbs", "nosuchthing", "web1.example.com", "@webs", "@web1", "@all", "@none", "web[2-5]", "web[7-9]",
        "10.9.0.0/24", "host;id", "$(id)", "-oProxyCommand=id", "WEB9", "web1,nope,@nope", "@web&nope", "@web!nope",
        "@web!web*", "!web1", "@web&@db",
    ]), @r#"
    webs  1: no host matches "webs" (help: did you mean "web1"? roles: @app, @db, @none, @prod, @web)
    web  1: no host matches "web" (help: "web" is a role: write @web)
    wbe*  1: no host matches "wbe*" (help: roles: @app, @db, @none, @prod, @web)
    dbs  1: no host matches "dbs" (help: did you mean "db1"? roles: @app, @db, @none, @prod, @web)
    nosuchthing  1: no host matches "nosuchthing" (help: a host outside of the inventory is written nosuchthing:22 or user@nosuchthing; roles: @app, @db, @none, @prod, @web)
    web1.example.com  1: no host matches "web1.example.com" (help: a host outside of the inventory is written web1.example.com:22 or user@web1.example.com; roles: @app, @db, @none, @prod, @web)
    @webs  1: no role "webs" (help: did you mean @web? roles: @app, @db, @none, @prod, @web)
    @web1  1: no role "web1" (help: "web1" is a host: write it without the @)
    @all  1: no role "all" (help: write all for every host)
    @none  1: role "none" has no hosts
    web[2-5]  1: "web[2-5]" names hosts that are not in the inventory (help: missing: web4, web5; a glob matches whatever exists)
    web[7-9]  1: no host matches "web[7-9]" (help: roles: @app, @db, @none, @prod, @web)
    10.9.0.0/24  1: no host of the inventory has an address in 10.9.0.0/24
    host;id  1: no host matches "host;id" (help: roles: @app, @db, @none, @prod, @web)
    $(id)  1: no host matches "$(id)" (help: roles: @app, @db, @none, @prod, @web)
    -oProxyCommand=id  1: no host matches "-oProxyCommand=id" (help: roles: @app, @db, @none, @prod, @web)
    WEB9  1: no host matches "WEB9" (help: did you mean "web1"? roles: @app, @db, @none, @prod, @web)
    web1,nope,@nope  6: no host matches "nope" (help: did you mean @none? roles: @app, @db, @none, @prod, @web); 11: no role "nope" (help: did you mean @none? roles: @app, @db, @none, @prod, @web)
    @web&nope  6: no host matches "nope" (help: did you mean @none? roles: @app, @db, @none, @prod, @web)
    @web!nope  6: no host matches "nope" (help: did you mean @none? roles: @app, @db, @none, @prod, @web)
    @web!web*  1: no hosts left in the selection (help: `fan hosts` shows the hosts to select from)
    !web1  2: nothing to subtract "web1" from (help: write all,!web1)
    @web&@db  1: no hosts left in the selection (help: `fan hosts` shows the hosts to select from)
    "#);
}

#[test]
fn syntax_errors_point_at_their_character() {
    insta::assert_snapshot!(answers(shop, &[
        "", " ", "web1,", ",web1", "web1,,db1", "&web1", "web1&", "web1!", "web1&&db1", "web1!!db1", "!", "!&web1", "@web,&@prod",
        "@", "web1 db1", "web1,web[3-1]", "web1,web[1-", "web1,web]", "{web1", "web1}", "web[1-[2]]", "web[!1]",
        "web[a-c]*", "{{{{{{{{{a}}}}}}}}}", "web*@x", "root@web*", "web*:22", "a\\b", "web1,10.0.0.5/24", "web1,10.0.0/24",
        "10.0.0.0/33", "010.0.0.1", "web[1-99999999]", "db1,10.0.[0-255].[0-255]", "a\u{1b}b", "web1,a\u{202e}b",
    ]), @r#"
      1: a target is missing here (help: write a host, @role, a glob, or all)
       1: a target is missing here (help: write a host, @role, a glob, or all)
    web1,  6: a target is missing here (help: write a host, @role, a glob, or all)
    ,web1  1: a target is missing here (help: write a host, @role, a glob, or all)
    web1,,db1  6: a target is missing here (help: write a host, @role, a glob, or all)
    &web1  1: a target is missing here (help: "&" stands between two targets: @web&@prod)
    web1&  6: a target is missing here (help: write a host, @role, a glob, or all)
    web1!  6: a target is missing here (help: write a host, @role, a glob, or all)
    web1&&db1  6: a target is missing here (help: "&" stands between two targets: @web&@prod)
    web1!!db1  6: a target is missing here (help: write a host, @role, a glob, or all)
    !  2: a target is missing here (help: write a host, @role, a glob, or all)
    !&web1  2: a target is missing here (help: "&" stands between two targets: @web&@prod)
    @web,&@prod  6: a target is missing here (help: "&" stands between two targets: @web&@prod)
    @  1: no role after "@"
    web1 db1  5: space in a target (help: put a comma between targets)
    web1,web[3-1]  10: range runs backwards: 3-1 (help: write [1-3])
    web1,web[1-  9: unclosed "["
    web1,web]  9: "]" without "["
    {web1  1: unclosed "{"
    web1}  5: "}" without "{"
    web[1-[2]]  7: "[" inside a range
    web[!1]  5: "!1" is not a range of numbers (help: write numbers as in [01-04,7]; words go into braces in a target: {a,b})
    web[a-c]*  5: "a-c" is not a range of numbers (help: write numbers as in [01-04,7]; words go into braces in a target: {a,b})
    {{{{{{{{{a}}}}}}}}}  9: braces are nested too deep
    web*@x  1: a glob with a user, a port or a block (help: globs match names of the inventory; -u sets the user)
    root@web*  1: a glob with a user, a port or a block (help: globs match names of the inventory; -u sets the user)
    web*:22  1: a glob with a user, a port or a block (help: globs match names of the inventory; -u sets the user)
    a\\b  2: "\" in a target
    web1,10.0.0.5/24  6: 10.0.0.5/24 has host bits set (help: did you mean 10.0.0.0/24?)
    web1,10.0.0/24  6: "10.0.0" is not an IP address (help: write all four parts: 10.0.0.0/24)
    10.0.0.0/33  10: prefix length /33 is over /32
    010.0.0.1  1: leading zero in 010.0.0.1, which some programs read as octal (help: write 10.0.0.1)
    web[1-99999999]  1: expands to 99999999 hosts (limit 10000; raise it with --max-hosts)
    db1,10.0.[0-255].[0-255]  5: expands to 65536 hosts (limit 10000; raise it with --max-hosts)
    a\u{1b}b  2: control character U+001B in target
    web1,a\u{202e}b  7: control character U+202E in target
    "#);
}

#[test]
fn bad_addresses_are_answered_without_a_password() {
    let expressions = [
        "root@",
        "@host",
        "a;b@host",
        "root@-oProxyCommand=id",
        "root@host;id",
        "root@10.0.0.1:70000",
        "root@h:0",
        "root@h:022",
        "root@h:ssh",
        "root@h:",
        ":22",
        "root@b\u{fc}cher.example",
        "::1:22",
        "::1:22022",
        "root@::1:2222",
        "[::1]x",
        "[::g:1]",
        "fe80:::1",
        "ssh://h",
        "root:hunter2@h",
        "ssh://root:hunter2@h",
        "web1,root:hunter2@h",
        "root:hun,ter2@h",
        "a@CORP:hunter2@h",
        "web:[1,3],root:hunter2@h",
        "nope,root:hunter2@h",
        "root:hunter2@h\u{1b}",
    ];
    for expression in expressions {
        for error in select(&mut shop(), &[expression], &[]).unwrap_err() {
            let all = format!("{error:?} {:?}", error.caret());
            assert!(!all.contains("hun") && !all.contains("ter2"), "{all}");
        }
    }
    insta::assert_snapshot!(answers(shop, &expressions), @r#"
    root@  6: no address after "@"
    @host  1: no role "host" (help: roles: @app, @db, @none, @prod, @web)
    a;b@host  1: character ";" in user name "a;b"
    root@-oProxyCommand=id  1: address "-oProxyCommand=id" starts with "-"
    root@host;id  1: character ";" in address "host;id"; use letters, digits, "-", "_" and "."
    root@10.0.0.1:70000  15: port must be 1-65535, got 70000
    root@h:0  8: port must be 1-65535, got 0
    root@h:022  8: leading zero in port 022 (help: write 22)
    root@h:ssh  8: "ssh" is not a port
    root@h:  8: no port after ":"
    :22  1: no address before ":"
    root@bücher.example  1: address "bücher.example" is not ASCII; write its punycode form (xn--...)
    ::1:22  1: ::1:22 may be an address, or an address and a port (help: use [::1]:22, or [::1:22] without a port)
    ::1:22022  1: ::1:22022 may be an address, or an address and a port (help: use [::1]:22022)
    root@::1:2222  6: ::1:2222 may be an address, or an address and a port (help: use [::1]:2222, or [::1:2222] without a port)
    [::1]x  6: "x" after an address (help: write [::1] or [::1]:22)
    [::g:1]  2: "::g:1" is not an IPv6 address
    fe80:::1  1: "fe80:::1" is not an IPv6 address
    ssh://h  1: "ssh://" in a target (help: write user@host:port)
    root:hunter2@h  6: a target cannot hold a password (help: write user@host; anyone on the machine can see a command line)
    ssh://root:hunter2@h  7: a target cannot hold a password (help: write user@host; anyone on the machine can see a command line)
    web1,root:hunter2@h  11: a target cannot hold a password (help: write user@host; anyone on the machine can see a command line)
    root:hun,ter2@h  6: a target cannot hold a password (help: write user@host; anyone on the machine can see a command line)
    a@CORP:hunter2@h  8: a target cannot hold a password (help: write user@host; anyone on the machine can see a command line)
    web:[1,3],root:hunter2@h  5: a target cannot hold a password (help: write user@host; anyone on the machine can see a command line)
    nope,root:hunter2@h  11: a target cannot hold a password (help: write user@host; anyone on the machine can see a command line)
    root:hunter2@h\u{1b}  15: control character U+001B in target
    "#);
}

#[test]
fn a_caret_stands_under_the_character() {
    let errors = select(&mut shop(), &["@web", "db1, webs"], &["üü,web[3-1]"]).unwrap_err();
    let carets: Vec<String> = errors.iter().filter_map(TargetError::caret).collect();
    insta::assert_snapshot!(carets.join("\n"), @"
    db1, webs
         ^
    üü,web[3-1]
           ^
    ");
    let places: Vec<TargetPlace> = errors.iter().map(|error| error.place).collect();
    assert_eq!(places, [TargetPlace::Include(1), TargetPlace::Exclude(0)]);
    let whole = select(&mut shop(), &[], &[]).unwrap_err();
    assert_eq!((whole[0].place, whole[0].caret()), (TargetPlace::Selection, None));
}

#[test]
fn exclusions_must_match_and_must_leave_someone() {
    let excluded = |exclude: &str| shown(&select(&mut shop(), &["@web"], &[exclude]).unwrap_err());
    assert_eq!(
        excluded("web9"),
        "1: no host matches \"web9\" (help: did you mean \"web1\"? roles: @app, @db, @none, @prod, @web)"
    );
    assert_eq!(
        excluded("web*"),
        "1: no hosts left in the selection (help: `fan hosts` shows the hosts to select from)"
    );
    assert_eq!(
        excluded("root@10.9.9.9"),
        "1: no host matches \"root@10.9.9.9\" (help: roles: @app, @db, @none, @prod, @web)"
    );
    assert_eq!(excluded("!web1"), "2: nothing to subtract \"web1\" from (help: write all,!web1)");
}

#[test]
fn one_mistake_gives_one_error() {
    for (include, exclude) in [
        (&["root@10.9.0.[1-4,x]", "!10.9.0.3"][..], &[][..]),
        (&["root@10.9.0.1:0"], &["10.9.0.1"]),
        (&["nope", "root@10.9.0.1:0,!10.9.0.1"], &[]),
        (&["root@-x,!-x"], &[]),
    ] {
        let errors = select(&mut shop(), include, exclude).unwrap_err();
        assert_eq!(errors.len(), include.iter().filter(|text| !text.starts_with('!')).count(), "{errors:?}");
    }
}

/// Name, address, user and port of each selected host.
fn logins(inventory: &mut Inventory, include: &[&str]) -> Vec<String> {
    let selected = select(inventory, include, &[]).unwrap();
    let told = |index: &usize| {
        let Host { name, settings, .. } = &inventory.hosts[*index];
        let address = settings.address.as_ref().map_or(name.place(), |address| &address.value);
        let user = settings.user.as_ref().map_or("-", |user| &user.value);
        let port = settings.port.as_ref().map_or("-".to_owned(), |port| port.value.to_string());
        format!("{name} {address} {user} {port}")
    };
    selected.iter().map(told).collect()
}

#[test]
fn hosts_of_no_inventory_are_appended() {
    for (expression, hosts) in [
        ("root@h.example", "root@h.example h.example root -"),
        ("h.example:2222", "h.example:2222 h.example - 2222"),
        ("root@h:22", "root@h:22 h root 22"),
        ("192.0.2.1", "192.0.2.1 192.0.2.1 - -"),
        ("[::1]:22", "[::1]:22 ::1 - 22"),
        ("[::1]", "::1 ::1 - -"),
        ("[::1:22]", "[::1:22] ::1:22 - -"),
        ("root@[fe80::1%eth0]:22", "root@[fe80::1%eth0]:22 fe80::1%eth0 root 22"),
        ("root@fd00::1", "root@fd00::1 fd00::1 root -"),
        ("CORP\\jane@h", "CORP\\jane@h h CORP\\jane -"),
        ("jane@CORP@h", "jane@CORP@h h jane@CORP -"),
        ("root@192.0.2.0/31", "root@192.0.2.0 192.0.2.0 root -, root@192.0.2.1 192.0.2.1 root -"),
        (
            "root@10.9.0.[1-2]:2222",
            "root@10.9.0.1:2222 10.9.0.1 root 2222, root@10.9.0.2:2222 10.9.0.2 root 2222",
        ),
        ("192.0.2.1,192.0.2.1,db1", "db1 10.0.2.10 - -, 192.0.2.1 192.0.2.1 - -"),
        ("h:22,root@h", "h:22 h - 22, root@h h root -"),
        // Several hosts may share an address and differ in just the port: with one, only names are looked up.
        ("10.0.2.10:2222", "10.0.2.10:2222 10.0.2.10 - 2222"),
    ] {
        assert_eq!(logins(&mut shop(), &[expression]).join(", "), hosts, "{expression}");
    }
    let mut shop = shop();
    select(&mut shop, &["root@h"], &[]).unwrap();
    let host = shop.hosts.last().unwrap();
    assert_eq!(*host.settings.user.as_ref().unwrap().origin, Origin::CommandLine("--hosts"));
    let index = shop.hosts.len() - 1;
    assert_eq!(select(&mut shop, &["root@h"], &[]).unwrap(), [index], "the same host the second time");
    assert!(!select(&mut shop, &["all"], &[]).unwrap().contains(&index), "\"all\" is the inventory");
    assert!(!select(&mut shop, &["*"], &[]).unwrap().contains(&index));
}

#[test]
fn a_login_beside_an_inventory_host_becomes_its_setting() {
    assert_eq!(logins(&mut shop(), &["root@db1:2222"]), ["db1 10.0.2.10 root 2222"]);
    let errors = select(&mut shop(), &["root@db1,deploy@db1"], &[]).unwrap_err();
    assert_eq!(shown(&errors), "10: db1 is given with two logins, and a host has one per run");
    // Taken away again: nothing changes.
    let mut shop = shop();
    select(&mut shop, &["@web,root@db1"], &["db1"]).unwrap();
    assert_eq!(shop.hosts[4].settings.user, None);
}

#[test]
fn outsiders_can_be_excluded_and_errors_leave_the_inventory_alone() {
    let mut shop = shop();
    let before = shop.hosts.len();
    assert_eq!(
        names(&mut shop, &["root@10.9.0.[1-4],192.0.2.7"], &["10.9.0.2,*.3", "192.0.2.0/24"]).unwrap(),
        "root@10.9.0.1 root@10.9.0.4"
    );
    assert_eq!(shop.hosts.len(), before + 2, "only the selected ones are appended");
    assert!(select(&mut shop, &["root@new,nope"], &[]).is_err());
    assert!(select_within(&mut shop, &["root@10.9.1.[1-20]"], &[], 8).is_err());
    assert_eq!(shop.hosts.len(), before + 2);
}

#[test]
fn the_limit_holds_over_all_expressions() {
    let errors = select_within(&mut Inventory::empty(), &["a[1-3]", "b[1-3]"], &[], 5).unwrap_err();
    assert_eq!(shown(&errors), "1: more than 5 hosts of no inventory (raise it with --max-hosts)");
    assert_eq!(
        select_within(&mut Inventory::empty(), &["a[1-3]", "b[1-3]"], &[], 6).map(|hosts| hosts.len()),
        Ok(6)
    );
}

#[test]
fn without_an_inventory_plain_names_are_hosts() {
    for (expression, selected) in [
        ("web1,db1", "web1 db1"),
        ("web[01-03]", "web01 web02 web03"),
        ("10.9.0.0/30", "10.9.0.1 10.9.0.2"),
        ("a,b,!b", "a"),
        ("root@a,b", "root@a b"),
    ] {
        assert_eq!(
            names(&mut Inventory::empty(), &[expression], &[]).as_deref(),
            Ok(selected),
            "{expression}"
        );
    }
    let mut empty = Inventory::empty();
    names(&mut empty, &["a"], &[]).unwrap();
    assert_eq!(names(&mut empty, &["b,a"], &[]).unwrap(), "a b", "the first selection makes no inventory");
    insta::assert_snapshot!(answers(Inventory::empty, &["all", "web*", "@web", "a;b", "a&b", "010.0.0.1", "b\u{fc}cher"]), @r#"
    all  1: "all": no inventory.yaml here or in a folder above (help: name one with -i FILE, begin one with `fan init`, or name hosts outright: -H web1,deploy@192.0.2.7)
    web*  1: no host matches "web*": no inventory.yaml here or in a folder above (help: name one with -i FILE, begin one with `fan init`, or name hosts outright: -H web1,deploy@192.0.2.7)
    @web  1: no role "web": no inventory.yaml here or in a folder above (help: name one with -i FILE, begin one with `fan init`, or name hosts outright: -H web1,deploy@192.0.2.7)
    a;b  1: character ";" in address "a;b"; use letters, digits, "-", "_" and "."
    a&b  3: no host matches "b"
    010.0.0.1  1: leading zero in 010.0.0.1, which some programs read as octal (help: write 10.0.0.1)
    bücher  1: address "bücher" is not ASCII; write its punycode form (xn--...)
    "#);
}

#[test]
fn roles_nest_in_any_order_and_leave_out_what_is_negated() {
    let hosts = shop().hosts;
    let roles = [
        role(1, "outer", "!web1", "inner"),
        role(2, "inner", "@web db[1-2]", ""),
        role(3, "web", "web*", ""),
        role(4, "both", "@inner&10.0.0.0/8", ""),
        role(5, "empty", "", ""),
        role(6, "on-empty", "jump", "empty"),
        role(7, "web1", "all !jump", ""),
    ];
    let members = role_members(&hosts, &roles).unwrap();
    let expected: [&[usize]; 7] =
        [&[2, 3, 4, 5], &[1, 2, 3, 4, 5], &[1, 2, 3], &[1, 2, 3, 4], &[], &[0], &[1, 2, 3, 4, 5, 6]];
    assert_eq!(members, expected);
}

fn diagnostics(roles: &[Role]) -> String {
    let errors = role_members(&shop().hosts, roles).unwrap_err();
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn everything_wrong_with_roles_is_said_in_one_pass() {
    insta::assert_snapshot!(diagnostics(&[
        role(1, "a", "", "b"),
        role(2, "b", "", "c"),
        role(3, "c", "@a", ""),
        role(4, "self", "", "self"),
        role(5, "on-cycle", "", "a"),
        role(6, "typo", "", "slef"),
        role(7, "unknown", "", "gateway"),
        role(8, "member", "web1 web9 db*,nope", ""),
        role(9, "broken", "web[3-1]", ""),
        role(10, "on-broken", "@broken", ""),
        role(11, "outsider", "root@web1 192.0.2.1 10.9.0.0/24", ""),
        role(12, "only-negated", "!web1", ""),
        role(13, "on-none", "@none @nope", ""),
        role(14, "none", "", ""),
        role(15, "bare", "none", ""),
    ]), @r#"
    inventory.yaml:3:8: error: role cycle: a -> b -> c -> a
    inventory.yaml:4:8: error: role cycle: self -> self
    inventory.yaml:6:8: error: no role "slef" (help: did you mean "self"?)
    inventory.yaml:7:8: error: no role "gateway" (help: only roles go under roles:; hosts go under hosts:)
    inventory.yaml:8:8: error: no host matches "web9" (help: did you mean "web1"? roles: @a, @b, @bare, @broken, @c, @member, @none, @on-broken and 7 more)
    inventory.yaml:8:12: error: no host matches "nope" (help: did you mean @none? roles: @a, @b, @bare, @broken, @c, @member, @none, @on-broken and 7 more)
    inventory.yaml:9:12: error: range runs backwards: 3-1 (help: write [1-3])
    inventory.yaml:11:8: error: "root@web1" cannot be a member of a role (help: add the host under hosts: and write its name here)
    inventory.yaml:11:8: error: no host matches "192.0.2.1" (help: a role's hosts are listed under hosts: too roles: @a, @b, @bare, @broken, @c, @member, @none, @on-broken and 7 more)
    inventory.yaml:11:8: error: no host of the inventory has an address in 10.9.0.0/24
    inventory.yaml:12:9: error: nothing to subtract "web1" from (help: write all,!web1)
    inventory.yaml:13:8: error: role "none" has no hosts
    inventory.yaml:13:8: error: no role "nope" (help: did you mean @none? roles: @a, @b, @bare, @broken, @c, @member, @none, @on-broken and 7 more)
    inventory.yaml:15:8: error: no host matches "none" (help: "none" is a role: write @none)
    "#);
}

#[test]
fn a_long_chain_of_roles_is_no_deep_recursion() {
    let name = |n: usize| format!("r{n}");
    let mut roles: Vec<Role> = (0..5000).map(|n| role(1, &name(n), "", &name(n + 1))).collect();
    roles.push(role(1, &name(5000), "web1", ""));
    assert_eq!(role_members(&shop().hosts, &roles).unwrap()[0], [1]);
    roles.pop();
    roles.push(role(1, &name(5000), "", &name(0)));
    assert_eq!(role_members(&shop().hosts, &roles).unwrap_err().len(), 1);
}

#[test]
fn ten_thousand_hosts_are_selected_by_name_glob_and_block() {
    let hosts: Vec<Host> = (0..10_000)
        .map(|n| host(1, &format!("n{n:04}"), Some(&format!("10.1.{}.{}", n / 250, n % 250))))
        .collect();
    let mut inventory = inventory(hosts, vec![role(1, "even", "n*[0,2,4,6,8]", "")]);
    let unknown = (0..10_000).map(|n| format!("unknown-host-{n}")).collect::<Vec<_>>().join(",");
    assert_eq!(select(&mut inventory, &[&unknown], &[]).unwrap_err().len(), 10_000);
    let every = (0..10_000).map(|n| format!("n{n:04}")).collect::<Vec<_>>().join(",");
    assert_eq!(select(&mut inventory, &[&every], &[]).unwrap().len(), 10_000);
    assert_eq!(select(&mut inventory, &["n[0000-9999]&10.1.0.0/16!@even"], &[]).unwrap().len(), 5000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_expression_is_answered(text in r"[a-z0-9@,&!*?{}\[\]:./\\ -]{0,16}|(web|db|@web|all|[,&!*1-3\[\]-]){0,8}|\PC{0,10}") {
        for mut inventory in [shop(), Inventory::empty()] {
            match select_within(&mut inventory, &[&text], &[], 50) {
                Ok(selected) => prop_assert!(!selected.is_empty() && selected.is_sorted_by(|a, b| a < b)),
                Err(errors) => prop_assert!(!errors.is_empty()),
            }
        }
    }

    #[test]
    fn operators_are_those_of_sets(
        a in proptest::sample::subsequence(vec!["jump", "web1", "web2", "web3", "db1", "db2"], 1..=6),
        b in proptest::sample::subsequence(vec!["jump", "web1", "web2", "web3", "db1", "db2"], 1..=6),
    ) {
        let hosts = shop().hosts;
        let mut shop = inventory(hosts, vec![role(1, "a", &a.join(" "), ""), role(2, "b", &b.join(" "), "")]);
        let mut picked = |expression: &str| select(&mut shop, &[expression], &[]).unwrap_or_default();
        let (a, b) = (picked("@a"), picked("@b"));
        let keep = |from: &[usize], wanted: bool| {
            from.iter().copied().filter(|host| b.contains(host) == wanted).collect::<Vec<usize>>()
        };
        prop_assert_eq!(picked("@a&@b"), keep(&a, true));
        prop_assert_eq!(picked("@a!@b"), keep(&a, false));
        prop_assert_eq!(picked("@a,!@b"), keep(&a, false));
        let mut union = [a.clone(), b.clone()].concat();
        union.sort_unstable();
        union.dedup();
        prop_assert_eq!(picked("@b,@a"), union);
    }

    #[test]
    fn the_name_of_an_outsider_selects_it_again(
        user in "([a-z]{1,4}@)?", address in r"[a-z]{1,5}|192\.0\.2\.[1-9]|\[fd00::[1-9a-f]{1,4}(:22)?\]", port in "(:[1-9][0-9]{0,3})?"
    ) {
        let mut empty = Inventory::empty();
        let written = format!("{user}{address}{port}");
        prop_assume!(address != "all");
        let first = names(&mut empty, &[&written], &[]);
        prop_assert!(first.is_ok(), "{:?}", first);
        let first = first.unwrap();
        prop_assert_eq!(names(&mut empty, &[&first], &[]), Ok(first.clone()));
        prop_assert_eq!(empty.hosts.len(), 1);
    }
}
