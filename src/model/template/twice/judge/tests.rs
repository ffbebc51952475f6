//! What is refused where, and what is not. That nothing more runs is proven with real shells beside the lexer.

use serde_json::json;

use crate::model::template::builtins::Builtins;
use crate::model::template::problem::TemplateError;
use crate::model::template::scope::{Layer, Scope};
use crate::model::template::templates::Templates;
use crate::model::template::twice::state::is_number;
use crate::model::value::Value;

fn render(script: &str) -> Result<String, TemplateError> {
    let vars = json!({
        "v": "a[$(pwned)]", "p": "/srv/my app/x", "n": 85, "t": "90", "f": 0.5, "m": -3, "name": "count",
        "text": "it's 5; $x", "calm": "hello, world", "list": ["a b", "c"], "run": "ls -l; id",
    });
    let Value::Object(vars) = vars else { unreachable!() };
    let templates = Templates::new(&Builtins::default());
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
        ("x={{ v }}; x=${x%%.*}; [ \"$x\" -gt 1 ]", false),
        ("x={{ v }}; x=${x//[!0-9]/}; [ \"$x\" -gt 1 ]", true),
        ("x={{ v }}; [ \"${x+1}\" -gt 0 ]", true),
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
fn values_are_followed_to_where_they_are_evaluated() {
    let cases = [
        // The output of commands.
        ("x=$(echo {{ v }}); (( x > 1 ))", false),
        ("x=$(printf %s {{ v }} | cut -d. -f1); [[ $x -gt 1 ]]", false),
        ("x=$(cat <<E\n{{ v }}\nE\n); [[ $x -gt 1 ]]", false),
        ("x=\"$(basename {{ v }})\"; eval \"echo $x\"", false),
        ("[ \"$(echo {{ v }})\" -eq 5 ]", false),
        ("[ \"$(echo {{ v }} | tr -cd 0-9)\" -eq 5 ]", true),
        ("[ \"$(stat -c %s {{ v }})\" -eq 5 ]", true),
        ("n=$(grep -c {{ v }} f | head -n 1); [ \"$n\" -gt 0 ]", true),
        ("x=$(eval \"echo {{ v }}\")", false),
        ("g() { echo \"$1\"; }; x=$(g {{ v }}); (( x ))", false),
        // Arrays and other ways to get a value into a variable.
        ("a=({{ list }} {{ v }}); eval \"echo ${a[0]}\"", false),
        ("a+=({{ v }}); [[ ${a[0]} -eq 1 ]]", false),
        ("a=({{ n }}); [[ ${a[0]} -eq 1 ]]", true),
        ("declare -A m; m[x]={{ v }}; eval \"echo ${m[x]}\"", false),
        ("printf -v x %s {{ v }}; (( x ))", false),
        ("mapfile -t a <<< {{ v }}; (( a[0] ))", false),
        ("x=a; x+={{ v }}; x+=b; let x", false),
        ("x={{ v }}; [ -n \"$y\" ] && x=5; (( x ))", false),
        ("x={{ v }}; if [ -n \"$y\" ]; then x=5; fi; (( x ))", false),
        ("x={{ v }}; echo \"$x\"; x=5; (( x ))", true),
        // What is read.
        ("read -r x <<E\n{{ v }}\nE\neval \"echo $x\"", false),
        ("echo {{ v }} | while read -r x; do eval \"echo $x\"; done", false),
        ("echo {{ v }} | sort | while IFS= read -r x; do (( x )); done", false),
        ("echo {{ v }} | ( read -r x; (( x )) )", false),
        ("while read -r l; do eval \"$l\"; done <<E\necho {{ v }}\nE", false),
        ("while read -r l; do let l; done < <(echo {{ v }})", false),
        ("IFS= read -r x < <(echo {{ v }}); let x", false),
        ("exec 3<<< {{ v }}; read -u 3 x; (( x ))", false),
        // Parameters.
        ("f() { eval \"echo $1\"; }\nf {{ v }}", false),
        ("f() {\n  local y=$1\n  sh -c \"echo $y\"\n}\nf {{ v }}", false),
        ("f() { shift; eval \"echo $1\"; }; f a {{ v }}", false),
        ("f() { for x in \"$@\"; do (( x )); done; }; f 1 {{ v }}", false),
        ("function f { g \"$@\"; }; g() { (( $1 )); }; function h() { g {{ v }}; }; h", false),
        ("f() { (( $1 > 2 )); echo \"$2\"; }; f {{ n }} {{ v }}", true),
        ("f() { (( $1 > 2 )); }; g() { echo \"$1\"; }; f 5; g {{ v }}", true),
        ("set -- {{ v }}; eval \"echo $1\"", false),
        ("set -- {{ v }}; eval 'echo \"$1\"'", true),
        // Names of names, and texts that are expanded again.
        ("x={{ v }}; echo \"${!x}\"", false),
        ("x={{ name }}; echo \"${!x}\"", true),
        ("x={{ v }}; echo ${(P)x}", false),
        ("x={{ v }}; echo \"${x@P}\"", false),
        ("x={{ v }}; echo \"${x@Q}\"", true),
        ("x={{ v }}; echo ${(e)x}", false),
        ("x={{ v }}; echo ${(U)x}", true),
        ("x={{ v }}; echo \"${a[$x]}\"", false),
        ("declare -A a; x={{ v }}; echo \"${a[$x]}\"", true),
        ("x={{ v }}; echo \"${y:$x}\"", false),
        ("x={{ v }}; echo \"${y:-$x}\"; z=${y:-$x}; (( z ))", false),
        ("x={{ v }}; y=${x}z; z=\"$y\"; sh -c \"echo $z\"", false),
        // A text composed for another shell, kept in a variable.
        ("c=\"echo {{ v }}\"; sh -c \"$c\"", false),
        ("c=\"echo {{ v | quote }}\"; sh -c \"$c\"", true),
        ("c=\"echo {{ v | quote }}\"; ssh h \"cd /x && $c\"", true),
        ("c=\"echo {{ v | quote }}\"; ssh h \"cd '$c'\"", false),
        ("c=\"echo {{ v | quote }}\"; eval \"$c\"", true),
        ("c={{ run }}; sh -c \"$c\"", true),
        // Other ways into another shell.
        ("sh -c -e \"echo {{ v }}\"", false),
        ("sh -ce \"echo {{ v }}\"", false),
        ("bash -eu -cx \"echo {{ v }}\"", false),
        ("bash -o pipefail -ce \"echo {{ v }}\"", false),
        ("bash -ceuo pipefail \"echo {{ v }}\"", false),
        ("bash -c -o pipefail \"echo {{ v }}\"", false),
        ("bash --rcfile f -ce \"echo {{ v }}\"", false),
        ("x={{ v }}; timeout 5 sh -ce \"echo $x\"", false),
        ("su root -c\"echo {{ v }}\"", false),
        ("su --command=\"echo {{ v }}\" root", false),
        ("x={{ v }}; su root --session-command=\"echo $x\"", false),
        ("sh -ce \"echo {{ v | quote }}\"", true),
        ("su root --command={{ run }}", true),
        ("su root -c\"echo {{ v | quote }}\"", true),
        ("env -S \"sh -c 'echo {{ v }}'\"", false),
        ("echo {{ v }} | xargs -I{} sh -c 'echo {}'", false),
        ("echo {{ v }} | xargs -I % sh -c 'echo %'", false),
        ("echo {{ v }} | xargs -n 1 sh -c 'echo \"$0\"'", true),
        ("find {{ v }} -exec sh -c 'rm {}' \\;", false),
        ("find {{ v }} -exec sh -c 'rm \"$0\"' {} \\;", true),
        (". <(echo \"echo {{ v }}\")", false),
        ("source <(printf 'x %s\\n' {{ v }})", false),
        ("bash <(echo \"echo {{ v }}\")", false),
        ("diff <(echo \"x {{ v }}\") {{ p }}", true),
        ("echo \"echo {{ v }}\" | sed s/a/b/ | sh", false),
        ("{ echo x; echo \"echo {{ v }}\"; } | sh", false),
        ("( cd /x; echo \"echo {{ v }}\" ) | sudo sh", false),
        ("for x in 1 2; do echo \"$x {{ v }}\"; done | bash", false),
        ("if true; then echo \"x {{ v }}\"; fi | sort | while read -r y; do (( y )); done", false),
        ("{ echo x; echo \"echo {{ v }}\"; } | tee f; ls | sh", true),
        ("sh < <(echo \"echo {{ v }}\")", false),
        ("sudo sed -i \"s/x/{{ p }}/\" f", false),
        ("sudo -u app sed -i \"s|x|{{ p }}|\" f", true),
        ("timeout 5 awk \"/{{ v }}/\" f", false),
        ("docker exec c perl -e 'print \"{{ v }}\"'", false),
        ("sudo make install X={{ v }}", false),
        ("busybox awk 'BEGIN { print \"{{ v }}\" }'", false),
        ("python3 -Ic \"print('{{ v }}')\"", false),
        ("perl -we \"print '{{ v }}'\"", false),
        ("perl -i -pe 's/x/y/' {{ v }}", true),
        ("x={{ v }}; y=`echo $x`; (( y ))", false),
        ("x={{ v }}; y=`wc -l < $x`; (( y ))", true),
        ("crontab - <<E\n0 3 * * * /x {{ v }}\nE", false),
        ("crontab - <<E\n0 3 * * * /x {{ calm }}\nE", true),
        ("echo \"x {{ v }}\" | at now", false),
        ("make install X={{ v }}", false),
        ("make -j {{ n }} -C {{ p }} X={{ p }}", true),
        ("git -c alias.x=\"!echo {{ v }}\" x", false),
        ("GIT_SSH_COMMAND=\"ssh -i {{ v }}\" git fetch", false),
        ("export GIT_SSH_COMMAND=\"ssh -i {{ v | quote }}\"", true),
        ("EDITOR={{ run }} crontab -e", true),
        // Other languages.
        ("perl <<E\nprint \"{{ v }}\";\nE", false),
        ("python3 - <<'E'\nprint(\"{{ v }}\")\nE", false),
        ("python3 - <<'E'\nprint(\"{{ p }}\")\nE", true),
        ("echo \"print('{{ v }}')\" | python3", false),
        ("awk -v x={{ v }} 'BEGIN { system(\"echo \" x) }'", false),
        ("sed \"s/x/{{ p }}/\" f", false),
        ("sed 's/x/{{ v }}/e' f", true),
        ("sed -e \"s|x|{{ p }}|\" -e 's/y/{{ name }}/' f", true),
        ("sed -i \"{{ text }}d\" f", false),
        ("sed -i \"1i {{ text }}\" f", true),
        ("x={{ p }}; sed -i \"s/a/$x/\" f", false),
        ("x={{ p }}; sed -ne \"s,a,$x,p\" f", true),
        ("sed -n '/{{ p }}/p' f", false),
        ("sed {{ run }} f", true),
        ("sed ':a;N;$!ba;s/x/{{ p }}/g' f", false),
        ("sed ':a;N;$!ba;s|x|{{ p }}|g' f", true),
        ("sed '/^{{ name }}=/{s/=.*/={{ calm }}/;q}' f", true),
        ("sed '/^a/{s/=.*/={{ p }}/;q}' f", false),
        ("sed \"s/x/{{ p | replace('/', '\\\\/') }}/\" f", true),
    ];
    let wrong = cases.iter().filter(|(script, fits)| render(script).is_ok() != *fits);
    let wrong: Vec<String> = wrong.map(|(script, _)| format!("{script}: {:?}", render(script))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn ordinary_scripts_are_left_alone() {
    for script in [
        "tar -czf {{ p }}/a.tgz -C {{ p }} .; rsync -a --delete {{ p }}/ h:{{ p }}/",
        "docker run -d --name {{ name }} -e MSG={{ text }} -v {{ p }}:/data img",
        "docker exec c sh -c 'echo \"$1\"' sh {{ text }}",
        "find {{ p }} -name {{ text }} -exec rm {} \\; -print0 | xargs -0 -I{} cp {} {{ p }}",
        "echo {{ text }} | xargs -I{} echo {}",
        "grep -q {{ text }} {{ p }} || echo {{ text }} >> {{ p }}",
        "size=$(stat -c %s {{ p }}); [ \"$size\" -gt 10 ] || exit 1",
        "n=$(grep -c {{ text }} {{ p }}); if [ $n -eq 0 ]; then exit 1; fi",
        "count=$(wc -l < {{ p }}); (( count > 5 ))",
        "for f in {{ list }}; do [ -e \"$f\" ] && cp \"$f\" {{ p }}; done; i=0; while [ $i -lt 3 ]; do i=$((i+1)); done",
        "log() { echo \"$(date) $*\"; }; log {{ text }}; log done",
        "retry() {\n  n=0\n  until \"$@\"; do n=$((n+1)); [ $n -ge 3 ] && return 1; done\n}\nretry curl {{ text }}",
        "wait_up() { [ \"$2\" -gt 0 ] || return; ping -c \"$2\" \"$1\"; }; wait_up {{ text }} 3",
        "f() { local x=$1 y=${2:-5}; [ \"$y\" -gt 3 ] && echo \"$x\"; }; f {{ text }}; f {{ p }} 7",
        "sed -i 's|^path=.*|path={{ p }}|' {{ p }}; sed '{{ n }}d' f; sed \"/x/a {{ text }}\" f",
        "sed -n '/{{ name }}/p' f; sed -e 's/a/{{ calm }}/' -e 's#b#{{ p }}#g' f; sed -n \"1,{{ n }}p\" f",
        "psql -c \"ALTER USER x PASSWORD '{{ text }}'\"",
        "read -r a b <<< {{ text }}; echo \"$a\"",
        "while read -r l; do echo \"$l\"; done <<E\n{{ text }}\nE",
        "IFS=, read -ra parts <<< {{ text }}; (( ${#parts[@]} > 1 ))",
        "cat > {{ p }} <<E\n[x]\ny={{ text }}\nE\nsystemctl restart {{ name }}",
        "python3 script.py {{ text }} <<E\n{{ text }}\nE",
        "make -C {{ p }} -j {{ n }} install PREFIX=/usr VERSION={{ name }}",
        "git commit -m {{ text }}; git -c user.name={{ text }} tag {{ name }}",
        "awk -F: -v u={{ text }} '$1 == u { print $3 }' /etc/passwd",
        "x={{ text }}; case $x in a) y=1;; esac; (( y > 0 ))",
        "t=$(date -d {{ text }} +%s); (( t > 0 ))",
        "a=({{ list }}); for i in \"${!a[@]}\"; do echo \"$i ${a[$i]}\"; done",
        "a=({{ list }}); n=${#a[@]}; (( n > 1 )); echo \"${a[0]}\" \"${a[@]}\"",
        "v={{ p }}; echo \"${v##*/}\" \"${v:0:3}\" \"${v:-none}\"",
        "trap 'rm -rf \"$tmp\"' EXIT; tmp=$(mktemp -d); cp {{ p }} \"$tmp\"",
        "sh -ce 'echo \"$1\"' sh {{ text }}; bash -ceuo pipefail 'echo \"$1\"' bash {{ text }}",
        "bash run.sh -config \"x {{ text }}\" -c; sh -e run.sh -exec \"x {{ text }}\"",
        "timeout 5 sh -c 'until [ -e \"$0\" ]; do sleep 1; done' {{ p }}",
        "sudo systemctl restart {{ name }}; sudo tee {{ p }} <<< {{ text }}; docker run --rm perl ls {{ p }}",
        "sudo -u git git -C {{ p }} commit -m {{ text }}; docker exec node node app.js {{ text }}",
        "kubectl exec p -- python3 manage.py shell -c 'x' {{ name }}; xargs -n 1 sed -i s/a/b/ <<< {{ text }}",
        "n=$(echo {{ text }} | wc -w); [ $n -gt 2 ]",
        "for i in 1 2; do (( i > 1 )); done; for i in {{ list }}; do echo $i; done",
        "f() { local i=0; while [ $i -lt 3 ]; do i=$((i+1)); done; }; i={{ text }}; f; echo \"$i\"",
        "while read -r n; do (( n > 1 )); done < <(seq 3); echo {{ text }} | while read -r l; do echo \"$l\"; done",
        "i=0; (( i > 1 )); i={{ text }}; echo \"$i\"",
        "echo \"0 3 * * * root /usr/bin/x {{ text }}\" > /etc/cron.d/x",
        "ok=0; for h in {{ list }}; do ping -c 1 \"$h\" && ok=$((ok+1)); done; [ \"$ok\" -gt 0 ]",
        "if ! id {{ name }} >/dev/null 2>&1; then useradd -c {{ text }} {{ name }}; fi",
        "df -P {{ p }} | awk 'NR==2 { exit ($5+0 > 90) }'",
        "used=$(df --output=pcent {{ p }} | tail -n 1 | tr -dc 0-9); [ \"$used\" -lt 90 ]",
        "cd {{ p }} && git rev-parse HEAD > {{ p }} && test \"$(cat {{ p }})\" = {{ text }}",
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
