//! Quoting by place: what is written, what is refused, and that real shells read back what was put in.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

use crate::model::shell::login_shell_line;
use crate::model::shell::tests::program;
use crate::model::template::builtins::Builtins;
use crate::model::template::problem::TemplateError;
use crate::model::template::scope::{Layer, Scope};
use crate::model::template::templates::Templates;
use crate::model::value::{Value, Vars};

fn templates() -> Templates {
    Templates::new(&Builtins::default())
}

fn render(script: &str, vars: Value) -> Result<String, TemplateError> {
    let Value::Object(vars) = vars else { panic!("vars are a map") };
    templates().render_script(script, &Scope::new().with(Layer::new(&vars)))
}

fn quoted(script: &str) -> String {
    let vars = json!({
        "v": "it's $x", "s": "safe-1", "e": "", "n": -5, "two": "a\nb", "t": true, "l": ["a", "b c"], "one": ["a b"],
        "zero": [], "q": "a\\\"`!", "u": "é$", "d": "done", "o": "2", "nul": "a\0b", "m": {"a": 1}, "null": null,
        "eof": "EOF", "f": "F", "tab": "\tx", "br": "[1]", "eq": "A=b",
    });
    render(script, vars).unwrap_or_else(|error| {
        let column = error.column.map_or_else(|| "-".to_owned(), |column| column.to_string());
        format!("ERROR {}:{column}: {} | {}", error.line, error.message, error.help.unwrap_or_default())
    })
}

