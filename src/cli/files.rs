//! Files that the readers of a run write: looked at before any host is contacted, written afterwards.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use rustix::fs::{Access, access};

use crate::cli::error::CliError;
use crate::model::position::Diagnostic;
use crate::report::PutPiece;

/// How pieces get into the files of a folder, which is made now.
pub(super) fn outdir(folder: &Path) -> Result<PutPiece, CliError> {
    let shown = folder.display().to_string();
    let refused = |why: &io::Error| -> CliError {
        Diagnostic::bare(format!("cannot write into --outdir {shown}: {why}")).into()
    };
    fs::create_dir_all(folder).map_err(|error| refused(&error))?;
    access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| refused(&error.into()))?;
    let folder = folder.to_owned();
    Ok(Box::new(move |name, anew, data| {
        let path = folder.join(name);
        let mut options = OpenOptions::new();
        let options =
            if anew { options.write(true).create(true).truncate(true) } else { options.append(true) };
        let written = options.open(&path).and_then(|mut file| file.write_all(data));
        written.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }))
}
