//! Secrets, keys and passwords, asked for and read before anybody is contacted.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::cli::error::{CliError, hide, talk};
use crate::cli::prompt::{PromptError, Prompter};
use crate::cli::secrets::source::{Purpose, read_now, run};
use crate::cli::secrets::{memory, source};
use crate::engine::plan::Plan;
use crate::model::endpoint::{Agent, Endpoint, NamedBy, Password, Whole};
use crate::model::position::Diagnostic;
use crate::model::redact::{MIN_SECRET, Redactor};
use crate::model::secret::{Secret, SecretSource};
use crate::model::settings::Transport;
use crate::ssh::agent::{self, AgentPatience, HeldKey};
use crate::ssh::keys::{Identity, KeyError, Keyring};

/// How often a passphrase may be wrong.
const TRIES: usize = 3;

/// Reads everything that needs neither a host nor the user nor an agent; errors are bad input.
pub(in crate::cli) fn check(plan: &Plan) -> Result<(), CliError> {
    let (keyring, mut problems) = look(plan);
    for (path, unusable) in keyring.unusable() {
        let public = keyring.get(&path).is_some_and(|key| key.public().is_some());
        let mut users = endpoints(plan).filter(|endpoint| endpoint.identities.contains(&path));
        // What an agent holds is not known here.
        let hopeless =
            |user: &Endpoint| user.identities_named == NamedBy::User && (!public || user.agent == Agent::Off);
        if users.any(hopeless) {
            problems.push(diagnostic(without_agent(&unusable.error, public)));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(CliError::Input(problems)) }
}

/// Reads the files of keys, and the secrets that are to be had at once.
fn look(plan: &Plan) -> (Keyring, Vec<Diagnostic>) {
    let mut problems = Vec::new();
    let mut keyring = Keyring::default();
    let mut certificates = BTreeSet::new();
    for endpoint in endpoints(plan) {
        for path in endpoint.identities.iter() {
            // A file that is no good is in the ring as such.
            let _ = keyring.load(path);
        }
        for path in endpoint.certificates.iter() {
            let is_own = endpoint.certificates_named == NamedBy::User;
            if !certificates.insert((path, is_own)) {
                continue;
            }
            match keyring.load_certificate(path) {
                Ok(()) => {}
                Err(error) if is_own => problems.push(diagnostic(error)),
                Err(error) => talk(&passed_over(&error)),
            }
        }
    }
    if problems.is_empty() {
        problems.extend(keyless_certificates(plan, &keyring));
    }
    for source in sources(plan) {
        match source {
            SecretSource::Env(_) | SecretSource::File(_) | SecretSource::Written(_) => {
                problems.extend(read_now(source, Purpose::Password).err().map(|it| placed(plan, source, it)));
            }
            SecretSource::Command(_) | SecretSource::Prompt(_) => {}
        }
    }
    for warning in keyring.take_warnings() {
        talk(&format!("warning: {warning}"));
    }
    (keyring, problems)
}

/// A problem with a password, at the place where its source is named.
fn placed(plan: &Plan, source: &SecretSource, problem: Diagnostic) -> Diagnostic {
    let position = problem.position.or_else(|| plan.password_places.get(source).cloned());
    Diagnostic { position, ..problem }
}

/// Names the secrets that are too short to be looked for.
pub(super) fn warn_of_short<'s>(secrets: impl Iterator<Item = (&'s str, &'s Secret)>) {
    for (name, _) in secrets.filter(|(_, secret)| secret.reveal().len() < MIN_SECRET) {
        talk(&format!(
            "warning: secret \"{name}\" has fewer than {MIN_SECRET} bytes: too short to be hidden in output"
        ));
    }
}

/// What a plan logs in with, and what must not be shown of it.
pub(in crate::cli) struct PreparedSecrets {
    pub(in crate::cli) keyring: Keyring,
    /// Looks for the passwords and passphrases, and for the secrets of the plan's templates.
    pub(in crate::cli) redactor: Redactor,
}