#[test]
fn each_place_has_its_quoting() {
    for (script, expected) in [
        // Commands.
        ("echo {{ v }}", r"echo 'it'\''s $x'"),
        ("echo {{ s }} {{ n }} {{ t }}", "echo safe-1 -5 true"),
        ("echo {{ e }} --x={{ e }}", "echo '' --x=''"),
        ("/srv/{{ s }}/x --opt={{ v }}.tgz", r"/srv/safe-1/x --opt='it'\''s $x'.tgz"),
        ("echo {{ l }} {{ zero }}; for x in {{ l }}; do", "echo a 'b c' ; for x in a 'b c'; do"),
        ("x={{ one }} a=({{ l }})", "x='a b' a=(a 'b c')"),
        ("echo {{ '--force' if t }}{{ '--never' if not t }}", "echo --force"),
        ("{{ eq }} cmd", "'A=b' cmd"),
        ("{{ d }}; do{{ 'ne' }}; {{ d }}e", "'done'; do'ne'; 'done'e"),
        ("echo {{ o }}>x {{ o }} >x", "echo '2'>x 2 >x"),
        ("echo $s{{ s }} ${s}{{ s }}", "echo $s'safe-1' ${s}safe-1"),
        ("echo {{ v | raw }}", "echo it's $x"),
        ("echo {{ v | raw ~ '' }}", r"echo 'it'\''s $x'"),
        ("echo {{ v | quote }} \"{{ v | quote }}\"", r#"echo 'it'\''s $x' "'it'\\''s \$x'""#),
        // Quotes.
        ("echo \"a {{ v }} {{ q }}\"", r#"echo "a it's \$x a\\\"\`!""#),
        ("echo \"{{ u }}\" \"é{{ v }}\"", r#"echo ""'é$'"" "é"'it'\''s $x'"""#),
        ("echo \"$s{{ s }}$1{{ br }}\"", r#"echo "$s"'safe-1'"$1"'[1]'"""#),
        ("echo 'a {{ v }}' '{{ q }}'", r#"echo 'a it'\''s $x' 'a\"`!'"#),
        ("echo \"$(echo {{ v }} \"{{ v }}\")\"", r#"echo "$(echo 'it'\''s $x' "it's \$x")""#),
        ("echo $(a (b) {{ v }}) {{ v }}", r"echo $(a (b) 'it'\''s $x') 'it'\''s $x'"),
        // Comments.
        ("a # it's {{ v }}\nb {{ s }}", "a # it's it's $x\nb safe-1"),
        ("a#b {{ v }}", r"a#b 'it'\''s $x'"),
        // Heredocs.
        (
            "cat <<EOF >x\n{{ v }} {{ two }}\nEOF\necho {{ v }}",
            "cat <<EOF >x\nit's \\$x a\nb\nEOF\necho 'it'\\''s $x'",
        ),
        ("cat <<'EOF'\n{{ v }}\nEOF\n", "cat <<'EOF'\nit's $x\nEOF\n"),
        ("cat <<-\\EOF\n\t{{ v }}\n\tEOF\n{{ v }}", "cat <<-\\EOF\n\tit's $x\n\tEOF\n'it'\\''s $x'"),
        (
            "cat <<A <<\"B\"\n{{ v }}\nA\n{{ v }}\nB\n{{ v }}",
            "cat <<A <<\"B\"\nit's \\$x\nA\nit's $x\nB\n'it'\\''s $x'",
        ),
        ("cat <<< {{ v }}\necho {{ v }}", "cat <<< 'it'\\''s $x'\necho 'it'\\''s $x'"),
        ("x=$((1 << 2)); echo {{ v }}\n2", "x=$((1 << 2)); echo 'it'\\''s $x'\n2"),
        ("cat <<{{ s }}\n{{ v }}\nsafe-1\n", "cat <<safe-1\nit's \\$x\nsafe-1\n"),
        // Only what needs no quotes.
        (
            "`echo {{ s }}` ${x:-{{ s }}} $(( {{ o }} << 1 )) $'{{ s }}' \\{{ s }}",
            "`echo safe-1` ${x:-safe-1} $(( 2 << 1 )) $'safe-1' \\safe-1",
        ),
        ("x=($(a | b) {{ v }}); echo {{ v }}", r"x=($(a | b) 'it'\''s $x'); echo 'it'\''s $x'"),
        ("((a) ; (b)); echo {{ v }}", r"((a) ; (b)); echo 'it'\''s $x'"),
        (
            "case {{ v }} in {{ s }}) echo {{ v }};; esac",
            "case 'it'\\''s $x' in safe-1) echo 'it'\\''s $x';; esac",
        ),
    ] {
        assert_eq!(quoted(script), expected, "{script}");
    }
}

#[test]
fn values_without_a_spelling_are_refused_with_the_place() {
    let scripts = [
        "a\nb `echo {{ v }}`",
        "`{{ d }}`",
        "echo ${x:-{{ v }}}",
        "echo \"${x:-{{ n }}{{ s }}}{{ v }}\" ${x{{ '@P' }}}",
        "echo $(( {{ v }} + 1 ))",
        "(( x = {{ v }} ))",
        "echo $'{{ v }}'",
        "echo \\{{ v }}",
        "echo \"\\{{ v }}\"",
        "echo ${{ s }}",
        "echo \"${{ v }}\"",
        "cat <<EOF\n${{ s }}\nEOF",
        "cat <<{{ v }}",
        "cat <<EOF\n{{ eof }}\nEOF\n",
        "cat <<'EOF'\n{{ 'a\nEOF' }}\nEOF\n",
        "cat <<EOF\nEO{{ f }}\nEOF\n",
        "cat <<'EOF'\nE{{ u }}\nEOF\n",
        "cat <<EOF\nEO\\\n{{ f }}\nEOF\n",
        "cat <<-EOF\n{{ tab }}\nEOF\n",
        "cat <<EOF\n$x{{ s }}\nEOF\n",
        "cat <<EOF\n{{ u }}\nEOF\n",
        "cat <<EOF\n$(echo {{ v }})\nEOF\n",
        "x=$(cat <<EOF\n{{ v }}\nEOF\n)",
        "cat <<EOF\n{{ v }}\n",
        "echo a # {{ two }}",
        "echo x{{ l }}",
        "echo {{ l }}/y {{ s }}",
        "echo x{{ zero }}",
        "echo \"{{ l }}\"",
        "echo {{ nul }}",
        "echo {{ nul | raw }}",
        "echo {{ m }}",
        "echo {{ null }}",
        "for {{ 'x' }} in a; do echo {{ [null] }}; done",
        // Shells differ about what comes before.
        "x=$(case a in a) echo;; esac); echo {{ v }}",
        "x=$(a # it's\n); echo {{ v }}",
        "echo \"${x:-'}\" {{ v }}",
        "echo $'a\\'b' {{ v }}",
        "echo $[1] {{ v }}",
        "echo ${ id; } {{ v }}",
        "(( x << 2 ))\necho {{ v }}\n2\n",
        "cat <\\\n<EOF {{ v }}",
        "(a)#b {{ v }}",
        "x=(a # b\n); echo {{ v }}",
        "x=(a|b); echo {{ v }}",
        "cat <<EOF \"a\nb\"\nEOF\n{{ v }}",
        "cat <<EOF\nx\\\nEOF\nEOF\n{{ v }}",
    ];
    let list: Vec<String> =
        scripts.iter().map(|script| format!("{script:?}\n    {}", quoted(script))).collect();
    assert_snapshot!(list.join("\n"), @r#"
    "a\nb `echo {{ v }}`"
        ERROR 2:12: value of "v" cannot be quoted inside backticks | use $(...)
    "`{{ d }}`"
        ERROR 1:5: value of "d" cannot be quoted inside backticks | use $(...)
    "echo ${x:-{{ v }}}"
        ERROR 1:14: value of "v" cannot be quoted inside ${...} | set a shell variable from it in the first lines, and use "$name" here
    "echo \"${x:-{{ n }}{{ s }}}{{ v }}\" ${x{{ '@P' }}}"
        ERROR 1:42: value of "'@P'" cannot stand in ${...}, where it may be calculated: it would be evaluated | write {{ ('@P') | int }}
    "echo $(( {{ v }} + 1 ))"
        ERROR 1:13: value of "v" cannot stand in arithmetic: it would be evaluated | write {{ v | int }}
    "(( x = {{ v }} ))"
        ERROR 1:11: value of "v" cannot stand in arithmetic: it would be evaluated | write {{ v | int }}
    "echo $'{{ v }}'"
        ERROR 1:11: value of "v" cannot be quoted inside $'...' | put it outside the quotes
    "echo \\{{ v }}"
        ERROR 1:10: value of "v" cannot be quoted behind a backslash | leave the backslash out
    "echo \"\\{{ v }}\""
        ERROR 1:11: value of "v" cannot be quoted behind a backslash | leave the backslash out
    "echo ${{ s }}"
        ERROR 1:10: value of "s" cannot be quoted behind a dollar sign | write \$ for the sign itself
    "echo \"${{ v }}\""
        ERROR 1:11: value of "v" cannot be quoted behind a dollar sign | write \$ for the sign itself
    "cat <<EOF\n${{ s }}\nEOF"
        ERROR 2:5: value of "s" cannot be quoted behind a dollar sign | write \$ for the sign itself
    "cat <<{{ v }}"
        ERROR 1:10: value of "v" cannot be quoted as the end of a heredoc | write the end of the heredoc yourself
    "cat <<EOF\n{{ eof }}\nEOF\n"
        ERROR 2:4: value of "eof" cannot be quoted in a heredoc, one of whose lines would end it | choose another word for the end of the heredoc
    "cat <<'EOF'\n{{ 'a\nEOF' }}\nEOF\n"
        ERROR 2:4: value of "'a EOF'" cannot be quoted in a heredoc, one of whose lines would end it | choose another word for the end of the heredoc
    "cat <<EOF\nEO{{ f }}\nEOF\n"
        ERROR 2:6: value of "f" cannot be quoted in a heredoc, one of whose lines would end it | choose another word for the end of the heredoc
    "cat <<'EOF'\nE{{ u }}\nEOF\n"
        ERROR 2:5: value of "u" cannot be quoted in a heredoc, one of whose lines begins like its end | choose another word for the end of the heredoc
    "cat <<EOF\nEO\\\n{{ f }}\nEOF\n"
        ERROR 3:4: value of "f" cannot be quoted in a heredoc, one of whose lines would end it | choose another word for the end of the heredoc
    "cat <<-EOF\n{{ tab }}\nEOF\n"
        ERROR 2:4: value of "tab" cannot be quoted in a heredoc with <<-, which drops its tabs | use << without -
    "cat <<EOF\n$x{{ s }}\nEOF\n"
        ERROR 2:6: value of "s" cannot be quoted behind $name in a heredoc | write ${name}
    "cat <<EOF\n{{ u }}\nEOF\n"
        ERROR 2:4: value of "u" cannot be quoted in a heredoc, because '$' follows a character outside ASCII | quote the end of the heredoc: <<'EOF'
    "cat <<EOF\n$(echo {{ v }})\nEOF\n"
        ERROR 2:11: value of "v" cannot be quoted inside $(...) in a heredoc | set a shell variable from it in the first lines, and use "$name" here
    "x=$(cat <<EOF\n{{ v }}\nEOF\n)"
        ERROR 2:4: value of "v" cannot be quoted in a heredoc inside $(...) | set a shell variable from it in the first lines, and use "$name" here
    "cat <<EOF\n{{ v }}\n"
        ERROR 2:4: value of "v" cannot be quoted after a heredoc whose end is unclear | set a shell variable from it in the first lines, and use "$name" here
    "echo a # {{ two }}"
        ERROR 1:13: value of "two" cannot be quoted in a comment, because it has more than one line | leave it out of the comment
    "echo x{{ l }}"
        ERROR 1:10: variable "l" is a list, which cannot stand next to other text of its word | write it as a word of its own, or {{ l | join(" ") }}
    "echo {{ l }}/y {{ s }}"
        ERROR 1:9: variable "l" is a list, which cannot stand next to other text of its word | write it as a word of its own, or {{ l | join(" ") }}
    "echo x{{ zero }}"
        ERROR 1:10: variable "zero" is a list, which cannot stand next to other text of its word | write it as a word of its own, or {{ zero | join(" ") }}
    "echo \"{{ l }}\""
        ERROR 1:10: variable "l" is a list, which cannot stand inside quotes | write it as a word of its own, or {{ l | join(" ") }}
    "echo {{ nul }}"
        ERROR 1:9: variable "nul" holds a NUL byte, which no command line can carry | 
    "echo {{ nul | raw }}"
        ERROR 1:9: value of "nul | raw" holds a NUL byte, which no command line can carry | 
    "echo {{ m }}"
        ERROR 1:9: variable "m" is a map | write {{ m | tojson }}, or name a key
    "echo {{ null }}"
        ERROR 1:9: variable "null" is null | write {{ null | default("...", true) }}
    "for {{ 'x' }} in a; do echo {{ [null] }}; done"
        ERROR 1:32: value of "[null]" contains items that are not text | 
    "x=$(case a in a) echo;; esac); echo {{ v }}"
        ERROR 1:40: value of "v" cannot be quoted after "case" inside $(...) | set a shell variable from it in the first lines, and use "$name" here
    "x=$(a # it's\n); echo {{ v }}"
        ERROR 2:12: value of "v" cannot be quoted after a comment with quotes or parentheses inside $(...) | set a shell variable from it in the first lines, and use "$name" here
    "echo \"${x:-'}\" {{ v }}"
        ERROR 1:19: value of "v" cannot be quoted after quotes or braces inside "${...}" | set a shell variable from it in the first lines, and use "$name" here
    "echo $'a\\'b' {{ v }}"
        ERROR 1:17: value of "v" cannot be quoted after \' inside $'...' | set a shell variable from it in the first lines, and use "$name" here
    "echo $[1] {{ v }}"
        ERROR 1:14: value of "v" cannot be quoted after $[ | set a shell variable from it in the first lines, and use "$name" here
    "echo ${ id; } {{ v }}"
        ERROR 1:18: value of "v" cannot be quoted after "${ " | set a shell variable from it in the first lines, and use "$name" here
    "(( x << 2 ))\necho {{ v }}\n2\n"
        ERROR 2:9: value of "v" cannot be quoted after "((" that is more than arithmetic | set a shell variable from it in the first lines, and use "$name" here
    "cat <\\\n<EOF {{ v }}"
        ERROR 2:9: value of "v" cannot be quoted after an operator split at the end of a line | set a shell variable from it in the first lines, and use "$name" here
    "(a)#b {{ v }}"
        ERROR 1:10: value of "v" cannot be quoted in a comment | leave it out of the comment
    "x=(a # b\n); echo {{ v }}"
        ERROR 2:12: value of "v" cannot be quoted after a comment next to a redirection or inside parentheses | set a shell variable from it in the first lines, and use "$name" here
    "x=(a|b); echo {{ v }}"
        ERROR 1:18: value of "v" cannot be quoted after an operator inside name=(...) | set a shell variable from it in the first lines, and use "$name" here
    "cat <<EOF \"a\nb\"\nEOF\n{{ v }}"
        ERROR 4:4: value of "v" cannot be quoted after a heredoc whose end is unclear | set a shell variable from it in the first lines, and use "$name" here
    "cat <<EOF\nx\\\nEOF\nEOF\n{{ v }}"
        ERROR 5:4: value of "v" cannot be quoted after a heredoc whose end is unclear | set a shell variable from it in the first lines, and use "$name" here
    "#);
}

/// A shell that is on this machine: its words, and where its program is.
struct Shell {
    words: Vec<&'static str>,
    program: PathBuf,
}

impl Shell {
    fn found(words: &'static str) -> Option<Self> {
        let words: Vec<&str> = words.split(' ').collect();
        let mut folders = std::env::split_paths(&std::env::var_os("PATH")?).collect::<Vec<_>>().into_iter();
        let program = folders.find_map(|folder| Some(folder.join(words[0])).filter(|path| path.exists()))?;
        let shell = Self { words, program };
        shell.command().args(["-c", "exit 0"]).output().is_ok_and(|ran| ran.status.success()).then_some(shell)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.words[1..]).env_clear().stdin(Stdio::null());
        command
    }
}

/// The POSIX shells that are on this machine; `sh` and `bash` must be.
fn shells() -> &'static [Shell] {
    static SHELLS: LazyLock<Vec<Shell>> = LazyLock::new(|| {
        let names = ["sh", "bash", "dash", "zsh", "busybox sh", "ksh", "mksh"];
        let found: Vec<Shell> = names.into_iter().filter_map(Shell::found).collect();
        let words = |shell: &Shell| shell.words.join(" ");
        println!("shells: {}", found.iter().map(words).collect::<Vec<_>>().join(", "));
        assert!(found.iter().filter(|shell| matches!(shell.words[0], "sh" | "bash")).count() == 2);
        found
    });
    &SHELLS
}

/// Login shells of this machine that read another language.
fn foreign_shells() -> &'static [Shell] {
    static SHELLS: LazyLock<Vec<Shell>> =
        LazyLock::new(|| ["fish", "tcsh"].into_iter().filter_map(Shell::found).collect());
    &SHELLS
}

/// Runs a rendered script in every shell, and in `sh` by way of every login shell; each must print the same bytes.
fn prints(script: &str, expected: &str) -> Result<(), TestCaseError> {
    let line = login_shell_line("sh", script).unwrap();
    let own = shells().iter().map(|shell| (shell, script));
    for (shell, script) in own.chain(foreign_shells().iter().map(|shell| (shell, &*line))) {
        let output = shell
            .command()
            .args(["-c", script])
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", "/nonexistent")
            .env("S", "<S>")
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        prop_assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            expected,
            "{:?} {}\n{}",
            shell.words,
            errors,
            script
        );
        prop_assert!(output.stderr.is_empty(), "{:?} {}\n{}", shell.words, errors, script);
    }
    Ok(())
}

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[ -~]{1,3}",
        10 => prop::sample::select(vec![
            "'", "\"", "\\", "$", "`", "!", "\n", "\t", "\r", "%s", "$(touch x)", "`id`", ")", "$((", "))", "${S}", "$S",
            "}", "\\n", "\\'", "'\\''", "\\\\", "#", " #", "~", "*", "?", "[a]", "{a,b}", "=ls", "-n", "&&", ";", "|",
            "<", ">", "<<E", "\nE\n", "E", "\n\tE\n", "\u{1}", "é", "漢", "if", "done", "2", ":h", "\\\n",
        ]).prop_map(str::to_owned),
        2 => any::<char>().prop_filter("NUL", |c| *c != '\0').prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn named(values: &[String]) -> Value {
    let vars: Vars = values.iter().enumerate().map(|(n, value)| (format!("v{n}"), json!(value))).collect();
    Value::Object(vars)
}

/// Each with a value in the place of `@`, and what it prints with the value in the place of `@`.
const PLACES: &[(&str, &str)] = &[
    ("printf '%s\\0' {{ @ }}", "@"),
    ("printf '%s\\0' a{{ @ }}b", "a@b"),
    ("printf '%s\\0' {{ @ }}{{ @ }}", "@@"),
    ("printf '%s\\0' --x={{ @ }}/", "--x=@/"),
    ("printf '%s\\0' $S{{ @ }}", "<S>@"),
    ("x={{ @ }}; printf '%s\\0' \"$x\"", "@"),
    ("printf '%s\\0' \"{{ @ }}\"", "@"),
    ("printf '%s\\0' \"é{{ @ }}$S{{ @ }}b'\"", "é@<S>@b'"),
    ("printf '%s\\0' '{{ @ }}'\"'\"", "@'"),
    ("printf '%s\\0' 'a\"{{ @ }}$S'{{ @ }}", "a\"@$S@"),
    ("x=\"$(printf '%sX' {{ @ }} \"{{ @ }}\" '{{ @ }}')\"; printf '%s\\0' \"$x\"", "@X@X@X"),
    ("x=$(printf '%sX' \"$(printf %sY \"{{ @ }}\")\"); printf '%s\\0' \"$x\"", "@YX"),
    ("(printf '%s\\0' {{ @ }})", "@"),
    ("case {{ @ }} in {{ @ }}) printf '%s\\0' {{ @ }};; *) exit 9;; esac", "@"),
    ("printf '%s\\0' a{{ @ }} # it's \"not {{ 'read' }}", "a@"),
    ("f() { printf '%s\\0' \"$1\"; }; f {{ @ }} | cat", "@"),
    ("if [ {{ @ }} = \"{{ @ }}\" ]; then printf '%s\\0' {{ @ }}; fi", "@"),
    ("for x in {{ [@, @] }}; do printf '%s\\0' \"$x\"; done", "@\0@"),
    ("sh -c \"printf '%s\\\\0' {{ @ | quote }}\"", "@"),
    ("sh -c {{ 'printf %s ' ~ (@ | quote) }}; printf '\\0'", "@"),
];

/// The same for heredocs, where some values are refused.
const HEREDOCS: &[(&str, &str)] = &[
    ("cat <<E\n{{ @ }}\nE\nprintf '\\0'", "@\n"),
    ("cat <<E; cat <<'F'\na '\"{{ @ }}\" $S\nE\n{{ @ }} $S '\nF\nprintf '\\0'", "a '\"@\" <S>\n@ $S '\n"),
    ("cat <<-'E'\n\t{{ @ }}.\n\tE\nprintf '\\0'", "@.\n"),
    ("cat <<-E | cat\n\tx{{ @ }}\n\tE\nprintf '\\0'", "x@\n"),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn every_value_round_trips_through_every_place(values in prop::collection::vec(hostile(), 3 * PLACES.len())) {
        let (mut script, mut expected) = (String::new(), String::new());
        for (n, value) in values.iter().enumerate() {
            let (place, prints) = PLACES[n % PLACES.len()];
            // `test` has a grammar of its own for words like `(` and `!`.
            let value = if place.starts_with("if [") { &format!("x{value}") } else { value };
            script.push_str(&place.replace('@', &format!("v{n}")));
            script.push('\n');
            expected.push_str(&prints.replace('@', value));
            expected.push('\0');
        }
        let values: Vec<String> = values
            .into_iter()
            .enumerate()
            .map(|(n, value)| if PLACES[n % PLACES.len()].0.starts_with("if [") { format!("x{value}") } else { value })
            .collect();
        let script = render(&script, named(&values)).unwrap();
        prints(&script, &expected)?;
    }

    #[test]
    fn a_heredoc_holds_the_value_or_refuses_it(values in prop::collection::vec(hostile(), 6 * HEREDOCS.len())) {
        let (mut script, mut expected) = (String::new(), String::new());
        for (n, value) in values.iter().enumerate() {
            let (place, prints) = HEREDOCS[n % HEREDOCS.len()];
            if let Ok(text) = render(&place.replace('@', "v0"), named(std::slice::from_ref(value))) {
                script.push_str(&text);
                script.push('\n');
                expected.push_str(&prints.replace('@', value));
                expected.push('\0');
            }
        }
        prints(&script, &expected)?;
    }

}

/// Runs each script in a subshell of one shell; says that all were come to. What they print is left out.
///
/// In the background, as ksh has subshells that are no process, and syntax errors in them end it.
const EACH: &str = "for script do (eval \"$script\") >/dev/null 2>&1 & wait; done; echo all";

/// A shell that takes longer for a batch hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder in which programs are found, and none but `pwned`, which notes that it ran.
struct Trap {
    folder: TempDir,
}

impl Trap {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        let pwned = format!("#!/bin/sh\n: > {}\n", folder.path().join("ran").display());
        std::fs::create_dir(&bin).unwrap();
        program(&bin.join("pwned"), &pwned);
        // Where scripts leave what they redirect.
        std::fs::create_dir(folder.path().join("work")).unwrap();
        Self { folder }
    }

    /// Runs a shell with these arguments behind `-c`; gives what it printed.
    ///
    /// Into a file, as what such scripts leave behind may hold a pipe for ever.
    fn run(&self, shell: &Shell, args: &[&str]) -> String {
        let printed = self.folder.path().join("printed");
        // Some shells do such scripts for ever, or fork without end.
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "ulimit -t 60 && ulimit -f 20480 && exec \"$@\"", "sh"])
            .arg(&shell.program)
            .args(&shell.words[1..]);
        command.env_clear().stdin(Stdio::null()).env("HOME", self.folder.path().join("work"));
        command.arg("-c").args(args).env("PATH", self.folder.path().join("bin"));
        command.stdout(File::create(&printed).unwrap()).stderr(Stdio::null()).process_group(0);
        let mut child = command.current_dir(self.folder.path().join("work")).spawn().unwrap();
        let begun = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if begun.elapsed() > PATIENCE {
                // With its subshells, which may be what is busy.
                let group = child.id().to_string();
                Command::new("sh").args(["-c", "kill -KILL -- \"-$0\"", &group]).status().unwrap();
                child.wait().unwrap();
                panic!("{:?} hangs: {args:?}", shell.words);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        String::from_utf8_lossy(&std::fs::read(printed).unwrap()).into_owned()
    }

    fn sprung(&self) -> bool {
        self.folder.path().join("ran").exists()
    }
}

#[test]
fn the_trap_springs() {
    for shell in shells() {
        for script in ["pwned", "x=$(pwned)", "cat <<E\n`pwned`\nE\n", "nobody & ( |pwned"] {
            let (alone, among) = (Trap::new(), Trap::new());
            let broken = script.starts_with("nobody");
            alone.run(shell, &[script]);
            assert_eq!(alone.sprung(), !broken, "{:?} {script}", shell.words);
            let args = [EACH, "sh", "exit 1", "'", "cat <<E", "x=${", ": >x; (", script, "exit"];
            assert_eq!(among.run(shell, &args), "all\n", "{:?} {script}", shell.words);
            assert_eq!(among.sprung(), !broken, "{:?} {script}", shell.words);
        }
    }
}

proptest! {
    // The guilty scripts are found below, by far fewer runs than it would take to shrink a batch.
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 0, ..ProptestConfig::default() })]

    /// Puts values into scripts made of random fragments. Whatever those mean, and wherever the lexer believes
    /// it is: a command that is spelled in a value must not run.
    ///
    /// Many scripts share a shell, as starting shells is what takes the time.
    #[test]
    fn no_value_runs_wherever_it_stands(
        cases in prop::collection::vec(
            (
                prop::collection::vec(prop::sample::select(FRAGMENTS.to_vec()), 1..16),
                prop::sample::select(PAYLOADS.to_vec()),
            ),
            64,
        ),
    ) {
        let scripts: Vec<String> = cases
            .iter()
            .filter_map(|(fragments, value)| render(&fragments.concat(), json!({ "v": value })).ok())
            .collect();
        for shell in shells() {
            // ksh reads for ever what it takes for a heredoc without an end.
            let endless = |script: &str| shell.words[0] == "ksh" && script.replace("\\\n", "").contains("<<");
            let scripts = scripts.iter().map(String::as_str);
            let scripts: Vec<&str> = scripts.filter(|script| !endless(script)).collect();
            let Some(first) = scripts.first() else { continue };
            let mut args = vec![EACH, "sh"];
            args.extend(&scripts);
            let trap = Trap::new();
            trap.run(shell, &[first]);
            prop_assert!(!trap.sprung(), "{:?}\n{}", shell.words, first);
            prop_assert_eq!(trap.run(shell, &args), "all\n", "{:?} {:?}", shell.words, scripts);
            if trap.sprung() {
                let runs = |script: &&&str| {
                    let trap = Trap::new();
                    trap.run(shell, &[EACH, "sh", script]);
                    trap.sprung()
                };
                let guilty: Vec<&&str> = scripts.iter().filter(runs).collect();
                prop_assert!(false, "{:?} {:?}", shell.words, guilty);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, max_shrink_iters: 0, ..ProptestConfig::default() })]

    /// Puts values into the places that one shell or another evaluates, in what may stand around them: refused, or nothing
    /// of them runs anywhere.
    #[test]
    fn no_value_is_evaluated(
        cases in prop::collection::vec(
            (
                prop::sample::select(AROUND.to_vec()),
                prop::sample::select(EVALUATED.to_vec()),
                prop::sample::select([PAYLOADS, NUMERIC].concat()),
            ),
            400,
        ),
    ) {
        let scripts: Vec<String> = cases
            .iter()
            .filter_map(|((before, behind), place, value)| {
                let script = format!("{before}{}{behind}", place.replace('@', "{{ v }}"));
                render(&script, json!({ "v": value })).ok()
            })
            .collect();
        for shell in shells() {
            let mut args = vec![EACH, "sh"];
            args.extend(scripts.iter().map(String::as_str));
            let trap = Trap::new();
            prop_assert_eq!(trap.run(shell, &args), "all\n", "{:?} {:?}", shell.words, scripts);
            if trap.sprung() {
                let runs = |script: &&String| {
                    let trap = Trap::new();
                    trap.run(shell, &[EACH, "sh", script]);
                    trap.sprung()
                };
                let guilty: Vec<&String> = scripts.iter().filter(runs).collect();
                prop_assert!(false, "{:?} {:?}", shell.words, guilty);
            }
        }
    }
}

