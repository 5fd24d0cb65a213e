//! Files that are no specs: too large, binary, too many.

use super::{FILE_MAX, FILES_MAX};
use crate::corpus::Scratch;
use crate::{LoadOptions, load};

fn codes(scratch: &Scratch) -> Vec<String> {
    let options = LoadOptions { directory: scratch.0.clone(), ..LoadOptions::default() };
    let shown = |finding: &transship_model::Finding| {
        format!("{} {}", finding.code, finding.path.as_ref().map_or("", |path| &path.0))
    };
    load(&options).map_or_else(|error| error.findings.iter().map(shown).collect(), |_| Vec::new())
}

#[test]
fn what_is_no_spec_is_refused_by_itself() {
    let scratch = Scratch::new("files");
    scratch.write("a.yaml", "version: 1\nworkspace: w\nx: 1\n");
    scratch.write("binary.yaml", [0x7f, b'E', b'L', b'F', 0xff, 0]);
    scratch.write("latin.yaml", b"version: 1 # caf\xe9");
    scratch.write("nul.yaml", "version: 1\n\0");
    scratch.write("large.yaml", "#".repeat(8 * 1024 * 1024));
    scratch.write("sub.yaml/x.yaml", "not: read");
    assert_eq!(
        codes(&scratch),
        [
            "spec::unknown-key x",
            "spec::binary-file binary.yaml:1:1",
            "spec::file-too-large large.yaml:1:1",
            "spec::binary-file latin.yaml:1:1",
            "spec::binary-file nul.yaml:1:1",
        ]
    );
}

#[test]
fn the_largest_file_is_read() {
    let scratch = Scratch::new("largest");
    let head = "version: 1\nworkspace: w\nclusters: { a: { url: \"postgres://u@h\" } }\n#";
    let rest = usize::try_from(FILE_MAX).unwrap() - head.len();
    scratch.write("a.yaml", format!("{head}{}", "x".repeat(rest)));
    assert_eq!(codes(&scratch), [""; 0]);
}

#[test]
fn too_many_files_are_refused() {
    let scratch = Scratch::new("many");
    for i in 0..=FILES_MAX {
        scratch.write(&format!("{i}.yaml"), "version: 1\n");
    }
    assert_eq!(codes(&scratch), ["spec::too-many-files "]);
}

#[test]
fn a_directory_that_is_not_there_is_no_workspace() {
    let options = LoadOptions { directory: "no/such/directory".into(), ..LoadOptions::default() };
    assert_eq!(load(&options).unwrap_err().findings[0].code, "spec::no-workspace");
}
