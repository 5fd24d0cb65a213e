//! What a step does beside its statements: what it sends when, how long that may take, how much it moves.

use transship_model::Name;
use transship_model::plan::{
    Action, AwaitedFlow, Chunks, CommandTable, CopyRows, Cursor, CursorRead, PlannedLookup, PruneRows, PullRows,
    PullStatements, RunCommand, Step, Transform, Verb,
};

/// How long a wait may take.
pub fn timeout(step: &Step) -> Option<transship_model::TimeSpan> {
    match step.action.as_ref()? {
        Action::WaitSynced(wait) => Some(wait.timeout),
        Action::WaitReleased(wait) => Some(wait.timeout),
        Action::WaitLeasesGone(wait) => Some(wait.timeout),
        Action::WaitFlows(wait) => Some(wait.timeout),
        Action::CopyRows(rows) => Some(rows.timeout),
        Action::RunCommand(command) => Some(command.timeout),
        Action::MergeRows(merge) => Some(merge.rows.timeout),
        Action::PullRows(rows) => Some(rows.timeout),
        Action::PruneRows(rows) => Some(rows.timeout),
        Action::CreateSnapshot(snapshot) => Some(snapshot.timeout),
        Action::RestoreTable(restore) => Some(restore.timeout),
        Action::RestorePartition(restore) => Some(restore.timeout),
        Action::FillPartition(filled) => Some(filled.rows.timeout),
        Action::ExportRows(rows) => Some(rows.timeout),
        Action::ImportRows(rows) => Some(rows.timeout),
        Action::WriteManifest(manifest) => Some(manifest.timeout),
        Action::CheckFiles(check) => Some(check.timeout),
        Action::Record
        | Action::ChangeTables(_)
        | Action::DropTable(_)
        | Action::PutInPlace(_)
        | Action::WriteFiles(_)
        | Action::RemoveFiles(_)
        | Action::CheckStore(_)
        | Action::NoteSynced(_)
        | Action::TakeCopy(_)
        | Action::Foreign(_) => None,
    }
}

/// `about 1.2 M rows`, `3.4 GiB`, as far as it is known; empty where nothing moves.
pub fn moves(step: &Step) -> Vec<String> {
    let Some(estimate) = step.estimate else { return Vec::new() };
    let rows = estimate.rows.filter(|rows| *rows > 0).map(|rows| match rows {
        1 => "about 1 row".to_owned(),
        _ => format!("about {} rows", short(rows, 1000, ["", " k", " M", " G"])),
    });
    let bytes = estimate.bytes.filter(|_| rows.is_some());
    let bytes = bytes.map(|bytes| short(bytes, 1024, [" B", " KiB", " MiB", " GiB"]));
    rows.into_iter().chain(bytes).collect()
}

/// A number with one decimal in the largest unit that it fills.
fn short(number: u64, step: u64, units: [&str; 4]) -> String {
    let (mut scale, mut unit) = (1, 0);
    while number / scale >= step && unit + 1 < units.len() {
        (scale, unit) = (scale * step, unit + 1);
    }
    let (whole, tenth) = (number / scale, number % scale * 10 / scale);
    if unit == 0 || whole >= 100 || tenth == 0 {
        format!("{whole}{}", units[unit])
    } else {
        format!("{whole}.{tenth}{}", units[unit])
    }
}

/// The statements that a copy by chunks sends besides, by each column that may divide its rows.
/// How many rows a statement writes.
const fn how_many(rows: &CopyRows) -> &'static str {
    if rows.many.is_some() { "many rows at a time" } else { "each row" }
}