/// Gathers everything, and puts the passwords into the plan.
///
/// Agents that do not answer are taken out of the plan with one warning, unless the user named them.
pub(in crate::cli) async fn prepare(
    plan: Plan,
    prompter: &mut impl Prompter,
) -> Result<(Plan, PreparedSecrets), CliError> {
    if !sources(&plan).is_empty() || plan.secrets.values().next().is_some() {
        memory::close();
    }
    let (mut keyring, mut problems) = look(&plan);
    let (plan, held) = survey(plan, &keyring).await?;
    problems.extend(unusable(&plan, &mut keyring, &held));
    if !problems.is_empty() {
        return Err(CliError::Input(problems));
    }
    let mut secrets = HashMap::new();
    for source in sources(&plan) {
        let read = match source {
            SecretSource::Env(_) | SecretSource::File(_) | SecretSource::Written(_) => {
                read_now(source, Purpose::Password)
            }
            SecretSource::Command(line) => run(line, Purpose::Password, source::COMMAND_LIMIT).await,
            SecretSource::Prompt(_) => continue,
        };
        match read {
            Ok(secret) => drop(secrets.insert(source.clone(), secret)),
            Err(problem) => problems.push(placed(&plan, source, problem)),
        }
    }
    if !problems.is_empty() {
        return Err(CliError::Input(problems));
    }
    let mut opened = Vec::new();
    for path in locked(&plan, &mut keyring, &held) {
        memory::close();
        match open(&path, &mut keyring, &mut opened, prompter)? {
            None => {}
            Some(problem) => problems.push(problem),
        }
    }
    for source in sources(&plan) {
        let SecretSource::Prompt(question) = source else { continue };
        match prompter.ask(question.trim_end_matches([':', ' '])) {
            Ok(secret) => drop(secrets.insert(source.clone(), secret)),
            Err(error) => problems.push(
                unanswered(error, || {
                    Diagnostic::bare(format!(
                        "a password is needed ({question:?}), and there is no terminal to ask on"
                    ))
                    .help("say where it comes from: password: {env: NAME}, {file: PATH} or {command: LINE}")
                })
                .map(|problem| placed(&plan, source, problem))?,
            ),
        }
    }
    if !problems.is_empty() {
        return Err(CliError::Input(problems));
    }
    let plan = each_hop(plan, |endpoint| {
        if let Some(Password::At(source)) = &endpoint.password {
            endpoint.password = secrets.get(source).cloned().map(Password::Known);
        }
    });
    let raising = plan.password_sources().into_iter().filter_map(|source| secrets.get_key_value(source));
    let passwords = raising.map(|(source, secret)| (source.clone(), secret.clone())).collect();
    let plan = plan.with_passwords(passwords);
    let redactor = Redactor::new(secrets.values().chain(&opened).chain(plan.secrets.values()));
    hide(&redactor);
    for warning in keyring.take_warnings() {
        talk(&format!("warning: {warning}"));
    }
    warn_of_short(plan.secrets.given().iter().map(|(name, secret)| (name.as_str(), secret)));
    if secrets.values().any(|secret| secret.reveal().len() < MIN_SECRET) {
        talk(&format!(
            "warning: a password has fewer than {MIN_SECRET} bytes: too short to be hidden in output"
        ));
    }
    Ok((plan, PreparedSecrets { keyring, redactor }))
}

/// All endpoints that are logged in to: hosts, and the gateways on the way to them.
fn endpoints(plan: &Plan) -> impl Iterator<Item = &Endpoint> {
    plan.endpoints().filter(|endpoint| endpoint.transport == Transport::Ssh).flat_map(Endpoint::hops)
}

