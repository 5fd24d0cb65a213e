//! How the columns that are read become those that are written.

use std::collections::BTreeSet;
use transship_model::observed::Table;

use transship_model::plan::{Made, MadeColumn, ReadColumn, Transform};
use transship_sql::copy::Source;
use transship_sql::scalar::ScalarType;

use super::columns::{self, Carried, Origin};
use super::context::Pair;
use super::sensitive;
use super::verbs::Outcome;
use super::wish::{Typed, Wish};

/// A select that feeds a transformation.
pub(super) struct Reads<'a> {
    pair: &'a Pair<'a>,
    source: &'a Table,
    /// What is read, and the column of the source where it is one.
    pub(super) select: Vec<(Reading<'a>, ReadColumn)>,
    columns: Vec<MadeColumn>,
}

/// What stands in the select.
#[derive(Clone, PartialEq)]
pub(super) enum Reading<'a> {
    /// A column of the source.
    Column(&'a str, &'a str),
    /// An expression that it evaluates.
    Sql(&'a str),
}

impl<'a> Reading<'a> {
    pub(super) const fn source(&self) -> Source<'a> {
        match self {
            Self::Column(name, data_type) => Source::Column { name, data_type },
            Self::Sql(sql) => Source::Expression(sql),
        }
    }
}

/// What is read for `columns`, and how they are made of it; `None` where each is what is read.
pub(super) fn transform<'a>(
    (pair, source): (&'a Pair<'a>, &'a Table),
    columns: impl Iterator<Item = (&'a Carried, &'a Typed)>,
) -> Option<Reads<'a>> {
    let mut reads = Reads { pair, source, select: Vec::new(), columns: Vec::new() };
    let mut is_any = false;
    for (carried, typed) in columns {
        is_any |= typed.outcome.is_some();
        reads.add(carried, typed);
    }
    if reads.select.is_empty() {
        let first = columns::top_level(source).next()?;
        reads.read((Reading::Column(&first.name, &first.data_type), &first.data_type), false);
    }
    is_any.then_some(reads)
}

/// What becomes of all columns, also where nothing is done with any of them.
pub(crate) fn as_it_is(wish: &Wish<'_>) -> Transform {
    if let Some(transform) = &wish.transform {
        return transform.clone();
    }
    let named = wish.key.iter().skip_while(|key| (key.at as usize) < wish.written.len());
    let typed = wish.written.iter().zip(&wish.types);
    let typed = typed.chain(named.map(|key| (&key.name, &key.data_type)));
    let (mut reads, mut columns) = (Vec::new(), Vec::new());
    for (at, (name, data_type)) in typed.enumerate() {
        let Some(carried) = wish.columns.iter().find(|column| column.name == *name) else { continue };
        let sensitive = sensitive::carries(wish.pair.entry, carried, wish.source);
        let (from, data_type) = (name.clone(), data_type.clone());
        reads.push(ReadColumn { from, data_type: data_type.clone(), sensitive });
        columns.push(MadeColumn {
            name: name.clone(),
            from: Made::Read(place(at)),
            verbs: Vec::new(),
            data_type,
            sensitive,
        });
    }
    Transform { reads, columns }
}

impl<'a> Reads<'a> {
    /// What is read more than once is sensitive wherever it is so once.
    pub(super) fn finish(self) -> Transform {
        let mut reads: Vec<ReadColumn> = self.select.into_iter().map(|(_, column)| column).collect();
        let hidden: BTreeSet<String> =
            reads.iter().filter(|column| column.sensitive).map(|column| column.from.clone()).collect();
        for column in &mut reads {
            column.sensitive |= hidden.contains(&column.from);
        }
        Transform { reads, columns: self.columns }
    }

    fn add(&mut self, carried: &'a Carried, typed: &'a Typed) {
        let from = match (&carried.from, &typed.outcome) {
            (Origin::Const(cell), outcome) => Made::Const { value: cell.clone(), data_type: given(outcome.as_ref()) },
            (Origin::Expr(text), outcome) => self.expression(text, carried, outcome.as_ref()),
            (Origin::Column(_) | Origin::Sql { .. }, _) => {
                // What becomes a sensitive column is as sensitive before.
                let hidden = self.is_declared(&carried.name) || sensitive::reads(self.pair.entry, carried, self.source);
                Made::Read(self.read((typed.reading(carried), &typed.data_type), hidden))
            }
        };
        let verbs = typed.outcome.as_ref().map(|outcome| outcome.verbs.clone()).unwrap_or_default();
        self.columns.push(MadeColumn {
            name: carried.name.clone(),
            from,
            verbs,
            data_type: typed.result(),
            sensitive: sensitive::carries(self.pair.entry, carried, self.source),
        });
    }

    fn expression(&mut self, text: &str, carried: &Carried, outcome: Option<&Outcome>) -> Made {
        let uses = carried.uses.iter().filter_map(|name| {
            let column = columns::top_level(self.source).find(|it| it.name == *name)?;
            let reading = Reading::Column(&column.name, &column.data_type);
            let known = self.select.iter().position(|(known, _)| *known == reading);
            let hidden = self.is_declared(&carried.name) || self.is_declared(name);
            if let Some(known) = known {
                self.select[known].1.sensitive |= hidden;
            }
            Some(known.map_or_else(|| self.read((reading, &column.data_type), hidden), place))
        });
        let uses = uses.collect();
        Made::Expr { text: text.to_owned(), uses, data_type: given(outcome) }
    }

    fn is_declared(&self, name: &str) -> bool {
        sensitive::declared(self.pair.entry).iter().any(|declared| declared == name)
    }

    fn read(&mut self, (reading, data_type): (Reading<'a>, &str), sensitive: bool) -> u32 {
        let (Reading::Column(from, _) | Reading::Sql(from)) = reading;
        let column = ReadColumn { from: from.to_owned(), data_type: data_type.to_owned(), sensitive };
        self.select.push((reading, column));
        place(self.select.len() - 1)
    }
}

/// The type of what a constant or an expression gives.
fn given(outcome: Option<&Outcome>) -> String {
    outcome.and_then(|outcome| outcome.given.as_ref()).map(ScalarType::catalog).unwrap_or_default()
}

fn place(at: usize) -> u32 {
    u32::try_from(at).expect("a table has fewer columns than that")
}
