//! All that a plan needs to log in, gathered before any host is contacted: key files, agents, passphrases,
//! passwords. What is wrong is said in one pass; what a person has to type is asked once.
//!
//! Secrets come from the environment, files, commands and the terminal. They are never arguments, and go into
//! no message.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;
use zeroize::Zeroizing;

use crate::cli::error::{CliError, talk};
use crate::cli::prompt::{PromptError, Prompter};
use crate::engine::plan::Plan;
use crate::model::endpoint::{Agent, Endpoint, Password};
use crate::model::position::Diagnostic;
use crate::model::secret::Secret;
use crate::model::settings::{SecretSource, Transport};
use crate::ssh::agent::{self, Held, Patience};
use crate::ssh::keys::{Identity, KeyError, Keyring, read_private};

/// How long a command may take to print a secret.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// Bytes of a secret's file, and of what a command prints.
const MAX_SECRET: u64 = 64 * 1024;

/// How often a passphrase may be wrong.
const TRIES: usize = 3;

/// Reads what can be read without contacting or asking anybody; what is wrong with it is bad input.
pub(super) fn check(plan: &Plan) -> Result<Keyring, CliError> {
    let mut problems = Vec::new();
    let mut keyring = Keyring::default();
    let mut seen = BTreeSet::new();
    for endpoint in endpoints(plan) {
        for path in endpoint.identities.iter().filter(|path| seen.insert(*path)) {
            problems.extend(keyring.load(path).err().map(diagnostic));
        }
        for path in endpoint.certificates.iter().filter(|path| seen.insert(*path)) {
            problems.extend(keyring.load_certificate(path).err().map(diagnostic));
        }
    }
    if problems.is_empty() {
        problems.extend(keyless_certificates(plan, &keyring));
    }
    for source in sources(plan) {
        match source {
            SecretSource::Env(_) | SecretSource::File(_) => {
                problems.extend(read_source(source).err());
            }
            SecretSource::Command(_) | SecretSource::Prompt(_) => {}
        }
    }
    for warning in keyring.take_warnings() {
        talk(&format!("warning: {warning}"));
    }
    if problems.is_empty() { Ok(keyring) } else { Err(CliError::Input(problems)) }
}

