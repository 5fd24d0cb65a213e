//! What the verbs of a column do with its type, and whether they can be done at all: every problem before the first row.

use transship_expr::Expression;
use transship_model::observed::{Column, Table};
use transship_model::plan::{PlannedLookup, Verb};
use transship_model::spec::{Cell, Lookup, LookupFile, LookupTable, Redact, Rule, TableEntry};
use transship_model::{Finding, SpecPath, TableName};
use transship_sql::copy::{self, Source};
use transship_sql::definition::Definition;
use transship_sql::scalar::{Kind, ScalarType};
use transship_sql::table;

use super::columns::{self, Carried, Origin};
use super::context::Context;

/// What comes of a column that verbs change.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// The type of what a constant or an expression gives.
    pub(crate) given: Option<ScalarType>,
    /// What is done, in order.
    pub(crate) verbs: Vec<Verb>,
    /// The type of what comes of it.
    pub(crate) data_type: ScalarType,
    /// Whether it is another column than that of the source: other values take its place, or those of another type.
    pub(crate) replaces: bool,
    /// Whether a value may become NULL that was not.
    pub(crate) may_lose: bool,
}

/// Stands in place of a value that is redacted.
const STARS: &str = "***";

/// What comes of a column whose cells are of type `read` where they come from the source; `None` where nothing is done.
pub(crate) fn outcome(context: &Context<'_>, column: &Carried, read: &str) -> Result<Option<Outcome>, Vec<Finding>> {
    let Some(rule) = &column.rule else { return Ok(None) };
    let mut verbs = Verbs { context, path: &column.path, findings: Vec::new(), done: Vec::new() };
    let given = match &column.from {
        Origin::Const(cell) => Some(verbs.constant(cell, rule)),
        Origin::Expr(_) => Some(verbs.expression(rule)),
        Origin::Column(_) | Origin::Sql { .. } => None,
    };
    let first = match &given {
        Some(given) => given.clone(),
        None => ScalarType::read(read),
    };
    let last = verbs.walk(rule, first.as_ref(), given.is_some(), read);
    match (verbs.findings.is_empty(), last) {
        (true, Some(data_type)) => Ok(Some(Outcome {
            replaces: given.is_some() || verbs.done.iter().any(replaces),
            may_lose: verbs.done.iter().any(|verb| matches!(verb, Verb::Lookup(_))),
            given: given.flatten(),
            verbs: verbs.done,
            data_type,
        })),
        _ => Err(verbs.findings),
    }
}

const fn replaces(verb: &Verb) -> bool {
    !matches!(verb, Verb::Default(_) | Verb::Truncate(_) | Verb::Round(_))
}

/// The names that an expression uses, all of them columns of the source whose values it can take.
pub(crate) fn uses(text: &str, path: &SpecPath, source: &Table) -> Result<Vec<String>, Finding> {
    let path = path.key("expr");
    let expression = Expression::read(text).map_err(|problem| {
        Finding::error("plan::bad-expression", format!("the expression cannot be used: {problem}"))
            .at(path.clone())
            .help("docs/transform.md has the language")
    })?;
    for name in expression.names() {
        let Some(found) = columns::top_level(source).find(|it| it.name == *name) else {
            let message = format!("the source has no column `{name}`, which the expression names");
            return Err(Finding::error("plan::no-such-column", message)
                .at(path)
                .help("name columns of the source table"));
        };
        if ScalarType::read(&found.data_type).is_none() {
            let message = format!("an expression cannot use column {name}: {}", found.data_type);
            let help = "expressions take booleans, numbers, texts and times; `sql` takes everything";
            return Err(Finding::error("plan::verb-type", message).at(path).help(help));
        }
    }
    Ok(expression.names().iter().cloned().collect())
}

struct Verbs<'a> {
    context: &'a Context<'a>,
    path: &'a SpecPath,
    findings: Vec<Finding>,
    done: Vec<Verb>,
}

