//! Whether it is still to be shown that both clusters see the same place, and whether it can be before the first copy.

use super::files::Files;
use super::writer::Writer;
use crate::copies::{Context, Deed, Found};
use crate::draft::FlowDraft;
use crate::privileges::{On, holds};
use crate::store_check;

/// Adds the marker before the first export. Where transship writes all files the source writes nothing, and may not even
/// reach the store: a marker of its own would say nothing of them.
pub(super) fn check(files: &Files<'_>, context: &Context<'_>, found: &[Found<'_>], draft: &mut FlowDraft) {
    if is_shown(files, context) || !found.iter().any(|it| is_exported(it) && !Writer::of(files, it).is_here()) {
        return;
    }
    // It takes repositories, which an export to a bucket and an import do not: without the right, the copy shows it.
    let may = |observed| holds(observed, &observed.user, "DDL", On::Cluster) == Some(true);
    if may(context.source) && may(context.target) {
        let ends = (context.source_name, context.target_name);
        store_check::push_if_allowed(context.input, context.instance, ends, (files.name, files.location), draft);
    }
}

/// Whether an export through this store was imported already.
fn is_shown(files: &Files<'_>, context: &Context<'_>) -> bool {
    context.row.is_some_and(|row| row.exports.values().any(|export| export.whole && export.store == *files.name))
}

const fn is_exported(found: &Found<'_>) -> bool {
    !matches!(found.deed, Deed::Nothing | Deed::Refuse(_) | Deed::Finish)
}