/// What a step sends that deletes rows, in order.
fn of_prune<'a>(rows: &'a PruneRows, here: &Name) -> Vec<(String, &'a str)> {
    let (source, at_source, at_target) = (&rows.source, &rows.at_source, &rows.at_target);
    vec![
        (format!("must give nothing, on {source}, first and before rows go"), rows.unreadable.as_str()),
        (format!("before each look, on {here}"), at_target.refresh.as_str()),
        (format!("first, on {here}"), at_target.buckets.as_str()),
        (format!("before each look, on {source}"), at_source.refresh.as_str()),
        (format!("then, on {source}"), at_source.buckets.as_str()),
        (format!("where these differ, on {here}"), at_target.in_buckets.as_str()),
        (format!("after that, on {source}"), at_source.in_buckets.as_str()),
        (format!("for what {source} does not have, on {here}, also at the end"), at_target.among.as_str()),
        (format!("once more before it goes, on {source}"), at_source.among.as_str()),
        (format!("for each row that goes, on {here}"), rows.delete.as_str()),
    ]
}

/// What is sent where the target reads its source by itself.
fn of_pull<'a>(rows: &'a PullRows, here: &Name) -> Vec<(String, &'a str)> {
    let there = &rows.source;
    let mut sent = vec![
        (format!("must give nothing, before and after, on {there}"), rows.unreadable.as_str()),
        (format!("before and after, on {there}"), rows.mark.as_str()),
        (format!("before and after, on {there}"), rows.refresh_source.as_str()),
    ];
    sent.extend(rows.unfit.iter().map(|sql| (format!("must give 0 before and after, on {there}"), sql.as_str())));
    let mut part = |when: &str, of: &'a PullStatements| {
        sent.push((format!("{when}, on {there}"), of.expected.as_str()));
        sent.push((format!("{when}, on {here}"), of.insert.as_str()));
        sent.extend(of.count.iter().map(|sql| (format!("{when}: must give as many, on {here}"), sql.as_str())));
        sent.extend(
            of.clear.iter().map(|sql| (format!("{when}: where they changed meanwhile, on {here}"), sql.as_str())),
        );
    };
    part("for a table that is one chunk", &rows.whole);
    let mut asked: Vec<(String, &str)> = Vec::new();
    if let Some(ranges) = &rows.ranges {
        for column in &ranges.by {
            asked.push((
                format!("must say that the source is asked for a chunk by {}, on {here}", column.name),
                column.explain.as_str(),
            ));
            part(&format!("for the first chunk by {}", column.name), &column.first);
            part(&format!("for each chunk by {}", column.name), &column.between);
            part(&format!("for the last chunk by {}", column.name), &column.last);
        }
        sent.extend(asked);
        sent.push((format!("to divide the rows, on {there}"), ranges.sample.as_str()));
    }
    sent.push((format!("after each, on {here}"), rows.refresh.as_str()));
    sent.extend(rows.arrived.iter().map(|sql| (format!("must give 0 at the end, on {here}"), sql.as_str())));
    sent
}

fn of_chunks<'a>(rows: &'a CopyRows, chunks: &'a Chunks, here: &Name) -> Vec<(String, &'a str)> {
    let there = &rows.source;
    let mut sent = vec![(format!("if it is large, on {there}"), chunks.sample.as_str())];
    for column in &chunks.by {
        let by = format!("by chunk of {}", column.name);
        sent.push((format!("{by}, read from {there}"), &column.select));
        sent.push((format!("{by}, if a run was cut, on {here}"), &column.clear));
        sent.push((format!("{by}, must give as many as were read, on {here}"), &column.count));
    }
    sent
}

/// The statements that tell how far a cursor has come, before rows are read by it.
fn before_reading<'a>(rows: &'a CopyRows, cursor: &'a Cursor, here: &Name) -> Vec<(String, &'a str)> {
    let slices = cursor.slices.as_ref();
    let since = slices.and_then(|slices| slices.since.as_ref());
    let writing = slices.map(|slices| (format!("until none is left, on {here}"), slices.writing.as_str()));
    let read = since.map_or(&cursor.all, |since| &since.read);
    writing.into_iter().chain([(format!("then, on {}", rows.source), read.highest.as_str())]).collect()
}

