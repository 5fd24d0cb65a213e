//! What has to hold wherever a run was cut: of the tables in place, of the ledger, and of everything that is others'.

use std::collections::{BTreeMap, BTreeSet};

use super::carried::Carried;
use super::flows::Flow;
use super::kinds::{Existing, How, Past, Strategy};
use super::stage::{Place, Relation, Stage, State};
use super::story::{STRANGE, Story};
use super::tables::Kind;

/// A table that a flow carries to a cluster.
pub(super) struct Target<'a> {
    pub(super) flow: &'a Flow,
    pub(super) carried: &'a Carried,
    pub(super) place: Place,
}

pub(super) fn targets(story: &Story) -> impl Iterator<Item = Target<'_>> {
    story.flows.iter().flat_map(|flow| {
        let to = flow.to.iter();
        to.flat_map(move |cluster| {
            let carried = flow.carried.iter();
            carried.map(move |carried| Target { flow, carried, place: (*cluster, carried.to.clone()) })
        })
    })
}

/// The tables that flows read.
pub(super) fn sources(story: &Story) -> BTreeSet<Place> {
    let of = |flow: &Flow| -> Vec<Place> {
        flow.carried.iter().map(|carried| (flow.from, carried.table.name.clone())).collect()
    };
    story.flows.iter().flat_map(of).collect()
}

/// Whether a table is one of others.
pub(super) fn is_strange(place: &Place) -> bool {
    STRANGE.iter().any(|part| place.1.contains(part))
}

/// What was there before a run, and what is there after one that nothing disturbed.
pub(super) struct Bounds<'a> {
    pub(super) before: &'a State,
    pub(super) end: &'a State,
}

impl Bounds<'_> {
    /// All tables in place are as they may be at any moment; those are left out that follow a change.
    pub(super) fn hold_in_place(&self, stage: &Stage<'_>, has_changed: bool) -> Result<(), String> {
        let now = stage.state();
        for target in targets(stage.story).filter(|target| !(has_changed && stage.story.moves(target.flow))) {
            self.holds(stage.story, &now, &target).map_err(|problem| {
                let (cluster, table) = &target.place;
                format!("{table} on {cluster}, of flow {}: {problem}", target.flow.name)
            })?;
        }
        Ok(())
    }

    fn holds(&self, story: &Story, now: &State, target: &Target<'_>) -> Result<(), String> {
        let [before, now, end] = [self.before, now, self.end].map(|state| state.relations.get(&target.place));
        if now == before || now == end {
            return Ok(());
        }
        let how = target.flow.how(target.carried, before.is_some());
        let Some(now) = now else {
            let may_be_gone = how == How::Arrives || target.flow.is_by_view();
            return if may_be_gone { Ok(()) } else { Err("it is gone".to_owned()) };
        };
        let none = Relation { definition: String::new(), columns: Vec::new(), rows: Vec::new() };
        let (before, end) = (before.unwrap_or(&none), end.unwrap_or(&none));
        let within = |all: &[&[Vec<String>]]| is_within(&now.rows, all);
        let is_alike = now.columns == before.columns || now.columns == end.columns;
        let problem = match how {
            _ if !is_alike => "it has other columns",
            How::Aside if target.flow.is_by_view() && (now.rows == before.rows || now.rows == end.rows) => {
                return Ok(());
            }
            How::Aside => "it is neither what was there nor what will be",
            How::Append if !is_within(&before.rows, &[&now.rows]) => "a row of others is gone",
            How::Append | How::Arrives if !within(&[&end.rows]) => "it has a row that the whole has not",
            How::Upsert | How::Parts if !within(&[&before.rows, &end.rows]) => "it has a row that it never had",
            How::Upsert if !keys(target.carried, before).is_subset(&keys(target.carried, now)) => "a row is gone",
            How::Upsert if now.rows.len() > end.rows.len() => "a row is there twice",
            How::Parts if !story.consents.contains(&"rows:*") && !is_within(&before.rows, &[&now.rows]) => {
                "a row is gone, to which nobody consented"
            }
            How::Parts if others(target.carried, now) != others(target.carried, before) => {
                "other partitions are otherwise"
            }
            _ => return Ok(()),
        };
        Err(format!("{problem}\nthere is {}\nbefore {}\nin the end {}", shown(now), shown(before), shown(end)))
    }
}

impl Flow {
    fn is_by_view(&self) -> bool {
        self.existing == Existing::View
    }
}

impl Carried {
    /// The name of the first column on the target.
    fn key(&self) -> &str {
        self.table.key().name
    }
}

