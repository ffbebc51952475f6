//! What is worth a warning, and what is not: the scripts of the documentation among the latter.

use std::fs;
use std::path::Path;

use super::find;

/// `column: message | help` of each warning.
fn said(script: &str) -> Vec<String> {
    let line = |error: &crate::model::template::problem::TemplateError| {
        let place = format!("{}:{}", error.line, error.column.unwrap_or(0));
        format!("{place}: {} | {}", error.message, error.help.as_deref().unwrap_or_default())
    };
    find(script).iter().map(line).collect()
}

#[test]
fn values_that_are_read_twice_are_told() {
    let scripts = [
        "ssh h \"echo '{{ x }}'\"",
        "sh -c 'echo \"{{ x }}\"'",
        "cp '\"{{ x }}\"' there",
        "cp \"'{{ x }}'\" there",
        "cp \"{{ x | quote }}\" there",
        "true\nif ssh -p 22 \"{{ user }}@{{ host }}\" \"rm -f \\\"{{ a.b }}\\\" {{ c }}\"; then :; fi",
        "sudo -u app bash -ec \"cd {{ dir | quote }} && rm '{{ file | quote }}'\"",
        "su - app -c 'touch \"{{ x | upper }}\"'",
        "/usr/bin/ssh h 'ls {{ x }} it'\\''s {{ y }}'",
        "x=$(ssh h \"cat '{{ x }}'\")",
        "echo \"$(ssh h \"cat '{{ x }}'\")\"",
        "cat <<E | ssh h \"tee '{{ x }}'\"\nit's {{ y }}\nE",
        "eval \"a='{{ x }}'\" # it's {{ z }}",
        "{% if a %}ssh h \"ls '{{ x }}'\"{% endif %}{# it's #}",
        "docker exec c sh -c \"ls {{ x }}\"",
    ];
    let list: Vec<String> = scripts
        .iter()
        .map(|script| {
            let said = said(script);
            assert!(!said.is_empty(), "{script}");
            format!("{script}\n    {}", said.join("\n    "))
        })
        .collect();
    insta::assert_snapshot!(list.join("\n"), @r#"
    ssh h "echo '{{ x }}'"
        1:17: value of "x" is quoted for this shell, but the quotes around it are read by another one (ssh) | write {{ x | quote }} without quotes around it
    sh -c 'echo "{{ x }}"'
        1:17: value of "x" is quoted for this shell, but the quotes around it are read by another one (sh) | write {{ x | quote }} without quotes around it
    cp '"{{ x }}"' there
        1:9: value of "x" stands in two pairs of quotes: the inner ones become part of it | write it without quotes: values are quoted by themselves
    cp "'{{ x }}'" there
        1:9: value of "x" stands in two pairs of quotes: the inner ones become part of it | write it without quotes: values are quoted by themselves
    cp "{{ x | quote }}" there
        1:8: value of "x | quote" is quoted twice: by `quote`, and by the quotes around it | leave one of them out
    true
    if ssh -p 22 "{{ user }}@{{ host }}" "rm -f \"{{ a.b }}\" {{ c }}"; then :; fi
        2:50: value of "a.b" is quoted for this shell, but the quotes around it are read by another one (ssh) | write {{ a.b | quote }} without quotes around it
        2:62: value of "c" is quoted for this shell, and read again by another one (ssh) | write {{ c | quote }}
    sudo -u app bash -ec "cd {{ dir | quote }} && rm '{{ file | quote }}'"
        1:54: value of "file | quote" is quoted twice: by `quote`, and by the quotes around it | leave one of them out
    su - app -c 'touch "{{ x | upper }}"'
        1:24: value of "x | upper" is quoted for this shell, but the quotes around it are read by another one (su) | write {{ (x | upper) | quote }} without quotes around it
    /usr/bin/ssh h 'ls {{ x }} it'\''s {{ y }}'
        1:23: value of "x" is quoted for this shell, and read again by another one (ssh) | write {{ x | quote }}
        1:39: value of "y" is quoted for this shell, and read again by another one (ssh) | write {{ y | quote }}
    x=$(ssh h "cat '{{ x }}'")
        1:20: value of "x" is quoted for this shell, but the quotes around it are read by another one (ssh) | write {{ x | quote }} without quotes around it
    echo "$(ssh h "cat '{{ x }}'")"
        1:24: value of "x" is quoted for this shell, but the quotes around it are read by another one (ssh) | write {{ x | quote }} without quotes around it
    cat <<E | ssh h "tee '{{ x }}'"
    it's {{ y }}
    E
        1:26: value of "x" is quoted for this shell, but the quotes around it are read by another one (ssh) | write {{ x | quote }} without quotes around it
    eval "a='{{ x }}'" # it's {{ z }}
        1:13: value of "x" is quoted for this shell, but the quotes around it are read by another one (eval) | write {{ x | quote }} without quotes around it
    {% if a %}ssh h "ls '{{ x }}'"{% endif %}{# it's #}
        1:25: value of "x" is quoted for this shell, but the quotes around it are read by another one (ssh) | write {{ x | quote }} without quotes around it
    docker exec c sh -c "ls {{ x }}"
        1:28: value of "x" is quoted for this shell, and read again by another one (sh) | write {{ x | quote }}
    "#);
}

#[test]
fn ordinary_scripts_are_left_alone() {
    for script in [
        "echo '{{ x }}' \"{{ x }}\" {{ x }}",
        "echo \"deployed '{{ x }}' to \\\"{{ host }}\\\"\"",
        "printf '%s\\n' '\"{{ x }}\"'",
        "grep -q '\"{{ x }}\"' file",
        "curl -d '{\"name\": \"{{ x }}\"}' -H \"X: '{{ y }}'\" http://h/",
        "awk '{ print \"{{ x }}\", $1 }' file",
        "psql -c \"select '{{ x }}'\"",
        "sed -i \"s/'a'/'{{ x }}'/\" file",
        "ssh {{ host }} \"rm {{ x | quote }}\"",
        "ssh \"{{ user }}@{{ host }}\" uptime",
        "ssh -i \"{{ key }} x\" -o \"ProxyCommand nc {{ x }} 22\" h uptime",
        "ssh h \"ls {{ x | raw }} '{{ x | raw }}'\"",
        "ssh h \"systemctl {{ 'restart' if force else 'reload' }} nginx\"",
        "ssh h \"{{ command }}\"",
        "ssh h uptime; echo \"it is '{{ x }}'\"",
        "ssh h uptime | tee \"log of '{{ x }}'\"",
        "sh -c 'echo \"$1\"' sh \"a {{ x }}\" '{{ x }}'",
        "sh -c \"rm {{ x | quote }}\"",
        "sh script '\"'\"{{ x }}\"",
        "git commit -m \"use ssh with '{{ x }}'\"",
        "v=\"{{ x | quote }}\"; sh -c \"ls $v\"",
        "json='\"{{ x }}\"'",
        "cat <<E\nssh h \"ls '{{ x }}'\"\nE",
        "# ssh h \"ls '{{ x }}'\"",
        "{# ssh h \"ls '{{ x }}'\" #}true {{ x }}",
        "tar -czf - \"{{ x }}\" | ssh h 'tar -xzf -'",
        // In doubt, nothing is said.
        "echo $'it\\'s' \"{{ x }}\"; ssh h \"ls '{{ x }}'\"",
    ] {
        assert_eq!(said(script), [] as [&str; 0], "{script}");
    }
}

/// The YAML of a page, or of a file.
fn yaml(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    if path.extension().is_some_and(|extension| extension == "yaml") {
        return vec![text];
    }
    text.split("```yaml\n").skip(1).filter_map(|rest| Some(rest.split("```").next()?.to_owned())).collect()
}

/// Reads each line and each block of the documentation's YAML as a script, which is more than scripts.
#[test]
fn the_scripts_of_the_documentation_are_left_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("tasks.example.yaml")];
    for folder in ["docs", "docs/recipes"] {
        let entries = fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        pages.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    let mut scripts = 0;
    for page in &pages {
        for block in yaml(page) {
            let lines = block.lines().map(|line| {
                let line = line.trim_start().trim_start_matches("- ");
                ["run: ", "sudo: ", "local: "]
                    .into_iter()
                    .find_map(|key| line.strip_prefix(key))
                    .unwrap_or(line)
            });
            for script in lines {
                scripts += usize::from(script.contains("{{"));
                assert_eq!(said(script), [] as [&str; 0], "{}: {script}", page.display());
            }
        }
    }
    assert!(scripts > 100, "{scripts}");
}
