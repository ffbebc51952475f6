//! What is refused where, and what is not. That nothing more runs is proven with real shells beside the lexer.

use std::sync::Arc;

use serde_json::json;

use super::is_number;
use crate::model::template::{Builtins, Layer, Scope, TemplateError, Templates};
use crate::model::value::Value;

fn render(script: &str) -> Result<String, TemplateError> {
    let vars = json!({
        "v": "a[$(pwned)]", "p": "/srv/my app/x", "n": 85, "t": "90", "f": 0.5, "m": -3, "name": "count",
        "text": "it's 5; $x", "calm": "hello, world", "list": ["a b", "c"], "run": "ls -l; id",
    });
    let Value::Object(vars) = vars else { unreachable!() };
    let templates = Templates::new(&Builtins { env: Arc::new(|_| None), now: String::new() });
    templates.render_script(script, &Scope::new().with(Layer::new(&vars)))
}

#[test]
fn a_number_is_one_for_every_shell() {
    for text in ["0", "-5", "10", "1.50", "-0.5", "0.05"] {
        assert!(is_number(text), "{text}");
    }
    for text in ["", "-", "010", "1.", ".5", "1e5", "0x1", "inf", "nan", "--5", "+5", "1 2", "1\n", "x", "٣"]
    {
        assert!(!is_number(text), "{text}");
    }
}

#[test]
fn what_is_evaluated_takes_harmless_values_only() {
    let places = [
        "[[ @ -gt 80 ]]",
        "[ 80 -lt \"@\" ]",
        "if ! test -n x -a @ -le 5; then :; fi",
        "[[ -n x && ( @ -eq 1 ) ]]",
        "let @",
        "let 'x = @ + 1'",
        "(( x > @ ))",
        "echo $(( @ * 2 )) $[ @ ]",
        "for ((i = @; i < 3; i++)); do :; done",
        "declare -i x=@",
        "typeset -i x; x=@",
        "integer x\nx+=@",
        "a[@]=1",
        "a=([@]=x)",
        "a=(x\n\"[@]\"=y)",
        "declare \"a[@]=1\"",
        "unset 'a[@]'",
        "read a[@]",
        "read -r -t @ x",
        "printf -v \"a[@]\" %s x",
        "printf '%s %d' a @",
        "printf '%*s' @ x",
        "test -v 'a[@]'",
        "echo \"$unit[@]\" ${a[@]} ${x:@} ${x:1:@}",
        "cat <<E\n$unit[@]\nE",
        "ls *(@)",
        "exit @",
        "f() { return @; }",
        "while :; do break @; done",
        "shift @",
        "OPTIND=@",
        "mapfile -n @ x",
    ];
    for place in places {
        for (value, fits) in
            [("n", true), ("t", true), ("m", true), ("v", false), ("text", false), ("v | quote", false)]
        {
            // `1.5` is a number, but not for every subscript; that is the shell's to say.
            let script = place.replace('@', &format!("{{{{ {value} }}}}"));
            let rendered = render(&script);
            assert_eq!(rendered.is_ok(), fits, "{script}: {rendered:?}");
            if let Err(error) = rendered {
                assert!(
                    error.help.is_some_and(|help| help.contains("| int }}")),
                    "{script}: {}",
                    error.message
                );
            }
        }
    }
}

