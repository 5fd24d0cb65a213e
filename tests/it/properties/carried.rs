//! The tables that flows carry.

use std::collections::BTreeSet;

use crate::random::Random;

use super::kinds::{Existing, Strategy};
use super::tables::{Kind, Table, ident};

/// A table that a flow carries.
#[derive(Clone, Debug)]
pub(super) struct Carried {
    pub(super) table: Table,
    /// Its name where the flow finds it.
    pub(super) from: String,
    /// Its name on the target.
    pub(super) to: String,
    pub(super) filter: Option<String>,
    /// The columns of the target, each with the expression that it comes from; none for all as they are.
    pub(super) columns: Vec<(String, String)>,
    /// The values of `month` whose partitions are chosen; none for all.
    pub(super) months: Vec<usize>,
}

impl Carried {
    pub(super) fn random(random: &mut Random, table: Table, flow: (&str, Strategy, Existing)) -> Self {
        let (name, strategy, existing) = flow;
        let moves = strategy != Strategy::Live && random.chance(if strategy == Strategy::Detach { 60 } else { 35 });
        let elsewhere = random.pick(&["crm", "crm", "s0"]);
        let to = if moves { format!("{elsewhere}.{name}") } else { table.name.clone() };
        let from = table.name.clone();
        let mut carried = Self { table, from, to, filter: None, columns: Vec::new(), months: Vec::new() };
        let adds = matches!(existing, Existing::Append | Existing::Upsert);
        if carried.table.is_partitioned
            && strategy.chooses_partitions()
            && existing != Existing::View
            && random.chance(45)
        {
            carried.months = if random.chance(50) { vec![1] } else { vec![1, 3] };
        } else if strategy.chooses() && random.chance(35) {
            carried.filter = Some(carried.table.below(5 + random.below(30)));
        }
        if strategy.chooses() && !adds && carried.months.is_empty() && random.chance(25) {
            carried.choose_columns(random);
        }
        carried
    }

    /// Whether it is carried as it is, under its name.
    pub(super) fn is_plain(&self) -> bool {
        self.to == self.from && self.filter.is_none() && self.columns.is_empty() && self.months.is_empty()
    }

    /// All columns but some, and one that is computed of a text.
    fn choose_columns(&mut self, random: &mut Random) {
        for (at, column) in self.table.columns.iter().enumerate() {
            let needed = at == 0 || column.name == "month";
            match column.kind {
                _ if !needed && random.chance(25) => {}
                Kind::Text if random.chance(50) => {
                    self.columns.push(("computed".to_owned(), format!("upper({})", ident(column.name))));
                }
                Kind::Twice => {}
                _ => self.columns.push((column.name.to_owned(), ident(column.name))),
            }
        }
        let mut seen = BTreeSet::new();
        self.columns.retain(|(name, _)| seen.insert(name.clone()));
    }

    /// The rows that the flow carries.
    pub(super) fn select(&self) -> String {
        let part = |(name, expression): &(String, String)| format!("{expression} AS {}", ident(name));
        let columns: Vec<String> = self.columns.iter().map(part).collect();
        let columns = if columns.is_empty() { "*".to_owned() } else { columns.join(", ") };
        let mut conditions: Vec<String> = self.filter.iter().cloned().collect();
        if !self.months.is_empty() {
            let months: Vec<String> = self.months.iter().map(|month| format!("\"month\" = {month}")).collect();
            conditions.push(format!("({})", months.join(" OR ")));
        }
        let filter = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
        format!("SELECT {columns} FROM {}{filter}", crate::inventory::quoted(&self.table.name))
    }

    /// Its entry under `tables`, of which an earlier declaration had less.
    pub(super) fn yaml(&self, strategy: Strategy, has_less: bool) -> String {
        let mut parts = vec![format!("from: {}", text(&self.from))];
        if self.to != self.from {
            parts.push(format!("to: {}", text(&self.to)));
        }
        if strategy == Strategy::FromStore {
            return format!("      - {{ {} }}\n", parts.join(", "));
        }
        let less = has_less.then(|| self.table.below(4)).filter(|_| self.months.is_empty());
        parts.extend(less.as_ref().or(self.filter.as_ref()).map(|filter| format!("where: {}", text(filter))));
        if !self.columns.is_empty() {
            let column = |(name, expression): &(String, String)| format!("{}: {}", text(name), text(expression));
            let columns: Vec<String> = self.columns.iter().map(column).collect();
            parts.push(format!("columns: {{ {} }}", columns.join(", ")));
        }
        if !self.months.is_empty() {
            let months: Vec<String> = self.months.iter().map(|month| format!("{{ month: {month} }}")).collect();
            parts.push(format!("partitions: [{}]", months.join(", ")));
        }
        format!("      - {{ {} }}\n", parts.join(", "))
    }
}

/// A text in YAML.
fn text(text: &str) -> String {
    serde_json::to_string(text).expect("a text")
}
