//! From what a plan says of columns to what the mover does with them: secrets and the entries of look-ups come to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;
use transship_cluster::Server;
use transship_expr::Expression;
use transship_model::Name;
use transship_model::plan::{Made, MadeColumn, PlannedLookup, Transform, Verb};
use transship_model::spec::{LookupFile, Secret};
use transship_mover::MoveError;
use transship_mover::transform::{self as mover, Constant, Entries, Key, LookupFull, Making, Origin};
use transship_sql::copy::LOOKUP_MOST;
use transship_sql::scalar::ScalarType;

/// What a plan names and does not hold: the keys of masks, and the files of look-ups.
#[derive(Clone, Debug, Default)]
pub struct Materials {
    /// The keys that could be resolved, by their reference.
    pub keys: BTreeMap<Secret, SecretString>,
    /// The values of each file by their keys.
    pub files: BTreeMap<LookupFile, BTreeMap<String, Option<String>>>,
}

/// Tables that were read to be looked up in, by cluster and statement.
pub(crate) type Tables = Mutex<BTreeMap<(Name, String), Arc<Entries>>>;

/// What is at hand while a transformation is put together.
pub(crate) struct Maker<'a> {
    pub(crate) materials: &'a Materials,
    /// The cluster that has the tables to look up in.
    pub(crate) target: &'a dyn Server,
    pub(crate) tables: &'a Tables,
}

impl Maker<'_> {
    /// Puts it together.
    pub(crate) async fn make(&self, transform: &Transform) -> Result<mover::Transform, MoveError> {
        let reads = transform.reads.iter().map(|column| (column.from.clone(), column.data_type.clone())).collect();
        let mut columns = Vec::with_capacity(transform.columns.len());
        for column in &transform.columns {
            columns.push(self.column(column, transform).await?);
        }
        Ok(mover::Transform { reads, columns })
    }

    async fn column(&self, column: &MadeColumn, of: &Transform) -> Result<Making, MoveError> {
        let is_made = !matches!(column.from, Made::Read(_)) || !column.verbs.is_empty();
        let data_type = if is_made { Some(scalar(&column.data_type)?) } else { None };
        let (from, first) = match &column.from {
            Made::Read(at) => {
                let read = of.reads.get(place(*at)).ok_or_else(|| wrong("a column is not read"))?;
                (Origin::Read(place(*at)), ScalarType::read(&read.data_type))
            }
            Made::Const { value, data_type } => {
                let data_type = scalar(data_type)?;
                (Origin::Const(Constant::of(value, &data_type)), Some(data_type))
            }
            Made::Expr { text, uses, data_type } => {
                let (data_type, expression) =
                    (scalar(data_type)?, Expression::read(text).map_err(|problem| wrong(&problem))?);
                let named = uses.iter().filter_map(|at| Some((of.reads.get(place(*at))?.from.clone(), place(*at))));
                let first = Some(data_type.clone());
                (Origin::Expr { expression: Arc::new(expression), uses: named.collect(), data_type }, first)
            }
        };
        let mut verbs = Vec::with_capacity(column.verbs.len());
        for verb in &column.verbs {
            verbs.push(self.verb(verb, first.as_ref()).await?);
        }
        Ok(Making { name: column.name.clone(), from, verbs, data_type })
    }

    /// A verb. A default comes first, and is of the type that was read.
    async fn verb(&self, verb: &Verb, first: Option<&ScalarType>) -> Result<mover::Verb, MoveError> {
        Ok(match verb {
            Verb::Default(cell) => {
                let data_type = first.ok_or_else(|| wrong("a default has no type"))?;
                mover::Verb::Default(Constant::of(cell, data_type))
            }
            Verb::Truncate(unit) => mover::Verb::Truncate(*unit),
            Verb::Round(decimals) => mover::Verb::Round(*decimals),
            Verb::Lookup(lookup) => mover::Verb::Lookup(self.lookup(lookup).await?),
            Verb::Mask(secret) => {
                let key = self.materials.keys.get(secret);
                let key = key.ok_or_else(|| wrong(&format!("the key of a mask, {secret}, is not there")))?;
                mover::Verb::Mask(Key::new(key.expose_secret().as_bytes()))
            }
            Verb::Hash(transship_model::spec::Hash::Sha256) => mover::Verb::Hash,
            Verb::Redact(text) => mover::Verb::Redact(text.clone()),
            Verb::Partial(partial) => mover::Verb::Partial(partial.clone()),
            Verb::Cast(data_type) => mover::Verb::Cast(scalar(data_type)?),
        })
    }

    async fn lookup(&self, lookup: &PlannedLookup) -> Result<Arc<Entries>, MoveError> {
        match lookup {
            PlannedLookup::File { file, key, value, .. } => {
                let named = LookupFile { file: file.clone(), key: key.clone(), value: value.clone() };
                let values = self.materials.files.get(&named);
                let values = values.ok_or_else(|| wrong(&format!("`{file}` was not read")))?;
                let mut entries = Entries::default();
                for (key, value) in values {
                    entries.add_text(key, value.as_deref()).map_err(|full| unfit(file, full))?;
                }
                Ok(Arc::new(entries))
            }
            PlannedLookup::Table { table, refresh, select, data_type } => {
                let named = (self.target.name().clone(), select.clone());
                // Chunks of one copy, and tables of one run, look up in the same entries.
                let mut tables = self.tables.lock().await;
                if let Some(known) = tables.get(&named) {
                    return Ok(Arc::clone(known));
                }
                let entries = self.read((refresh, select), &table.to_string(), &scalar(data_type)?).await?;
                let entries = Arc::new(entries);
                tables.insert(named, Arc::clone(&entries));
                Ok(entries)
            }
        }
    }

    async fn read(
        &self,
        (refresh, select): (&str, &str),
        table: &str,
        data_type: &ScalarType,
    ) -> Result<Entries, MoveError> {
        let failed = |error| MoveError::Target { error, progress: transship_mover::Progress::default() };
        self.target.execute(refresh, &[]).await.map_err(failed)?;
        let found = self.target.query(select, &[]).await.map_err(failed)?;
        if found.rows.len() > LOOKUP_MOST {
            return Err(unfit(table, LookupFull::TooLarge));
        }
        let mut entries = Entries::default();
        for row in &found.rows {
            let [key, value] = row.as_slice() else { return Err(wrong("a look-up gives another number of columns")) };
            entries.add(key, value, data_type).map_err(|full| unfit(table, full))?;
        }
        Ok(entries)
    }
}

fn place(at: u32) -> usize {
    usize::try_from(at).expect("a place among columns")
}

fn scalar(data_type: &str) -> Result<ScalarType, MoveError> {
    ScalarType::read(data_type).ok_or_else(|| wrong(&format!("{data_type} is no type that is written")))
}

fn wrong(problem: &str) -> MoveError {
    MoveError::Transform { problem: problem.to_owned() }
}

fn unfit(of: &str, full: LookupFull) -> MoveError {
    let why = match full {
        LookupFull::Twice => "two of its rows have the same key".to_owned(),
        LookupFull::TooLarge => format!("it has more than {LOOKUP_MOST} rows, or more than 32 MiB"),
        LookupFull::OtherType => "a key or a value is of another type than was planned with".to_owned(),
    };
    wrong(&format!("values cannot be looked up in {of}: {why}"))
}
