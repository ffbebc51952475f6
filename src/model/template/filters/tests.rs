//! What filters and tests give, beside what Ansible's give; and that they have bounds.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::model::template::builtins::Builtins;
use crate::model::template::filters::{FILTERS, TESTS};
use crate::model::template::scope::{Layer, Scope};
use crate::model::template::templates::Templates;

fn templates() -> Templates {
    Templates::new(&Builtins {
        env: Arc::new(|name| (name == "HOME").then(|| "/home/op".to_owned())),
        now: "2026-01-02T03:04:05Z".to_owned(),
        yaml: Arc::new(crate::config::read_value),
        ..Builtins::default()
    })
}

fn result(failed: bool, changed: bool, skipped: bool) -> Value {
    json!({"stdout": "", "stderr": "", "rc": 0, "ok": !failed, "failed": failed, "changed": changed, "skipped": skipped})
}

fn scope() -> Scope {
    let vars = json!({
        "users": [{"name": "ann", "groups": ["a", "b"], "on": true}, {"name": "bob", "groups": [], "on": false}],
        "web": {"port": 80, "tls": {"on": true, "ciphers": ["x"]}},
        "path": "/etc/nginx/nginx.conf", "flag": "no", "nothing": null, "list": [3, 1, 3, "a"],
        "out": {"stdout": "nginx/1.18.0 (Ubuntu)\nbuilt", "stderr": "", "rc": 1, "ok": false, "failed": true, "changed": false, "skipped": false},
        "fine": result(false, true, false), "left": result(false, false, true),
        "sneaky": "{{ path }} $(reboot) 'x'", "secret": "hunter2",
    });
    let Value::Object(vars) = vars else { unreachable!() };
    Scope::new().with(Layer::new(&vars))
}

/// The value of an expression, or what is said about it.
fn eval(expression: &str) -> Value {
    templates().eval_value(expression, &scope()).unwrap_or_else(|error| {
        let help = error.help.map(|help| format!(" ({help})")).unwrap_or_default();
        json!(format!("ERROR {}{help}", error.message))
    })
}