/// What may stand around a command.
const AROUND: &[(&str, &str)] = &[
    ("", ""),
    ("if ", "\nthen :; fi"),
    ("! ", " || :"),
    ("x=$(", ")"),
    ("echo \"$(", ")\""),
    ("(", ")"),
    ("f() {\n", "\n}\nf"),
    ("a=(1 2); x=1; unit=abc; set -- 1 2\n", "\n"),
    ("K=1 command ", ""),
    ("for i in 1; do ", "; done"),
    ("case a in a) ", ";; esac"),
    ("true && \\\n", " # it's"),
];

/// Places that are evaluated by one shell or another, and some beside them that are not.
const EVALUATED: &[&str] = &[
    "echo hi >& @",
    "echo hi 2>&@",
    "echo hi <&@",
    "a[@]=1",
    "a[\"@\"]=1",
    "a[x@]+=1",
    "a=([@]=1)",
    "echo ${a[@]}",
    "declare \"a[@]=1\"",
    "declare a[@]=1",
    "declare @",
    "typeset @",
    "local @",
    "local x=@",
    "export @",
    "export a=@",
    "readonly @",
    "declare -i x=@",
    "declare -i x; x=@",
    "typeset -i x; x+=@",
    "integer x; x=@",
    "float x=@",
    "let @",
    "let x=@",
    "let \"x=@\"",
    "(( x = @ ))",
    "echo $(( @ ))",
    "echo $(( ${x:-@} ))",
    "echo $[ @ ]",
    "[[ @ -gt 80 ]]",
    "[[ \"@\" -gt 80 ]]",
    "[[ 80 -lt '@' ]]",
    "[ @ -gt 80 ]",
    "test 80 -eq @",
    "[ 1 -eq 1 -a @ -gt 1 ]",
    "[[ -z x || @ -gt 1 ]]",
    "[[ -v @ ]]",
    "[ -v @ ]",
    "test -v \"a[@]\"",
    "[[ -t @ ]]",
    "[ -t @ ]",
    "[[ -n @ ]]",
    "[[ x == @ ]]",
    "[[ x =~ @ ]]",
    "[[ @ ]]",
    "[ @ ]",
    "printf -v @ %s x",
    "printf -v x %d @",
    "printf %d @",
    "printf '%s %i' a @",
    "printf '%*s' @ x",
    "printf '%.*f' @ 1",
    "printf %s @",
    "printf @",
    "print -v @ x",
    "exit @",
    "return @",
    "for i in 1; do break @; done",
    "for i in 1; do continue @; done",
    "shift @",
    "unset @",
    "unset -v @",
    "unset \"a[@]\"",
    "read @",
    "read a[@]",
    "read -t @ x",
    "read -n @ x",
    "read -u @ x",
    "read -a @",
    "read -A @",
    "read -p @ x",
    "mapfile -C @ -c 1 x <<< a",
    "mapfile -O @ x <<< a",
    "local -n x=@; x=1",
    "declare -n x=@; echo \"$x\"",
    "nameref x=@; x=1",
    "echo ${x:@}",
    "echo ${x:0:@}",
    "echo ${!@}",
    "echo ${x@}",
    "echo \"$unit[@]\"",
    "echo $unit[@]",
    "echo \"$*[@]\"",
    "cat <<E\n$unit[@]\nE\n",
    "ls *(@)",
    "ls *(\"@\")",
    "ls *(e:@:)",
    "echo *@",
    "repeat @ :",
    "OPTIND=@",
    "RANDOM=@",
    "SECONDS=@",
    "COLUMNS=@",
    "UID=@",
    "typeset -Z @ x=1",
    "declare -a x=@",
    "x=(); declare x=@",
    "alias x=@; eval x",
    "trap @ EXIT",
    "trap \"echo @\" EXIT",
    "eval @",
    "eval \"x=@\"",
    "compgen -W @",
    "compgen -C @",
    "getopts a @ -a",
    "set -A @ x",
    "emulate sh -c @",
    "ulimit -S -n @",
    "wait -n -p @",
    "set -x; PS4=@; :",
    "x=@; echo $((x))",
    "x=@; [[ $x -gt 1 ]]",
    "x=@; let y=x",
    "x=@; (( x > 1 ))",
    "for ((i=@;i<1;i++)); do :; done",
    "sh -c \"echo @\"",
    "eval 'echo \"@\"'",
    "echo @",
    "echo \"@\"",
    "echo a[@]",
    "x=@; echo \"$x\"",
    "case @ in x) ;; esac",
    "case x in @) ;; esac",
    "cat <<E\n@\nE\n",
    "echo x\\\n@\\\n>x",
    "x=$(c\\\nase x in x) ;; esac); echo @",
    "x=$(cat <<E\nit's\nE\n); echo @",
];