/// Gathers everything, and puts the passwords into the plan.
///
/// Agents that do not answer are taken out of the plan with one warning, unless the user named them.
pub(super) async fn prepare(plan: &mut Plan, prompter: &mut impl Prompter) -> Result<Keyring, CliError> {
    let mut keyring = check(plan)?;
    let held = survey(plan, &keyring).await?;
    let mut secrets = HashMap::new();
    let mut problems = Vec::new();
    for source in sources(plan) {
        let read = match source {
            SecretSource::Env(_) | SecretSource::File(_) => read_source(source),
            SecretSource::Command(line) => run(line, COMMAND_LIMIT).await,
            SecretSource::Prompt(_) => continue,
        };
        match read {
            Ok(secret) => drop(secrets.insert(source.clone(), secret)),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(CliError::Input(problems));
    }
    let mut opened = Vec::new();
    for path in locked(plan, &mut keyring, &held) {
        match open(&path, &mut keyring, &mut opened, prompter)? {
            None => {}
            Some(problem) => problems.push(problem),
        }
    }
    for source in sources(plan) {
        let SecretSource::Prompt(question) = source else { continue };
        match prompter.ask(question.trim_end_matches([':', ' '])) {
            Ok(secret) => drop(secrets.insert(source.clone(), secret)),
            Err(error) => problems.push(unanswered(error, || {
                Diagnostic::bare(format!(
                    "a password is needed ({question:?}), and there is no terminal to ask on"
                ))
                .help("name where it is kept: password: {env: NAME}, {file: PATH} or {command: LINE}")
            })?),
        }
    }
    if !problems.is_empty() {
        return Err(CliError::Input(problems));
    }
    each_hop(plan, |endpoint| {
        if let Some(Password::At(source)) = &endpoint.password {
            endpoint.password = secrets.get(source).cloned().map(Password::Known);
        }
    });
    for warning in keyring.take_warnings() {
        talk(&format!("warning: {warning}"));
    }
    Ok(keyring)
}

/// All endpoints that are logged in to: hosts, and the gateways on the way to them.
fn endpoints(plan: &Plan) -> impl Iterator<Item = &Endpoint> {
    let hosts = plan.hosts.iter().map(|host| &host.endpoint);
    hosts.filter(|endpoint| endpoint.transport == Transport::Ssh).flat_map(Endpoint::hops)
}

/// Changes every endpoint, gateways included; hosts that share a gateway share it afterwards, too.
fn each_hop(plan: &mut Plan, mut change: impl FnMut(&mut Endpoint)) {
    fn changed(
        gateway: &Arc<Endpoint>,
        done: &mut HashMap<*const Endpoint, Arc<Endpoint>>,
        change: &mut dyn FnMut(&mut Endpoint),
    ) -> Arc<Endpoint> {
        let key = Arc::as_ptr(gateway);
        if let Some(done) = done.get(&key) {
            return Arc::clone(done);
        }
        let mut fresh = gateway.as_ref().clone();
        fresh.gateway = fresh.gateway.as_ref().map(|next| changed(next, done, change));
        change(&mut fresh);
        let fresh = Arc::new(fresh);
        done.insert(key, Arc::clone(&fresh));
        fresh
    }
    // The old ones live to the end, so that no address is that of two.
    let old: Vec<_> = plan.hosts.iter().map(|host| host.endpoint.gateway.clone()).collect();
    let mut done = HashMap::new();
    for (host, gateway) in plan.hosts.iter_mut().zip(&old) {
        host.endpoint.gateway = gateway.as_ref().map(|gateway| changed(gateway, &mut done, &mut change));
        change(&mut host.endpoint);
    }
}

/// The sources of all passwords, each once, in the order of the hosts.
fn sources(plan: &Plan) -> Vec<&SecretSource> {
    let mut sources = Vec::new();
    for endpoint in endpoints(plan) {
        if let Some(Password::At(source)) = &endpoint.password
            && !sources.contains(&source)
        {
            sources.push(source);
        }
    }
    sources
}

fn diagnostic(error: KeyError) -> Diagnostic {
    let mut problem = Diagnostic::bare(error.to_string());
    problem.help = error.hint;
    problem
}

/// Certificates that nobody can sign for: their key is in no file, and there is no agent.
fn keyless_certificates(plan: &Plan, keyring: &Keyring) -> Vec<Diagnostic> {
    let mut problems = BTreeMap::new();
    for endpoint in endpoints(plan) {
        let identities = || endpoint.identities.iter().filter_map(|path| keyring.get(path));
        if endpoint.agent != Agent::Off || identities().any(|identity| identity.public().is_none()) {
            continue;
        }
        for path in endpoint.certificates.iter() {
            let Some(certified) = keyring.certified(path) else { continue };
            let mut publics = identities().filter_map(Identity::public);
            if !publics.any(|public| public.key_data() == certified.key_data()) {
                problems.entry(path).or_insert_with(|| {
                    let message =
                        format!("{}: the certificate is for none of the host's keys", path.display());
                    Diagnostic::bare(message).help("name its key with `identity:`")
                });
            }
        }
    }
    problems.into_values().collect()
}

/// Asks every agent of the plan once what it holds; takes those out that are of no use.
async fn survey(plan: &mut Plan, keyring: &Keyring) -> Result<HashMap<PathBuf, Vec<Held>>, CliError> {
    let mut sockets: BTreeMap<PathBuf, bool> = BTreeMap::new();
    for endpoint in endpoints(plan) {
        if let Agent::Socket { path, required } = &endpoint.agent
            && (agent::is_consulted(endpoint, keyring) || endpoint.forward_agent)
        {
            *sockets.entry(path.clone()).or_default() |= required;
        }
    }
    let mut held = HashMap::new();
    let mut problems = Vec::new();
    for (path, required) in sockets {
        match agent::held(&path, Patience::default().list).await {
            Ok(keys) => drop(held.insert(path, keys)),
            Err(error) if required => problems.push(
                Diagnostic::bare(error.to_string())
                    .help("start the agent, or take `agent:` out of the inventory"),
            ),
            Err(error) => {
                talk(&format!("warning: {error} (SSH_AUTH_SOCK); going on without an agent"));
                let using = Agent::Socket { path, required };
                each_hop(plan, |endpoint| {
                    if endpoint.agent == using {
                        endpoint.agent = Agent::Off;
                    }
                });
            }
        }
    }
    if problems.is_empty() { Ok(held) } else { Err(CliError::Input(problems)) }
}

/// The encrypted keys that somebody has to open. Those that the agents hold are left to them.
fn locked(plan: &Plan, keyring: &mut Keyring, held: &HashMap<PathBuf, Vec<Held>>) -> Vec<PathBuf> {
    let mut wanted = Vec::new();
    for (path, public) in keyring.locked() {
        let users: Vec<&Endpoint> =
            endpoints(plan).filter(|endpoint| endpoint.identities.contains(&path)).collect();
        if users.is_empty() {
            continue;
        }
        let in_agent = |endpoint: &Endpoint| {
            public.as_ref().is_some_and(|public| agent::holds(keys_of(endpoint, held), public))
        };
        if users.iter().all(|endpoint| in_agent(endpoint)) {
            keyring.leave_to_agent(&path);
            continue;
        }
        // A default key that nobody named is worth a question only where there is no other way in.
        let needed = users.iter().any(|endpoint| {
            endpoint.identities_named
                || (endpoint.password.is_none()
                    && keys_of(endpoint, held).is_empty()
                    && !endpoint
                        .identities
                        .iter()
                        .any(|path| matches!(keyring.get(path), Some(Identity::Private(_)))))
        });
        if needed {
            wanted.push(path);
        }
    }
    wanted
}

fn keys_of<'a>(endpoint: &Endpoint, held: &'a HashMap<PathBuf, Vec<Held>>) -> &'a [Held] {
    match &endpoint.agent {
        Agent::Off => &[],
        Agent::Socket { path, .. } => held.get(path).map_or(&[], Vec::as_slice),
    }
}