impl Verbs<'_> {
    fn refuse(&mut self, code: &'static str, key: &str, message: String, help: &str) {
        self.findings.push(Finding::error(code, message).at(self.path.key(key)).help(help));
    }

    fn wrong_type(&mut self, key: &str, message: String, help: &str) {
        self.refuse("plan::verb-type", key, message, help);
    }

    /// The type of a constant: that of the `cast`, or the widest of its own.
    fn constant(&mut self, cell: &Cell, rule: &Rule) -> Option<ScalarType> {
        let own = match cell {
            Cell::Null(()) => None,
            Cell::Bool(_) => Some(Kind::Boolean),
            Cell::Number(number) if number.is_i64() => Some(Kind::Bigint),
            Cell::Number(_) => Some(Kind::Double),
            Cell::Text(_) => Some(Kind::Text),
        };
        if !is_cast_alone(rule) {
            if own.is_none() {
                self.wrong_type("const", "null has no type".to_owned(), "say it: `cast: TYPE`");
            }
            return own.map(ScalarType::of);
        }
        let cast = self.cast_type(rule)?;
        if own.is_some() && !cast.takes(cell) {
            let message = format!("the constant is no {}", cast.declared());
            self.wrong_type("const", message, "write a value of the type that `cast` says");
        }
        Some(cast)
    }

    /// The type that an expression is made to be of: what the first verb takes, or what `cast` says.
    fn expression(&mut self, rule: &Rule) -> Option<ScalarType> {
        let texts = rule.lookup.is_some()
            || rule.mask.is_some()
            || rule.hash.is_some()
            || rule.redact.is_some()
            || rule.partial.is_some();
        if rule.truncate.is_some() {
            Some(ScalarType::of(Kind::Time))
        } else if rule.round.is_some() {
            Some(ScalarType::of(Kind::Double))
        } else if texts {
            Some(ScalarType::of(Kind::Text))
        } else if rule.cast.is_some() {
            self.cast_type(rule)
        } else {
            self.wrong_type(
                "expr",
                "the type of an expression is not known beforehand".to_owned(),
                "say it: `cast: TYPE`",
            );
            None
        }
    }

    fn cast_type(&mut self, rule: &Rule) -> Option<ScalarType> {
        let text = rule.cast.as_ref()?;
        let found = ScalarType::read(text);
        if found.as_ref().is_some_and(is_unlimited_numeric) {
            let message = "a NUMERIC can be stored with a precision and a scale only".to_owned();
            self.wrong_type("cast", message, "write `cast: NUMERIC(p, s)`");
            return None;
        }
        if found.is_none() {
            let message = format!("`{text}` is no type that transship itself casts to");
            let help = "BOOLEAN, BYTE, SMALLINT, INTEGER, BIGINT, REAL, DOUBLE PRECISION, NUMERIC(p, s), TEXT, VARCHAR(n), UUID, IP or \
                        TIMESTAMP WITH TIME ZONE; or cast in `sql`, where no other verb is needed";
            self.wrong_type("cast", message, help);
        }
        found
    }

    /// Every verb in its order, and the type in the end. A value that is no scalar can only be replaced.
    fn walk(&mut self, rule: &Rule, first: Option<&ScalarType>, given: bool, read: &str) -> Option<ScalarType> {
        let mut now = first.cloned();
        let shown = |now: &Option<ScalarType>| now.as_ref().map_or_else(|| read.to_uppercase(), ScalarType::declared);
        if let Some(cell) = &rule.default_value {
            if now.as_ref().is_some_and(|now| now.takes(cell)) {
                self.done.push(Verb::Default(cell.clone()));
            } else {
                let message = format!("the default is no {}", shown(&now));
                self.wrong_type("default", message, "write a value of the column's type");
            }
        }
        if let Some(unit) = rule.truncate {
            if now.as_ref().is_some_and(|now| now.kind == Kind::Time) {
                self.done.push(Verb::Truncate(unit));
            } else {
                let message = format!("{} is no point in time that can be truncated", shown(&now));
                self.wrong_type(
                    "truncate",
                    message,
                    "truncate a TIMESTAMP; `sql: \"x::TIMESTAMP\"` makes one of a text",
                );
            }
        }
        if let Some(decimals) = rule.round {
            if now.as_ref().is_some_and(|now| now.kind.is_number()) {
                self.done.push(Verb::Round(decimals));
            } else {
                let message = format!("{} is no number that can be rounded", shown(&now));
                self.wrong_type("round", message, "round a number; `sql: \"x::NUMERIC(10, 2)\"` makes one of a text");
            }
        }
        if let Some(lookup) = &rule.lookup {
            now = self.lookup((rule, lookup), now.as_ref(), &shown(&now));
        }
        now = self.hide(rule, now, &shown(&first.cloned()));
        // A constant or an expression may have been made of the type that is asked for.
        let is_cast = given && now.as_ref() == first && rule.cast.as_deref().and_then(ScalarType::read) == now;
        if rule.cast.is_some() && !(is_cast && self.done.iter().all(|verb| !replaces(verb))) {
            now = self.cast(rule, now.as_ref(), &shown(&now));
        }
        if now.is_none() && self.findings.is_empty() {
            let message = format!("nothing can be done with {}", read.to_uppercase());
            self.findings
                .push(Finding::error("plan::verb-type", message).at(self.path.clone()).help("use `sql` alone"));
        }
        now
    }

    /// What takes the place of a value, or a part of it.
    fn hide(&mut self, rule: &Rule, mut now: Option<ScalarType>, shown: &str) -> Option<ScalarType> {
        let mask = rule.mask.as_ref().map(|mask| ("mask", Verb::Mask(mask.hmac.clone())));
        let hash = rule.hash.map(|hash| ("hash", Verb::Hash(hash)));
        let redact = rule.redact.as_ref().map(|redact| match redact {
            Redact::Stars(_) => ("redact", Verb::Redact(STARS.to_owned())),
            Redact::Text(text) => ("redact", Verb::Redact(text.clone())),
        });
        let partial = rule.partial.as_ref().map(|partial| ("partial", Verb::Partial(partial.clone())));
        for (key, verb) in [mask, hash, redact, partial].into_iter().flatten() {
            let has_text = now.as_ref().is_some_and(|now| now.kind.has_text());
            if !has_text && !matches!(verb, Verb::Redact(_)) {
                let message = format!("{shown} has no text of its own, which `{key}` needs");
                self.wrong_type(key, message, "make a text of it in `sql`, for example \"x::TEXT\"");
            }
            self.done.push(verb);
            now = Some(ScalarType::of(Kind::Text));
        }
        now
    }

    fn cast(&mut self, rule: &Rule, now: Option<&ScalarType>, shown: &str) -> Option<ScalarType> {
        let to = self.cast_type(rule)?;
        if !now.is_some_and(|now| is_castable(now.kind, to.kind)) {
            let message = format!("{shown} cannot be cast to {} on the way", to.declared());
            self.wrong_type("cast", message, "cast in `sql`, on the source");
        }
        self.done.push(Verb::Cast(to.declared()));
        Some(to)
    }

    fn lookup(
        &mut self,
        (rule, lookup): (&Rule, &Lookup),
        now: Option<&ScalarType>,
        shown: &str,
    ) -> Option<ScalarType> {
        let Some(key) = now.filter(|now| is_key(now.kind)) else {
            let message = format!("{shown} is no key: one is a text, a whole number, a boolean, a UUID or an IP");
            self.wrong_type("lookup", message, "make one of it in `sql`");
            return None;
        };
        match lookup {
            Lookup::Table(lookup) => {
                let found = self.in_table(lookup, key.kind)?;
                if is_unlimited_numeric(&found) && rule.cast.is_none() {
                    let message = format!("the precision of `{}` in {} is not known", lookup.value, lookup.table);
                    self.wrong_type("lookup", message, "say it: `cast: NUMERIC(p, s)`");
                }
                Some(found)
            }
            Lookup::File(lookup) => self.in_file(lookup),
        }
    }

    fn in_table(&mut self, lookup: &LookupTable, key: Kind) -> Option<ScalarType> {
        let (cluster, name) = (self.context.target_name, lookup.table.parse::<TableName>().ok()?);
        let Some(table) = self.context.target.tables.get(&name) else {
            let message = format!("there is no table {cluster}.{name} to look values up in");
            let help =
                "a lookup reads a table of the target; if another flow makes it, apply that flow first with --target";
            self.refuse("plan::no-such-lookup", "lookup", message, help);
            return None;
        };
        if self.context.pairs.iter().any(|pair| pair.to == name) {
            let message = format!("the flow itself writes {cluster}.{name}, before or after it is looked up in");
            let help = "copy that table by a flow of its own, which then comes before";
            self.refuse("plan::lookup-of-own", "lookup", message, help);
            return None;
        }
        let path = self.path.key("lookup");
        let mut of = |column: &str, under: &str| {
            let found = columns::top_level(table).find(|it| it.name == column);
            if found.is_none() {
                let message = format!("{cluster}.{name} has no column `{column}`");
                let finding = Finding::error("plan::no-such-column", message).at(path.key(under));
                self.findings.push(finding.help("name columns of the table that is looked up in"));
            }
            found
        };
        let (by, value) = (of(&lookup.key, "key"), of(&lookup.value, "value"));
        let (by, value) = (by?, value?);
        let fits = ScalarType::read(&by.data_type).is_some_and(|by| is_same_key(by.kind, key));
        if !fits {
            let message =
                format!("`{}` of {cluster}.{name} is {}, and the value is {}", by.name, by.data_type, key.as_str());
            self.wrong_type("lookup", message, "both need to be texts, whole numbers, booleans, UUIDs or IPs");
        }
        let Some(found) = declared(table, value) else {
            let message = format!("`{}` of {cluster}.{name} is {}, no scalar", value.name, value.data_type);
            self.wrong_type("lookup", message, "look up a boolean, a number, a text or a time");
            return None;
        };
        let source = |column: &'_ Column| (column.name.clone(), column.data_type.clone());
        let ((by, by_type), (value, value_type)) = (source(by), source(value));
        let select = copy::lookup(
            &name,
            Source::Column { name: &by, data_type: &by_type },
            Source::Column { name: &value, data_type: &value_type },
        );
        let refresh = table::refresh([&name]);
        self.done.push(Verb::Lookup(PlannedLookup::Table { table: name, refresh, select, data_type: value_type }));
        Some(found)
    }

    fn in_file(&mut self, lookup: &LookupFile) -> Option<ScalarType> {
        let LookupFile { file, key, value } = lookup;
        let Some(sha256) = self.context.input.files.files.get(file) else {
            let help = "paths are relative to the workspace's directory";
            self.refuse("plan::no-such-lookup", "lookup", format!("the file `{file}` was not read"), help);
            return None;
        };
        let (file, key, value, sha256) = (file.clone(), key.clone(), value.clone(), sha256.clone());
        self.done.push(Verb::Lookup(PlannedLookup::File { file, key, value, sha256 }));
        Some(ScalarType::of(Kind::Text))
    }
}

