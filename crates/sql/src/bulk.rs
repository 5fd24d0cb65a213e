//! Statements of bulk copies, read back from their text as [`crate::statement::Statement`] are: one counts only if its
//! builder gives the very same text again.

use std::collections::BTreeMap;

use transship_model::TableName;

use crate::partition::{self, Partition};
use crate::repository::{self, RepositoryKind, RepositorySettings};
use crate::snapshot::{self, Part};
use crate::statement::Reader;
use crate::transfer::{self, Compression, Export, ExportColumn, FileFormat, Import, StoreOptions};

/// A statement of a bulk copy that changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant and its fields are what the builder of that name takes")]
pub enum Bulk {
    CreateRepository {
        repository: String,
        settings: RepositorySettings,
    },
    DropRepository {
        repository: String,
    },
    CreateSnapshot {
        repository: String,
        snapshot: String,
        parts: Vec<Part>,
    },
    DropSnapshot {
        repository: String,
        snapshot: String,
    },
    RestoreTable {
        repository: String,
        snapshot: String,
        part: Part,
        to: TableName,
    },
    /// RESTORE of all that a snapshot has: one table.
    RestoreOnly {
        repository: String,
        snapshot: String,
        from: TableName,
        to: TableName,
    },
    DeletePartition {
        table: TableName,
        partition: Partition,
    },
    CopyTo(Export),
    CopyFrom(Import),
}

impl Bulk {
    /// Reads a statement as the builders write it.
    pub fn read(sql: &str) -> Option<Self> {
        let mut reader = Reader(sql);
        let statement = reader.bulk()?;
        (reader.0.is_empty() && statement.sql() == sql).then_some(statement)
    }

    /// The text of the statement.
    pub fn sql(&self) -> String {
        match self {
            Self::CreateRepository { repository, settings } => repository::create_repository(repository, settings),
            Self::DropRepository { repository } => repository::drop_repository(repository),
            Self::CreateSnapshot { repository, snapshot, parts } => {
                snapshot::create_snapshot(repository, snapshot, parts)
            }
            Self::DropSnapshot { repository, snapshot } => snapshot::drop_snapshot(repository, snapshot),
            Self::RestoreTable { repository, snapshot, part, to } => {
                snapshot::restore_table(repository, snapshot, part, to)
            }
            Self::RestoreOnly { repository, snapshot, from, to } => {
                snapshot::restore_only(repository, snapshot, from, to)
            }
            Self::DeletePartition { table, partition } => partition::delete_partition(table, partition),
            Self::CopyTo(export) => transfer::copy_to(export),
            Self::CopyFrom(import) => transfer::copy_from(import),
        }
    }
}