/// The statements that read rows slice by slice.
fn by_slices<'a>(rows: &'a CopyRows, cursor: &'a Cursor) -> Vec<(String, &'a str)> {
    let there = &rows.source;
    let of = |when: &str, read: &'a CursorRead| {
        [
            (format!("{when}if there are many, on {there}"), read.sample.as_str()),
            (format!("{when}by slice of {}, read from {there}", cursor.column), read.select.as_str()),
        ]
    };
    match cursor.slices.as_ref().and_then(|slices| slices.since.as_ref()) {
        None => of("", &cursor.all).to_vec(),
        Some(since) => {
            let all = "if nothing is there from that value on, or the table is another one: ";
            let highest = (format!("{all}on {there}"), cursor.all.highest.as_str());
            of("", &since.read).into_iter().chain([highest]).chain(of(all, &cursor.all)).collect()
        }
    }
}

/// The statements that read what values are looked up in.
fn of_lookups<'a>(transform: &'a Transform, here: &Name) -> Vec<(String, &'a str)> {
    let verbs = transform.columns.iter().flat_map(|column| &column.verbs);
    let tables = verbs.filter_map(|verb| match verb {
        Verb::Lookup(PlannedLookup::Table { refresh, select, .. }) => Some([refresh, select]),
        _ => None,
    });
    tables.flatten().map(|sql| (format!("to look values up, on {here}"), sql.as_str())).collect()
}

/// The statements around a program, and what it is told to read.
fn of_command<'a>(command: &'a RunCommand, here: &Name) -> Vec<(String, &'a str)> {
    let there = &command.source;
    let of = |table: &'a CommandTable| {
        [
            (format!("must give nothing, before and after, on {there}"), table.unreadable.as_str()),
            (format!("first, on {there}"), table.mark.as_str()),
            (format!("then, on {there}"), table.refresh_source.as_str()),
            ("the program is told to read".to_owned(), table.query.as_str()),
            (format!("if it asks to be run again, on {here}"), table.clear.as_str()),
            (format!("at the end, on {here}"), table.refresh.as_str()),
            (format!("must give as many as it says, on {here}"), table.count.as_str()),
        ]
    };
    command.tables.iter().flat_map(of).collect()
}