/// Opens one key with a passphrase: one that opened another, or one that is asked for.
fn open(
    path: &Path,
    keyring: &mut Keyring,
    opened: &mut Vec<Secret>,
    prompter: &mut impl Prompter,
) -> Result<Option<Diagnostic>, CliError> {
    let failed = |error: KeyError| Ok(Some(diagnostic(error)));
    for passphrase in opened.iter() {
        match keyring.unlock(path, passphrase) {
            Ok(true) => return Ok(None),
            Ok(false) => {}
            Err(error) => return failed(error),
        }
    }
    let shown = path.display();
    for attempt in 0..TRIES {
        let again = if attempt == 0 { "" } else { "wrong; " };
        let passphrase = match prompter.ask(&format!("{again}passphrase for {shown}")) {
            Ok(passphrase) => passphrase,
            Err(error) => {
                let problem = || {
                    Diagnostic::bare(format!(
                        "{shown}: the key is encrypted, and there is no terminal to ask for its passphrase on"
                    ))
                    .help(format!("load it into the agent first: ssh-add {shown}"))
                };
                return unanswered(error, problem).map(Some);
            }
        };
        match keyring.unlock(path, &passphrase) {
            Ok(true) => {
                opened.push(passphrase);
                return Ok(None);
            }
            Ok(false) => {}
            Err(error) => return failed(error),
        }
    }
    let problem = Diagnostic::bare(format!("{shown}: wrong passphrase, {TRIES} times"));
    Ok(Some(problem.help("ssh-keygen -y -f KEY tells whether one is right")))
}

/// What an unanswered question means: a problem like others, or the end.
fn unanswered(error: PromptError, problem: impl FnOnce() -> Diagnostic) -> Result<Diagnostic, CliError> {
    match error {
        PromptError::NoTerminal => Ok(problem()),
        PromptError::Interrupted => Err(CliError::Interrupted),
        PromptError::Io(source) => {
            Err(CliError::Local { doing: "cannot ask on the terminal".to_owned(), source })
        }
    }
}

