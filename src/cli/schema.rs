//! `fan schema`: the file formats as JSON Schema, for editors.

use crate::cli::args::{SchemaArgs, SchemaOf};
use crate::cli::error::CliError;
use crate::cli::print::print;
use crate::config::{FileFormat, json_schema};
use crate::model::outcome::ExitCode;

pub(super) fn run(args: &SchemaArgs) -> Result<ExitCode, CliError> {
    let schema = json_schema(match args.of {
        SchemaOf::Tasks => FileFormat::Tasks,
        SchemaOf::Inventory => FileFormat::Inventory,
    });
    print(&format!("{schema:#}\n"))?;
    Ok(ExitCode::Ok)
}