/// The statements that a wait sends, each with its cluster and when it is sent.
pub fn waits(step: &Step) -> Vec<(String, &str)> {
    let here = &step.cluster;
    match step.action.as_ref() {
        Some(Action::WaitSynced(wait)) => vec![
            (format!("once, on {}", wait.source), wait.mark.as_str()),
            (format!("until done, on {here}"), wait.states.as_str()),
            (format!("until done, on {here}"), wait.reached.as_str()),
            (format!("at the end, on {here}"), wait.refresh.as_str()),
        ],
        Some(Action::WaitReleased(wait)) => vec![(format!("until done, on {here}"), wait.states.as_str())],
        Some(Action::WaitLeasesGone(wait)) => vec![(format!("until done, on {here}"), wait.leases.as_str())],
        Some(Action::WaitFlows(wait)) => {
            let when = |awaited: &AwaitedFlow| format!("until done, on {}", awaited.cluster);
            wait.flows.iter().flat_map(|it| [(when(it), wait.look.as_str()), (when(it), wait.run.as_str())]).collect()
        }
        Some(Action::CopyRows(rows)) => {
            let mut sent = vec![
                (format!("first, on {}", rows.source), rows.mark.as_str()),
                (format!("then, on {}", rows.source), rows.refresh_source.as_str()),
            ];
            sent.extend(rows.transform.iter().flat_map(|transform| of_lookups(transform, here)));
            sent.extend(rows.cursor.iter().flat_map(|cursor| before_reading(rows, cursor, here)));
            let slices = rows.cursor.as_ref().filter(|cursor| cursor.slices.is_some());
            let select = slices.map_or_else(
                || vec![(format!("read from {}", rows.source), rows.select.as_str())],
                |cursor| by_slices(rows, cursor),
            );
            sent.extend(select);
            sent.extend([
                (format!("for {}, on {here}", how_many(rows)), rows.insert.as_str()),
                (format!("at the end, on {here}"), rows.refresh.as_str()),
            ]);
            sent.extend(
                rows.count.iter().map(|count| (format!("must give as many as were read, on {here}"), count.as_str())),
            );
            if let Some(again) = rows.many.iter().find_map(|many| many.again.as_ref()) {
                sent.push((format!("for rows that an answer leaves out, on {here}"), again.insert.as_str()));
            }
            if let Some(clear) = rows.many.iter().find_map(|many| many.clear.as_ref()) {
                sent.push((format!("where rows are missing, before each is sent alone, on {here}"), clear.as_str()));
            }
            sent.extend(rows.chunks.iter().flat_map(|chunks| of_chunks(rows, chunks, here)));
            let unreadable = rows.unreadable.iter();
            sent.extend(
                unreadable
                    .map(|sql| (format!("must give nothing, before and after, on {}", rows.source), sql.as_str())),
            );
            sent
        }
        Some(Action::PullRows(rows)) => of_pull(rows, here),
        Some(Action::RunCommand(command)) => of_command(command, here),
        Some(Action::PruneRows(rows)) => of_prune(rows, here),
        Some(Action::MergeRows(merge)) => {
            let rows = &merge.rows;
            vec![
                (format!("first, on {here}"), rows.refresh_source.as_str()),
                (format!("must give as many as were written, on {here}"), merge.expected.as_str()),
                (format!("reads the copy, on {here}"), rows.select.as_str()),
                (format!("writes each row, on {here}"), rows.insert.as_str()),
                (format!("at the end, on {here}"), rows.refresh.as_str()),
                (format!("at the end, on {here}"), merge.clear.as_str()),
            ]
        }
        Some(Action::ExportRows(rows)) => {
            let mut sent = Vec::new();
            if let Some(directory) = &rows.directory {
                sent.push((format!("before, on {here}"), directory.create.as_str()));
                sent.push((format!("before, on {here}"), directory.drop.as_str()));
            }
            sent.extend([
                (format!("must give nothing, before and after, on {here}"), rows.unreadable.as_str()),
                (format!("before, on {here}"), rows.mark.as_str()),
                (format!("before, on {here}"), rows.refresh.as_str()),
                (format!("before, on {here}"), rows.count.as_str()),
            ]);
            sent
        }
        Some(Action::WriteFiles(rows)) => vec![
            (format!("must give nothing, before and after, on {here}"), rows.unreadable.as_str()),
            (format!("before, on {here}"), rows.mark.as_str()),
            (format!("before, on {here}"), rows.refresh.as_str()),
        ],
        Some(Action::ImportRows(rows)) => {
            let mut sent: Vec<_> = rows
                .rest
                .iter()
                .map(|rest| (format!("for rows that CSV cannot hold, on {here}"), rest.as_str()))
                .collect();
            sent.push((format!("at the end, on {here}"), rows.refresh.as_str()));
            sent.extend(
                rows.count.iter().map(|count| (format!("must give as many as were read, on {here}"), count.as_str())),
            );
            sent
        }
        Some(Action::PutInPlace(put)) => {
            let mut sent = vec![(format!("before, on {here}"), put.count_copy.as_str())];
            sent.extend(put.count_table.iter().map(|count| (format!("before, on {here}"), count.as_str())));
            sent
        }
        Some(Action::CheckStore(check)) => {
            let there = &check.writer;
            vec![
                (format!("first, on {there}"), check.create_writer.as_str()),
                (format!("then, on {there}"), check.create_table.as_str()),
                (format!("then, on {there}"), check.create_marker.as_str()),
                (format!("then, on {here}"), check.create_reader.as_str()),
                (format!("must find it, on {there} and on {here}"), check.look.as_str()),
                (format!("at the end, on {there}"), check.drop_marker.as_str()),
                (format!("at the end, on {here} and on {there}"), check.drop_repository.as_str()),
            ]
        }
        Some(Action::CreateSnapshot(made)) => {
            let mut sent = vec![
                (format!("before and after, on {here}"), made.mark.as_str()),
                (format!("before, on {here}"), made.refresh.as_str()),
            ];
            sent.extend(made.counts.iter().map(|count| (format!("before, on {here}"), count.as_str())));
            let each = made.partitions.iter();
            sent.extend(each.map(|it| (format!("before, on {here}"), it.count.as_str())));
            sent.push((format!("until done, on {here}"), made.look.as_str()));
            sent
        }
        Some(Action::RestoreTable(restored)) => vec![
            (format!("until done, on {here}"), restored.running.as_str()),
            (format!("until done, on {here}"), restored.missing.as_str()),
            (format!("at the end, on {here}"), restored.refresh.as_str()),
            (format!("must have what the source had, on {here}"), restored.reached.as_str()),
            (format!("must have what the source had, on {here}"), restored.count.as_str()),
        ],
        Some(Action::FillPartition(filled)) => {
            let rows = &filled.rows;
            let mut sent = vec![
                (format!("before, on {here}"), filled.expected.as_str()),
                (format!("reads the copy, on {here}"), rows.select.as_str()),
                (format!("writes each row, on {here}"), rows.insert.as_str()),
                (format!("at the end, on {here}"), rows.refresh.as_str()),
                (format!("must give as many, on {here}"), filled.count.as_str()),
            ];
            sent.extend(filled.clear.iter().map(|clear| (format!("at the end, on {here}"), clear.as_str())));
            sent
        }
        Some(Action::RestorePartition(restored)) => {
            let mut sent = vec![
                (format!("until done, on {here}"), restored.running.as_str()),
                (format!("until done, on {here}"), restored.missing.as_str()),
                (format!("at the end, on {here}"), restored.refresh.as_str()),
                (format!("must have what the source had, on {here}"), restored.reached.as_str()),
                (format!("must have what the source had, on {here}"), restored.count.as_str()),
            ];
            if restored.replaces.is_some() {
                sent.insert(0, (format!("before, on {here}"), restored.refresh.as_str()));
                sent.insert(1, (format!("before, on {here}"), restored.count.as_str()));
            }
            sent
        }
        Some(Action::NoteSynced(synced)) => {
            let there = &synced.source;
            let mut sent = vec![
                (format!("before and after, on {here}"), synced.states.as_str()),
                (format!("before and after, on {there}; before, on {here}"), synced.mark.as_str()),
                (format!("first, on {there} and on {here}"), synced.refresh.as_str()),
            ];
            let counts = synced.tables.iter().map(|table| table.count.as_str());
            sent.extend(counts.map(|count| (format!("on {there} and on {here}"), count)));
            sent
        }
        Some(Action::TakeCopy(take)) => vec![
            (format!("then, on {here}"), take.refresh.as_str()),
            (format!("then, on {here}"), take.reached.as_str()),
            (format!("then, on {here}"), take.count.as_str()),
        ],
        Some(
            Action::Record
            | Action::ChangeTables(_)
            | Action::DropTable(_)
            | Action::RemoveFiles(_)
            | Action::WriteManifest(_)
            | Action::CheckFiles(_)
            | Action::Foreign(_),
        )
        | None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (number, rows, bytes) in [
            (0, "0", "0 B"),
            (999, "999", "999 B"),
            (1_234_567, "1.2 M", "1.1 MiB"),
            (850_000, "850 k", "830 KiB"),
            (4_096, "4 k", "4 KiB"),
        ] {
            assert_eq!(short(number, 1000, ["", " k", " M", " G"]), rows);
            assert_eq!(short(number, 1024, [" B", " KiB", " MiB", " GiB"]), bytes);
        }
    }
}
