//! Reads what references point to: environment variables and files.

use std::env::VarError;

use secrecy::SecretString;
use transship_model::spec::{EnvReference, FileReference, Secret, Text};
use transship_model::{Finding, SpecPath};

use super::Variables;
use crate::LoadOptions;
use crate::files::{is_inside, outside};

/// The largest file that a reference may point to, in bytes.
const FILE_MAX: u64 = 64 * 1024;

pub(super) fn secret(
    secret: &Secret,
    path: &SpecPath,
    options: &LoadOptions,
    environment: &dyn Variables,
) -> Result<SecretString, Finding> {
    match secret {
        Secret::Env(reference) => variable(reference, path, environment),
        Secret::File(FileReference { file }) => value_of_file(file, path, options),
    }
    .map(SecretString::from)
}

pub(super) fn text(
    text: &Text,
    path: &SpecPath,
    options: &LoadOptions,
    environment: &dyn Variables,
) -> Result<String, Finding> {
    match text {
        Text::Literal(text) => Ok(text.clone()),
        Text::Env(reference) => variable(reference, path, environment),
        Text::File(FileReference { file }) => value_of_file(file, path, options),
    }
}

fn variable(reference: &EnvReference, path: &SpecPath, environment: &dyn Variables) -> Result<String, Finding> {
    let name = &reference.env;
    let problem = match environment.get(name) {
        Ok(value) if !value.is_empty() => return Ok(value),
        Ok(_) => format!("the environment variable `{name}` is empty"),
        Err(VarError::NotPresent) => format!("the environment variable `{name}` is not set"),
        Err(VarError::NotUnicode(_)) => format!("the environment variable `{name}` is not UTF-8"),
    };
    Err(Finding::error("spec::missing-variable", problem)
        .at(path.clone())
        .help(format!("set `{name}` before running transship, for example `export {name}=…`")))
}

/// The value in a file, without one line break at its end.
fn value_of_file(file: &str, path: &SpecPath, options: &LoadOptions) -> Result<String, Finding> {
    let content = file_content(file, path, options)?;
    let value = content.strip_suffix('\n').unwrap_or(&content);
    let value = value.strip_suffix('\r').unwrap_or(value);
    if value.is_empty() {
        return Err(Finding::error("spec::missing-file", format!("the file `{file}` is empty"))
            .at(path.clone())
            .help("put the value into the file"));
    }
    Ok(value.to_owned())
}

/// The text of a file below the workspace or an allowed root.
pub(super) fn file_content(file: &str, path: &SpecPath, options: &LoadOptions) -> Result<String, Finding> {
    let missing = |error: &std::io::Error| {
        Finding::error("spec::missing-file", format!("the file `{file}` cannot be read: {}", error.kind()))
            .at(path.clone())
            .help("paths are relative to the workspace's directory")
    };
    let unfit = |problem: String| Finding::error("spec::unfit-file", problem).at(path.clone());
    let real = fs_err::canonicalize(options.directory.join(file)).map_err(|error| missing(&error))?;
    if !is_inside(&real, options) {
        return Err(outside(file).at(path.clone()));
    }
    let metadata = fs_err::metadata(&real).map_err(|error| missing(&error))?;
    if !metadata.is_file() {
        return Err(unfit(format!("`{file}` is not a regular file")).help("name a file"));
    }
    if metadata.len() > FILE_MAX {
        return Err(unfit(format!("`{file}` has {} bytes; {FILE_MAX} is the most", metadata.len()))
            .help("a value is a password, a key or a certificate: check that this is the right file"));
    }
    let bytes = fs_err::read(&real).map_err(|error| missing(&error))?;
    String::from_utf8(bytes).map_err(|_| unfit(format!("`{file}` is not UTF-8")).help("store the value as text"))
}
