//! Whether the connected users see enough of a flow to judge it. Unseen is not absent.

use transship_model::ledger::{FlowRow, LedgerView};
use transship_model::observed::Observed;
use transship_model::{Name, TableName};

use super::context::Context;
use super::health;

/// Why the flow cannot be judged, where it cannot.
pub(super) fn check(context: &Context<'_>) -> Result<(), String> {
    readable(context.target_name, context.target)?;
    context
        .row
        .map_or(Ok(()), |row| owners(row, (context.source_name, context.source), (context.target_name, context.target)))
}

/// Whether the ledger can be read: without it nobody knows what is ours.
pub(crate) fn readable(cluster: &Name, observed: &Observed) -> Result<(), String> {
    match &observed.ledger {
        LedgerView::Unreadable(reason) => {
            Err(format!("`{}` cannot read the ledger on {cluster} ({reason})", observed.user))
        }
        LedgerView::Absent | LedgerView::Newer(_) | LedgerView::Present(_) => Ok(()),
    }
}

/// Whether the users own the flow's objects: nobody else sees them.
pub(super) fn owners(row: &FlowRow, source: (&Name, &Observed), target: (&Name, &Observed)) -> Result<(), String> {
    let ends = [("publication", &row.publication, source), ("subscription", &row.subscription, target)];
    for (kind, owned, (cluster, observed)) in ends {
        if let Some(owned) = owned.as_ref().filter(|owned| owned.owner != observed.user) {
            let name = &owned.name;
            let (owner, user) = (&owned.owner, &observed.user);
            return Err(format!("{kind} {cluster}.{name} belongs to `{owner}`, and `{user}` does not see it"));
        }
    }
    Ok(())
}

/// What can be said all the same: what the source's retention leases and the sequence numbers of both sides tell.
pub(super) fn evidence(context: &Context<'_>) -> Vec<String> {
    context.chosen.keys().map(|table| of_table(context, table)).collect()
}

fn of_table(context: &Context<'_>, table: &TableName) -> String {
    let (source, target) = (context.source_name, context.target_name);
    if !context.target.tables.contains_key(table) {
        return format!("{target}.{table}: no table of that name is visible");
    }
    let leased = health::has_lease(context, table);
    let writable = context.target.tables.get(table).and_then(|table| table.writable.as_ref());
    let follows = match (leased, writable) {
        (true, _) => format!("{source} keeps operations for {target}"),
        (false, Some(transship_model::observed::Writable::Subscribed)) => {
            format!("it belongs to a subscription, but {source} keeps no operations for {target}")
        }
        (false, _) => format!("{source} keeps no operations for {target}"),
    };
    match health::behind(context, table) {
        Some(0) => format!("{target}.{table}: {follows}; every operation has arrived"),
        Some(behind) => format!("{target}.{table}: {follows}; {behind} operations behind"),
        None => format!("{target}.{table}: {follows}; how far behind cannot be told"),
    }
}
