//! The scripts of CI jobs that install fan and run it, and those of releases, as far as they need no network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const FAN: &str = env!("CARGO_BIN_EXE_fan");

/// A release of the binary under test on this machine's disk, and a home to install it into.
struct Release {
    folder: tempfile::TempDir,
    tarball: String,
}

impl Release {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("fan-9.8.7-{}-unknown-linux-musl", std::env::consts::ARCH);
        let bin = folder.path().join(&name).join("bin");
        fs::create_dir_all(&bin).unwrap();
        fs::copy(FAN, bin.join("fan")).unwrap();
        let tarball = format!("{name}.tar.gz");
        let mut made = Command::new("tar");
        made.arg("-czf").arg(folder.path().join(&tarball)).arg("-C").arg(folder.path()).arg(&name);
        assert!(made.status().unwrap().success());
        let release = Self { folder, tarball };
        release.checksums(&release.sha256());
        release
    }

    fn sha256(&self) -> String {
        let sum = Command::new("sha256sum").arg(self.folder.path().join(&self.tarball)).output().unwrap();
        String::from_utf8(sum.stdout).unwrap()[..64].to_owned()
    }

    fn checksums(&self, sha256: &str) {
        let text = format!("{}  other.tar.gz\n{sha256}  {}\n", "0".repeat(64), self.tarball);
        fs::write(self.folder.path().join("SHA256SUMS"), text).unwrap();
    }

    fn bin(&self) -> PathBuf {
        self.folder.path().join("home/.local/bin/fan")
    }

    fn install(&self, version: &str, sha256: &str) -> Output {
        script("packaging/ci/install.sh")
            .env("HOME", self.folder.path().join("home"))
            .env("FAN_VERSION", version)
            .env("FAN_SHA256", sha256)
            .env("FAN_URL", format!("file://{}", self.folder.path().display()))
            .env("GITHUB_PATH", self.folder.path().join("path"))
            .output()
            .unwrap()
    }
}

fn script(name: &str) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join(name));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
#[cfg(target_os = "linux")]
fn a_release_is_installed_once_its_checksum_is_right() {
    let release = Release::new();
    let refused = |output: Output, why: &str| {
        assert!(!output.status.success(), "{}", said(&output));
        assert!(said(&output).contains(why), "{}", said(&output));
        assert!(!release.bin().exists());
    };
    refused(release.install("9.8.7", &"1".repeat(64)), "nothing was installed");
    release.checksums(&"2".repeat(64));
    refused(release.install("9.8.7", ""), "nothing was installed");
    fs::write(release.folder.path().join("SHA256SUMS"), "").unwrap();
    refused(release.install("9.8.7", ""), "SHA256SUMS does not name");
    refused(release.install("v9.8.7", ""), "write 0.2.0, without v");
    refused(release.install("9.8.7/../../x", ""), "is no version");
    refused(release.install("1.2.3", ""), "cannot download");
    let installed = release.install("9.8.7", &release.sha256());
    assert!(installed.status.success(), "{}", said(&installed));
    assert!(
        said(&installed).ends_with(concat!("fan ", env!("CARGO_PKG_VERSION"), "\n")),
        "{}",
        said(&installed)
    );
    let path = fs::read_to_string(release.folder.path().join("path")).unwrap();
    assert_eq!(Path::new(path.trim_end()), release.bin().parent().unwrap());
}

#[test]
fn a_job_runs_its_words_as_they_are_and_keeps_the_stream() {
    let folder = tempfile::tempdir().unwrap();
    let tasks = "tasks:\n  say:\n    params: {what: null}\n    steps:\n      - echo: \"said {{ what }}\"\n      - run: exit 3\n";
    fs::write(folder.path().join("inventory.yaml"), "hosts: {h1: {transport: local}}\n").unwrap();
    fs::write(folder.path().join("tasks.yaml"), tasks).unwrap();
    let bin = Path::new(FAN).parent().unwrap().display();
    let run = |arguments: &str| {
        let _ = fs::remove_file(folder.path().join("output"));
        script("packaging/ci/run.sh")
            .current_dir(folder.path())
            .env("PATH", format!("{bin}:{}", std::env::var("PATH").unwrap()))
            .env("HOME", folder.path())
            .env("RUNNER_TEMP", folder.path())
            .env("GITHUB_OUTPUT", folder.path().join("output"))
            .env("FAN_ARGUMENTS", arguments)
            .output()
            .unwrap()
    };
    let ran = run("run 'say:what=a b; $(touch pwned) `touch pwned`' -H h1");
    assert_eq!(ran.status.code(), Some(1), "{}", said(&ran));
    assert!(said(&ran).contains("said a b; $(touch pwned) `touch pwned`"), "{}", said(&ran));
    assert!(!folder.path().join("pwned").exists());
    let output = fs::read_to_string(folder.path().join("output")).unwrap();
    let stream = output.lines().find_map(|line| line.strip_prefix("stream=")).unwrap();
    assert!(output.contains("exit-code=1\n"), "{output}");
    let events = fs::read_to_string(stream).unwrap();
    assert!(events.lines().last().unwrap().contains("run_finished"), "{events}");
    // What needs no stream has none; a command's own words stay behind its own options.
    let listed = run("list");
    assert_eq!(listed.status.code(), Some(0), "{}", said(&listed));
    assert!(fs::read_to_string(folder.path().join("output")).unwrap().ends_with("exit-code=0\nstream=\n"));
    let exec = run("exec -H h1 -- echo --report x");
    assert!(said(&exec).contains("h1 | --report x"), "{}", said(&exec));
}
