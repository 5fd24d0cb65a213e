//! The ledger never says done of what is not, and what it has of chunks is there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::inventory::{lines, quoted};
use crate::noted::{Noted, noted, whole_chunks};

use super::carried::Carried;
use super::flows::Flow;
use super::judge::{Bounds, Target, is_within, targets};
use super::kinds::Strategy;
use super::stage::{Relation, Stage, State};
use super::tables::{Kind, ident};

/// The runs that clusters know.
pub(super) fn runs(stage: &Stage<'_>) -> BTreeSet<String> {
    let sql = "REFRESH TABLE transship.runs; SELECT run FROM transship.runs WHERE workspace = 'sandboxed'";
    let with = stage.story.clusters.iter().filter(|cluster| is_there(stage, cluster, "runs"));
    with.flat_map(|cluster| lines(&stage.pair.sandbox, cluster, sql)).collect()
}

fn is_there(stage: &Stage<'_>, cluster: &str, table: &str) -> bool {
    let sql = format!(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'transship' AND table_name = '{table}'"
    );
    !lines(&stage.pair.sandbox, cluster, &sql).is_empty()
}

/// The rows of all flows, with the cluster that keeps each.
pub(super) fn rows(stage: &Stage<'_>) -> Vec<(&'static str, Noted)> {
    let of = |cluster: &&'static str| {
        let cluster = *cluster;
        noted(&stage.pair.sandbox, cluster).into_iter().map(move |row| (cluster, row))
    };
    stage.story.clusters.iter().flat_map(of).collect()
}

/// What is said to be done is: by a run of now all that is asked for, by an earlier one what was there before.
pub(super) fn holds(
    stage: &Stage<'_>,
    bounds: &Bounds<'_>,
    earlier: &BTreeSet<String>,
    has_changed: bool,
) -> Result<(), String> {
    for (cluster, row) in rows(stage) {
        let Some(flow) = stage.story.flows.iter().find(|flow| flow.ids().contains(&row.flow)) else {
            return Err(format!("nobody knows flow {}", row.flow));
        };
        chunks_hold(stage, bounds, cluster, flow, &row, has_changed)?;
        if row.state != "done" || has_changed && stage.story.moves(flow) {
            continue;
        }
        let is_new = !earlier.contains(&row.run);
        let wanted = if is_new { bounds.end } else { bounds.before };
        for target in targets(stage.story).filter(|it| it.flow.name == flow.name && it.place.0 == cluster) {
            is_as(stage, wanted, &target).map_err(|problem| {
                format!("the ledger has {} {} by run {}: {problem}", row.flow, row.state, row.run)
            })?;
        }
        is_settled(&row).map_err(|problem| format!("flow {} is done, and {problem}", row.flow))?;
    }
    runs_hold(stage)
}

/// A target is as it is in a state. A replication by its own is given a moment: it goes on by itself.
fn is_as(stage: &Stage<'_>, wanted: &State, target: &Target<'_>) -> Result<(), String> {
    let (cluster, table) = &target.place;
    let wanted = wanted.relations.get(&target.place);
    let now = || stage.relation(cluster, table);
    let is_equal = |now: Option<&Relation>| match (now, wanted) {
        (Some(now), Some(wanted)) => now.rows == wanted.rows && now.definition == wanted.definition,
        (None, None) => true,
        _ => false,
    };
    let found = now();
    if is_equal(found.as_ref()) {
        return Ok(());
    }
    let rows = |relation: Option<&Relation>| relation.map(|it| (it.rows.len(), it.definition.clone()));
    Err(format!("{table} has {:?}, not {:?}", rows(found.as_ref()), rows(wanted)))
}

/// A flow that is done has nothing that was begun.
fn is_settled(row: &Noted) -> Result<(), String> {
    for key in ["placing", "copying"] {
        let is_empty = row.document[key].as_object().is_none_or(serde_json::Map::is_empty);
        if !is_empty {
            return Err(format!("{key} has {}", row.document[key]));
        }
    }
    let made = |key: &str| -> BTreeSet<String> {
        let all = row.document[key].as_array().into_iter().flatten();
        all.filter_map(|name| name.as_str().map(str::to_owned)).collect()
    };
    if made("tables") == made("made") { Ok(()) } else { Err("not all of its tables are its own".to_owned()) }
}

/// A run that is done has no flow that is not.
fn runs_hold(stage: &Stage<'_>) -> Result<(), String> {
    let sql =
        "REFRESH TABLE transship.runs; SELECT run FROM transship.runs WHERE state = 'done' AND workspace = 'sandboxed'";
    for cluster in stage.story.clusters.iter().filter(|cluster| is_there(stage, cluster, "runs")) {
        let done: BTreeSet<String> = lines(&stage.pair.sandbox, cluster, sql).into_iter().collect();
        let is_left = |(_, row): &(&str, Noted)| row.state != "done" && done.contains(&row.run);
        if let Some((_, row)) = rows(stage).into_iter().find(is_left) {
            return Err(format!("run {} is done, and flow {} is {}", row.run, row.flow, row.state));
        }
    }
    Ok(())
}

/// The chunks that the ledger takes for whole, by flow.
pub(super) type Chunks = BTreeMap<String, (usize, usize)>;

