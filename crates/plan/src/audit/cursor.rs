//! Rules about cursors: no row lies between what was read before and what is read now.

use std::cmp::Ordering;

use transship_model::TimeSpan;
use transship_model::ledger::CursorRow;
use transship_model::plan::{Action, CopyRows, Cursor, CursorRead, Plan, RowWrite, Since, Step};
use transship_sql::cursor::{self, Rows};
use transship_sql::{chunk, ident};

use super::{Flows, Found, Rule};

pub(super) fn check(plan: &Plan, flows: &Flows<'_>, found: &mut Found) {
    for step in plan.all_steps() {
        let Some(Action::CopyRows(rows)) = &step.action else { continue };
        let Some(cursor) = &rows.cursor else { continue };
        if !reads(rows, cursor) {
            found.step(Rule::KindMatches, step, "reads by a cursor in another way than its kind does");
        }
        let since = cursor.slices.as_ref().and_then(|slices| slices.since.as_ref());
        if let Some(since) = since.filter(|since| !covers(flows, step, (rows, cursor), since)) {
            let text = format!("reads from {} = {} on, which the ledger does not bear out", cursor.column, since.from);
            found.step(Rule::CursorCovers, step, text);
        }
    }
}

/// The ledger has it that all rows up to the value were written to this table, and reading begins no higher.
fn covers(flows: &Flows<'_>, step: &Step, (rows, cursor): (&CopyRows, &Cursor), since: &Since) -> bool {
    let note = flows.record(step).and_then(|record| record.row.copies.get(&rows.into));
    let asked = rows.done.as_ref().map(|done| (&done.from, &done.asked));
    let is_it = |noted: &CursorRow| noted.column == cursor.column && noted.value.as_ref() == Some(&since.value);
    let is_noted =
        note.is_some_and(|note| Some((&note.from, &note.asked)) == asked && note.cursor.as_ref().is_some_and(is_it));
    let overlap = since.overlap.map_or(0, TimeSpan::as_milliseconds);
    let begins = cursor::less(&cursor.data_type, &since.value, overlap);
    let order = cursor::order(&cursor.data_type, &since.from, &since.value);
    is_noted && begins.as_ref() == Some(&since.from) && order.is_some_and(Ordering::is_le)
}

/// The statements are the very ones for the column and for where reading begins.
fn reads(rows: &CopyRows, cursor: &Cursor) -> bool {
    let sampled = chunk::sample(&rows.from, [(cursor.column.as_str(), cursor.data_type.as_str())], None);
    let Some(rest) = cursor.all.sample.strip_prefix(&sampled) else { return false };
    let filter = rest.strip_prefix(" AND (").and_then(|rest| rest.strip_suffix(')'));
    let ends = filter.map_or_else(String::new, |filter| format!(" WHERE ({filter})"));
    let (column, data_type) = (cursor.column.as_str(), cursor.data_type.as_str());
    let all = Rows { of: &rows.from, column, data_type, filter, from: None, nullable: true };
    let is_of = |read: &CursorRead, of: Rows<'_>| {
        read.highest == of.highest() && read.sample == of.sample() && read.select == of.select(&rows.select)
    };
    let slices = cursor.slices.as_ref();
    let is_since = |since: &Since| {
        [true, false]
            .iter()
            .any(|nullable| is_of(&since.read, Rows { from: Some(&since.from), nullable: *nullable, ..all }))
    };
    cursor::is_cursor(&cursor.data_type)
        && filter.is_some() != rest.is_empty()
        && rows.select.ends_with(&format!(" FROM {}{ends}", ident::table(&rows.from)))
        && is_of(&cursor.all, all)
        && slices.is_some() == rows.done.is_some()
        && slices.is_none_or(|slices| rows.write != RowWrite::Insert && slices.writing == cursor::writing(&rows.insert))
        && slices.and_then(|slices| slices.since.as_ref()).is_none_or(is_since)
}
