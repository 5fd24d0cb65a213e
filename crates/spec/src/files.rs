//! Finds and reads the files of a workspace, within limits that keep a hostile one from doing harm.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use transship_model::plan::SpecFiles;
use transship_model::{Finding, Name};

use crate::LoadOptions;
use crate::report::Report;
use crate::{mask, suggest};

/// The largest file that is read, in bytes.
pub const FILE_MAX: u64 = 1024 * 1024;

/// How many files a workspace may have.
pub const FILES_MAX: usize = 1000;

/// The directory of the overlays.
const ENVIRONMENTS: &str = "environments";

/// A file that was read.
pub(crate) struct Source {
    pub(crate) file: u32,
    pub(crate) name: String,
    pub(crate) text: String,
}

/// The files of a workspace.
#[derive(Default)]
pub(crate) struct Sources {
    pub(crate) base: Vec<Source>,
    pub(crate) overlay: Option<Source>,
    pub(crate) files: SpecFiles,
}

impl Sources {
    /// The text of each file with what `report` masks starred out; never empty, so that every place lies within it.
    pub(crate) fn masked_texts(&self, report: &Report) -> BTreeMap<String, String> {
        let masked = |source: &Source| match source.text.as_str() {
            "" => "\n".to_owned(),
            text => mask::apply(text, report.masked.iter().filter(|at| at.file == source.file)),
        };
        self.base.iter().chain(&self.overlay).map(|source| (source.name.clone(), masked(source))).collect()
    }
}

/// Reads the workspace's files and the overlay of the chosen environment; what cannot be read is reported.
pub(crate) fn read(options: &LoadOptions, report: &mut Report) -> Sources {
    let mut sources = Sources::default();
    sources.files.path = options.directory.display().to_string();
    let names = match list(&options.directory) {
        Ok(names) => names,
        Err(finding) => {
            report.push(finding);
            return sources;
        }
    };
    for name in names {
        sources.base.extend(read_one(options, &name, &mut sources.files, report));
    }
    if let Some(name) = overlay(options, report) {
        sources.overlay = read_one(options, &name, &mut sources.files, report);
    }
    sources
}

/// The names of the workspace's files; an empty workspace is an error, since it would mean to remove everything.
fn list(directory: &Path) -> Result<Vec<String>, Finding> {
    let names = yaml_files(directory).map_err(|error| {
        Finding::error("spec::no-workspace", format!("the workspace cannot be read: {error}"))
            .help("name the directory that holds the workspace's YAML files")
    })?;
    if names.is_empty() {
        let shown = directory.display();
        return Err(Finding::error("spec::no-workspace", format!("there is no `*.yaml` or `*.yml` file in `{shown}`"))
            .help("name the directory that holds the workspace's YAML files"));
    }
    if names.len() > FILES_MAX {
        return Err(Finding::error(
            "spec::too-many-files",
            format!("the workspace has {} YAML files; {FILES_MAX} is the most", names.len()),
        )
        .help("put several flows into one file"));
    }
    Ok(names)
}