/// The plan with every endpoint changed, gateways included; hosts that share a gateway share it afterwards, too.
fn each_hop(plan: Plan, mut change: impl FnMut(&mut Endpoint)) -> Plan {
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
    let _old: Vec<_> = plan.endpoints().map(|endpoint| endpoint.gateway.clone()).collect();
    let mut done = HashMap::new();
    plan.with_endpoints(|endpoint| {
        endpoint.gateway = endpoint.gateway.as_ref().map(|gateway| changed(gateway, &mut done, &mut change));
        change(endpoint);
    })
}

/// The sources of all passwords, each once: those of logins, in the order of the hosts, and those of sudo.
fn sources(plan: &Plan) -> Vec<&SecretSource> {
    let mut sources = Vec::new();
    for endpoint in endpoints(plan) {
        if let Some(Password::At(source)) = &endpoint.password
            && !sources.contains(&source)
        {
            sources.push(source);
        }
    }
    for source in plan.password_sources() {
        if !sources.contains(&source) {
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
        // One that ssh_config names for many hosts may be for others.
        if endpoint.certificates_named != NamedBy::User {
            continue;
        }
        for path in endpoint.certificates.iter() {
            let Some(certified) = keyring.certified(path) else { continue };
            let mut publics = identities().filter_map(Identity::public);
            if !publics.any(|public| public.key_data() == certified.key_data()) {
                problems.entry(path).or_insert_with(|| {
                    let message =
                        format!("{}: the certificate matches none of the host's identities", path.display());
                    Diagnostic::bare(message).help("name its key with `identity:`")
                });
            }
        }
    }
    problems.into_values().collect()
}

/// Asks every agent of the plan once what it holds; takes those out that are of no use.
async fn survey(
    mut plan: Plan,
    keyring: &Keyring,
) -> Result<(Plan, HashMap<PathBuf, Vec<HeldKey>>), CliError> {
    let mut sockets: BTreeMap<PathBuf, bool> = BTreeMap::new();
    let mut patience: BTreeMap<PathBuf, Duration> = BTreeMap::new();
    for endpoint in endpoints(&plan) {
        if let Agent::Socket { path, required } = &endpoint.agent
            && (agent::is_consulted(endpoint, keyring) || endpoint.forward_agent)
        {
            *sockets.entry(path.clone()).or_default() |= required;
            // Who wants to be connected by then waits for no agent any longer.
            let whole = match endpoint.deadlines.whole {
                Whole::UpToReady(whole) => whole,
                Whole::Unset | Whole::UpToLogin(_) => AgentPatience::default().list,
            };
            let longest = patience.entry(path.clone()).or_default();
            *longest = (*longest).max(whole);
        }
    }
    let mut held = HashMap::new();
    let mut problems = Vec::new();
    for (path, required) in sockets {
        let patience = patience.get(&path).copied().unwrap_or(AgentPatience::default().list);
        match agent::held(&path, patience.min(AgentPatience::default().list)).await {
            Ok(keys) => drop(held.insert(path, keys)),
            Err(error) if required => problems.push(
                Diagnostic::bare(error.to_string())
                    .help("start the agent, or remove `agent:` from the inventory"),
            ),
            Err(error) => {
                talk(&format!("warning: {error} (SSH_AUTH_SOCK); continuing without an agent"));
                let using = Agent::Socket { path, required };
                plan = each_hop(plan, |endpoint| {
                    if endpoint.agent == using {
                        endpoint.agent = Agent::Off;
                    }
                });
            }
        }
    }
    if problems.is_empty() { Ok((plan, held)) } else { Err(CliError::Input(problems)) }
}

/// What is wrong with a file whose other half, if the public one is known, no agent holds.
fn without_agent(error: &KeyError, is_public_known: bool) -> KeyError {
    if !is_public_known {
        return error.clone();
    }
    let hint = error.hint.as_deref().unwrap_or("name another key");
    KeyError {
        path: error.path.clone(),
        message: format!("{}, and no agent holds the key", error.message),
        hint: Some(format!("{hint}, or load the key into the agent (ssh-add)")),
    }
}

/// What is said of a file of ssh_config's that is of no use here.
fn passed_over(error: &KeyError) -> String {
    let hint = error.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("warning: {error}; continuing without it{hint}")
}

/// Judges the files without a private key that can be used, now that it is known what the agents hold. A key that one
/// of them holds is left to it. What ssh_config names is an error only where it leaves a host without any way in.
fn unusable(plan: &Plan, keyring: &mut Keyring, held: &HashMap<PathBuf, Vec<HeldKey>>) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for (path, unusable) in keyring.unusable() {
        let users: Vec<&Endpoint> =
            endpoints(plan).filter(|endpoint| endpoint.identities.contains(&path)).collect();
        let public = keyring.get(&path).and_then(Identity::public);
        if public.is_some_and(|key| users.iter().any(|user| agent::holds(keys_of(user, held), key))) {
            keyring.leave_to_agent(&path);
            continue;
        }
        let error = without_agent(&unusable.error, public.is_some());
        if users.iter().any(|user| user.identities_named == NamedBy::User) {
            problems.push(diagnostic(error));
            continue;
        }
        let mut shared = users.iter().filter(|user| user.identities_named == NamedBy::SshConfig).peekable();
        if shared.peek().is_none() {
            continue;
        }
        match shared.find(|user| !has_way_in(user, keyring, held)) {
            None => talk(&passed_over(&error)),
            Some(user) => {
                let message = format!("{error}; {} has no other key or password", user.name);
                let help =
                    "ssh_config names it: --identity, or `identity:` in the inventory, takes its place";
                problems.push(Diagnostic::bare(message).help(help));
            }
        }
    }
    problems
}

