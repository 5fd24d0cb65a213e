//! Reads the CSV files in which columns look values up: they are files of the workspace like its specs.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use sha2::{Digest as _, Sha256};
use transship_model::plan::SpecFiles;
use transship_model::spec::{ColumnRule, Columns, Flow, Lookup, LookupFile, Spec, TableEntry};
use transship_model::{Finding, SpecPath};

use crate::files::{hex, is_inside, outside};
use crate::report::Report;
use crate::{LoadOptions, csv, suggest};

/// The largest of them, in bytes.
const FILE_MAX: u64 = 16 * 1024 * 1024;

/// The values of a file by their keys; `None` for NULL.
pub type LookupValues = BTreeMap<String, Option<String>>;

/// Reads every file that a spec names; what is wrong is reported. `files` gets their digests.
pub(crate) fn read(
    spec: &Spec,
    options: &LoadOptions,
    files: &mut SpecFiles,
    report: &mut Report,
) -> BTreeMap<LookupFile, LookupValues> {
    let mut found = BTreeMap::new();
    for (name, flow) in &spec.flows {
        for (lookup, path) in of_flow(flow, &SpecPath::of("flows", name)) {
            if found.contains_key(lookup) {
                continue;
            }
            match read_one(lookup, &path, options) {
                Ok((values, sha256)) => {
                    files.files.insert(lookup.file.clone(), sha256);
                    found.insert(lookup.clone(), values);
                }
                Err(finding) => report.push(finding),
            }
        }
    }
    found
}

fn of_flow<'a>(flow: &'a Flow, path: &SpecPath) -> Vec<(&'a LookupFile, SpecPath)> {
    let mut found = Vec::new();
    for (index, entry) in flow.tables.iter().enumerate() {
        let TableEntry::Table(table) = entry else { continue };
        let Some(Columns::Rules(rules)) = &table.columns else { continue };
        let path = path.key("tables").item(index).key("columns");
        for (column, rule) in rules {
            if let ColumnRule::Rule(rule) = rule
                && let Some(Lookup::File(lookup)) = &rule.lookup
            {
                found.push((lookup, path.key(column).key("lookup")));
            }
        }
    }
    found
}

/// The key that it is about stands in the path.
fn read_one(lookup: &LookupFile, path: &SpecPath, options: &LoadOptions) -> Result<(LookupValues, String), Finding> {
    let (bytes, text) = content(&lookup.file, options).map_err(|finding| finding.at(path.key("file")))?;
    let unfit = |problem: String| {
        let finding =
            Finding::error("spec::lookup-file", format!("`{}` cannot be looked up in: {problem}", lookup.file));
        finding.at(path.key("file")).help("write comma-separated values with a header, each key once")
    };
    let mut records = csv::read(&text).map_err(unfit)?.into_iter();
    let header: Vec<String> = records
        .next()
        .map(|(_, header)| header.into_iter().map(Option::unwrap_or_default).collect())
        .unwrap_or_default();
    let place = |key: &'static str, name: &String| {
        header.iter().position(|column| column == name).ok_or_else(|| {
            let message = format!("`{}` has no column `{name}`", lookup.file);
            let help = suggest::help(name, "columns", header.iter().map(String::as_str));
            Finding::error("spec::lookup-file", message).at(path.key(key)).help(help)
        })
    };
    let (key, value) = (place("key", &lookup.key)?, place("value", &lookup.value)?);
    let mut values = LookupValues::new();
    for (line, mut record) in records {
        if record.len() != header.len() {
            return Err(unfit(format!("line {line} has {} fields, the header {}", record.len(), header.len())));
        }
        let found = record[value].clone();
        let Some(key) = record[key].take() else { continue };
        match values.entry(key) {
            Entry::Vacant(vacant) => drop(vacant.insert(found)),
            Entry::Occupied(_) => return Err(unfit(format!("the key of line {line} was there before"))),
        }
    }
    Ok((values, hex(&Sha256::digest(&bytes))))
}

fn content(file: &str, options: &LoadOptions) -> Result<(Vec<u8>, String), Finding> {
    let missing = |error: std::io::Error| {
        Finding::error("spec::missing-file", format!("the file `{file}` cannot be read: {}", error.kind()))
            .help("paths are relative to the workspace's directory")
    };
    let unfit = |problem: String, help: &str| Finding::error("spec::lookup-file", problem).help(help.to_owned());
    let real = fs_err::canonicalize(options.directory.join(file)).map_err(missing)?;
    if !is_inside(&real, options) {
        return Err(outside(file));
    }
    let metadata = fs_err::metadata(&real).map_err(missing)?;
    if !metadata.is_file() {
        return Err(unfit(format!("`{file}` is not a regular file"), "name a file"));
    }
    if metadata.len() > FILE_MAX {
        let message = format!("`{file}` has {} bytes; {FILE_MAX} is the most", metadata.len());
        return Err(unfit(message, "put it into a table of the target, and look values up there"));
    }
    let bytes = fs_err::read(&real).map_err(missing)?;
    let text =
        String::from_utf8(bytes.clone()).map_err(|_| unfit(format!("`{file}` is not UTF-8"), "store it as text"))?;
    Ok((bytes, text))
}

#[cfg(test)]
mod tests {
    use crate::corpus::Scratch;
    use crate::{LoadOptions, load};

    const SPEC: &str = "version: 1\nworkspace: w\nclusters: { a: { url: \"postgres://u@h\" }, b: { url: \"postgres://u@i\" } }\n\
                        flows: { f: { from: a, to: b, strategy: { custom: { engine: stream } }, tables: [{ from: s.t, columns: \
                        { c: { lookup: { file: names.csv, key: code, value: name } } } }] } }\n";

    fn loaded(csv: &str, name: &str) -> Result<Vec<(String, Option<String>)>, Vec<String>> {
        let scratch = Scratch::new(name);
        scratch.write("a.yaml", SPEC);
        scratch.write("names.csv", csv);
        let options = LoadOptions { directory: scratch.0.clone(), ..LoadOptions::default() };
        match load(&options) {
            Ok(loaded) => {
                assert!(loaded.files.files.contains_key("names.csv"));
                Ok(loaded.lookups.into_values().flatten().collect())
            }
            Err(error) => Err(error.findings.iter().map(|it| format!("{} {}", it.code, it.message)).collect()),
        }
    }

    #[test]
    fn files_are_read_with_the_workspace() {
        let found = loaded("name,code\nGermany,49\n,43\nnobody,\n", "lookups").unwrap();
        assert_eq!(found, [("43".to_owned(), None), ("49".to_owned(), Some("Germany".to_owned()))]);
    }

    #[test]
    fn unfit_files_are_told() {
        for (csv, problem) in [
            ("", "`names.csv` has no column `code`"),
            ("code,title\n", "`names.csv` has no column `name`"),
            ("code,name\n1,a\n1,b\n", "the key of line 3 was there before"),
            ("code,name\n1\n", "line 2 has 1 fields, the header 2"),
            ("code,name\n\"1\n", "line 2: a quote is never closed"),
        ] {
            let findings = loaded(csv, "lookups-unfit").unwrap_err();
            assert!(findings[0].starts_with("spec::lookup-file ") && findings[0].ends_with(problem), "{findings:?}");
        }
    }
}