#[test]
fn names_texts_and_targets_have_their_own_measure() {
    for (script, fits) in [
        ("export {{ name }}={{ text }}", true),
        ("export A={{ v }} B=\"{{ text }}\"", true),
        ("export {{ v }}", false),
        ("declare {{ name }}; unset {{ name }}; read -r {{ name }}", true),
        ("unset {{ v }}", false),
        ("read -r -p {{ text }} answer", true),
        ("read -r \"answer?{{ text }}\"", true),
        ("printf -v {{ name }} %s {{ v }}", true),
        ("printf -v {{ v }} %s x", false),
        ("declare -n ref={{ name }}", true),
        ("declare -n ref={{ v }}", false),
        ("local x={{ '(' ~ v ~ ')' }}", false),
        ("local x={{ p }}", true),
        ("echo x >& {{ calm }}", false),
        ("echo x >&{{ n }}", true),
        ("echo x > {{ v }} 2>&1", true),
        ("eval \"x={{ text }}\"", false),
        ("eval \"x={{ text | quote }}\"", true),
        ("eval 'x={{ name }}'", true),
        ("eval {{ run }}", false),
        ("eval {{ run | quote }}", false),
        ("eval {{ run | raw }}", true),
        ("trap \"rm -f {{ p }}\" EXIT", false),
        ("trap \"rm -f {{ p | quote }}\" EXIT", true),
        ("trap 'rm -f \"$F\"' {{ n }}", true),
        ("PS4={{ v }}", false),
        ("export PS4=\"+{{ name }} \"", true),
        ("compgen -W {{ v }}", false),
        ("alias x={{ run }}", false),
        ("sh -c \"rm {{ p }}\"", true),
        ("sh -c \"rm {{ text }}\"", false),
        ("sh -c \"rm {{ text | quote }}\"", true),
        ("sh -c \"rm '{{ text | quote }}'\"", false),
        ("find . -exec bash -c \"echo {{ v }}\" \\;", false),
        ("ssh h \"rm {{ v }}\"", false),
        ("ssh -p 22 h rm {{ v }}", false),
        ("ssh -p 22 h rm {{ calm }}", true),
        ("ssh {{ host | default('h') }} {{ run }}", true),
        ("ssh -o {{ text }} h uptime", true),
        ("awk \"{ print \\\"{{ calm }}\\\" }\"", true),
        ("awk '{ print \"{{ text }}\" }'", false),
        ("awk -v x={{ text }} '{ print x }'", true),
        ("python3 -c 'print(\"{{ text }}\")'", false),
        ("python3 -c 'import sys; print(sys.argv[1])' {{ text }}", true),
        ("perl -e {{ run }}", true),
        ("echo hi >\\\n& {{ v }}", false),
        ("bash <<E\necho {{ v }}\nE", false),
        ("bash -s <<'E'\necho {{ calm }}\nE", true),
        ("cat <<A; sudo sh -s -- {{ v }} <<'E'\n{{ v }}\nA\nrm {{ v }}\nE", false),
        ("ssh h <<E\nrm {{ text | quote }}\nE", true),
        ("ssh h sudo bash <<E\nrm '{{ text | quote }}'\nE", false),
        ("ssh h 'cat > x' <<E\n{{ v }}\nE", true),
        ("sh script.sh <<E\n{{ v }}\nE", true),
        // What is kept in a variable is no safer where it is calculated.
        ("x={{ v }}\necho $(( x + 1 ))", false),
        ("x={{ v }}; [[ $x -gt 1 ]]", false),
        ("x={{ v }}; x=${#x}; (( x > 1 ))", true),
        ("x={{ n }}; (( x > 1 ))", true),
        ("k={{ v }}; a[$k]=1", false),
        ("declare -A a; k={{ v }}; a[$k]=1", true),
        // Wherever it is evaluated.
        ("x={{ v }}; w=$x; (( w > 1 ))", false),
        ("x={{ v }}; w=\"${x}\"; echo $(( w ))", false),
        ("x=\"{{ v }}\"; [ \"$x\" -gt 1 ]", false),
        ("x={{ n }}; [ \"$x\" -gt 1 ]", true),
        ("x={{ v }}; x=${x%%.*}; [ \"$x\" -gt 1 ]", true),
        ("x={{ v }}; exit \"$x\"", false),
        ("x={{ v }}; printf '%d' \"$x\"", false),
        ("x={{ v }}; printf '%s' \"$x\"", true),
        ("x={{ v }}; unset \"$x\"", false),
        ("x={{ v }}; printf -v \"${x}\" hi", false),
        ("x={{ name }}; read -r \"$x\"", true),
        ("x={{ v }}; read -r x", true),
        ("x={{ v }}; declare -i n=$x", false),
        ("x={{ v }}; eval \"echo $x\"", false),
        ("x={{ v }}; eval 'echo \"$x\"'", true),
        ("x={{ v }}; eval \"echo \\\"\\$x\\\"\"", true),
        ("x={{ name }}; eval \"echo $x\"", true),
        ("x={{ p }}; trap \"rm -rf $x\" EXIT", false),
        ("x={{ p }}; trap 'rm -rf \"$x\"' EXIT", true),
        ("x={{ v }}; sh -c \"rm $x\"", false),
        ("x={{ v }}; sh -c 'rm \"$1\"' sh \"$x\"", true),
        ("x={{ run }}; sh -c \"$x\"", true),
        ("x={{ v }}; ssh h \"rm $x\"", false),
        ("x={{ p }}; ssh h \"rm $x\"", true),
        ("x={{ run }}; ssh h \"$x\"", true),
        ("x={{ v }}; ssh h sh <<E\nrm $x\nE", false),
        ("x={{ v }}; ssh h sh <<'E'\nrm $x\nE", true),
        ("x={{ v }}; awk \"/$x/\"", false),
        ("x={{ v }}; awk -v x=\"$x\" '{ print x }'", true),
        // What a shell reads from a pipe or a here-string.
        ("echo \"rm {{ v }}\" | sh", false),
        ("echo \"rm {{ v | quote }}\" | sh", true),
        ("echo rm {{ calm }} | sudo bash -s", true),
        ("printf 'rm %s\\n' {{ v }} | ssh h", false),
        ("echo {{ run }} | ssh h bash", true),
        ("printf '%s\\n' {{ run }} | sh", true),
        ("bash <<< \"rm {{ v }}\"", false),
        ("bash <<< {{ run }}", true),
        ("echo \"rm {{ v }}\" || sh", true),
        ("echo \"x {{ v }}\" | sh script.sh", true),
        ("echo \"x {{ v }}\" | ssh h 'cat > f'", true),
        ("echo \"x {{ v }}\" | sudo tee {{ p }}", true),
        ("cat <<E | bash\nrm {{ v }}\nE", false),
        ("cat <<E | ssh h sudo sh -s\nrm {{ v | quote }}\nE", true),
        ("cat <<E | tee {{ p }}\nrm {{ v }}\nE", true),
        ("cat <<A | sh; cat <<B\nrm {{ calm }}\nA\n{{ v }}\nB", true),
        ("$SHELL -c \"rm {{ v }}\"", false),
        ("\"${BASH}\" -c \"rm {{ v }}\"", false),
        ("fish -c \"rm {{ v }}\"", false),
        ("watch -n 1 \"ls {{ v }}\"", false),
        ("LINENO={{ v }}", false),
        ("functions[f]={{ run }}", false),
        ("aliases[f]={{ run }}", false),
    ] {
        let rendered = render(script);
        assert_eq!(rendered.is_ok(), fits, "{script}: {rendered:?}");
    }
}