/// How many chunks there are, and how many of them are whole, of each table that is copied by chunks.
pub(super) fn chunks(stage: &Stage<'_>) -> Chunks {
    let mut found = BTreeMap::new();
    for (_, row) in rows(stage) {
        for (_, copying) in row.document["copying"].as_object().into_iter().flatten() {
            let chunks = copying["chunks"].as_array().map_or(&[][..], Vec::as_slice);
            let whole = chunks.iter().filter(|chunk| chunk["rows"].is_u64()).count();
            let from = copying["from"].as_str().unwrap_or_default();
            found.insert(format!("{} {from}", row.flow), (chunks.len(), whole));
        }
    }
    found
}

fn chunks_hold(
    stage: &Stage<'_>,
    bounds: &Bounds<'_>,
    cluster: &'static str,
    flow: &Flow,
    row: &Noted,
    has_changed: bool,
) -> Result<(), String> {
    for (to, copying) in row.document["copying"].as_object().into_iter().flatten() {
        let Some(carried) = flow.carried.iter().find(|carried| carried.to == *to) else {
            return Err(format!("flow {} copies {to}, which it does not carry", row.flow));
        };
        let by = divided_by(carried, copying);
        let whole = whole_chunks(&stage.pair.sandbox, cluster, copying, (&by.0, by.1))?;
        if whole.is_empty() || has_changed && stage.story.moves(flow) {
            continue;
        }
        // What is aside is a part of what will be in place.
        let copy = quoted(copying["copy"].as_str().unwrap_or_default());
        let Some(aside) = stage.rows(cluster, &format!("SELECT * FROM {copy}")) else { continue };
        let end = bounds.end.relations.get(&(cluster, to.clone()));
        let is_part = end.is_some_and(|end| is_within(&aside.rows, &[&end.rows]));
        if !is_part {
            return Err(format!("the copy {copy} of {to} has rows that do not belong there: {:?}", aside.rows));
        }
    }
    Ok(())
}

/// The column of the copy that divides it, and the type of its bounds.
fn divided_by(carried: &Carried, copying: &Value) -> (String, &'static str) {
    let by = copying["by"].as_str().unwrap_or_default();
    let column = carried.table.columns.iter().find(|column| column.name == by);
    let data_type = match column.map(|column| column.kind) {
        Some(Kind::Code) => "text",
        Some(Kind::Bigint) => "bigint",
        _ => "integer",
    };
    let name = carried.columns.iter().find(|(_, expression)| *expression == ident(by)).map(|(name, _)| name.clone());
    (name.unwrap_or_else(|| by.to_owned()), data_type)
}

/// Whoever reads a store finds a whole export wherever a run was cut.
pub(super) fn exports_hold(stage: &Stage<'_>) -> Result<(), String> {
    let root = stage.server.as_ref().map_or_else(|| stage.pair.folder(), |server| server.bucket("bucket"));
    let exports = stage.story.flows.iter().filter(|flow| flow.strategy == Strategy::ToStore);
    for flow in exports {
        let folder = root.join("sandboxed").join(&flow.name);
        let Ok(pointer) = fs_err::read_to_string(folder.join("latest.json")) else { continue };
        let read = |text: &str| serde_json::from_str::<Value>(text).map_err(|error| format!("{error}: {text}"));
        let manifest = folder.join(read(&pointer)?["manifest"].as_str().unwrap_or_default());
        let text = fs_err::read_to_string(&manifest).map_err(|error| error.to_string())?;
        for table in read(&text)?["tables"].as_array().into_iter().flatten() {
            let mut rows = 0;
            for file in table["files"].as_array().into_iter().flatten() {
                let path = manifest.parent().expect("a folder").join(file["path"].as_str().unwrap_or_default());
                let bytes = fs_err::metadata(&path).map_err(|error| error.to_string())?.len();
                if file["size"].as_u64() != Some(bytes) {
                    return Err(format!("{} has {bytes} bytes, not {}", path.display(), file["size"]));
                }
                rows += file["rows"].as_u64().unwrap_or(0);
            }
            if table["rows"].as_u64() != Some(rows) {
                return Err(format!("the files of {} have {rows} rows, not {}", table["table"], table["rows"]));
            }
        }
    }
    Ok(())
}

/// What the ledgers have in the end that two worlds of one story have alike.
pub(super) fn summary(stage: &Stage<'_>) -> Vec<String> {
    let line = |(cluster, row): (&str, Noted)| {
        let document = &row.document;
        let copy = |(table, copy): (&String, &Value)| {
            let rows = if copy["partitions"].is_null() { copy["rows"].to_string() } else { String::new() };
            format!("{table} {} {} {} {rows}", copy["from"], copy["asked"], copy["partitions"])
        };
        let copies: Vec<String> = document["copies"].as_object().into_iter().flatten().map(copy).collect();
        let kept = [
            "strategy",
            "declaration",
            "tables",
            "made",
            "adding",
            "restoring",
            "placing",
            "copying",
            "publication",
            "subscription",
        ];
        let kept = kept.map(|key| format!("{key} {}", document[key]));
        format!("{cluster} {} {} {kept:?} {copies:?}", row.flow, row.state)
    };
    rows(stage).into_iter().map(line).collect()
}