impl Reader<'_> {
    fn bulk(&mut self) -> Option<Bulk> {
        match () {
            () if self.word("CREATE REPOSITORY ") => self.create_repository(),
            () if self.word("DROP REPOSITORY ") => Some(Bulk::DropRepository { repository: self.identifier()? }),
            () if self.word("CREATE SNAPSHOT ") => self.create_snapshot(),
            () if self.word("DROP SNAPSHOT ") => {
                let (repository, snapshot) = self.snapshot()?;
                Some(Bulk::DropSnapshot { repository, snapshot })
            }
            () if self.word("RESTORE SNAPSHOT ") => self.restore_table(),
            () if self.word("DELETE FROM ") => self.delete_partition(),
            () if self.word("COPY ") => self.copy(),
            () => None,
        }
    }

    fn create_repository(&mut self) -> Option<Bulk> {
        let repository = self.identifier()?;
        self.expect(" TYPE ")?;
        let kind = RepositoryKind::ALL.into_iter().find(|kind| self.word(kind.as_str()))?;
        self.expect(" WITH (")?;
        let (literals, bound) = self.options(1)?;
        self.expect(")")?;
        Some(Bulk::CreateRepository { repository, settings: RepositorySettings { kind, literals, bound } })
    }

    /// `"a" = 'x', "b" = $1`, as many as there are.
    fn options(&mut self, first: usize) -> Option<(BTreeMap<String, String>, Vec<String>)> {
        let (mut literals, mut bound) = (BTreeMap::new(), Vec::new());
        while self.0.starts_with('"') {
            let name = self.identifier()?;
            self.expect(" = ")?;
            if self.word(&format!("${}", first + bound.len())) {
                bound.push(name);
            } else {
                literals.insert(name, self.literal()?);
            }
            if self.0.starts_with(", \"") {
                self.expect(", ")?;
            }
        }
        Some((literals, bound))
    }

    /// `"repository"."snapshot"`, which has the shape of a table's name.
    fn snapshot(&mut self) -> Option<(String, String)> {
        let name = self.table()?;
        Some((name.schema, name.table))
    }

    fn create_snapshot(&mut self) -> Option<Bulk> {
        let (repository, snapshot) = self.snapshot()?;
        self.expect(" TABLE ")?;
        let mut parts: Vec<Part> = Vec::new();
        loop {
            let table = self.table()?;
            let partition = if self.word(" PARTITION (") { Some(self.partition()?) } else { None };
            match parts.last_mut().filter(|part| part.table == table && !part.partitions.is_empty()) {
                Some(part) => part.partitions.extend(partition),
                None => parts.push(Part { table, partitions: partition.into_iter().collect() }),
            }
            if !self.word(", ") {
                break;
            }
        }
        self.expect(" WITH (wait_for_completion = false)")?;
        Some(Bulk::CreateSnapshot { repository, snapshot, parts })
    }

    /// What follows `PARTITION (`.
    fn partition(&mut self) -> Option<Partition> {
        let mut values = Vec::new();
        loop {
            let column = self.identifier()?;
            self.expect(" = ")?;
            values.push((column, if self.word("NULL") { None } else { Some(self.literal()?) }));
            if !self.word(", ") {
                break;
            }
        }
        self.expect(")")?;
        Some(Partition(values))
    }

    fn restore_table(&mut self) -> Option<Bulk> {
        let (repository, snapshot) = self.snapshot()?;
        if self.word(" TABLES") {
            let (from, to) = self.renamed()?;
            return Some(Bulk::RestoreOnly { repository, snapshot, from, to });
        }
        self.expect(" TABLE ")?;
        let mut part = Part::whole(self.table()?);
        while self.word(" PARTITION (") {
            part.partitions.push(self.partition()?);
            if self.word(", ") && self.table()? != part.table {
                return None;
            }
        }
        let (_, to) = self.renamed()?;
        Some(Bulk::RestoreTable { repository, snapshot, part, to })
    }

    /// The names before and after, of what renames one table alone.
    fn renamed(&mut self) -> Option<(TableName, TableName)> {
        self.expect(" WITH (schema_rename_pattern = ")?;
        let schema = unpattern(&self.literal()?)?;
        self.expect(", schema_rename_replacement = ")?;
        let new_schema = unescape(&self.literal()?)?;
        self.expect(", table_rename_pattern = ")?;
        let table = unpattern(&self.literal()?)?;
        self.expect(", table_rename_replacement = ")?;
        let to = TableName::new(new_schema, unescape(&self.literal()?)?);
        self.expect(", wait_for_completion = false)")?;
        Some((TableName::new(schema, table), to))
    }

    fn delete_partition(&mut self) -> Option<Bulk> {
        let table = self.table()?;
        self.expect(" WHERE (")?;
        let mut values = Vec::new();
        loop {
            let column = self.identifier()?;
            let value = if self.word(" IS NULL") { None } else { Some(self.equal()?) };
            values.push((column, value));
            if !self.word(" AND ") {
                break;
            }
        }
        self.expect(")")?;
        Some(Bulk::DeletePartition { table, partition: Partition(values) })
    }

    fn equal(&mut self) -> Option<String> {
        self.expect(" = ")?;
        self.literal()
    }

    fn copy(&mut self) -> Option<Bulk> {
        let table = self.table()?;
        let columns = self.export_columns()?;
        if self.word(" FROM $1::array(text) WITH (format = ") {
            return self.copy_from(table, columns.into_iter().map(|column| column.name).collect());
        }
        let condition = if self.word(" WHERE (") {
            let end = self.0.rfind(TO_DIRECTORY)?.checked_sub(1)?;
            let (condition, rest) = (self.0.get(..end)?, self.0.get(end..)?);
            self.0 = rest;
            self.expect(")")?;
            Some(condition.to_owned())
        } else {
            None
        };
        self.expect(TO_DIRECTORY)?;
        let compression = self.compression();
        let options = self.store_options()?;
        self.expect(")")?;
        Some(Bulk::CopyTo(Export { table, columns, condition, compression, options }))
    }

    fn copy_from(&mut self, table: TableName, columns: Vec<String>) -> Option<Bulk> {
        let format = if self.word("'json'") {
            FileFormat::Json
        } else {
            self.expect("'csv', header = ")?;
            let header = self.boolean()?;
            self.expect(", empty_string_as_null = ")?;
            FileFormat::Csv { header, empty_as_null: self.boolean()? }
        };
        let compression = self.compression();
        self.expect(", shared = true, overwrite_duplicates = ")?;
        let overwrite = self.boolean()?;
        let options = self.store_options()?;
        self.expect(") RETURN SUMMARY")?;
        Some(Bulk::CopyFrom(Import { table, columns, format, compression, overwrite, options }))
    }

    /// ` ("a", "b"::text)`, or nothing.
    fn export_columns(&mut self) -> Option<Vec<ExportColumn>> {
        let mut columns = Vec::new();
        if self.word(" (") {
            columns.push(self.export_column()?);
            while self.word(", ") {
                columns.push(self.export_column()?);
            }
            self.expect(")")?;
        }
        Some(columns)
    }

    fn export_column(&mut self) -> Option<ExportColumn> {
        Some(ExportColumn { name: self.identifier()?, as_text: self.word("::text") })
    }

    fn compression(&mut self) -> Compression {
        if self.word(", compression = 'gzip'") { Compression::Gzip } else { Compression::None }
    }

    fn store_options(&mut self) -> Option<StoreOptions> {
        if !self.0.starts_with(", \"") {
            return Some(StoreOptions::default());
        }
        self.expect(", ")?;
        let (literals, bound) = self.options(2)?;
        Some(StoreOptions { literals, bound })
    }

    fn boolean(&mut self) -> Option<bool> {
        let is_true = self.word("true");
        (is_true || self.word("false")).then_some(is_true)
    }

    fn expect(&mut self, word: &str) -> Option<()> {
        self.word(word).then_some(())
    }

    /// A literal as [`crate::ident::literal`] writes it.
    pub(crate) fn literal(&mut self) -> Option<String> {
        let is_escaped = self.word("E");
        let mut text = String::new();
        let mut characters = self.0.strip_prefix('\'')?.char_indices().peekable();
        while let Some((index, character)) = characters.next() {
            let is_pair = |next: &(usize, char)| next.1 == character;
            match character {
                '\\' if is_escaped => {
                    characters.next_if(is_pair)?;
                    text.push('\\');
                }
                '\'' if characters.next_if(is_pair).is_none() => {
                    self.0 = &self.0[index + 2..];
                    return Some(text);
                }
                _ => text.push(character),
            }
        }
        None
    }
}

