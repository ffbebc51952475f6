//! The scripts: POSIX sh, find, and a program for SHA-256. They change nothing.
//!
//! Answers are fields that end in NUL, so that a name may be any name. Programs are started once for many files, as a
//! thousand files are nothing special; where one of them fails, its files are looked at one by one.

use crate::model::shell::quote_word;

/// A content that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedContent {
    /// The host that is to give it.
    pub host: String,
    /// The path that was asked for, and the one from there.
    pub root: String,
    /// Empty for the path itself.
    pub below: Vec<u8>,
    /// What it is called in the answer.
    pub id: usize,
}

/// What both scripts begin with.
const BEGIN: &str = r#"LC_ALL=C
export LC_ALL
unset CDPATH
"#;

/// Attributes of the arguments: the names, and a line for each.
const META: &str = r##"
st() { stat $FAN_L -c "%f/%U/%G/%s" -- "$@" 2>/dev/null || stat $FAN_L -f "%Xp/%Su/%Sg/%z" -- "$@" 2>/dev/null; }
out=$(st "$@") || out=
printf "m\0%s\0" "$#"
printf "%s\0" "$@"
if [ "$(printf "%s\n" "$out" | wc -l)" -eq "$#" ] && [ -n "$out" ]; then
  printf "%s\0" "$out"
else
  for f do
    one=$(st "$f") || one=$(ls -d $FAN_L -l -- "$f" 2>/dev/null | sed -n 1p)
    printf "%s\n" "${one:--}"
  done
  printf "\0"
fi
"##;

/// SHA-256 of the arguments, the same way; OpenSSL first, as it is fastest. What cannot be read is told by itself.
const HASH: &str = r##"
hash() { openssl dgst -sha256 -r "$@" 2>/dev/null || sha256sum "$@" 2>/dev/null || shasum -a 256 "$@" 2>/dev/null || sha256 -r "$@" 2>/dev/null; }
input() { openssl dgst -sha256 -r 2>/dev/null || sha256sum 2>/dev/null || shasum -a 256 2>/dev/null || sha256 -q 2>/dev/null; }
shut=
for f do [ -r "$f" ] || shut=1; done
if [ -n "$shut" ]; then
  n=$#
  while [ "$n" -gt 0 ]; do
    f=$1; shift; n=$((n - 1))
    if [ -r "$f" ]; then set -- "$@" "$f"; else printf "u\0%s\0" "$f"; fi
  done
fi
if [ "$#" -gt 0 ]; then
  out=$(hash "$@") || out=
  printf "h\0%s\0" "$#"
  printf "%s\0" "$@"
  if [ "$(printf "%s\n" "$out" | wc -l)" -eq "$#" ] && [ -n "$out" ]; then
    printf "%s\0" "$out"
  else
    for f do
      one=$(input 2>/dev/null <"$f") || one=
      printf "%s\n" "${one:--}"
    done
    printf "\0"
  fi
fi
"##;

/// Targets of links.
const LINKS: &str =
    r#"for f do printf "l\0%s\0%s\0" "$f" "$(readlink -- "$f" 2>/dev/null || readlink "$f")"; done"#;

/// Folders that may not be listed or entered.
const SHUT: &str = r#"for f do if [ ! -r "$f" ] || [ ! -x "$f" ]; then printf "u\0%s\0" "$f"; fi; done"#;

