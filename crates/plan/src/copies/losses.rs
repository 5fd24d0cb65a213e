//! What the table on the target loses when a copy with another definition takes its place: told before it is done.

use transship_model::observed::TableKind;
use transship_sql::definition::{Definition, differences};

use super::assess::Found;
use super::context::Context;
use crate::draft::FlowDraft;

/// Warns of everything that the replaced table has and its copy has not, or has otherwise.
pub(super) fn warn(context: &Context<'_>, found: &Found<'_>, draft: &mut FlowDraft) {
    let Some(there) = found.there.filter(|there| there.kind == TableKind::Table) else { return };
    let full = format!("{}.{}", context.target_name, found.wish.pair.to);
    let definition = there.definition.as_deref().map(Definition::read);
    let Some(Ok(old)) = definition else {
        let text = format!("{full}: its definition was not read, and what it loses is not known");
        draft.warn("plan::not-kept", text);
        return;
    };
    for difference in differences(&old, &found.wish.derived.definition) {
        let text = match difference.strip_prefix("loses ") {
            Some(lost) => format!("{full} loses {lost}"),
            None => format!("{full}: {difference}"),
        };
        draft.warn("plan::not-kept", text);
    }
}