const TO_DIRECTORY: &str = " TO DIRECTORY $1 WITH (format = 'json_object'";

/// The name that a replacement gives; `None` where it names a group.
fn unescape(replacement: &str) -> Option<String> {
    let mut name = String::new();
    let mut characters = replacement.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => name.push(characters.next()?),
            '$' => return None,
            _ => name.push(character),
        }
    }
    Some(name)
}

/// The name that a pattern stands for.
fn unpattern(pattern: &str) -> Option<String> {
    pattern.strip_prefix("^\\Q")?.strip_suffix("\\E$").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> StoreOptions {
        let literals = BTreeMap::from([("protocol".to_owned(), "h\"t'{tp\\".to_owned())]);
        StoreOptions { literals, bound: vec!["key".to_owned(), "sas".to_owned()] }
    }

    fn part(partitions: &[&[Option<&str>]]) -> Part {
        let values = |values: &[Option<&str>]| {
            values.iter().enumerate().map(|(at, value)| (format!("c\" {at}"), value.map(str::to_owned))).collect()
        };
        Part {
            table: TableName::new("s$1", "it's {x}"),
            partitions: partitions.iter().map(|of| Partition(values(of))).collect(),
        }
    }

    fn statements() -> Vec<Bulk> {
        let name = || "r \"1\"".to_owned();
        let (table, to) = (TableName::new("a\"b", "c, d"), TableName::new("$0", "x{\\}$1"));
        let parts = vec![part(&[&[Some("it's"), None], &[Some("NULL"), Some("")]]), Part::whole(table.clone())];
        let settings = RepositorySettings::new(RepositoryKind::Fs).literal("location", "/a'b").literal("compress", "");
        let secret = RepositorySettings::new(RepositoryKind::S3).bound("access_key").literal("z", "{").bound("a");
        let restored = |part| Bulk::RestoreTable { repository: name(), snapshot: name(), part, to: to.clone() };
        let only = Bulk::RestoreOnly { repository: name(), snapshot: name(), from: table.clone(), to: to.clone() };
        let export = Export {
            table: table.clone(),
            columns: vec![ExportColumn { name: "a".to_owned(), as_text: true }, ExportColumn::plain("b\", \"")],
            condition: Some(format!("(x = '){TO_DIRECTORY})')")),
            compression: Compression::Gzip,
            options: options(),
        };
        let import = Import {
            table: table.clone(),
            columns: vec!["a".to_owned()],
            format: FileFormat::Csv { header: true, empty_as_null: false },
            compression: Compression::None,
            overwrite: true,
            options: options(),
        };
        let plain = Export { columns: Vec::new(), condition: None, options: StoreOptions::default(), ..export.clone() };
        let json = Import { format: FileFormat::Json, options: StoreOptions::default(), ..import.clone() };
        vec![
            Bulk::CreateRepository { repository: name(), settings },
            Bulk::CreateRepository { repository: name(), settings: secret },
            Bulk::DropRepository { repository: name() },
            Bulk::CreateSnapshot { repository: name(), snapshot: "s".to_owned(), parts },
            Bulk::DropSnapshot { repository: name(), snapshot: name() },
            restored(part(&[])),
            only,
            restored(part(&[&[Some("E'")], &[None]])),
            Bulk::DeletePartition {
                table: table.clone(),
                partition: part(&[&[Some("it's {x}"), None, Some("")]]).partitions.remove(0),
            },
            Bulk::CopyTo(export),
            Bulk::CopyTo(plain),
            Bulk::CopyFrom(import),
            Bulk::CopyFrom(json),
        ]
    }

    #[test]
    fn what_the_builders_write_is_read_back() {
        for statement in statements() {
            assert_eq!(Bulk::read(&statement.sql()), Some(statement));
        }
    }

    #[test]
    fn anything_else_is_not_a_statement() {
        for statement in statements() {
            let sql = statement.sql();
            assert_eq!(Bulk::read(&format!("{sql} ")), None);
            assert_eq!(Bulk::read(&sql[..sql.len() - 1]), None, "{sql}");
        }
        for sql in [
            "",
            r#"CREATE SNAPSHOT "r"."s" ALL WITH (wait_for_completion = false)"#,
            r#"CREATE SNAPSHOT "r"."s" TABLE "a"."b" WITH (ignore_unavailable = true, wait_for_completion = false)"#,
            r#"RESTORE SNAPSHOT "r"."s" TABLE "a"."b" WITH (wait_for_completion = false)"#,
            "RESTORE SNAPSHOT \"r\".\"s\" TABLE \"a\".\"b\" WITH (schema_rename_pattern = '(.+)', \
             schema_rename_replacement = 'x', table_rename_pattern = '^\\Qb\\E$', table_rename_replacement = 'y', \
             wait_for_completion = false)",
            r#"CREATE REPOSITORY "r" TYPE hdfs WITH ()"#,
            r#"DELETE FROM "a"."b""#,
            r#"DELETE FROM "a"."b" WHERE ("m" > '1')"#,
            r#"DELETE FROM "a"."b" WHERE ("m" = '1' OR "m" = '2')"#,
            r#"CREATE REPOSITORY "r" TYPE s3 WITH ("secret_key" = $2)"#,
            r#"COPY "a"."b" TO DIRECTORY '/x' WITH (format = 'json_object')"#,
            r#"COPY "a"."b" FROM $1::array(text) WITH (format = 'json', shared = true, overwrite_duplicates = false)"#,
        ] {
            assert_eq!(Bulk::read(sql), None, "{sql}");
        }
    }
}