/// The type of a column with its lengths, which the catalog does not tell and its table's definition does.
fn declared(table: &Table, column: &Column) -> Option<ScalarType> {
    let definition = table.definition.as_deref().and_then(|text| Definition::read(text).ok());
    let declared = definition.and_then(|it| ScalarType::read(&it.column(&column.name)?.data_type));
    declared.or_else(|| ScalarType::read(&column.data_type))
}

fn is_unlimited_numeric(data_type: &ScalarType) -> bool {
    data_type.kind == Kind::Numeric && data_type.sizes.is_empty()
}

/// Whether nothing but a `cast` follows where the value comes from.
const fn is_cast_alone(rule: &Rule) -> bool {
    rule.cast.is_some()
        && rule.default_value.is_none()
        && rule.truncate.is_none()
        && rule.round.is_none()
        && rule.lookup.is_none()
        && rule.mask.is_none()
        && rule.hash.is_none()
        && rule.redact.is_none()
        && rule.partial.is_none()
}

const fn is_key(kind: Kind) -> bool {
    matches!(kind, Kind::Boolean | Kind::Text | Kind::Uuid | Kind::Ip) || kind.is_whole()
}

fn is_same_key(one: Kind, other: Kind) -> bool {
    is_key(one) && (one == other || (one.is_whole() && other.is_whole()))
}

