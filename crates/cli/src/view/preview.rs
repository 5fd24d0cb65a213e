//! Sample rows before and after: what the verbs of a flow do, on rows of the source, and never a value that nothing may show.

use schemars::JsonSchema;
use serde::Serialize;
use transship_apply::PreviewRow;
use transship_model::plan::{Made, MadeColumn, Transform};
use transship_plan::Sample;

use super::style::{Page, bold, columns, counted, cyan, dim, plain, red};
use super::{Human, Json, View};
use crate::file;

/// The format of the document.
const FORMAT: u32 = 1;

/// Stands in place of a value that nothing may show.
const HIDDEN: &str = "(sensitive)";

/// The longest text of a value that is shown to people.
const LONGEST: usize = 64;

/// Samples of all tables.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "transship preview, format 1")]
pub struct Previews {
    /// The format of this document.
    pub format_version: u32,
    /// The tables.
    pub tables: Vec<Previewed>,
}

/// Sample rows of one table.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Previewed {
    /// The flow.
    pub flow: String,
    /// The table that was read, with its cluster.
    pub from: String,
    /// The table that would be written, with its cluster.
    pub to: String,
    /// The rows.
    pub rows: Vec<Row>,
}

/// A row.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Row {
    /// Its columns, in the order in which they are written; none where it cannot be made.
    pub columns: Vec<Value>,
    /// Why it cannot be made, and would be refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A column of a row. `(sensitive)` stands for values that nothing may show.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Value {
    /// Its name on the target.
    pub name: String,
    /// Its type.
    pub data_type: String,
    /// What was read for it; absent for NULL, and where nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What would be written; absent for NULL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Whether anything is done with it on the way.
    pub changes: bool,
}

impl Previews {
    /// Of all tables.
    pub const fn new(tables: Vec<Previewed>) -> Self {
        Self { format_version: FORMAT, tables }
    }
}

impl Previewed {
    /// Rows of one table.
    pub fn new(sample: &Sample, rows: Vec<PreviewRow>) -> Self {
        Self {
            flow: sample.flow.to_string(),
            from: format!("{}.{}", sample.source, sample.from),
            to: format!("{}.{}", sample.target, sample.to),
            rows: rows.into_iter().map(|found| row(&sample.transform, found)).collect(),
        }
    }
}

fn row(transform: &Transform, found: PreviewRow) -> Row {
    let PreviewRow { before, after } = found;
    let (after, refused) = match after {
        Ok(after) => (after, None),
        Err(why) => (vec![None; transform.columns.len()], Some(why)),
    };
    let values = transform.columns.iter().zip(after).map(|(column, after)| {
        let (read, hidden) = read(transform, column);
        let before = read.and_then(|at| before.get(at).cloned().flatten());
        Value {
            name: column.name.clone(),
            data_type: column.data_type.clone(),
            before: before.map(|text| if hidden { HIDDEN.to_owned() } else { text }),
            after: after.map(|text| if column.sensitive { HIDDEN.to_owned() } else { text }),
            changes: !column.verbs.is_empty() || read.is_none(),
        }
    });
    Row { columns: values.collect(), refused }
}

/// The column that is read for another, and whether its values may not be shown.
fn read(transform: &Transform, column: &MadeColumn) -> (Option<usize>, bool) {
    let Made::Read(at) = &column.from else { return (None, false) };
    let at = usize::try_from(*at).unwrap_or(usize::MAX);
    (Some(at), transform.reads.get(at).is_none_or(|read| read.sensitive))
}

impl View<Previews> for Json {
    fn render(&self, previews: &Previews) -> String {
        file::json(previews)
    }
}

impl View<Previews> for Human {
    fn render(&self, previews: &Previews) -> String {
        let mut page = Page::new(self.width);
        if previews.tables.is_empty() {
            page.line(&dim("Preview: no flow copies rows through transship."));
        }
        for table in &previews.tables {
            page.gap();
            let rows = counted(table.rows.len(), "row");
            page.line(&format!("{} of {}, nothing is written", bold(&format!("Preview: {rows}")), table.flow));
            page.line(&dim(&format!("  {} → {}", table.from, table.to)));
            for (number, row) in table.rows.iter().enumerate() {
                block(&mut page, number + 1, row);
            }
        }
        page.finish()
    }
}

/// One row: a line for each column, what it was on the left where it is another.
fn block(page: &mut Page, number: usize, row: &Row) {
    page.gap();
    page.line(&dim(&format!("  row {number}")));
    let name = row.columns.iter().map(|value| columns(&value.name)).max().unwrap_or(0);
    for value in &row.columns {
        let gap = " ".repeat(name - columns(&value.name));
        let lead = format!("    {}{gap}  ", value.name);
        let after = shown(value.after.as_deref());
        if !value.changes {
            page.line(&format!("{lead}{}", shown(value.before.as_deref())));
            continue;
        }
        let before = value.before.as_deref();
        let after = if row.refused.is_some() { red("—") } else { cyan(&after) };
        let text = match before {
            None if is_given(value) => format!("{lead}{after}"),
            before => format!("{lead}{} {} {after}", dim(&shown(before)), dim("→")),
        };
        if columns(&text) <= page.width() {
            page.line(&text);
        } else {
            page.line(&format!("{lead}{}", dim(&shown(before))));
            page.line(&format!("    {}{} {after}", " ".repeat(name), dim("→")));
        }
    }
    if let Some(why) = &row.refused {
        page.wrapped(&format!("    {} ", red("refused:")), 6, why, str::to_owned);
    }
}

/// Whether nothing is read for it: a constant, or what an expression gives.
fn is_given(value: &Value) -> bool {
    value.before.is_none() && value.after.is_some() && value.changes
}

fn shown(text: Option<&str>) -> String {
    let Some(text) = text else { return "NULL".to_owned() };
    let text = plain(text).replace(['\n', '\r', '\t'], " ");
    if text.is_empty() {
        return "\"\"".to_owned();
    }
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
