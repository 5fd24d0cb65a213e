//! `target` of a flow that carries tables as files: they come with the settings of the source, and are altered before
//! readers get to see them.

use transship_model::plan::{ObjectRef, Precondition, StepKind};
use transship_model::{Finding, TableName};
use transship_sql::place;

use super::context::Context;
use super::wish;
use crate::draft::{FlowDraft, NewStep};

/// Settings that CrateDB sets only when it makes a table.
const FIXED: [&str; 2] = ["codec", "number_of_shards"];

/// Refuses what files bring with them and nothing can alter, and what would keep a copy from getting its name.
pub(crate) fn check(context: &Context<'_>) -> Vec<Finding> {
    let at = context.instance.path.key("target");
    let finding = |name: &String| {
        let (message, help) = if name == "shards" || FIXED.contains(&name.as_str()) {
            let message = format!("`{name}` of a table that comes as files is that of the source");
            (message, "`custom` and `export-import` make tables with others; or alter the table by hand afterwards")
        } else if name.starts_with("blocks.") {
            let message = format!("a copy with `{name}` could not be put in place");
            (message, "set it by hand once the copy is in place")
        } else {
            return None;
        };
        Some(Finding::error("plan::fixed-setting", message).at(at.key(name)).help(help))
    };
    context.instance.flow.target.keys().filter_map(finding).collect()
}

/// Gives the table the settings that `target` asks for.
pub(crate) fn set(context: &Context<'_>, table: &TableName, draft: &mut FlowDraft) {
    let settings = wish::overrides(context).settings;
    if settings.is_empty() {
        return;
    }
    let cluster = context.target_name;
    draft.push(
        NewStep::new(cluster, StepKind::AlterTable, "files bring the settings of the source; `target` has others")
            .sql(place::set_settings(table, &settings))
            .requires(Precondition::Present(ObjectRef::table(cluster, table))),
    );
}
