//! Templates of a step on files filled in, and its paths made whole.

use std::path::{Path, PathBuf};

use crate::engine::host::render::{self, Render};
use crate::engine::plan::Plan;
use crate::engine::step::cx::StepCx;
use crate::files::put::Placing;
use crate::files::remote::WantedAttributes;
use crate::files::select::Selection;
use crate::model::files::{Attributes, Install, TreeRules};
use crate::model::outcome::{Failure, Kind};
use crate::model::position::{Located, Position};
use crate::model::settings::Transport;
use crate::model::task::TemplateText;
use crate::model::template::TagLines;
use crate::ssh::Connector;

/// Fills in the templates of one step on one host.
pub(super) struct Texts<'a> {
    render: Render<'a>,
    /// Where relative local paths begin.
    folder: PathBuf,
    plan: &'a Plan,
    /// The home on the host, where its commands do not begin there: on this machine.
    home: Option<&'a Path>,
    /// Where relative paths of the host begin; its user's home without one.
    cd: Option<String>,
}

impl<'a> Texts<'a> {
    pub(super) fn new<C: Connector>(cx: &StepCx<'a, C>) -> Result<Self, Failure> {
        let (plan, render) = (cx.plan, cx.render());
        let here = cx.place.endpoint.transport == Transport::Local;
        Ok(Self {
            render,
            folder: cx.local_folder()?,
            plan,
            home: plan.home.as_deref().filter(|_| here),
            cd: cx.step.cd.as_ref().map(|cd| render.text(cd).map(|cd| plan.host_path(cd))).transpose()?,
        })
    }

    /// A text.
    pub(super) fn text(&self, text: &TemplateText) -> Result<String, Failure> {
        self.render.text(text)
    }

    /// The whole text of a template file.
    pub(super) fn file(&self, name: &Path, text: &str, tag_lines: TagLines) -> Result<String, Failure> {
        let Render { templates, scope } = self.render;
        templates.render_file(text, tag_lines, scope).map_err(|error| {
            let at = Position::new(name.display().to_string(), error.line, 1);
            render::failed(&error, &at)
        })
    }

    /// A path of the host. Relative ones begin in `cd`, or in the user's home, where `~` leads too.
    pub(super) fn remote(&self, text: &TemplateText) -> Result<Vec<u8>, Failure> {
        let path = self.plan.host_path(self.text(text)?);
        if path.trim().is_empty() || path.contains('\0') {
            let at = &text.position;
            let message = format!("{path:?} is not a path ({}:{})", at.file, at.line);
            return Err(Failure::new(Kind::RemotePath, message));
        }
        let below_home = path == "~" || path.starts_with("~/");
        if let (true, Some(home)) = (below_home, &self.home) {
            // A dot: the home itself has no name, and is never removed.
            let rest = path.trim_start_matches(['~', '/']);
            let rest = if rest.is_empty() { "." } else { rest };
            return Ok(format!("{}/{rest}", home.display()).into_bytes());
        }
        let path = match &self.cd {
            Some(cd) if !path.starts_with('/') && !below_home => {
                format!("{}/{path}", cd.trim_end_matches('/'))
            }
            _ => path,
        };
        Ok(match path.strip_prefix('~') {
            Some("") => b".".to_vec(),
            Some(rest) if rest.trim_start_matches('/').is_empty() => b".".to_vec(),
            Some(rest) if rest.starts_with('/') => rest.trim_start_matches('/').as_bytes().to_vec(),
            _ => path.into_bytes(),
        })
    }

    /// A path of this machine as it was written, `~` filled in.
    pub(super) fn local(&self, text: &TemplateText) -> Result<String, Failure> {
        let path = self.text(text)?;
        if path.trim().is_empty() || path.contains('\0') {
            let at = &text.position;
            return Err(Failure::new(
                Kind::LocalIo,
                format!("{path:?} is not a path ({}:{})", at.file, at.line),
            ));
        }
        Ok(self.plan.local_path(&path))
    }

    /// Where relative local paths begin.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What files are to be like.
    pub(super) fn wanted(&self, attributes: &Attributes) -> Result<WantedAttributes, Failure> {
        Ok(WantedAttributes {
            mode: attributes.mode.map(|mode| mode.0),
            owner: self.name(attributes.owner.as_ref())?,
            group: self.name(attributes.group.as_ref())?,
            mtime: None,
        })
    }

    /// A user or group, by name or number.
    fn name(&self, text: Option<&TemplateText>) -> Result<Option<String>, Failure> {
        let Some(text) = text else { return Ok(None) };
        let name = self.text(text)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-@$\\".contains(&byte);
        if name.is_empty() || name.starts_with('-') || !name.bytes().all(plain) {
            let at = &text.position;
            let message = format!("{name:?} is not a user or group ({}:{})", at.file, at.line);
            return Err(Failure::new(Kind::Template, message));
        }
        Ok(Some(name))
    }

    /// How new content takes the place of old.
    pub(super) fn placing(&self, install: &Install) -> Result<Placing, Failure> {
        // What the name ends in, before its `~`. Colons are no good in names that others list.
        let ending = || format!(".{}", self.plan.started_at.replace(':', ""));
        Ok(Placing {
            backup: install.backup.then(ending),
            validate: install.validate.as_ref().map(|text| self.render.check(text)).transpose()?,
            follow: install.follow,
            in_place: install.in_place,
            dry_run: self.plan.changes.dry_run,
        })
    }

    /// What of a folder takes part.
    pub(super) fn selection(&self, rules: &TreeRules) -> Result<Selection, Failure> {
        let patterns: Vec<&str> = rules.exclude.iter().map(|Located { value, .. }| value.as_str()).collect();
        Selection::new(&patterns).map_err(|error| Failure::new(Kind::Template, error.to_string()))
    }
}