/// Reads a secret that is there already.
fn read_source(source: &SecretSource) -> Result<Secret, Diagnostic> {
    match source {
        SecretSource::Env(name) => {
            let value = env::var(name).map(Zeroizing::new).map_err(|error| {
                let what = match error {
                    env::VarError::NotPresent => "is not set",
                    env::VarError::NotUnicode(_) => "is not UTF-8",
                };
                Diagnostic::bare(format!("the password's environment variable {name} {what}"))
                    .help(format!("export {name} before, or name another source"))
            })?;
            first_line(&value, || format!("the environment variable {name}"))
        }
        SecretSource::File(path) => {
            let path = expanded(path);
            let text = read_private(&path, MAX_SECRET).map_err(|refusal| {
                let (message, hint) = refusal.explain("the password file");
                let mut problem = Diagnostic::bare(format!("{}: {message}", path.display()));
                problem.help = hint;
                problem
            })?;
            first_line(&text, || path.display().to_string())
        }
        SecretSource::Command(_) | SecretSource::Prompt(_) => {
            Err(Diagnostic::bare("this secret is not there to be read"))
        }
    }
}

/// A path with `~/` expanded, as in all settings.
fn expanded(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(path),
    }
}

fn first_line(text: &str, from: impl FnOnce() -> String) -> Result<Secret, Diagnostic> {
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() || line.contains('\0') {
        let what = if line.is_empty() { "its first line is empty" } else { "it holds a NUL" };
        return Err(Diagnostic::bare(format!("{}: no password in it: {what}", from())));
    }
    Ok(Secret::new(line))
}

/// Runs a command for the first line that it prints. It may ask on the terminal; its input is empty.
async fn run(line: &str, limit: Duration) -> Result<Secret, Diagnostic> {
    let shown = || format!("the password's command {line:?}");
    let failed = |what: String| {
        Diagnostic::bare(format!("{} {what}", shown()))
            .help("try it in a shell: its first line is the password")
    };
    let running = async {
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(line)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (stdout, stderr) = tokio::join!(drain(stdout), drain(stderr));
        Ok::<_, std::io::Error>((child.wait().await?, stdout, stderr))
    };
    let (status, stdout, stderr) = match tokio::time::timeout(limit, running).await {
        Ok(Ok(ended)) => ended,
        Ok(Err(error)) => return Err(failed(format!("cannot be run: {error}"))),
        Err(_) => return Err(failed(format!("did not end within {} s", limit.as_secs_f64()))),
    };
    if !status.success() {
        // What it prints may be the secret; what it complains about is not.
        let complaint = String::from_utf8_lossy(&stderr);
        let complaint = complaint.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        let complaint: String = complaint.trim().chars().take(200).collect();
        let because = if complaint.is_empty() { String::new() } else { format!(": {complaint}") };
        return Err(failed(format!("failed ({status}){because}")));
    }
    let text =
        std::str::from_utf8(&stdout).map_err(|_| failed("printed something that is not UTF-8".to_owned()))?;
    first_line(text, shown)
}