/// Whether there is one way, at least for some values.
const fn is_castable(from: Kind, to: Kind) -> bool {
    match to {
        Kind::Boolean => matches!(from, Kind::Boolean | Kind::Text),
        Kind::Real | Kind::Double | Kind::Numeric => from.is_number() || matches!(from, Kind::Text),
        Kind::Text => from.has_text(),
        Kind::Uuid => matches!(from, Kind::Text | Kind::Uuid),
        Kind::Ip => matches!(from, Kind::Text | Kind::Ip),
        Kind::Time => from.is_whole() || matches!(from, Kind::Time | Kind::Text),
        Kind::Byte | Kind::Smallint | Kind::Integer | Kind::Bigint => {
            from.is_number() || matches!(from, Kind::Text | Kind::Time)
        }
    }
}

/// The tables of the target in which the columns of an entry look values up.
pub(crate) fn tables(entry: &TableEntry) -> impl Iterator<Item = TableName> {
    let lookups = columns::rules(entry).filter_map(|rule| rule.lookup.as_ref());
    lookups.filter_map(|lookup| match lookup {
        Lookup::Table(lookup) => lookup.table.parse().ok(),
        Lookup::File(_) => None,
    })
}

/// The files of the workspace in which the columns of an entry look values up.
pub(crate) fn files(entry: &TableEntry) -> impl Iterator<Item = &str> {
    columns::rules(entry).filter_map(|rule| match &rule.lookup {
        Some(Lookup::File(lookup)) => Some(lookup.file.as_str()),
        _ => None,
    })
}
