//! Where a program lies.

use std::env;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Where programs are looked for without `PATH`.
const USUAL: &str = "/usr/local/bin:/usr/bin:/bin";

/// The path of `program`: with a slash in it below `directory`, else in the directories of `path`; an error says why there
/// is none.
pub(super) fn find(program: &str, directory: &Path, path: Option<&OsStr>) -> Result<PathBuf, String> {
    if program.contains('/') {
        let found = directory.join(program);
        return match is_program(&found) {
            true => Ok(found),
            false if found.exists() => Err(format!("{} is not executable", found.display())),
            false => Err(format!("there is no {}", found.display())),
        };
    }
    let all = env::split_paths(path.unwrap_or_else(|| OsStr::new(USUAL))).map(|folder| directory.join(folder));
    let mut found = all.map(|folder| folder.join(program));
    found.find(|found| is_program(found)).ok_or_else(|| "it is in no directory of PATH".to_owned())
}

fn is_program(path: &Path) -> bool {
    fs_err::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_its_name_or_below_the_workspace() {
        let path = Some(OsStr::new("/nowhere:/bin:/usr/bin"));
        let found = find("sh", Path::new("/tmp"), path).unwrap();
        assert!(found.ends_with("sh") && found.is_absolute(), "{}", found.display());
        assert_eq!(find("bin/sh", Path::new("/"), None), Ok(PathBuf::from("/bin/sh")));
        assert_eq!(find("/bin/sh", Path::new("/tmp"), None), Ok(PathBuf::from("/bin/sh")));
        assert!(find("no-such-program", Path::new("/"), path).unwrap_err().contains("PATH"));
        assert!(find("./etc/passwd", Path::new("/"), path).unwrap_err().contains("not executable"));
        assert!(find("./no-such-program", Path::new("/"), path).unwrap_err().contains("there is no"));
    }
}