/// What is told of one path.
const ROOT: &str = r#"
survey() {
  printf 'P\0%s\0' "$1"
  if [ -d "$2" ]; then
    if cd -- "$2" 2>/dev/null; then
      printf 'd\0'
      FAN_L=
      export FAN_L
      find . -exec sh -c "$META" sh {} + 2>/dev/null || :
      find . -type f -exec sh -c "$HASH" sh {} + 2>/dev/null || :
      find . -type l -exec sh -c "$LINKS" sh {} + 2>/dev/null || :
      find . -type d -exec sh -c "$SHUT" sh {} + 2>/dev/null || :
    else
      printf 'c\0%s\0' "$(cd -- "$2" 2>&1 || :)"
    fi
  elif [ -e "$2" ]; then
    printf 'f\0'
    FAN_L=-L
    export FAN_L
    sh -c "$META" sh "$2" || :
    if [ -f "$2" ]; then sh -c "$HASH" sh "$2" || :; fi
  elif [ -L "$2" ]; then
    printf 'f\0'
    FAN_L=
    export FAN_L
    sh -c "$META" sh "$2" || :
    sh -c "$LINKS" sh "$2" || :
  else
    said=$(ls -dL -- "$2" 2>&1) || :
    case $said in
      *'ermission denied'*) printf 'c\0%s\0' "$said" ;;
      *) printf 'n\0' ;;
    esac
  fi
}
"#;

/// A path as a word of the script: `{host}` stands for the host's name, and no path is taken for an option.
fn path(text: &str) -> String {
    let text = if text.starts_with('-') { format!("./{text}") } else { text.to_owned() };
    let parts: Vec<_> = text.split("{host}").map(quote_part).collect();
    parts.join("\"$FAN_HOST\"")
}

fn quote_part(text: &str) -> String {
    if text.is_empty() { String::new() } else { quote_word(text).into_owned() }
}

/// Asks what is at paths, and in folders with all that is below them.
pub fn survey(paths: &[&str]) -> String {
    let parts = [("META", META), ("HASH", HASH), ("LINKS", LINKS), ("SHUT", SHUT)];
    let mut script = BEGIN.to_owned();
    for (name, text) in parts {
        script.push_str(&format!("{name}='{text}'\n"));
    }
    script.push_str(ROOT);
    for (number, text) in paths.iter().enumerate() {
        script.push_str(&format!("(survey {number} {})\n", path(text)));
    }
    script.push_str("printf 'E\\0'\n");
    script
}

/// Asks hosts for contents. Each begins with a mark that no content can know, and is cut off at so many bytes.
pub fn contents(wanted: &[WantedContent], mark: &str, most: usize) -> String {
    let mut script = BEGIN.to_owned();
    script.push_str(&format!(
        "give() {{\n  printf '\\0{mark} %s\\0' \"$1\"\n  if [ -f \"$2\" ]; then head -c {most} <\"$2\" 2>/dev/null || :; fi\n}}\n"
    ));
    script.push_str("case $FAN_HOST in\n");
    let mut hosts: Vec<&str> = wanted.iter().map(|wanted| wanted.host.as_str()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    for host in hosts {
        script.push_str(&format!("{})\n", quote_word(host)));
        for wanted in wanted.iter().filter(|wanted| wanted.host == host) {
            let below = String::from_utf8_lossy(&wanted.below);
            let whole = match (wanted.root.as_str(), wanted.below.is_empty()) {
                (root, true) => path(root),
                (root, false) => {
                    format!("{}/{}", path(root.trim_end_matches('/')), octal(&wanted.below, &below))
                }
            };
            script.push_str(&format!("  give {} {whole}\n", wanted.id));
        }
        script.push_str("  ;;\n");
    }
    script.push_str(&format!("esac\nprintf '\\0{mark} end\\0'\n"));
    script
}

/// A name as a word. A script is text, so a name that is none is put together by printf. `$(...)` cuts off line ends at
/// the end, which a name may have, so they stand behind it.
fn octal(name: &[u8], text: &str) -> String {
    if text.as_bytes() == name {
        return quote_word(text).into_owned();
    }
    let ends = name.iter().rev().take_while(|&&byte| byte == b'\n').count();
    let (name, _) = name.split_at(name.len() - ends);
    let digits: String = name.iter().map(|byte| format!("\\0{byte:03o}")).collect();
    format!("\"$(printf %b '{digits}')\"'{}'", "\n".repeat(ends))
}
