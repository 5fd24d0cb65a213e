//! Files that commands write: whole or not at all, and for the owner's eyes only.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use transship_model::Finding;

use crate::error::CommandError;
use crate::exit::Exit;

/// Writes `text` beside `path` and renames it into place, readable by the owner alone. A link stays one, and a device or
/// pipe is written to.
pub fn write(path: &Path, text: &str) -> Result<(), CommandError> {
    let is_special = fs_err::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
    if is_special {
        let written =
            fs_err::OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(text.as_bytes()));
        return written.map_err(|error| CommandError::write(path, &error));
    }
    let resolved = fs_err::canonicalize(path);
    let path = resolved.as_deref().unwrap_or(path);
    let beside = beside(path);
    let written = write_new(&beside, text).and_then(|()| fs_err::rename(&beside, path));
    written.map_err(|error| {
        // The error that matters is the first one; a left-over is only untidy.
        let _ = fs_err::remove_file(&beside);
        CommandError::write(path, &error)
    })
}

/// Reads a text file.
pub fn read(path: &Path) -> Result<String, CommandError> {
    fs_err::read_to_string(path).map_err(|error| CommandError::read(path, &error))
}

/// `value` as JSON text with a line break at the end.
pub fn json(value: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("what transship writes has text keys only");
    text.push('\n');
    text
}

/// Reads `text` of `path` as a document of transship of a format up to `known`.
pub fn parse<T: DeserializeOwned>(path: &Path, text: &str, what: &str, known: u32) -> Result<T, CommandError> {
    let no_document = |reason: String| {
        let message = format!("{} is not {what} of transship: {reason}", path.display());
        CommandError::new(Exit::Error, Finding::error("cli::document", message))
    };
    let format: Format = serde_json::from_str(text).map_err(|error| no_document(error.to_string()))?;
    if format.format_version > u64::from(known) {
        let newer =
            format!("{} has format {}, this transship reads up to {known}", path.display(), format.format_version);
        let finding =
            Finding::error("cli::newer-format", newer).help("use the transship that wrote it, or a newer one");
        return Err(CommandError::new(Exit::Error, finding));
    }
    serde_json::from_str(text).map_err(|error| no_document(error.to_string()))
}

#[derive(Deserialize)]
struct Format {
    format_version: u64,
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.new", std::process::id()))
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs_err::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use fs_err::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_private() {
        let directory = std::env::temp_dir().join(format!("transship-file-{}", std::process::id()));
        fs_err::create_dir_all(&directory).unwrap();
        let path = directory.join("plan.json");
        write(&path, "one").unwrap();
        write(&path, "two").unwrap();
        assert_eq!(read(&path).unwrap(), "two");
        assert_eq!(fs_err::read_dir(&directory).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        fs_err::remove_dir_all(&directory).unwrap();
        assert!(write(&directory.join("x"), "").is_err());
    }
}