/// Values that run `pwned` when they are calculated.
const NUMERIC: &[&str] = &[
    "a[$(pwned)]",
    "x[$(pwned)]=1",
    "1,a[$(pwned)]",
    "PATH[$(pwned)]",
    "e:pwned:",
    "(e:pwned:)",
    "x=a[$(pwned)]",
    "($(pwned))",
    "-v a[$(pwned)]",
    "%s",
    "-n",
    "~",
    "*",
    "!",
    "x",
    "08",
    "-1",
];

/// Pieces of scripts, many of them unfinished.
const FRAGMENTS: &[&str] = &[
    "{{ v }}",
    "{{ v }}",
    "{{ v }}",
    "{{ v }}",
    "{{ v }}",
    " ",
    " ",
    "\n",
    "\n",
    "'",
    "\"",
    "\"",
    "`",
    "$(",
    "$(",
    ")",
    ")",
    "${x:-",
    "${x",
    "}",
    "$((",
    "))",
    "((",
    "\\",
    "$",
    "$x",
    "#",
    " # ",
    "<<E",
    "<<'E'",
    "<<-E",
    "<<E\n",
    "\nE\n",
    "\nE",
    "<",
    ">",
    "(",
    "{ ",
    ";",
    "|",
    "&",
    "case x in x) ",
    ";; esac",
    "echo ",
    "$'",
    "$\"",
    "a",
    "=",
    "\\\n",
    "\t",
    "<<<",
    "x=",
    "if ",
    "; then ",
    "; fi",
    "é",
    "[[ ",
    " ]]",
    "$[",
    "]",
    "${ ",
    "x=(",
    "2",
    "!",
    "~",
    ":",
    "@(",
    "\"$(",
    ")\"",
    "<(",
];

/// Values that run `pwned` when they escape.
const PAYLOADS: &[&str] = &[
    "$(pwned)",
    "`pwned`",
    "; pwned;",
    "\npwned\n",
    "'; pwned; '",
    "\"; pwned; \"",
    ")); pwned; ",
    ");pwned;(",
    "}; pwned; ",
    "\\'; pwned; #",
    "\\",
    "é$(pwned)",
    "'$(pwned)'",
    "\nE\npwned\n",
    "|pwned",
    "${x:-$(pwned)}",
    "(pwned)",
    "\"$(pwned)",
    "\\\"; pwned; \\\"",
    "x[$(pwned)]",
    "\\$(pwned)",
    "\\`pwned`",
    "\\\n$(pwned)",
    "E\npwned",
    ";;pwned;;",
    "&pwned&",
    "a)pwned",
    "'",
    "\"",
    "\n",
    "#",
    ")",
    "(pwned",
    "{pwned;}",
    "\n\tE\npwned\n",
];
