//! A plan as a file.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::cli::error::CliError;
use crate::cli::journal::{Invocation, WrittenLine};
use crate::cli::plan_file::content::{PlanFile, PlanFileHost};
use crate::cli::plan_view;
use crate::engine::plan::Plan;
use crate::engine::preflight::{LocalFiles, local_files};
use crate::files::digest::{Digest, Hasher};
use crate::model::endpoint::Endpoint;
use crate::model::position::Diagnostic;
use crate::model::redact::Redactor;
use crate::model::secretive::is_named_secret;
use crate::model::settings::Transport;
use crate::model::template::Layer;
use crate::model::value::Value;
use crate::store::RecipeSource;

/// What a plan was made from.
pub(in crate::cli) struct PlanOrigin<'a> {
    pub(in crate::cli) plan: &'a Plan,
    pub(in crate::cli) invocation: &'a Invocation,
    /// The files that were read.
    pub(in crate::cli) files: &'a [String],
}

/// A salt for another file.
pub(in crate::cli) fn salt() -> String {
    Digest::of(&rand::random::<[u8; 16]>()).to_string()
}

/// The plan as a file, with this salt.
pub(in crate::cli) fn of(made: &PlanOrigin<'_>, salt: String) -> Result<PlanFile, CliError> {
    let PlanOrigin { plan, invocation, files } = made;
    let redactor = Redactor::new(plan.secrets.values());
    let WrittenLine { arguments, masked, unrepeatable } = invocation.recorded(plan, &redactor);
    if let Some(why) = unrepeatable {
        return Err(Diagnostic::bare(format!("--out: {why}"))
            .help("a plan's file holds no secret: give it with -e, under a name that the files call a secret")
            .into());
    }
    if files.iter().any(|file| file == "-") {
        return Err(CliError::input("--out: what was read from stdin cannot be read again: use a file"));
    }
    // Another run has another name.
    let text = redactor.redact(&plan_view::render(plan)).replace(&*plan.run, "{{ run_id }}");
    let LocalFiles { paths, unknown } = local_files(plan);
    let local = |path: &PathBuf| RecipeSource { path: path.display().to_string(), sha256: content_of(path) };
    let hosts = plan.hosts.iter().enumerate().map(|(index, host)| PlanFileHost {
        host: host.endpoint.name.to_string(),
        at: reached(&host.endpoint),
        variables: variables(plan, index, &redactor, &salt),
    });
    let file = PlanFile {
        made_at: plan.started_at.clone(),
        title: redactor.redact(&plan.title).into_owned(),
        plan: text.lines().map(str::to_owned).collect(),
        hosts: hosts.collect(),
        files: files.iter().map(|file| RecipeSource::of(Path::new(file))).collect(),
        local_files: paths.iter().map(local).collect(),
        not_held: unknown,
        arguments,
        masked,
        salt,
        ..PlanFile::default()
    };
    Ok(file.sealed())
}

/// How a host is reached.
fn reached(endpoint: &Endpoint) -> String {
    if endpoint.transport == Transport::Local {
        return "this machine".to_owned();
    }
    let at = |hop: &Endpoint| format!("{}@{}:{}", hop.user, hop.address, hop.port);
    let ways: Vec<String> = endpoint.hops().map(at).collect();
    let proxy = endpoint.proxy_command.as_ref().map(|_| " by a proxy command").unwrap_or_default();
    ways.join(" via ") + proxy
}

/// The digest of a host's variables in all its tasks.
fn variables(plan: &Plan, index: usize, redactor: &Redactor, salt: &str) -> String {
    let mut found: BTreeMap<(usize, String), String> = BTreeMap::new();
    let mut take = |task: usize, layer: &Layer| {
        for name in layer.names() {
            let text = layer.value(name).unwrap_or(Value::Null).to_string();
            if !plan.is_secret(name) && !is_named_secret(name) && !redactor.finds(&text) {
                found.insert((task, name.to_owned()), text);
            }
        }
    };
    if let Some(host) = plan.hosts.get(index) {
        take(0, &host.vars);
    }
    for (number, task) in (1..).zip(&plan.tasks) {
        if let Ok(at) = task.hosts.binary_search_by_key(&index, |member| member.host)
            && let Some(member) = task.hosts.get(at)
        {
            take(number, &member.vars);
        }
    }
    let whole = serde_json::to_vec(&found.into_iter().collect::<Vec<_>>()).unwrap_or_default();
    Digest::of(&[salt.as_bytes(), &whole].concat()).to_string()
}

/// The digest of what is in a file, or in a folder with all that is below it; none where nothing is.
fn content_of(path: &Path) -> Option<String> {
    let mut hasher = Hasher::default();
    take_in(path, &mut hasher).ok()?;
    Some(hasher.finish().to_string())
}

fn take_in(path: &Path, hasher: &mut Hasher) -> std::io::Result<()> {
    let about = fs::metadata(path)?;
    if about.is_dir() {
        let mut names =
            fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect::<std::io::Result<Vec<_>>>()?;
        names.sort();
        for name in names {
            let inner = path.join(&name);
            let about = fs::symlink_metadata(&inner)?;
            hasher.update(name.as_bytes());
            if about.is_symlink() {
                hasher.update(b"\0link\0");
                hasher.update(fs::read_link(&inner)?.as_os_str().as_bytes());
            } else if about.is_dir() || about.is_file() {
                hasher.update(if about.is_dir() { b"\0folder\0" } else { b"\0file\0\0\0" });
                take_in(&inner, hasher)?;
            }
            hasher.update(b"\0end\0");
        }
        return Ok(());
    }
    let mut file = fs::File::open(path)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        hasher.update(buffer.get(..count).unwrap_or_default());
    }
}
