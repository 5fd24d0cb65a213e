//! Which key goes with which strategy, as one table.

use transship_model::spec::Flow;
use transship_model::spec::matrix::{Row, keys, row_of};
use transship_model::spec::way::Way::{self, Auto};
use transship_model::spec::way::{candidates, list};
use transship_model::{Finding, SpecPath};

use crate::report::Report;

/// Reports every key of the flow that its strategy has no use for.
pub(super) fn check(flow: &Flow, path: &SpecPath, report: &mut Report) {
    let way = Way::of(&flow.strategy);
    let candidates = candidates(flow);
    for (key, path) in keys(flow, path) {
        let row = row_of(key);
        let fits = row.ways.contains(&way) && candidates.iter().any(|way| row.ways.contains(way));
        // Needs that no way provides are an error of their own.
        if !fits && !candidates.is_empty() {
            report.push(refused(row, way, path));
        }
    }
}

fn refused(row: &Row, way: Way, path: SpecPath) -> Finding {
    let key = row.key;
    let strategy = way.words();
    let message = match way {
        Auto if row.ways.contains(&Auto) => format!("`{key}` goes with no strategy that provides these `needs`"),
        Auto => format!("`{key}` does not go with strategy {strategy}: which objects there will be is not yet known"),
        _ => format!("`{key}` does not go with strategy {strategy}: {}", row.reason),
    };
    Finding::error(row.code, message)
        .at_key(path)
        .help(format!("remove the key, or use a strategy that can: {}", list(row.ways)))
}

#[cfg(test)]
mod tests;