/// Whether a host may be logged in to without a key that nobody opened yet.
fn has_way_in(endpoint: &Endpoint, keyring: &Keyring, held: &HashMap<PathBuf, Vec<HeldKey>>) -> bool {
    let mut identities = endpoint.identities.iter().filter_map(|path| keyring.get(path));
    let keys = keys_of(endpoint, held);
    let by_agent = |key: &Identity| key.public().is_some_and(|public| agent::holds(keys, public));
    endpoint.password.is_some()
        || (!endpoint.identities_only && !keys.is_empty())
        || identities.any(|key| matches!(key, Identity::Private(_)) || by_agent(key))
}

/// The encrypted keys that need a passphrase. Those held by agents are left to them.
fn locked(plan: &Plan, keyring: &mut Keyring, held: &HashMap<PathBuf, Vec<HeldKey>>) -> Vec<PathBuf> {
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
        // A key that the user did not name is worth a question only where there is no other way in.
        let needed = users.iter().any(|endpoint| {
            endpoint.identities_named == NamedBy::User || !has_way_in(endpoint, keyring, held)
        });
        if needed {
            wanted.push(path);
        } else if users.iter().any(|endpoint| endpoint.identities_named == NamedBy::SshConfig) {
            let shown = path.display();
            talk(&format!(
                "warning: {shown}: the key is encrypted; continuing without it (to use it: ssh-add {shown})"
            ));
        }
    }
    wanted
}

fn keys_of<'a>(endpoint: &Endpoint, held: &'a HashMap<PathBuf, Vec<HeldKey>>) -> &'a [HeldKey] {
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
    Ok(Some(problem.help("ssh-keygen -y -f KEY checks a passphrase")))
}

/// What an unanswered question means: a problem like others, or the end.
pub(super) fn unanswered(
    error: PromptError,
    problem: impl FnOnce() -> Diagnostic,
) -> Result<Diagnostic, CliError> {
    match error {
        PromptError::NoTerminal => Ok(problem()),
        PromptError::Interrupted => Err(CliError::Interrupted),
        PromptError::Io(source) => {
            Err(CliError::Local { doing: "cannot ask on the terminal".to_owned(), source })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use tempfile::TempDir;

    use super::*;

    /// Answers prepared in advance.
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
            memory::close();
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
}
