//! The scripts that shells read once: each calls fan with what was typed.

use crate::cli::args::ShellKind;

/// What a shell has to read.
pub(super) fn of(shell: ShellKind) -> &'static str {
    match shell {
        ShellKind::Bash => BASH,
        ShellKind::Zsh => ZSH,
        ShellKind::Fish => FISH,
    }
}

/// bash takes words apart at `:` and `=`, and sometimes at `@`: it hands over the line and the part that it will replace,
/// and fan gives back what belongs there.
const BASH: &str = r#"# bash completion of fan. In ~/.bashrc: source <(fan completions bash)
_fan() {
    local IFS=$'\n'
    COMPREPLY=($(fan __complete bash -- "$COMP_LINE" "$COMP_POINT" "$2" 2>/dev/null))
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=:/] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -F _fan fan
"#;

const ZSH: &str = r#"#compdef fan
# zsh completion of fan. In ~/.zshrc, behind compinit: source <(fan completions zsh)
_fan() {
    local line value
    local -a whole whole_shown open open_shown
    for line in "${(@f)$(fan __complete zsh -- "$((CURRENT - 1))" "${(@Q)words}" 2>/dev/null)}"; do
        [[ -n $line ]] || continue
        value=${line%%$'\t'*}
        [[ $line == *$'\t'* ]] && line="$value  -- ${line#*$'\t'}"
        if [[ $value == *[=:/] ]]; then
            open+=("$value") open_shown+=("$line")
        else
            whole+=("$value") whole_shown+=("$line")
        fi
    done
    (( $#whole )) && compadd -l -d whole_shown -a whole
    (( $#open )) && compadd -S '' -l -d open_shown -a open
}
if [[ $funcstack[1] == _fan ]]; then
    _fan "$@"
else
    compdef _fan fan
fi
"#;

const FISH: &str = r#"# fish completion of fan. In ~/.config/fish/completions/fan.fish: fan completions fish | source
function __fan_complete
    set -l words (commandline -opc)
    fan __complete fish -- $words (commandline -ct) 2>/dev/null
end
complete -c fan -f -a '(__fan_complete)'
"#;