/// The YAML files directly in `directory`, without dotfiles, sorted by name.
fn yaml_files(directory: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs_err::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let yaml = Path::new(&name).extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        if yaml && !name.starts_with('.') && !entry.path().is_dir() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The file of the chosen environment, relative to the workspace.
fn overlay(options: &LoadOptions, report: &mut Report) -> Option<String> {
    let directory = options.directory.join(ENVIRONMENTS);
    let files = if directory.is_dir() { yaml_files(&directory) } else { Ok(Vec::new()) };
    let files = match files {
        Ok(files) => files,
        Err(error) => {
            report.push(Finding::error("spec::unreadable-file", format!("the environments cannot be read: {error}")));
            return None;
        }
    };
    let stem = |file: &str| Path::new(file).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let known: Vec<String> = files.iter().filter_map(|file| stem(file)).collect();
    match &options.environment {
        None if directory.is_dir() => {
            report.push(none_chosen(&known));
            None
        }
        None => None,
        Some(name) => {
            let wanted: Vec<&String> =
                files.iter().filter(|file| stem(file).as_deref() == Some(name.as_str())).collect();
            chosen(name, &wanted, &known, report)
        }
    }
}

fn none_chosen(known: &[String]) -> Finding {
    if known.is_empty() {
        let message = format!("the workspace has a directory `{ENVIRONMENTS}`, and no environment in it");
        return Finding::error("spec::environment-needed", message)
            .help(format!("write a file `{ENVIRONMENTS}/NAME.yaml`, or remove the directory"));
    }
    Finding::error("spec::environment-needed", "the workspace has environments, and none is chosen")
        .help(format!("choose one with `--env NAME`; environments: {}", suggest::list(known)))
}

fn chosen(name: &Name, wanted: &[&String], known: &[String], report: &mut Report) -> Option<String> {
    match wanted {
        [file] => Some(format!("{ENVIRONMENTS}/{file}")),
        [] => {
            let help = suggest::help(name.as_str(), "environments", known.iter().map(String::as_str));
            report.push(
                Finding::error("spec::unknown-environment", format!("there is no environment `{name}`"))
                    .help(format!("{help}; an environment is a file `{ENVIRONMENTS}/NAME.yaml`")),
            );
            None
        }
        several => {
            let message = format!("environment `{name}` has two files: {}", suggest::list(several));
            report.push(Finding::error("spec::defined-twice", message).help("keep one of them"));
            None
        }
    }
}

fn read_one(options: &LoadOptions, name: &str, files: &mut SpecFiles, report: &mut Report) -> Option<Source> {
    let file = report.file(name);
    let bytes = match bytes_of(options, name) {
        Ok(bytes) => bytes,
        Err(finding) => {
            let place = report.place_start(file);
            report.push(finding.at(place));
            return None;
        }
    };
    files.files.insert(name.to_owned(), hex(&Sha256::digest(&bytes)));
    match text_of(bytes, name) {
        Ok(text) => Some(Source { file, name: name.to_owned(), text }),
        Err(finding) => {
            let place = report.place_start(file);
            report.push(finding.at(place));
            None
        }
    }
}

fn bytes_of(options: &LoadOptions, name: &str) -> Result<Vec<u8>, Finding> {
    let unreadable =
        |error: std::io::Error| Finding::error("spec::unreadable-file", format!("the file cannot be read: {error}"));
    let path = options.directory.join(name);
    let real = fs_err::canonicalize(&path).map_err(unreadable)?;
    if !is_inside(&real, options) {
        return Err(outside(name));
    }
    let metadata = fs_err::metadata(&real).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(Finding::error("spec::unreadable-file", format!("`{name}` is not a regular file")));
    }
    if metadata.len() > FILE_MAX {
        let message = format!("`{name}` has {} bytes; {FILE_MAX} is the most", metadata.len());
        return Err(Finding::error("spec::file-too-large", message)
            .help("split the workspace into several files, or move what is not a spec out of its directory"));
    }
    fs_err::read(&real).map_err(unreadable)
}

fn text_of(bytes: Vec<u8>, name: &str) -> Result<String, Finding> {
    let binary = |what: &str| {
        Finding::error("spec::binary-file", format!("`{name}` is not a text file: {what}"))
            .help("a workspace's YAML files are UTF-8 text; move other files out of its directory")
    };
    let text = String::from_utf8(bytes)
        .map_err(|error| binary(&format!("byte {} is not UTF-8", error.utf8_error().valid_up_to() + 1)))?;
    if text.contains('\0') { Err(binary("it contains NUL bytes")) } else { Ok(text) }
}

/// Whether `real` (canonical) is below the workspace or an allowed root.
pub(crate) fn is_inside(real: &Path, options: &LoadOptions) -> bool {
    let canonical = |root: &PathBuf| fs_err::canonicalize(root).ok();
    std::iter::once(&options.directory)
        .chain(&options.allow_roots)
        .filter_map(canonical)
        .any(|root| real.starts_with(root))
}

pub(crate) fn outside(name: &str) -> Finding {
    Finding::error("spec::file-outside", format!("`{name}` is outside of the workspace"))
        .help("move the file into the workspace, or allow its directory with `--allow-root DIRECTORY`")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let written = write!(text, "{byte:02x}");
        debug_assert!(written.is_ok(), "writing to a String cannot fail");
        text
    })
}
