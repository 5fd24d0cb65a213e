//! Writes a definition as CREATE TABLE.

use transship_model::TableName;

use super::{Column, Definition};
use crate::ident::{ident, table};

impl Definition {
    /// CREATE TABLE under `name`; an error of the server where a table of that name exists.
    pub fn create_table(&self, name: &TableName) -> String {
        let columns = self.columns.iter().map(Column::text);
        let constraints = self.constraints.iter().map(|constraint| constraint.text.clone());
        let elements: Vec<String> = columns.chain(constraints).map(|element| format!("   {element}")).collect();
        let start = format!("CREATE TABLE {} (\n{}\n)", table(name), elements.join(",\n"));
        let clauses = [Some(start), self.clustered(), self.partitioned(), self.with()];
        clauses.into_iter().flatten().collect::<Vec<_>>().join("\n")
    }

    fn partitioned(&self) -> Option<String> {
        let columns: Vec<String> = self.partitioned_by.iter().map(|column| ident(column)).collect();
        (!columns.is_empty()).then(|| format!("PARTITIONED BY ({})", columns.join(", ")))
    }

    fn with(&self) -> Option<String> {
        let setting = |(name, value): (&String, &String)| format!("   \"{name}\" = {value}");
        let settings: Vec<String> = self.settings.iter().map(setting).collect();
        (!settings.is_empty()).then(|| format!("WITH (\n{}\n)", settings.join(",\n")))
    }

    fn clustered(&self) -> Option<String> {
        let by = self.clustered_by.as_ref().map(|column| format!(" BY ({column})")).unwrap_or_default();
        let into = self.shards.map(|shards| format!(" INTO {shards} SHARDS")).unwrap_or_default();
        (!by.is_empty() || !into.is_empty()).then(|| format!("CLUSTERED{by}{into}"))
    }
}

impl Column {
    /// The column as it stands in CREATE TABLE.
    pub(crate) fn text(&self) -> String {
        let name_and_type = format!("{} {}", ident(&self.name), self.data_type);
        let generated = self.generated.as_ref().map(|it| format!("GENERATED ALWAYS AS {it}"));
        let default = self.default.as_ref().map(|it| format!("DEFAULT {it}"));
        let not_null = self.not_null.then(|| "NOT NULL".to_owned());
        let options = (!self.options.is_empty()).then(|| self.options.clone());
        let clauses = [Some(name_and_type), generated, default, not_null, options];
        clauses.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}