#[track_caller]
fn all(cases: &[(&str, Value)]) {
    let wrong: Vec<String> = cases
        .iter()
        .map(|(expression, expected)| (expression, expected, eval(expression)))
        .filter(|(_, expected, found)| *expected != found)
        .map(|(expression, expected, found)| {
            format!("{expression}\n  expected {expected}\n  found    {found}")
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn regular_expressions_are_pythons() {
    all(&[
        (r"out.stdout | regex_search('[0-9]+\\.[0-9]+')", json!("1.18")),
        (r"out.stdout | regex_search('nginx/(\\d+)\\.(\\d+)', '\\1', '\\2')", json!(["1", "18"])),
        (r"out.stdout | regex_search('(?P<major>\\d+)', '\\g<major>') | first", json!("1")),
        ("out.stdout | regex_search('nosuch')", json!(null)),
        ("out.stdout | regex_search('NGINX', ignorecase=true)", json!("nginx")),
        ("out.stdout | regex_search('^built', multiline=true)", json!("built")),
        ("out.stdout | regex_search('^built')", json!(null)),
        (r"'a1b22' | regex_findall('[a-z](\\d+)')", json!(["1", "22"])),
        (r"'a1b22' | regex_findall('\\d')", json!(["1", "2", "2"])),
        (r"'a=1,b=2' | regex_findall('(\\w)=(\\w)')", json!([["a", "1"], ["b", "2"]])),
        (r"path | regex_replace('^/etc/(.*)\\.conf$', '/opt/\\1.bak')", json!("/opt/nginx/nginx.bak")),
        (r"'foobar' | regex_replace('(?P<a>o+)', '<\\g<a>>')", json!("f<oo>bar")),
        (r"'aaa' | regex_replace('a', 'b', count=2)", json!("bba")),
        (r"'a.b' | regex_replace('\\.', '$1')", json!("a$1b")),
        (r"'a b' | regex_replace(' ', '\\n')", json!("a\nb")),
        ("'a-b' | regex_replace('-')", json!("ab")),
        ("'a.b*c' | regex_escape", json!(r"a\.b\*c")),
        ("'a.b+c' | regex_escape('posix_basic')", json!(r"a\.b+c")),
        ("8080 | regex_search('80$')", json!("80")),
        (r"'[x]{y}' | regex_search('[[]x[]]{y}')", json!("[x]{y}")),
        (r"'a<b' | regex_search('a\\<b')", json!("a<b")),
        (r"'x' | regex_search('x\\Z')", json!("x")),
        (r"'a[:b' | regex_replace('[[:]', '_')", json!("a__b")),
        ("'ab 12' | regex_findall('[[:alpha:]]')", json!(["a", "b"])),
        ("'x{' | regex_search('x{')", json!("x{")),
        ("'xxx' | regex_search('x{2}')", json!("xx")),
        ("out.stdout is search('1.18')", json!(true)),
        ("out.stdout is match('1.18')", json!(false)),
        ("out.stdout is match('nginx')", json!(true)),
        ("'abc' is regex('b')", json!(true)),
        ("'abc' is regex('b', match_type='fullmatch')", json!(false)),
        ("['web1', 'db1'] | select('match', 'web') | list", json!(["web1"])),
        (
            r"'aa' is search('(a)\\1')",
            json!(
                r#"ERROR the pattern has a backreference, which is not available in "'aa' is search('(a)\\\\1')""#
            ),
        ),
        (
            "'a' is search('(?=a)')",
            json!(r#"ERROR the pattern has look-around, which is not available in "'a' is search('(?=a)')""#),
        ),
        (
            r"'a' | regex_replace('a', '\\2')",
            json!(r#"ERROR the pattern has no group "2" in "'a' | regex_replace('a', '\\\\2')""#),
        ),
    ]);
}

#[test]
fn texts_and_paths_are_as_pythons() {
    all(&[
        ("'höß' | b64encode", json!("aMO2w58=")),
        ("'aMO2w58=' | b64decode", json!("höß")),
        ("'aMO2\nw58=\n' | b64decode", json!("höß")),
        ("'x' | hash", json!("11f6ad8ec52a2984abaafd7c3b516503785c2072")),
        ("'x' | hash('md5')", json!("9dd4e461268c8034f5c8564e155c67a6")),
        ("'x' | hash('sha256') | length", json!(64)),
        ("'x' | checksum == 'x' | sha1", json!(true)),
        ("path | basename", json!("nginx.conf")),
        ("path | dirname", json!("/etc/nginx")),
        ("'/a/' | basename", json!("")),
        ("'/a/' | dirname", json!("/a")),
        ("'/a' | dirname", json!("/")),
        ("'a' | dirname", json!("")),
        ("'//a' | dirname", json!("//")),
        ("path | splitext", json!(["/etc/nginx/nginx", ".conf"])),
        ("'a/.bashrc' | splitext", json!(["a/.bashrc", ""])),
        ("'x.tar.gz' | splitext | last", json!(".gz")),
        ("'a.b/c' | splitext", json!(["a.b/c", ""])),
        ("'~/x' | expanduser", json!("/home/op/x")),
        ("'~bob/x' | expanduser", json!("~bob/x")),
        ("'/a/./b/../c//d' | normpath", json!("/a/c/d")),
        ("'../a/..' | normpath", json!("..")),
        ("['/etc', 'x', 'y'] | path_join", json!("/etc/x/y")),
        ("'/etc' | path_join('/x', 'y')", json!("/x/y")),
        ("'/a/b/c' | relpath('/a/d')", json!("../b/c")),
        ("'/x' is abs", json!(true)),
        ("'x' is abs", json!(false)),
        ("'two\nlines' | comment", json!("#\n# two\n# lines\n#")),
        ("'a' | comment('cblock')", json!("/*\n *\n * a\n *\n */")),
        ("'a' | comment(decoration='; ')", json!(";\n; a\n;")),
        ("1536 | human_readable", json!("1.50 KB")),
        ("10 | human_readable", json!("10.00 Bytes")),
        ("(1024 * 1024) | human_readable(unit='K')", json!("1024.00 KB")),
        ("'2.5 GB' | human_to_bytes", json!(2_684_354_560_u64)),
        ("'10' | human_to_bytes(default_unit='M')", json!(10_485_760)),
        ("'1KiB' | human_to_bytes", json!(1024)),
        ("'foo bar baz qux' | truncate(9)", json!("foo...")),
        ("'foo bar' | truncate(9)", json!("foo bar")),
        ("'a b/ü' | urlencode", json!("a%20b/%C3%BC")),
        ("'a%20b+c%zz' | urldecode", json!("a b c%zz")),
        ("'https://u:p@[2001:DB8::1]:8443/x?y=1#z' | urlsplit('hostname')", json!("2001:db8::1")),
        ("('https://u@h:8443/x?y=1' | urlsplit).port", json!(8443)),
        ("'/x?y' | urlsplit('path')", json!("/x")),
        ("'aXbX' | replace('X', '')", json!("ab")),
        ("'aXbX' | replace('X', 1, 1)", json!("a1bX")),
        ("'a\n\nb' | indent(2)", json!("a\n\n  b")),
        ("'a\nb' | indent('> ', true)", json!("> a\n> b")),
        ("'%%%' | b64decode", json!(r#"ERROR not Base64 in "'%%%' | b64decode""#)),
    ]);
}

#[test]
fn lists_and_maps_are_taken_together_and_apart() {
    all(&[
        ("[1, [2, [3, none]], []] | flatten", json!([1, 2, 3])),
        ("[1, [2, [3]]] | flatten(1)", json!([1, 2, [3]])),
        ("[1, none] | flatten(skip_nulls=false)", json!([1, null])),
        ("list | union([9, 1])", json!([3, 1, "a", 9])),
        ("list | intersect([3, 'a', 7])", json!([3, "a"])),
        ("list | difference([3])", json!([1, "a"])),
        ("[{'a': 1}] | difference([{'a': 1}])", json!([])),
        ("[1, 2] | symmetric_difference([2, 3])", json!([1, 3])),
        ("list | unique", json!([3, 1, "a"])),
        ("[1, 2] | zip(['a', 'b']) | list", json!([[1, "a"], [2, "b"]])),
        ("[1] | zip_longest(['a', 'b'], fillvalue='-')", json!([[1, "a"], ["-", "b"]])),
        ("[1, 2] | product(['a'])", json!([[1, "a"], [2, "a"]])),
        ("users | subelements('groups') | map('last') | list", json!(["a", "b"])),
        ("users | subelements('nosuch', skip_missing=true)", json!([])),
        ("['port'] | map('extract', web) | list", json!([80])),
        ("'tls' | extract(web, ['ciphers', 0])", json!("x")),
        ("users | selectattr('on') | map(attribute='name') | list", json!(["ann"])),
        ("users | rejectattr('name', 'in', ['ann']) | map(attribute='name') | join", json!("bob")),
        ("users | selectattr('groups', 'contains', 'a') | list | length", json!(1)),
        ("users | items2dict(key_name='name', value_name='on')", json!({"ann": true, "bob": false})),
        ("{'a': 1} | dict2items", json!([{"key": "a", "value": 1}])),
        ("{'a': 1} | dict2items | items2dict", json!({"a": 1})),
        ("{'a': 1} | dict2items(key_name='k', value_name='v')", json!([{"k": "a", "v": 1}])),
        ("web | combine({'port': 443})", json!({"tls": {"on": true, "ciphers": ["x"]}, "port": 443})),
        ("(web | combine({'tls': {'on': false}})).tls", json!({"on": false})),
        (
            "(web | combine({'tls': {'on': false}}, recursive=true)).tls",
            json!({"on": false, "ciphers": ["x"]}),
        ),
        (
            "(web | combine({'tls': {'ciphers': ['y', 'x']}}, recursive=true, list_merge='append_rp')).tls.ciphers",
            json!(["y", "x"]),
        ),
        ("{} | combine([{'a': 1}, {'b': 2}])", json!({"a": 1, "b": 2})),
        ("[1, 2] is subset([1, 2, 3])", json!(true)),
        ("[1, 2, 3] is superset([1, 4])", json!(false)),
        ("[1, 2] is contains(2)", json!(true)),
        ("'abc' is contains('b')", json!(true)),
        ("web is contains('port')", json!(true)),
        ("[true, 1] is all", json!(true)),
        ("[false, 0] is any", json!(false)),
        ("[1, 2, 3, 4, 5] | batch(2, 0)", json!([[1, 2], [3, 4], [5, 0]])),
        ("[1, 2, 3, 4, 5] | slice(3)", json!([[1, 2], [3, 4], [5]])),
        ("[1, 2, 3, 4, 5] | slice(3, '-')", json!([[1, 2], [3, 4], [5, "-"]])),
        ("5 | union([1])", json!(r#"ERROR "union" takes a list, not a number in "5 | union([1])""#)),
    ]);
}

#[test]
fn values_are_chosen_and_written() {
    all(&[
        ("flag | bool", json!(false)),
        ("'Yes' | bool", json!(true)),
        ("'maybe' | bool", json!(r#"ERROR neither true nor false in "'maybe' | bool""#)),
        ("0 | bool", json!(false)),
        ("[] | bool", json!(false)),
        ("nothing | bool", json!(false)),
        ("'no' is truthy", json!(false)),
        ("'no' is falsy", json!(true)),
        ("(list | length > 2) | ternary('many', 'few')", json!("many")),
        ("nothing | ternary(1, 2, 3)", json!(3)),
        ("nothing | ternary(1, 2)", json!(2)),
        ("path | mandatory", json!("/etc/nginx/nginx.conf")),
        ("nosuch | mandatory", json!(r#"ERROR a mandatory value is not defined in "nosuch | mandatory""#)),
        ("nosuch | mandatory('say which')", json!(r#"ERROR say which in "nosuch | mandatory('say which')""#)),
        ("nosuch | d('x')", json!("x")),
        ("web | to_json", json!(r#"{"port":80,"tls":{"on":true,"ciphers":["x"]}}"#)),
        ("{'b': 1, 'a': 2} | to_json(sort_keys=true)", json!(r#"{"a":2,"b":1}"#)),
        ("{'a': 1} | to_nice_json", json!("{\n    \"a\": 1\n}")),
        (
            "{'a': [1, {'b': 'no'}, []], 'c': 'x: y', 'd': none, 'e': '1.10'} | to_yaml",
            json!("a:\n  - 1\n  -\n    b: \"no\"\n  - []\nc: \"x: y\"\nd: null\ne: \"1.10\"\n"),
        ),
        ("'a: [1, 1.10, no]' | from_yaml", json!({"a": [1, "1.10", "no"]})),
        (
            "'a: {' | from_yaml is mapping",
            json!(
                r#"ERROR not YAML: line 1, character 4: "{" is not closed in "'a: {' | from_yaml is mapping""#
            ),
        ),
        ("web | to_nice_yaml | from_yaml == web", json!(true)),
        ("web | type_debug", json!("map")),
        (
            "lookup('env', 'HOME')",
            json!(
                "ERROR unknown function \"lookup\" (write env('NAME') for the environment, and \"secrets\" or a \"local\" step with \"register\" for files and commands)"
            ),
        ),
        (
            "path | password_hash",
            json!(
                "ERROR unknown filter \"password_hash\" (nothing is encrypted in a template: use a secret, or a command on the host)"
            ),
        ),
        (
            "path is file",
            json!(
                "ERROR unknown test \"file\" (a template looks at no disk: use a step \"stat: PATH\" with \"register\", then .exists and .type)"
            ),
        ),
        ("inventory_hostname", json!("ERROR undefined variable \"inventory_hostname\" (write host)")),
    ]);
}

#[test]
fn results_and_versions_are_tested() {
    all(&[
        ("out is failed", json!(true)),
        ("out is not failed", json!(false)),
        ("out is succeeded", json!(false)),
        ("fine is success and fine is changed", json!(true)),
        ("left is skipped", json!(true)),
        ("fine is skipped", json!(false)),
        ("out.failed and not out.skipped", json!(true)),
        ("[out, fine] | select('failed') | list | length", json!(1)),
        (
            "path is failed",
            json!(r#"ERROR "is failed" takes what "register" stored, not a string in "path is failed""#),
        ),
        (
            "web is changed",
            json!(r#"ERROR "is changed" takes what "register" stored, not a map in "web is changed""#),
        ),
        ("'1.10' is version('1.9', '>')", json!(true)),
        ("'1.2' is version('1.2.0', '<')", json!(true)),
        ("'v2.0' is version('2.0')", json!(true)),
        ("'22.04' is version('20.04', 'ge')", json!(true)),
        ("1.2 is version('1.10', '<')", json!(true)),
        ("'1.0rc1' is version('1.0.1', '<')", json!(true)),
        ("'1.0.0-rc.2' is version('1.0.0', '<', version_type='semver')", json!(true)),
        ("'1.0.0-rc.2' is version('1.0.0-rc.10', '<', strict=true)", json!(true)),
        ("'99999999999999999999999' is version('100000000000000000000000', '<')", json!(true)),
        (
            "'1.0' is version('1.0', '~')",
            json!(r#"ERROR "version" compares by ==, !=, <, <=, > or >= in "'1.0' is version('1.0', '~')""#),
        ),
    ]);
}

/// What a filter gives is a value like any other where a shell reads it.
#[test]
fn what_a_filter_gives_is_quoted_like_any_value() {
    for (script, expected) in [
        ("echo {{ sneaky | regex_replace('x', 'y') }}", r"echo '{{ path }} $(reboot) '\''y'\'''"),
        ("echo \"{{ sneaky | basename }}\"", "echo \"{{ path }} \\$(reboot) 'x'\""),
        ("rm {{ [sneaky, 'b'] | union(['c d']) }}", r"rm '{{ path }} $(reboot) '\''x'\''' b 'c d'"),
        ("echo {{ true | ternary(sneaky, 1) }}", r"echo '{{ path }} $(reboot) '\''x'\'''"),
        ("echo {{ sneaky | raw | trim }}", r"echo '{{ path }} $(reboot) '\''x'\'''"),
        ("echo {{ sneaky | raw | regex_search('.*') }}", r"echo '{{ path }} $(reboot) '\''x'\'''"),
        ("echo {{ '{a: $(x)}' | from_yaml | to_json }}", r#"echo '{"a":"$(x)"}'"#),
        ("[ {{ '7' | regex_search('[0-9]') }} -gt 1 ]", "[ 7 -gt 1 ]"),
    ] {
        assert_eq!(templates().render_script(script, &scope()).as_deref(), Ok(expected), "{script}");
    }
    let refused =
        templates().render_script("(( {{ 'a[$(reboot)]' | regex_replace('z', '') }} > 1 ))", &scope());
    assert!(refused.unwrap_err().message.contains("would be evaluated"));
}

#[test]
fn no_filter_grows_without_bounds() {
    let big = "('x' * 100000)";
    let much = "('y' * 1000)";
    for (expression, said) in [
        (format!("{big} | replace('x', {much}) | length"), "a text of more than 32 MiB"),
        (format!("{big} | regex_replace('x', {much}) | length"), "a text of more than 32 MiB"),
        (format!("range(1000) | list | join({big})"), "a text of more than 32 MiB"),
        ("'x' | indent(1000000000)".to_owned(), "\"indent\" takes up to 1000 blanks, or a text"),
        (format!("('\n' * 1000) | indent({big}, blank=true)"), "a text of more than 32 MiB"),
        ("'%999999999d' | format(1)".to_owned(), "a text of more than 32 MiB"),
        ("'%.999999999f' | format(1)".to_owned(), "a text of more than 32 MiB"),
        ("'%-99999999999999999999s' | format('x')".to_owned(), "a text of more than 32 MiB"),
        ("('%9999999s' * 4) | format(1, 2, 3, 4)".to_owned(), "a text of more than 32 MiB"),
        (format!("('%(a)s' * 1000) | format(a={big})"), "a text of more than 32 MiB"),
        ("range(9223372036854775807, -9223372036854775807, -1)".to_owned(), "2 to the power of 53"),
        ("range(0, 1, -9223372036854775807 - 1)".to_owned(), "2 to the power of 53"),
        ("[1] | batch(1000000000, 0)".to_owned(), "\"batch\" takes a number from 1 to 100000"),
        ("[1] | slice(1000000000)".to_owned(), "\"slice\" takes a number from 1 to 100000"),
        ("range(1000) | product(range(1000))".to_owned(), "has more than 100000 items"),
        ("range(90000) | zip_longest([1], [2])".to_owned(), "has more than 100000 items"),
        ("('x' * 100001) | regex_findall('x')".to_owned(), "has more than 100000 items"),
        ("'a' | regex_search('(((a{99}){99}){99})')".to_owned(), "the pattern is too large"),
    ] {
        let found = eval(&expression);
        assert!(found.as_str().is_some_and(|found| found.contains(said)), "{expression}: {found}");
    }
    let deep = "{% set ns = namespace(x=[]) %}{% for i in range(20000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x | to_json }}";
    let error = templates().render_text(deep, &scope()).unwrap_err();
    assert!(error.message.contains("more than 128 levels"), "{error:?}");
}

#[test]
fn formats_of_a_sane_width_are_written() {
    all(&[
        ("'%5d|%-4s|%.2f|%05.1f|%%' | format(7, 'ab', 1.005, 2.25)", json!("    7|ab  |1.00|002.2|%")),
        ("'%(a)s-%(b)03d' | format(a='x', b=4)", json!("x-004")),
        ("'%2000s' | format('x') | length", json!(2000)),
        ("range(5, 0, -2) | list", json!([5, 3, 1])),
    ]);
}

#[test]
fn messages_of_filters_show_no_values() {
    for expression in [
        "secret | int",
        "secret | from_yaml | combine({})",
        "('a: ' ~ secret ~ ': {') | from_yaml",
        "secret | bool",
        "secret | b64decode",
        "'x' is search('(' ~ secret)",
        "secret | human_to_bytes",
        "secret is version('1', secret)",
        "'x' | hash(secret)",
        "secret | flatten",
        "secret is failed",
        "{'k': secret} | items2dict",
    ] {
        let found = eval(expression).to_string();
        assert!(found.contains("ERROR") && !found.contains("hunter2"), "{expression}: {found}");
    }
}

#[test]
fn the_docs_list_every_filter_and_every_test() {
    let docs = include_str!("../../../../docs/templates.md");
    for name in FILTERS.iter().chain(TESTS) {
        let listed = docs.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == *name);
        assert!(listed, "docs/templates.md does not have {name}");
    }
}