/// Reads a stream to its end and keeps its beginning.
async fn drain(stream: Option<impl tokio::io::AsyncRead + Unpin>) -> Zeroizing<Vec<u8>> {
    let mut kept = Zeroizing::new(Vec::new());
    if let Some(mut stream) = stream {
        // A stream that breaks is at its end.
        let _ = (&mut stream).take(MAX_SECRET).read_to_end(&mut kept).await;
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;

    /// Somebody who knows the answers beforehand.
    #[derive(Default)]
    struct Scripted {
        answers: VecDeque<&'static str>,
        asked: Vec<String>,
    }

    impl Scripted {
        fn saying(answers: &[&'static str]) -> Self {
            Self { answers: answers.iter().copied().collect(), asked: Vec::new() }
        }
    }

    impl Prompter for Scripted {
        fn ask(&mut self, question: &str) -> Result<Secret, PromptError> {
            self.asked.push(question.to_owned());
            match self.answers.pop_front() {
                Some("^C") => Err(PromptError::Interrupted),
                Some(answer) => Ok(Secret::new(answer)),
                None => Err(PromptError::NoTerminal),
            }
        }
    }

    /// Two keys with one passphrase, and one with another.
    fn ring(folder: &TempDir) -> (Keyring, [PathBuf; 3]) {
        let mut keyring = Keyring::default();
        let paths = [("a", "one"), ("b", "one"), ("c", "two")].map(|(name, passphrase)| {
            let path = folder.path().join(name);
            let mut command = std::process::Command::new("ssh-keygen");
            command
                .args(["-q", "-t", "ed25519", "-C", "", "-a", "1", "-N"])
                .arg(format!("{passphrase} passphrase"));
            assert!(command.arg("-f").arg(&path).status().unwrap().success());
            keyring.load(&path).unwrap();
            path
        });
        (keyring, paths)
    }

    #[test]
    fn a_passphrase_that_opens_several_keys_is_asked_for_once() {
        let folder = tempfile::tempdir().unwrap();
        let (mut keyring, paths) = ring(&folder);
        let mut prompter = Scripted::saying(&["", "one passphrase", "two passphrase"]);
        let mut opened = Vec::new();
        for path in &paths {
            assert!(open(path, &mut keyring, &mut opened, &mut prompter).unwrap().is_none());
        }
        assert!(keyring.locked().is_empty());
        let [a, _, c] = paths.map(|path| path.display().to_string());
        assert_eq!(
            prompter.asked,
            [
                format!("passphrase for {a}"),
                format!("wrong; passphrase for {a}"),
                format!("passphrase for {c}")
            ]
        );
    }

    #[test]
    fn three_wrong_passphrases_and_nobody_to_ask_are_problems_and_a_person_may_leave() {
        let folder = tempfile::tempdir().unwrap();
        let (mut keyring, [path, ..]) = ring(&folder);
        let mut said = |answers: &[&'static str]| {
            let mut prompter = Scripted::saying(answers);
            match open(&path, &mut keyring, &mut Vec::new(), &mut prompter) {
                Ok(problem) => problem.unwrap().message.replace(&path.display().to_string(), "KEY"),
                Err(error) => format!("{:?}", error.exit_code()),
            }
        };
        assert_eq!(said(&["x", "y", "z", "one passphrase"]), "KEY: wrong passphrase, 3 times");
        assert_eq!(
            said(&[]),
            "KEY: the key is encrypted, and there is no terminal to ask for its passphrase on"
        );
        assert_eq!(said(&["^C"]), "Interrupted");
    }

    #[test]
    fn a_secret_is_the_first_line_of_a_file_of_one_s_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let source = SecretSource::File(path.display().to_string());
        let read = |content: &str, mode| {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            read_source(&source)
                .map(|secret| secret.reveal().to_owned())
                .map_err(|problem| problem.message.replace(&path.display().to_string(), "FILE"))
        };
        assert_eq!(read("hunter2\r\nsecond\n", 0o600).unwrap(), "hunter2");
        assert_eq!(read(" with spaces ", 0o400).unwrap(), " with spaces ");
        assert_eq!(read("\nhunter2", 0o600).unwrap_err(), "FILE: no password in it: its first line is empty");
        assert_eq!(
            read("hunter2", 0o644).unwrap_err(),
            "FILE: the password file is readable by others (mode 0644)"
        );
        let missing = SecretSource::Env("FAN_TEST_THIS_IS_NOT_SET".to_owned());
        assert_eq!(
            read_source(&missing).unwrap_err().message,
            "the password's environment variable FAN_TEST_THIS_IS_NOT_SET is not set"
        );
    }

    #[tokio::test]
    async fn a_secret_is_the_first_line_that_a_command_prints() {
        let limit = Duration::from_secs(20);
        assert_eq!(run("printf 'hunter2\\nsecond'", limit).await.unwrap().reveal(), "hunter2");
        let failed = run("echo hunter2; echo 'no such entry' >&2; exit 3", limit).await.unwrap_err();
        assert!(failed.message.ends_with("failed (exit status: 3): no such entry"), "{}", failed.message);
        let silent = run("true", limit).await.unwrap_err();
        assert!(silent.message.ends_with("no password in it: its first line is empty"), "{}", silent.message);
        let slow = run("sleep 60", Duration::from_millis(50)).await.unwrap_err();
        assert!(slow.message.ends_with("did not end within 0.05 s"), "{}", slow.message);
    }
}
