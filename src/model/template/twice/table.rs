//! Which words of which commands are evaluated once more after all quotes are gone, by one shell or another. Tried with
//! bash, dash, zsh, ksh, mksh, posh and busybox; which shell a host has is often not known, so what one of them
//! evaluates counts.

use crate::model::template::problem::Wants;

/// Which words of a command a rule is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which {
    /// All but options.
    Operands,
    /// The first that is no option.
    First,
    /// That behind one of these options, or in one word with it.
    After(&'static [&'static str]),
    /// Those on both sides of these.
    Around(&'static [&'static str]),
    /// What stands for numbers in the format before.
    Format,
}

/// A row: programs, words, what the values there must be.
pub(super) struct Rule {
    pub(super) programs: &'static [&'static str],
    pub(super) which: Which,
    pub(super) wants: Wants,
    /// The place, behind "cannot stand".
    pub(super) place: &'static str,
}

const fn rule(programs: &'static [&'static str], which: Which, wants: Wants, place: &'static str) -> Rule {
    Rule { programs, which, wants, place }
}

const TESTS: &[&str] = &["test", "[", "[["];
const ARRAYS: &[&str] = &["mapfile", "readarray"];
const COUNT: &str = "where a shell counts";
const NAME: &str = "in the name of a variable";
const COMMAND: &str = "in a text that another program runs";
const RUN_TEXT: &str = "in a text that the shell runs";

/// Commands that take names of variables, with values behind `=`.
pub(super) const DECLARE: &[&str] =
    &["declare", "typeset", "local", "export", "readonly", "integer", "float", "private", "nameref"];

/// The rows.
pub(super) const RULES: &[Rule] = &[
    rule(&["exit", "return", "break", "continue", "shift", "logout"], Which::Operands, Wants::Number, COUNT),
    rule(&["repeat"], Which::First, Wants::Number, COUNT),
    rule(&["let"], Which::Operands, Wants::Number, "in arithmetic"),
    rule(
        TESTS,
        Which::Around(&["-eq", "-ne", "-lt", "-le", "-gt", "-ge"]),
        Wants::Number,
        "in a comparison of numbers",
    ),
    rule(TESTS, Which::After(&["-t"]), Wants::Number, COUNT),
    rule(TESTS, Which::After(&["-v", "-R"]), Wants::Name, NAME),
    rule(DECLARE, Which::Operands, Wants::Name, NAME),
    rule(&["unset", "read", "getopts", "vared"], Which::Operands, Wants::Name, NAME),
    rule(ARRAYS, Which::Operands, Wants::Name, NAME),
    rule(&["read"], Which::After(&["-a", "-A"]), Wants::Name, NAME),
    rule(&["printf", "print"], Which::After(&["-v"]), Wants::Name, NAME),
    rule(&["set"], Which::After(&["-A", "+A"]), Wants::Name, NAME),
    rule(&["wait"], Which::After(&["-p"]), Wants::Name, NAME),
    rule(&["read"], Which::After(&["-t", "-n", "-N", "-u", "-k"]), Wants::Number, COUNT),
    rule(ARRAYS, Which::After(&["-n", "-O", "-s", "-u", "-c"]), Wants::Number, COUNT),
    rule(&["print"], Which::After(&["-u"]), Wants::Number, COUNT),
    rule(&["ulimit"], Which::Operands, Wants::Plain, COUNT),
    rule(&["printf"], Which::Format, Wants::Number, "where a format takes a number, which zsh calculates"),
    rule(&["eval", "sched"], Which::Operands, Wants::Program, RUN_TEXT),
    rule(&["trap"], Which::First, Wants::Program, RUN_TEXT),
    rule(&["alias"], Which::Operands, Wants::Program, RUN_TEXT),
    rule(&["compgen", "complete"], Which::After(&["-W", "-C", "-F"]), Wants::Program, RUN_TEXT),
    rule(ARRAYS, Which::After(&["-C"]), Wants::Program, RUN_TEXT),
    rule(&["bind"], Which::After(&["-x"]), Wants::Program, RUN_TEXT),
    rule(&["emulate"], Which::After(&["-c"]), Wants::Program, RUN_TEXT),
    rule(&["watch"], Which::Operands, Wants::Foreign, "in a line that another shell reads"),
    rule(
        &["make", "gmake"],
        Which::Operands,
        Wants::Foreign,
        "in a variable of make, which expands it and hands it to a shell",
    ),
    rule(&["env"], Which::After(&["-S", "--split-string"]), Wants::Foreign, "in a line that `env` splits"),
    rule(&["awk", "gawk", "mawk", "nawk"], Which::First, Wants::Foreign, "in a program of awk"),
    rule(
        &["tar", "gtar", "bsdtar"],
        Which::After(&[
            "-I",
            "-F",
            "--use-compress-program",
            "--checkpoint-action",
            "--to-command",
            "--info-script",
            "--new-volume-script",
            "--rsh-command",
        ]),
        Wants::Foreign,
        COMMAND,
    ),
    rule(&["split", "gsplit"], Which::After(&["--filter"]), Wants::Foreign, COMMAND),
    rule(&["rsync"], Which::After(&["-e", "--rsh", "--rsync-path"]), Wants::Foreign, COMMAND),
    rule(
        &["git"],
        Which::After(&[
            "-x",
            "--exec",
            "--extcmd",
            "--upload-pack",
            "--receive-pack",
            "--open-files-in-pager",
            "--tree-filter",
            "--index-filter",
            "--msg-filter",
            "--env-filter",
            "--commit-filter",
            "--tag-name-filter",
            "--parent-filter",
        ]),
        Wants::Foreign,
        COMMAND,
    ),
    rule(
        &["gdb"],
        Which::After(&["-ex", "-iex", "--ex", "--eval-command", "--init-eval-command"]),
        Wants::Foreign,
        COMMAND,
    ),
    rule(&["vi", "vim", "nvim", "ex", "view"], Which::After(&["-c", "--cmd"]), Wants::Foreign, COMMAND),
    rule(&["expect"], Which::After(&["-c"]), Wants::Foreign, COMMAND),
    rule(&["emacs"], Which::After(&["--eval", "--execute"]), Wants::Foreign, COMMAND),
    rule(&["parallel", "tmux"], Which::Operands, Wants::Foreign, COMMAND),
];

