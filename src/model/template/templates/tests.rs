//! What templates give and say.

use std::collections::HashSet;
use std::sync::Arc;

use insta::assert_snapshot;
use serde_json::json;

use super::*;
use crate::model::position::{Diagnostic, Position};
use crate::model::template::scope::Layer;

fn templates() -> Templates {
    Templates::new(&Builtins {
        env: Arc::new(|name| (name == "HOME").then(|| "/home/op".to_owned())),
        now: "2026-01-02T03:04:05Z".to_owned(),
        yaml: Arc::new(crate::config::read_value),
        ..Builtins::default()
    })
}

fn layer(value: serde_json::Value) -> Layer {
    let serde_json::Value::Object(vars) = value else { panic!("vars are a map") };
    Layer::new(&vars)
}

fn scope() -> Scope {
    Scope::new().with(layer(json!({"app": "low", "version": "1.2", "port": 8080, "ratio": 0.5}))).with(layer(
        json!({
            "app": "shop", "force": true, "tags": ["a", "b c"], "nothing": null, "empty": "",
            "out": {"stdout": "{{ app }} {% if %} {#", "rc": 0, "ok": true}, "flag": "false",
        }),
    ))
}

fn text(template: &str) -> Result<String, String> {
    templates().render_text(template, &scope()).map_err(shown)
}

fn value(template: &str) -> Result<Value, String> {
    let at = Position::new("tasks.yaml", 7, 3);
    let template = Template::Text(Located::new(template.into(), at));
    templates()
        .render_value(&template, &scope())
        .map_err(|error| placed(&error.value, &error.position).to_string())
}

/// The error in the file that holds the text, whose first character stands at the position.
fn placed(error: &TemplateError, position: &Position) -> Diagnostic {
    let mut place = position.clone();
    place.line += error.line - 1;
    place.column += error.column.map_or(0, |column| column - 1);
    let mut diagnostic = Diagnostic::at(&place, error.message.clone());
    diagnostic.help.clone_from(&error.help);
    diagnostic
}

fn shown(error: TemplateError) -> String {
    let column = error.column.map_or_else(|| "-".to_owned(), |column| column.to_string());
    let help = error.help.map(|help| format!(" (help: {help})")).unwrap_or_default();
    format!("{}:{column}: {}{help}", error.line, error.message)
}