#[test]
fn ordinary_scripts_are_left_alone() {
    for script in [
        "echo \"a[0]\" a[{{ p }}] [{{ text }}] \"[{{ v }}]\"",
        "test -f {{ p }} && [ -d \"{{ p }}\" ] && [[ {{ text }} == *x* ]] && [ {{ v }} = {{ text }} ]",
        "printf '%s\\n' {{ v }} {{ list }}",
        "printf '%s: %d\\n' {{ v }} {{ n }} {{ text }} {{ t }}",
        "printf \"${f}\" {{ v }}; printf 'a %% b %s' {{ v }}",
        "exit 1; return 0; exit {{ n }}",
        "x={{ v }} y=\"{{ text }}\" cmd --x={{ p }} {{ v }}",
        "case {{ v }} in {{ text }}|a) echo {{ v }};; *) echo {{ text }};; esac",
        "repeat 3 echo {{ v }}",
        "for x in {{ list }}; do echo \"$x\"; done",
        "echo ${x:-{{ name }}} ${y#{{ name }}} ${z/{{ name }}/} ${a[0]:-{{ name }}}",
        "a=({{ list }}); a+=({{ v }})",
        "( cd {{ p }} && ls {{ v }} )",
        "f() { echo {{ v }}; }; f {{ v }}",
        "x=$(echo {{ v }}); echo \"$(cat {{ p }})[1]\" {{ v }}",
        "grep -e {{ v }} {{ p }} > {{ p }} 2>&1 < {{ p }}",
        "curl -d '{\"name\": \"{{ v }}\"}' {{ p }}; kill -TERM {{ n }}; git commit -m {{ text }}",
        "set -- {{ list }}; cd {{ p }}; . {{ p }}; env A={{ v }} cmd; export A; unset A; trap - EXIT",
        "systemctl restart {{ name }}; [ \"$(id -u)\" -eq 0 ] || exit 1",
        "n={{ p }}; if [ \"$n\" = x ]; then echo \"$n\"; fi; (( 1 + 1 ))",
        "echo let {{ v }}; echo eval \"{{ v }}\"; man printf {{ v }}",
        "sed -i \"s/a/{{ name }}/\" {{ p }}",
        "cat <<E\n$x [{{ v }}] let {{ v }}\nE",
    ] {
        let rendered = render(script);
        assert!(rendered.is_ok(), "{script}: {rendered:?}");
    }
}