fn shown(relation: &Relation) -> String {
    let rows: Vec<String> = relation.rows.iter().take(40).map(|row| row.join(" ")).collect();
    format!("{:?} {} rows {rows:?} {}", relation.columns, relation.rows.len(), relation.definition)
}

fn counted(rows: &[Vec<String>]) -> BTreeMap<&Vec<String>, usize> {
    let mut found = BTreeMap::new();
    for row in rows {
        *found.entry(row).or_default() += 1;
    }
    found
}

/// Whether each row is there no more often than in that of the others which has it most often.
pub(super) fn is_within(rows: &[Vec<String>], all: &[&[Vec<String>]]) -> bool {
    let all: Vec<_> = all.iter().map(|rows| counted(rows)).collect();
    let most = |row: &Vec<String>| all.iter().filter_map(|counted| counted.get(row)).max().copied().unwrap_or(0);
    counted(rows).into_iter().all(|(row, count)| count <= most(row))
}

fn cells<'a>(relation: &'a Relation, column: &str) -> Vec<&'a str> {
    let Some(at) = relation.columns.iter().position(|found| found == column) else { return Vec::new() };
    relation.rows.iter().map(|row| row[at].as_str()).collect()
}

fn keys<'a>(carried: &Carried, relation: &'a Relation) -> BTreeSet<&'a str> {
    cells(relation, carried.key()).into_iter().collect()
}

/// The rows of partitions that were not chosen.
fn others<'a>(carried: &Carried, relation: &'a Relation) -> Vec<&'a Vec<String>> {
    let chosen: Vec<String> = carried.months.iter().map(ToString::to_string).collect();
    let month = relation.columns.iter().position(|column| column == "month");
    let is_other = |row: &&Vec<String>| month.is_none_or(|at| !chosen.contains(&row[at]));
    relation.rows.iter().filter(is_other).collect()
}

/// What a run that nothing disturbed leaves is what the sources have, and what has to stay of what was there.
pub(super) fn is_right(stage: &Stage<'_>, before: &State, end: &State) -> Result<(), String> {
    for target in targets(stage.story) {
        let Some(wanted) = wanted(stage, &target, before) else { continue };
        let Some(found) = end.relations.get(&target.place) else {
            return Err(format!("{:?} is not there", target.place));
        };
        let is_same = found.rows == wanted.rows && (found.columns == wanted.columns || found.rows.is_empty());
        if !is_same {
            return Err(format!("{:?} is {}\ninstead of {}", target.place, shown(found), shown(&wanted)));
        }
    }
    Ok(())
}

/// What a target is to hold once it was applied; `None` where what was there stays, or nobody can say.
fn wanted(stage: &Stage<'_>, target: &Target<'_>, before: &State) -> Option<Relation> {
    let Target { flow, carried, place } = target;
    let there = before.relations.get(place);
    let stays = flow.past == Past::Gone
        || flow.past == Past::Same && !flow.follows()
        || flow.existing == Existing::Skip && there.is_some();
    if stays || flow.strategy == Strategy::FromStore && !carried.columns.is_empty() {
        return None;
    }
    let mut wanted = stage.rows(flow.from, &carried.select())?;
    let kept: Vec<Vec<String>> = match (flow.how(carried, there.is_some()), there) {
        (How::Append, Some(there)) => there.rows.clone(),
        (How::Upsert, Some(there)) => {
            let new: BTreeSet<String> = keys(carried, &wanted).into_iter().map(str::to_owned).collect();
            let at = there.columns.iter().position(|column| column == carried.key())?;
            there.rows.iter().filter(|row| !new.contains(&row[at])).cloned().collect()
        }
        (How::Parts, Some(there)) => others(carried, there).into_iter().cloned().collect(),
        _ => Vec::new(),
    };
    wanted.rows.extend(kept);
    wanted.rows.sort();
    // A generated column that is copied by name may stay one of the target, and is not among the columns then.
    let is_computed =
        carried.table.columns.iter().any(|column| column.kind == Kind::Twice) && !carried.columns.is_empty();
    (!is_computed).then_some(wanted)
}

/// What no run may change: tables of others and sources, with the identities of their indices.
pub(super) fn of_others(stage: &Stage<'_>) -> Vec<String> {
    let read = sources(stage.story);
    let mut found = stage.indices(|place| is_strange(place) || read.contains(place));
    let now = stage.state();
    let relations = now.relations.iter().filter(|(place, _)| is_strange(place) || read.contains(*place));
    found.extend(relations.map(|(place, relation)| format!("{place:?} {relation:?}")));
    found.extend(now.objects.into_iter().filter(|line| line.contains("stranger")));
    found
}