/// Options whose next word is no operand.
pub(super) const WITH_WORD: &[(&str, &[&str])] = &[
    ("read", &["-p", "-d", "-i", "-t", "-n", "-N", "-u", "-k", "-a", "-A"]),
    ("mapfile", &["-d", "-n", "-O", "-s", "-u", "-C", "-c"]),
    ("readarray", &["-d", "-n", "-O", "-s", "-u", "-C", "-c"]),
    ("make", &["-C", "-f", "-j", "-l", "-I", "-o", "-W"]),
    ("gmake", &["-C", "-f", "-j", "-l", "-I", "-o", "-W"]),
    ("awk", &["-v", "-F", "-f"]),
    ("gawk", &["-v", "-F", "-f"]),
    ("mawk", &["-v", "-F", "-f"]),
    ("nawk", &["-v", "-F", "-f"]),
];

/// Variables whose text is run, or expanded as in double quotes, by a shell that finds them.
pub(super) const RUN: &[&str] = &[
    "PS0",
    "PS1",
    "PS2",
    "PS3",
    "PS4",
    "PROMPT",
    "PROMPT2",
    "PROMPT3",
    "PROMPT4",
    "RPROMPT",
    "RPS1",
    "PROMPT_COMMAND",
    "ENV",
    "BASH_ENV",
    "functions",
    "aliases",
    "galiases",
    "saliases",
    "dis_functions",
    "BASH_ALIASES",
];

/// Programs that run the one among their arguments.
pub(super) const RUNNERS: &[&str] = &[
    "sudo",
    "doas",
    "env",
    "timeout",
    "nice",
    "ionice",
    "setsid",
    "stdbuf",
    "chroot",
    "nsenter",
    "unshare",
    "chrt",
    "taskset",
    "flock",
    "xargs",
    "docker",
    "podman",
    "kubectl",
    "lxc",
    "systemd-run",
    "runuser",
    "time",
];

/// The programs of rows, and others that are judged, which they may run.
pub(super) const JUDGED: &[&str] = &[
    "awk", "gawk", "mawk", "nawk", "sed", "gsed", "perl", "python", "python2", "python3", "ruby", "node",
    "php", "lua", "make", "gmake", "git", "watch", "crontab", "at", "batch", "ssh", "scp", "sftp", "autossh",
    "rsync", "tar", "gtar", "bsdtar", "split", "gsplit", "gdb", "sqlite3", "vim", "expect", "emacs",
    "parallel", "tmux",
];

/// Variables whose text other programs have a shell run.
pub(super) const HANDED: &[&str] = &[
    "GIT_SSH_COMMAND",
    "GIT_EDITOR",
    "GIT_SEQUENCE_EDITOR",
    "GIT_PAGER",
    "EDITOR",
    "VISUAL",
    "PAGER",
    "MANPAGER",
    "LESSOPEN",
    "LESSCLOSE",
    "GIT_SSH",
    "GIT_ASKPASS",
    "GIT_EXTERNAL_DIFF",
    "GIT_PROXY_COMMAND",
    "GIT_CONFIG_PARAMETERS",
    "SUDO_EDITOR",
    "SYSTEMD_EDITOR",
    "SYSTEMD_PAGER",
    "PSQL_EDITOR",
    "PSQL_PAGER",
    "FCEDIT",
    "BROWSER",
    "RSYNC_RSH",
    "CVS_RSH",
    "TAPE_RSH",
    "TAR_OPTIONS",
    "MAKEFLAGS",
    "PERL5DB",
    "PERL5OPT",
    "RUBYOPT",
    "NODE_OPTIONS",
    "FZF_DEFAULT_COMMAND",
];

/// Variables that a shell holds as numbers, so that what is assigned is calculated.
pub(super) const COUNTED: &[&str] = &[
    "RANDOM",
    "SRANDOM",
    "SECONDS",
    "OPTIND",
    "HISTSIZE",
    "SAVEHIST",
    "COLUMNS",
    "LINES",
    "UID",
    "EUID",
    "GID",
    "EGID",
    "TMOUT",
    "MAILCHECK",
    "FUNCNEST",
    "HISTCMD",
    "KEYTIMEOUT",
    "LISTMAX",
    "TTYIDLE",
    "LINENO",
    "BASHPID",
    "PPID",
    "PGRP",
    "KSHEGID",
    "KSHGID",
    "KSHUID",
    "USER_ID",
    "SHLVL",
    "ERRNO",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "TRY_BLOCK_ERROR",
    "TRY_BLOCK_INTERRUPT",
    "ZSH_SUBSHELL",
    "BAUD",
];
