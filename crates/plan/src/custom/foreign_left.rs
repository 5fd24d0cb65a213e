//! What runs that were cut left of foreign servers, user mappings and foreign tables. They hold no rows; whose they are, their
//! names and the ledger tell, whatever engine the flow has by now.

use transship_model::observed::{Observed, TableKind};
use transship_model::plan::{ForeignObject, ObjectRef, Precondition, StepKind};
use transship_model::{FlowId, Name, TableName};

use super::foreign::{dropped, server};
use crate::copies::{Context, is_any_copy, is_copy};
use crate::draft::FlowDraft;

const LEFT: &str = "an earlier run was cut and left it";

/// Drops what is left of the flow, where the ledger knows the flow.
pub(super) fn drop(context: &Context<'_>, draft: &mut FlowDraft) {
    let Some(row) = context.row else { return };
    let spec = &context.input.spec;
    let identity = (&spec.workspace, spec.environment.as_ref());
    let tables: Vec<&TableName> = row.tables.iter().chain(context.pairs.iter().map(|pair| &pair.to)).collect();
    of((context.target_name, context.target), (identity, &context.instance.id), &tables, &server(context), draft);
}

/// Drops what is left of a flow that writes `tables` and whose server has the name `server`.
pub(crate) fn of(
    (cluster, seen): (&Name, &Observed),
    (identity, flow): ((&Name, Option<&Name>), &FlowId),
    tables: &[&TableName],
    server: &str,
    draft: &mut FlowDraft,
) {
    for table in tables_left(seen, (identity, flow), tables) {
        let (server, from) = (server.to_owned(), table.clone());
        let object = ForeignObject::Table { table: table.clone(), server, from, columns: Vec::new() };
        let known = ObjectRef::table(cluster, &table);
        draft.basis.insert(known.clone());
        let step = dropped(cluster, StepKind::DropForeignTable, object, LEFT);
        draft.push(step.requires(Precondition::Unchanged(known)));
    }
    let Some(found) = seen.servers.get(server) else { return };
    let known = ObjectRef::server(cluster, server);
    draft.basis.insert(known.clone());
    for (kind, object) in of_server(server) {
        if kind == StepKind::DropServer || found.mapped.contains(&seen.user) {
            let step = dropped(cluster, kind, object, LEFT);
            let holds = if kind == StepKind::DropServer && found.mapped.contains(&seen.user) {
                // The user mapping has gone just before.
                Precondition::Present(known.clone())
            } else {
                Precondition::Unchanged(known.clone())
            };
            draft.push(step.requires(holds));
        }
    }
}

/// The user mapping of a server, and the server, in the order in which they are dropped.
pub(super) fn of_server(server: &str) -> [(StepKind, ForeignObject); 2] {
    let name = server.to_owned();
    let mapping = ForeignObject::UserMapping { server: name.clone(), user: String::new(), password: false };
    let server = ForeignObject::Server { server: name, url: String::new() };
    [(StepKind::DropUserMapping, mapping), (StepKind::DropServer, server)]
}

/// The foreign tables that have a name which only this flow gives.
pub(super) fn tables_left(
    seen: &Observed,
    (identity, flow): ((&Name, Option<&Name>), &FlowId),
    tables: &[&TableName],
) -> Vec<TableName> {
    let foreign = seen.tables.iter().filter(|(_, table)| table.kind == TableKind::Foreign).map(|(name, _)| name);
    // A table may have left the flow since.
    let is_own = |name: &&TableName| {
        is_any_copy(identity, flow, name) || tables.iter().any(|table| is_copy(identity, flow, table, name))
    };
    foreign.filter(is_own).cloned().collect()
}
