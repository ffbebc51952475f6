//! Which program of a machine reads which archive, and how it is called.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::files::archive::entry::ArchiveFormat;
use crate::files::remote::{Script, Shell};
use crate::model::outcome::{Failure, Kind};

/// How long reading an archive, or unpacking it, may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(6 * 3600);

/// What no variable of the host's may change, and what its own words are: times are UTC, names are bytes.
const PLAIN: &str = "unset TAR_OPTIONS TAPE UNZIP UNZIPOPT ZIPINFO GZIP BZIP BZIP2 XZ_OPT XZ_DEFAULTS\n\
                     umask 022\nexport TZ=UTC0 LC_ALL=C\n";

/// The program that reads an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ArchiveReader {
    /// GNU tar.
    Gnu,
    /// libarchive's, under this name; it undoes compression by itself.
    Bsd(&'static str),
    /// BusyBox's, called so.
    Busybox(&'static str),
    /// For zips.
    Unzip(&'static str),
}

/// What a script says when what it reads cannot be decompressed.
pub(super) const BROKEN: &str = "fan-cannot-decompress";

/// What stands before what programs complained of.
pub(super) const COMPLAINTS: &str = "\u{1}fan-complaints ";

/// The programs of a machine.
#[derive(Debug)]
pub(super) struct ArchiveTools {
    names: BTreeSet<String>,
    /// What `tar` calls itself.
    tar: String,
}

impl ArchiveTools {
    /// Asks a shell.
    ///
    /// # Errors
    ///
    /// It is gone.
    pub(super) async fn of(shell: &Shell) -> Result<Self, Failure> {
        let script = "for name in tar bsdtar unzip gzip bzip2 xz zstd busybox; do\n  \
                      ! command -v $name >/dev/null 2>&1 || echo $name\ndone\n\
                      echo; tar --version 2>&1 </dev/null | head -n 1; :\n";
        let end = shell.run(script, PATIENCE).await?;
        let said = String::from_utf8_lossy(&end.output).into_owned();
        let (names, tar) = said.split_once("\n\n").unwrap_or((said.trim(), ""));
        Ok(Self { names: names.lines().map(str::to_owned).collect(), tar: tar.to_lowercase() })
    }

    fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// What reads an archive.
    ///
    /// # Errors
    ///
    /// Nothing does: [`Kind::ExecRefused`], with what to install.
    pub(super) fn reader(&self, format: ArchiveFormat) -> Result<ArchiveReader, Failure> {
        let bsd = if self.has("tar") && self.tar.contains("bsdtar") {
            Some("tar")
        } else {
            self.has("bsdtar").then_some("bsdtar")
        };
        let missing = |what: &str, package: &str| {
            let message = format!("nothing there reads {what}");
            let hint = format!("install {package}, or bsdtar (libarchive-tools)");
            Failure::new(Kind::ExecRefused, message).hint(hint)
        };
        if format == ArchiveFormat::Zip {
            let other = match (self.has("unzip"), self.has("busybox")) {
                (true, _) => Some(ArchiveReader::Unzip("unzip")),
                (false, true) => Some(ArchiveReader::Unzip("busybox unzip")),
                (false, false) => None,
            };
            return bsd.map(ArchiveReader::Bsd).or(other).ok_or_else(|| missing("zip archives", "unzip"));
        }
        let tar = if !self.has("tar") {
            self.has("busybox").then_some(ArchiveReader::Busybox("busybox tar"))
        } else if self.tar.contains("gnu tar") {
            Some(ArchiveReader::Gnu)
        } else {
            self.tar.contains("busybox").then_some(ArchiveReader::Busybox("tar"))
        };
        let Some(tar) = tar else {
            return bsd
                .map(ArchiveReader::Bsd)
                .ok_or_else(|| missing("tar archives that fan can have listed", "GNU tar"));
        };
        match format {
            ArchiveFormat::Packed(program) if !self.has(program) => {
                let package = if program == "xz" { "xz (xz-utils)" } else { program };
                bsd.map(ArchiveReader::Bsd)
                    .ok_or_else(|| missing(&format!("what {program} has packed"), package))
            }
            ArchiveFormat::Packed(_) | ArchiveFormat::Tar | ArchiveFormat::Zip => Ok(tar),
        }
    }
}

impl ArchiveReader {
    /// Whether it makes hard links to wherever an archive says: only its own list tells where that is.
    pub(super) fn trusts_archives(&self) -> bool {
        match self {
            Self::Busybox(_) => true,
            Self::Gnu | Self::Bsd(_) | Self::Unzip(_) => false,
        }
    }

    /// A script that lists an archive, or unpacks it into a folder. Names and errors do not get mixed up: what a program
    /// complains of comes at the end, behind [`COMPLAINTS`].
    pub(super) fn script(&self, format: ArchiveFormat, archive: &[u8], into: Option<&[u8]>) -> Script {
        let list = into.is_none();
        let program = match self {
            Self::Gnu if list => "tar -tvP --quoting-style=c --full-time --numeric-owner -f -".to_owned(),
            Self::Gnu => "tar -x --no-same-owner --no-same-permissions -f -".to_owned(),
            Self::Bsd(tar) if list => format!("{tar} -tvP --numeric-owner -f -"),
            // A zip is read from its end.
            Self::Bsd(tar) if format == ArchiveFormat::Zip => {
                format!("{tar} -x --no-same-owner --no-same-permissions -f \"$archive\"")
            }
            Self::Bsd(tar) => format!("{tar} -x --no-same-owner --no-same-permissions -f -"),
            Self::Busybox(tar) if list => format!("{tar} -tv -f -"),
            Self::Busybox(tar) => format!("{tar} -x -o -f -"),
            Self::Unzip(unzip) => format!("{unzip} -q -o \"$archive\""),
        };
        let utf8 = matches!(self, Self::Bsd(_) | Self::Unzip(_));
        let unpacked = match (format, self) {
            (ArchiveFormat::Packed(program), Self::Gnu | Self::Busybox(_)) => {
                // A decompressor that warns of what is behind its data has done its work (gzip(1)).
                let odd = if program == "gzip" { " || [ $? = 2 ]" } else { "" };
                format!("{{ {{ {program} -dc <\"$archive\"{odd}; }} || echo {BROKEN} >&2; }} | ")
            }
            (ArchiveFormat::Zip, _) => String::new(),
            (ArchiveFormat::Tar | ArchiveFormat::Packed(_), _) => "cat <\"$archive\" | ".to_owned(),
        };
        let times = match self {
            Self::Bsd(tar) if list => format!(
                "[ $s != 0 ] || {{ echo; {tar} -cPf - --format=mtree '--options=mtree:!all,mtree:type,mtree:time' @- \
                 <\"$archive\" || s=1; }}\n"
            ),
            _ => String::new(),
        };
        let mut script = Script::new(PLAIN);
        if utf8 {
            script = script.text("LC_ALL=C.UTF-8\n");
        }
        script = script
            .text("archive=")
            .glued(archive)
            .text("\ncase $archive in /*) ;; *) archive=$PWD/$archive ;; esac\n");
        if let Some(into) = into {
            script = script.text("cd").path(into).text("|| exit 1\n");
        }
        let ends = if matches!(self, Self::Unzip(_)) { "[ $s != 1 ] || s=0\n" } else { "" };
        // What reads a pipe to its end leaves nobody before it with a broken one.
        let work = format!(
            "exec 3>&1\n\
             said=$({{ {unpacked}{{ {program}; s=$?; cat >/dev/null; exit $s; }}; }} 2>&1 >&3 3>&-); s=$?\n{ends}\
             case $said in *{BROKEN}*) s=1 ;; esac\n{times}"
        );
        let work = script.text(&work);
        let after = match into {
            // Folders that nobody may write to are unpacked like others, and moved from. BusyBox leaves files setuid, and
            // neither it nor Info-ZIP asks the umask. Where nothing can be changed, there are no such bits.
            Some(_) => "[ $s = 0 ] || { printf '%s\\n' \"$said\" | tail -n 3; exit 1; }\n\
                        find . -type d ! -perm -700 -exec chmod u+rwx {} \\;\n\
                        find . -type f \\( -perm -4000 -o -perm -2000 -o -perm -020 -o -perm -002 \\) \
                        -exec chmod ug-s,go-w {} + 2>/dev/null || :\n"
                .to_owned(),
            None => format!("printf '\\n{COMPLAINTS}%s\\n' \"$said\"\nexit $s\n"),
        };
        work.text(&after)
    }
}
