//! The line that makes a script tell at which of its lines it ended, told apart by what the shell can.
//!
//! | shell | how | not told |
//! |---|---|---|
//! | bash | ERR trap, inherited by functions | in a script with an ERR trap of its own |
//! | zsh | ERR trap | the same |
//! | busybox | EXIT trap | in a script with an EXIT trap of its own |
//! | dash, ksh93, mksh | | their traps know no line, or a wrong one |
//!
//! The text goes to the script's own standard error, as one mark, when the script has ended: nothing that the script
//! captures can hold it. A script whose standard error is a file by then tells nothing.

use crate::model::shell::marks::{LINE, Token};

/// Composes the line that stands before a script's first line. It holds no newline at its end.
///
/// Inside the traps descriptor 3 is standard error, and standard error is nowhere: what `set -x` would show of them.
pub(super) fn prelude(token: &Token) -> String {
    let tells = |number: &str| {
        let token = token.as_str();
        format!("[ -f /dev/fd/3 ] || printf \"fan-%s-{LINE} %s %s\\n\" {token} \"{number}\" \"$_fan_b\" >&3")
    };
    // Only where a failure ends the script, and not in a subshell: there the line of the whole is told.
    let on_error =
        |depth: &str, tell: &str| format!("{{ case {depth}$- in 0*e*) {tell};; esac; }} 3>&2 2>/dev/null");
    let bash = on_error("$BASH_SUBSHELL", &tells("$LINENO"));
    // A line inside a function is counted from the function's first: the line of the call is told.
    let zsh = on_error(
        "$ZSH_SUBSHELL",
        &format!(
            "if [ $#funcstack -gt $_fan_f ]; then \
             _fan_l=${{funcfiletrace[$#funcstack-_fan_f]##*:}}; else _fan_l=$LINENO; fi; {}",
            tells("$_fan_l")
        ),
    );
    // A shell that counts the lines of the trap itself has two numbers here.
    let others = format!(
        "{{ _fan_s=$? _fan_l=${{LINENO-}}\ncase $_fan_s,${{LINENO-}} in 0,*) ;; *,$_fan_l) {};; esac; }} 3>&2 2>/dev/null",
        tells("$_fan_l")
    );
    format!(
        "if [ -n \"${{BASH_VERSION-}}\" ]; then set -E; trap '{bash}' ERR; \
         elif [ -n \"${{ZSH_VERSION-}}\" ]; then _fan_f=$#funcstack; trap '{zsh}' ERR; \
         elif [ -n \"${{LINENO-}}\" ] && [ -z \"${{KSH_VERSION-}}\" ]; then trap '{others}' EXIT; fi; \
         _fan_b=${{LINENO-0}}"
    )
}

#[cfg(test)]
mod tests;