#[test]
fn text_takes_the_highest_layer_and_spells_values_as_yaml_does() {
    for (template, expected) in [
        ("{{ app }}-{{ version }}", "shop-1.2"),
        ("{{ port }} {{ ratio }} {{ force }} {{ not force }}", "8080 0.5 true false"),
        ("{{ tags | join('+') }} {{ [true, 1] | join(',') }}", "a+b c true,1"),
        ("{{ out.rc }}{{ out['rc'] }}", "00"),
        ("a{{ '--force' if force }}b{{ 'x' if not force }}c", "a--forcebc"),
        ("{% for tag in tags %}[{{ tag }}]{% endfor %}\n", "[a][b c]\n"),
        ("{% set x = app ~ '!' %}{{ x | upper }}", "SHOP!"),
        ("{% macro hi(x) %}hi {{ x }}{% endmacro %}{{ hi(app) }}", "hi shop"),
        ("{{ nope | default('none') }}", "none"),
        ("{{ env('HOME') }} {{ env('NOPE', 'x') }} {{ now() }}", "/home/op x 2026-01-02T03:04:05Z"),
        ("{{ '{\"a\": [1]}' | from_json | attr('a') | first }}", "1"),
        ("{{ out | tojson }}", r##"{"stdout":"{{ app }} {% if %} {#","rc":0,"ok":true}"##),
        ("{{ tags | tojson(1) }}", "[\n \"a\",\n \"b c\"\n]"),
        (
            "{{ tags | quote }} {{ \"it's\" | quote }} {{ app | quote }} {{ force | string }}",
            r"a 'b c' 'it'\''s' shop true",
        ),
        ("{{ app | raw }}", "shop"),
        ("{# {{ nope }} #}{% raw %}{{ nope }}{% endraw %}", "{{ nope }}"),
        ("trailing\n\n", "trailing\n\n"),
        ("{{ range(3) | join }}", "012"),
    ] {
        assert_eq!(text(template).as_deref(), Ok(expected), "{template}");
    }
}

#[test]
fn the_lines_of_tags_in_a_file_stay_or_go() {
    let file = "a\n  {% for x in tags %}\n  - {{ x }}\n  {% endfor %}\n{{ app }}\nz\n";
    for (trim_blocks, lstrip_blocks, expected) in [
        (false, false, "a\n  \n  - a\n  \n  - b c\n  \nshop\nz\n"),
        (true, false, "a\n    - a\n    - b c\n  shop\nz\n"),
        (false, true, "a\n\n  - a\n\n  - b c\n\nshop\nz\n"),
        (true, true, "a\n  - a\n  - b c\nshop\nz\n"),
    ] {
        let tag_lines = TagLines { trim_blocks, lstrip_blocks };
        let rendered = templates().render_file(file, tag_lines, &scope()).map_err(shown);
        assert_eq!(rendered.as_deref(), Ok(expected), "{tag_lines:?}");
    }
}

#[test]
fn text_from_a_host_is_never_a_template() {
    let dangerous = "{{ app }} {% if %} {#";
    assert_eq!(text("{{ out.stdout }}").as_deref(), Ok(dangerous));
    assert_eq!(text("{{ out.stdout ~ '{{ app }}' }}"), Ok(format!("{dangerous}{{{{ app }}}}")));
    assert_eq!(value("{{ out.stdout }}"), Ok(json!(dangerous)));
    let script = templates().render_script("echo {{ out.stdout }}", &scope());
    assert_eq!(script, Ok(format!("echo '{dangerous}'")));
}

#[test]
fn a_single_expression_keeps_its_type() {
    for (template, expected) in [
        ("{{ port }}", json!(8080)),
        ("{{- tags -}}", json!(["a", "b c"])),
        ("{{ out }}", json!({"stdout": "{{ app }} {% if %} {#", "rc": 0, "ok": true})),
        ("{{ nothing }}", json!(null)),
        ("{{ force and port > 80 }}", json!(true)),
        ("{{ {'a': {'b': 1}} }}", json!({"a": {"b": 1}})),
        ("{{ app }}{{ port }}", json!("shop8080")),
        ("{{ port }} ", json!("8080 ")),
        ("plain", json!("plain")),
        ("{{ '}}' }}", json!("}}")),
        ("{{ tags | quote }}", json!("a 'b c'")),
    ] {
        assert_eq!(value(template), Ok(expected), "{template}");
    }
    let nested = Template::Map(
        [(
            "list".to_owned(),
            Template::List(vec![Template::Literal(json!(1)), Template::Literal(json!("{{ x }}"))]),
        )]
        .into_iter()
        .collect(),
    );
    assert_eq!(templates().render_value(&nested, &scope()), Ok(json!({"list": [1, "{{ x }}"]})));
}

#[test]
fn errors_in_values_point_into_the_file() {
    assert_snapshot!(value("{{ verison }}").unwrap_err(), @r#"tasks.yaml:7:6: error: undefined variable "verison" (help: did you mean "version"?)"#);
    assert_snapshot!(value("a\n {{ tags }}").unwrap_err(), @r#"tasks.yaml:8:7: error: variable "tags" is a list (help: write {{ tags | join(",") }})"#);
    assert_snapshot!(value("{{ [app, nope] }}").unwrap_err(), @r#"tasks.yaml:7:6: error: value of "[app, nope]" is or holds something undefined"#);
    assert_snapshot!(value("{{ port + app }}").unwrap_err(), @r#"tasks.yaml:7:6: error: tried to use + operator on unsupported types number and string in "port + app""#);
}

#[test]
fn conditions_are_true_or_false() {
    for (expression, expected) in [
        ("force", Ok(true)),
        ("not force", Ok(false)),
        ("nothing", Ok(false)),
        ("port > 80 and out.ok", Ok(true)),
        ("nope is defined", Ok(false)),
        ("'a' in tags", Ok(true)),
        (
            "flag",
            Err(
                "1:-: expected true or false, found a string (help: compare it with something: == != < > in, or \"is defined\")",
            ),
        ),
        (
            "port",
            Err(
                "1:-: expected true or false, found a number (help: compare it with something: == != < > in, or \"is defined\")",
            ),
        ),
        ("nope", Err("1:1: undefined variable \"nope\"")),
        ("forc", Err("1:1: undefined variable \"forc\" (help: did you mean \"force\"?)")),
        ("force and forc == 1", Err("1:11: undefined variable \"forc\" (help: did you mean \"force\"?)")),
        ("out.stdot", Err("1:1: undefined variable \"out.stdot\" (help: did you mean \"out.stdout\"?)")),
        ("{{ force }}", Err("1:1: an expression is written without braces (help: write force)")),
        ("force ==", Err("1:7: unexpected end of input, expected expression")),
        ("", Err("1:1: unexpected end of input, expected expression")),
        ("1 // 0 == 1", Err("1:1: \"1 // 0 == 1\" cannot be calculated")),
    ] {
        let result = templates().eval_bool(expression, &scope()).map_err(shown);
        assert_eq!(result, expected.map_err(str::to_owned), "{expression}");
    }
}

#[test]
fn messages_say_what_is_wrong_where_and_what_to_write() {
    let templates = [
        "{{ verison }}",
        "a\n  é {{ verison | upper }}",
        "{{ out.stdot }} ",
        "{{ nope.x }} ",
        "{{ tags }} ",
        "{{ tags | list }} ",
        "{{ out }} ",
        "{{ nothing }} ",
        "{{ env }} ",
        "{{ env('NOPE') }} ",
        "{{ foo(1) }} ",
        "{{ nwo() }} ",
        "{{ app | uper }}",
        "{{ app | safe }}",
        "{{ app | e }}",
        "{{ app is strin }}",
        "{{ app",
        "a {{ app\nmore {{ app }}",
        "{{ app }",
        "{{ 'x }}",
        "{{ app app }}",
        "{{ }}",
        "{% if app %}x",
        "{% if app ",
        "x {% endif %}",
        "{% fro x in y %}",
        "{# x",
        "{% raw %}",
        "{% include 'x' %}",
        "{% autoescape false %}{% endautoescape %}",
        "{{ app | int }}",
        "{{ app + 1 }}",
        "{{ 'x' | from_json }}",
        "{{ [nope] | join }} ",
        "{% for i in range(100000) %}{% for j in range(100) %}{% endfor %}{% endfor %}",
        "{% for i in range(100000) %}0123456789abcdef{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "a\0b",
    ];
    let list: Vec<String> = templates
        .iter()
        .map(|template| format!("{template:?}\n    {}", text(template).unwrap_err()))
        .collect();
    assert_snapshot!(list.join("\n"), @r##"
    "{{ verison }}"
        1:4: undefined variable "verison" (help: did you mean "version"?)
    "a\n  é {{ verison | upper }}"
        2:8: undefined variable "verison" (help: did you mean "version"?)
    "{{ out.stdot }} "
        1:4: undefined variable "out.stdot" (help: did you mean "out.stdout"?)
    "{{ nope.x }} "
        1:4: undefined variable "nope"
    "{{ tags }} "
        1:4: variable "tags" is a list (help: write {{ tags | join(",") }})
    "{{ tags | list }} "
        1:4: value of "tags | list" is a list (help: write {{ tags | list | join(",") }})
    "{{ out }} "
        1:4: variable "out" is a map (help: write {{ out | tojson }}, or name a key)
    "{{ nothing }} "
        1:4: variable "nothing" is null (help: write {{ nothing | default("...", true) }})
    "{{ env }} "
        1:4: variable "env" has no text
    "{{ env('NOPE') }} "
        1:4: environment variable NOPE is not set (help: set it, or write env('NOPE', 'default'))
    "{{ foo(1) }} "
        1:4: unknown function "foo"
    "{{ nwo() }} "
        1:4: unknown function "nwo" (help: did you mean "now"?)
    "{{ app | uper }}"
        1:10: unknown filter "uper" (help: did you mean "upper"?)
    "{{ app | safe }}"
        1:10: unknown filter "safe" (help: write | raw to put a value into a script unquoted)
    "{{ app | e }}"
        1:10: unknown filter "e" (help: values in scripts are quoted by themselves)
    "{{ app is strin }}"
        1:11: unknown test "strin" (help: did you mean "string"?)
    "{{ app"
        1:1: unclosed "{{" (help: close it with "}}"; for another program's braces, write {% raw %}{{{% endraw %})
    "a {{ app\nmore {{ app }}"
        1:3: unclosed "{{" (help: close it with "}}"; for another program's braces, write {% raw %}{{{% endraw %})
    "{{ app }"
        1:1: unclosed "{{" (help: close it with "}}"; for another program's braces, write {% raw %}{{{% endraw %})
    "{{ 'x }}"
        1:9: a string is not closed (help: for another program's braces, write {% raw %}{{{% endraw %})
    "{{ app app }}"
        1:8: unexpected identifier, expected "}}" (help: for another program's braces, write {% raw %}{{ app app }}{% endraw %})
    "{{ }}"
        1:4: unexpected "}}" (help: for another program's braces, write {% raw %}{{ }}{% endraw %})
    "{% if app %}x"
        1:1: a block is not ended (help: end {% if %} with {% endif %} and {% for %} with {% endfor %})
    "{% if app "
        1:1: unclosed "{%" (help: close it with "%}"; for another program's braces, write {% raw %}{%{% endraw %})
    "x {% endif %}"
        1:6: unknown tag "endif" (help: there is no open block for it)
    "{% fro x in y %}"
        1:4: unknown tag "fro" (help: did you mean "for"?)
    "{# x"
        1:1: unclosed "{#" (help: close it with "#}"; for another program's braces, write {% raw %}{#{% endraw %})
    "{% raw %}"
        1:10: {% raw %} without {% endraw %} (help: for another program's braces, write {% raw %}{{{% endraw %})
    "{% include 'x' %}"
        1:1: the tag {% include %} is not available (help: a template stands alone; {% if %}, {% for %} and {% set %} are available)
    "{% autoescape false %}{% endautoescape %}"
        1:1: the tag {% autoescape %} is not available (help: a template stands alone; {% if %}, {% for %} and {% set %} are available)
    "{{ app | int }}"
        1:10: invalid float literal in "app | int"
    "{{ app + 1 }}"
        1:4: tried to use + operator on unsupported types string and number in "app + 1"
    "{{ 'x' | from_json }}"
        1:10: not JSON: expected value at line 1 column 1 in "'x' | from_json"
    "{{ [nope] | join }} "
        1:4: value of "[nope] | join" is or holds something undefined
    "{% for i in range(100000) %}{% for j in range(100) %}{% endfor %}{% endfor %}"
        1:1: the template runs too long (help: is there a loop over too many items?)
    "{% for i in range(100000) %}0123456789abcdef{% endfor %}"
        1:-: the template expands to more than 1024 KiB
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"
        1:19: recursion limit exceeded in "f()"
    "a\0b"
        1:2: a NUL byte in a template
    "##);
}

#[test]
fn a_script_refuses_what_would_lose_its_quoting() {
    let templates = [
        "{% set x %}a{% endset %}",
        "{% set x | upper(a=1) %}a{% endset %}",
        "{% macro f() %}{% endmacro %}",
        "{% filter upper %}{% endfilter %}",
        "{% call f() %}{% endcall %}",
    ];
    let refused = |text: &&str| shown(check(text, Syntax::Shell).unwrap_err());
    assert_snapshot!(templates.iter().map(refused).collect::<Vec<_>>().join("\n"), @r#"
    1:1: a {% set %} block cannot be used in a script (help: write {% set name = expression %})
    1:1: a {% set %} block cannot be used in a script (help: write {% set name = expression %})
    1:1: {% macro %} cannot be used in a script (help: write the lines in place, with {% if %} and {% for %})
    1:1: {% filter %} cannot be used in a script (help: write the lines in place, with {% if %} and {% for %})
    1:1: {% call %} cannot be used in a script (help: write the lines in place, with {% if %} and {% for %})
    "#);
    assert_eq!(check("{% set x = {'a': 1} %}{% set ns = namespace(a=1) %}", Syntax::Shell), Ok(vec![]));
}

#[test]
fn a_check_names_what_a_text_needs() {
    for (text, syntax, names) in [
        ("{{ app }} {{ out.rc }} {{ env('X') }} {{ range(3) }}", Syntax::Text, vec!["app", "out"]),
        ("{% for x in tags %}{{ x }}{{ loop.index }}{% endfor %}", Syntax::Shell, vec!["tags"]),
        ("{{ a | default(1) }}{{ b | d }}{{ c.d | default(1) }}", Syntax::Text, vec!["c"]),
        ("a is defined and a > b", Syntax::Expression, vec!["b"]),
        ("x is not defined", Syntax::Expression, vec![]),
        ("force or archive.changed", Syntax::Expression, vec!["archive", "force"]),
        ("no {# {{ x }} #} braces", Syntax::Text, vec![]),
    ] {
        assert_eq!(check(text, syntax), Ok(names.into_iter().map(str::to_owned).collect()), "{text}");
    }
    assert!(check("{{ app", Syntax::Text).is_err());
    assert!(check("app | uper", Syntax::Expression).is_err());
}

#[test]
fn every_filter_and_test_that_is_listed_exists() {
    for name in filters::FILTERS {
        let known = templates().eval_bool(&format!("{name:?} is filter"), &scope());
        assert_eq!(known, Ok(true), "{name}");
    }
    for name in filters::TESTS {
        let known = templates().eval_bool(&format!("{name:?} is test"), &scope());
        assert_eq!(known, Ok(true), "{name}");
    }
}

#[test]
fn errors_never_show_values() {
    let scope =
        Scope::new().with(layer(json!({"password": "hunter2", "pins": [4711], "many": {"k": "hunter2"}})));
    for template in [
        "{{ password | int }}",
        "{{ password + 1 }}",
        "{{ pins }}x",
        "{{ many }}x",
        "{{ password.x.y }}",
        "{{ password | from_json }}",
        "{{ pins[0] // 0 }}",
        "{{ password(1) }}",
        "{{ password | round }}",
        "{{ many.x.y }}",
        "{{ [password, nope] | join }}",
        "{{ pasword }}",
        "{{ password | batch('x') }}",
        "`{{ password }} {{ many | tojson }}`",
    ] {
        for error in [
            templates().render_text(template, &scope).err(),
            templates().render_script(template, &scope).err(),
        ] {
            let shown = error.map(shown).unwrap_or_default();
            assert!(!shown.contains("hunter2") && !shown.contains("4711"), "{template}: {shown}");
        }
    }
    assert!(!format!("{scope:?}").contains("hunter2"));
}

#[test]
fn a_global_layer_is_shared_between_hosts() {
    // Too long to stand in the value itself.
    let names: Vec<String> = (0..5000).map(|n| format!("web{n}.in-a-very-long-zone.example.org")).collect();
    let global = layer(json!({ "hosts": names }));
    let engine = templates();
    let mut places = HashSet::new();
    for n in 0..100 {
        let scope = Scope::new().with(global.clone()).with(layer(json!({ "host": n })));
        assert_eq!(
            engine.render_text("{{ host }} of {{ hosts | length }}", &scope),
            Ok(format!("{n} of 5000"))
        );
        let first = scope.get("hosts").unwrap().get_item_by_index(0).unwrap();
        places.insert(first.as_str().unwrap().as_ptr() as usize);
    }
    assert_eq!(places.len(), 1, "a copy for each host");
}

/// Braces of shells and of other programs: literal, or an error that says how to write them; nothing is lost.
#[test]
fn braces_of_other_languages_are_literal_or_told() {
    let vars = json!({"v": "x", "list": [1, 2]});
    let Value::Object(vars) = vars else { unreachable!() };
    let scope = Scope::new().with(Layer::new(&vars));
    let templates = templates();
    for text in [
        "echo ${#}\necho ${#a[@]}\nfalse\necho '#}'",
        "test ${#v} -gt 3 && echo {\n#}\n}",
        "echo ${x%} ${x%%y} ${x#} %}",
        "curl -w '%{http_code}' -o /dev/null",
        "awk '{ print $1 }' | jq '{a: {b: 1}}'",
        "${${#}}",
    ] {
        assert_eq!(templates.render_script(text, &scope).unwrap(), text, "{text}");
        assert_eq!(templates.render_text(text, &scope).unwrap(), text, "{text}");
        assert_eq!(check(text, Syntax::Shell), Ok(vec![]), "{text}");
    }
    let counted = "n=${#a[@]} # {# one line #}{# a\nb #}{{ v }}";
    assert_eq!(templates.render_text(counted, &scope).unwrap(), "n=${#a[@]} # x");
    for (text, expected) in [
        ("a {# it's #}{{ v }}", "a x"),
        ("a {#- b -#} c{##}", "ac"),
        ("a {# ${#x} #}${#{% raw %}{# {{ }} {%{% endraw %}", "a ${#{# {{ }} {%"),
        ("{{ '{#' }} {{ \"#}\" }}", "'{#' '#}'"),
    ] {
        assert_eq!(templates.render_script(text, &scope).unwrap(), expected, "{text}");
    }
    let texts = [
        "docker ps --format '{{.Names}}'",
        "docker ps --format '{{json .}}'",
        "docker inspect -f '{{range .Mounts}}{{.Source}}{{end}}' x",
        "awk '{{ print $1 }}'",
        "awk 'BEGIN {{ x = 1 }",
        "printf '{%s}'",
        "printf '{%d}' && echo '%}'",
        "awk '{# count\n n++ #}'\nrm x",
        "sed 's/{#/x/; s/#}/y/'",
        "awk '{#count\nn++}'",
        "# {# of two\nlines #}\nfalse",
    ];
    let said = |text| check(text, Syntax::Shell).unwrap_err();
    let list: Vec<String> = texts.iter().map(|text| format!("{text:?}\n    {}", shown(said(text)))).collect();
    for line in list.iter() {
        assert!(line.contains("{% raw %}"), "{line}");
    }
    assert_snapshot!(list.join("\n"), @r##"
    "docker ps --format '{{.Names}}'"
        1:23: unexpected `.` (help: for another program's braces, write {% raw %}{{.Names}}{% endraw %})
    "docker ps --format '{{json .}}'"
        1:29: unexpected "}}", expected identifier or integer (help: for another program's braces, write {% raw %}{{json .}}{% endraw %})
    "docker inspect -f '{{range .Mounts}}{{.Source}}{{end}}' x"
        1:39: unexpected `.` (help: for another program's braces, write {% raw %}{{.Source}}{% endraw %})
    "awk '{{ print $1 }}'"
        1:15: unexpected character (help: for another program's braces, write {% raw %}{{ print $1 }}{% endraw %})
    "awk 'BEGIN {{ x = 1 }"
        1:12: unclosed "{{" (help: close it with "}}"; for another program's braces, write {% raw %}{{{% endraw %})
    "printf '{%s}'"
        1:9: unclosed "{%" (help: close it with "%}"; for another program's braces, write {% raw %}{%{% endraw %})
    "printf '{%d}' && echo '%}'"
        1:11: unknown tag "d" (help: for another program's braces, write {% raw %}{%{% endraw %})
    "awk '{# count\n n++ #}'\nrm x"
        1:6: "{#" opens a comment in a script (help: a comment of a template is {# one line, with blanks #}; for another program's braces, write {% raw %}{#{% endraw %})
    "sed 's/{#/x/; s/#}/y/'"
        1:8: "{#" opens a comment in a script (help: a comment of a template is {# one line, with blanks #}; for another program's braces, write {% raw %}{#{% endraw %})
    "awk '{#count\nn++}'"
        1:6: unclosed "{#" (help: close it with "#}"; for another program's braces, write {% raw %}{#{% endraw %})
    "# {# of two\nlines #}\nfalse"
        1:3: "{#" opens a comment in a script (help: a comment of a template is {# one line, with blanks #}; for another program's braces, write {% raw %}{#{% endraw %})
    "##);
}

#[test]
fn a_command_for_a_file_has_its_place_before_its_values() {
    let Value::Object(vars) = json!({"v": "a %s b", "f": false}) else { unreachable!() };
    let scope = Scope::new().with(Layer::new(&vars));
    let told = |text: &str, path: &[u8]| match templates().render_check(text, &scope) {
        Ok(command) => match command.about(path) {
            Some(command) => String::from_utf8_lossy(&command).into_owned(),
            None => "NEEDS QUOTES".to_owned(),
        },
        Err(error) => shown(error),
    };
    for (text, path, expected) in [
        ("nginx -t -c %s", "/etc/x", "nginx -t -c '/etc/x'"),
        ("echo {{ v }} && check %s '{{ v }}'", "/$(x)", "echo 'a %s b' && check '/$(x)' 'a %s b'"),
        ("check --file=%s{{ v }}", "/it's", "check --file='/it'\\''s''a %s b'"),
        ("sh -c 'check %s' {{ v }}", "/etc/x", "sh -c 'check /etc/x' 'a %s b'"),
        ("sh -c \"check %s\"", "/etc/x", "sh -c \"check /etc/x\""),
        ("sh -c \"check %s\"", "/etc/$(x)", "NEEDS QUOTES"),
        ("`check %s`", "/etc/x;y", "NEEDS QUOTES"),
        ("cat <<E\n%s\nE\n", "/etc/x", "cat <<E\n/etc/x\nE\n"),
        ("{# %s #}check {{ '%s' }} %s", "/x", "check %s '/x'"),
    ] {
        assert_eq!(told(text, path.as_bytes()), expected, "{text}");
    }
    assert_eq!(told("check %s", b"/\xff"), "check '/\u{fffd}'");
    assert_snapshot!(told("{% if f %}check %s{% endif %}", b"/x"), @"1:-: the command names the file 0 times with these values (help: write %s once, outside {% if %} and {% for %})");
    assert_snapshot!(told("{% for x in [1, 2] %}check %s;{% endfor %}", b"/x"), @"1:-: the command names the file 2 times with these values (help: write %s once, outside {% if %} and {% for %})");
    assert_eq!(count_holes("check {{ '%s' }}"), 0);
    assert_eq!(count_holes("check %s {{ '%s' }} {# %s #}{% raw %}{{{% endraw %}"), 1);
}

#[test]
fn hints_about_braces_of_another_program_keep_all_that_is_between_them() {
    for (name, text, whole) in [
        ("json", "docker inspect -f '{{json .State}}' c", "{{json .State}}"),
        ("len", "docker inspect -f '{{ len .Mounts }}' c", "{{ len .Mounts }}"),
        ("if", "docker inspect -f '{{if .X}}yes{{end}}' c", "{{if .X}}yes{{end}}"),
        ("end", "a\ndocker inspect -f '{{with .X}}x{{end}}' c\n", "{{with .X}}x{{end}}"),
        ("end", "", "{{end}}"),
    ] {
        let help = super::of_another_program(name, text).unwrap();
        assert!(help.ends_with(&format!("{{% raw %}}{whole}{{% endraw %}}")), "{text}: {help}");
    }
    assert_eq!(super::of_another_program("version", "{{ version }}"), None);
}

/// On a stack as small as that of a worker.
#[test]
fn an_expression_has_a_bounded_length() {
    let chains = [
        ("-", "1", ""),
        ("not ", "x", ""),
        ("", "1", "+1"),
        ("", "x", ".a"),
        ("", "x", "|upper"),
        ("", "x", "~\"x\""),
        ("", "x", "[0]"),
        ("", "x", " is defined and 1"),
        ("", "1", " if x else 1"),
        ("", "1", "**1"),
        ("", "1", " < 1"),
        ("", "x", "()"),
        ("", "x", " or 1"),
        ("", "1", " in x"),
    ];
    for (before, middle, after) in chains {
        for count in [40_000, 990, 450, 300, 230] {
            let chain = format!("{}{middle}{}", before.repeat(count), after.repeat(count));
            let texts = [
                (Syntax::Text, format!("{{{{ {chain} }}}}")),
                (Syntax::Text, format!("{{{{ {chain}")),
                (Syntax::Shell, format!("echo\n{{% if {chain} %}}x{{% endif %}}")),
                (Syntax::Expression, chain.clone()),
            ];
            for (syntax, text) in texts {
                let found = check(&text, syntax);
                if count == 40_000 {
                    let error = found.unwrap_err();
                    assert!(error.message.contains("more than 1000 words and signs"), "{}", error.message);
                    assert!(error.column.is_some_and(|column| column > 400), "{error:?}");
                }
            }
            // Whatever it gives, it ends.
            let _ = templates().eval_value(&chain, &scope());
            let _ = templates().render_script(&format!("echo {{{{ {chain} }}}}"), &scope());
        }
    }
    let branches = |count: usize| format!("{{% if x %}}a{}{{% endif %}}", "{% elif x %}b".repeat(count));
    assert!(check(&branches(100), Syntax::Text).is_ok());
    let error = check(&branches(20_000), Syntax::Text).unwrap_err();
    assert!(error.message.contains("more than 100 {% elif %}"), "{}", error.message);
    let many = format!("[{}]", "1, ".repeat(20_000));
    assert!(check(&many, Syntax::Expression).is_ok());
}

#[test]
fn a_slice_without_measure_ends_nothing() {
    let step = "-9223372036854775807 - 1";
    for expression in [
        format!("'abc'[::{step}]"),
        format!("[1, 2][::{step}] | list"),
        format!("'abc'[{step}:]"),
        format!("'abc'[:{step}:-1]"),
        "'abc'[::-9223372036854775808]".to_owned(),
        "'abc'[9223372036854775807:9223372036854775807:9223372036854775807]".to_owned(),
    ] {
        // An error or what is left of it: an answer in any case, of a script and of a condition.
        let _ = check(&expression, Syntax::Expression);
        let _ = templates().eval_value(&expression, &scope());
        let _ = templates().render_script(&format!("echo {{{{ {expression} }}}}"), &scope());
        let _ = templates().render_text(&format!("{{{{ {expression} }}}}"), &scope());
    }
    assert_eq!(templates().eval_value("'abc'[::-1]", &scope()).unwrap(), json!("cba"));
}
