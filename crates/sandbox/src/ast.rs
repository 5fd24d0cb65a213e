//! Statements as they were parsed.

use crate::types::DataType;
use crate::value::Value;

/// A name with its qualifiers, outermost first.
pub(crate) type Name = Vec<String>;

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    Literal(Value, DataType),
    Column(Name),
    Parameter(usize),
    Negate(Box<Expr>),
    Not(Box<Expr>),
    /// `op` is a symbol or a word in capitals: `=`, `AND`, `LIKE`, …
    Binary(&'static str, Box<Expr>, Box<Expr>),
    Call {
        name: String,
        arguments: Vec<Expr>,
        star: bool,
        distinct: bool,
    },
    Cast {
        value: Box<Expr>,
        target: DataType,
        is_try: bool,
    },
    Subscript(Box<Expr>, Box<Expr>),
    Case {
        operand: Option<Box<Expr>>,
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    In {
        value: Box<Expr>,
        list: Vec<Expr>,
    },
    InQuery {
        value: Box<Expr>,
        query: Box<Query>,
    },
    /// `value op ANY (array)`, or ALL.
    Quantified {
        op: &'static str,
        all: bool,
        value: Box<Expr>,
        array: Box<Expr>,
    },
    IsNull(Box<Expr>),
    Array(Vec<Expr>),
    Object(Vec<(String, Expr)>),
    Query(Box<Query>),
    Exists(Box<Query>),
}

impl Expr {
    pub(crate) fn call(name: &str, arguments: Vec<Self>) -> Self {
        Self::Call { name: name.to_owned(), arguments, star: false, distinct: false }
    }

    pub(crate) fn binary(op: &'static str, left: Self, right: Self) -> Self {
        Self::Binary(op, Box::new(left), Box::new(right))
    }
}

/// A query with its order and its limit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    pub(crate) body: Body,
    pub(crate) order: Vec<Order>,
    pub(crate) limit: Option<Expr>,
    pub(crate) offset: Option<Expr>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    Select(Box<Select>),
    Values(Vec<Vec<Expr>>),
    UnionAll(Box<Body>, Box<Body>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Order {
    pub(crate) by: Expr,
    pub(crate) descending: bool,
    pub(crate) nulls_first: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Select {
    pub(crate) distinct: bool,
    pub(crate) items: Vec<Item>,
    pub(crate) from: Option<From>,
    pub(crate) filter: Option<Expr>,
    pub(crate) group: Vec<Expr>,
    pub(crate) having: Option<Expr>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    /// `*` or `t.*`.
    Star(Option<String>),
    Expr(Expr, Option<String>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum From {
    Table { name: Name, alias: Option<Alias> },
    Query { query: Box<Query>, alias: Option<Alias> },
    Function { name: String, arguments: Vec<Expr>, alias: Option<Alias> },
    Join { left: Box<From>, right: Box<From>, is_left: bool, on: Option<Expr> },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Alias {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
}

/// `WITH (name = value, …)`.
pub(crate) type Options = Vec<(String, Expr)>;

/// A column of CREATE TABLE.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ColumnDefinition {
    pub(crate) name: String,
    pub(crate) data_type: DataType,
    pub(crate) not_null: bool,
    pub(crate) primary_key: bool,
    pub(crate) default: Option<Expr>,
    pub(crate) generated: Option<Expr>,
    pub(crate) index: Option<Index>,
    pub(crate) storage: Options,
    pub(crate) checks: Vec<Check>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Index {
    Off,
    Using(String, Options),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Check {
    pub(crate) name: Option<String>,
    pub(crate) condition: Expr,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CreateTable {
    pub(crate) name: Name,
    pub(crate) if_not_exists: bool,
    pub(crate) columns: Vec<ColumnDefinition>,
    pub(crate) primary_key: Vec<String>,
    pub(crate) checks: Vec<Check>,
    pub(crate) clustered_by: Option<String>,
    pub(crate) shards: Option<u32>,
    pub(crate) partitioned_by: Vec<String>,
    pub(crate) options: Options,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Insert {
    pub(crate) table: Name,
    pub(crate) columns: Vec<String>,
    pub(crate) source: Query,
    pub(crate) conflict: Option<Conflict>,
    pub(crate) returning: Vec<Item>,
}

/// What an INSERT does where the primary key is taken.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Conflict {
    pub(crate) columns: Vec<String>,
    /// Empty for DO NOTHING.
    pub(crate) set: Vec<(String, Expr)>,
}

/// A table, or one of its partitions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    pub(crate) table: Name,
    /// Empty for the whole table.
    pub(crate) partition: Vec<(String, Expr)>,
}

/// COPY … TO.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CopyTo {
    pub(crate) part: Part,
    pub(crate) columns: Vec<Expr>,
    pub(crate) filter: Option<Expr>,
    pub(crate) is_directory: bool,
    pub(crate) target: Expr,
    pub(crate) options: Options,
}

/// COPY … FROM.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CopyFrom {
    pub(crate) part: Part,
    pub(crate) columns: Vec<String>,
    pub(crate) source: Expr,
    pub(crate) options: Options,
    pub(crate) is_summary: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeTables {
    Add,
    Set,
    Drop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Granting {
    Grant,
    Deny,
    Revoke,
}

/// What `GRANT … ON` names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GrantOn {
    /// CLUSTER, SCHEMA, TABLE or VIEW.
    pub(crate) class: &'static str,
    pub(crate) names: Vec<Name>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AlterTable {
    RenameTo(Name),
    AddColumns(Vec<ColumnDefinition>),
    DropColumns(Vec<String>),
    RenameColumn(String, String),
    Set(Options),
    Reset(Vec<String>),
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Statement {
    Query(Query),
    Insert(Insert),
    Update {
        table: Name,
        set: Vec<(String, Expr)>,
        filter: Option<Expr>,
    },
    Delete {
        table: Name,
        filter: Option<Expr>,
    },
    ExplainInsert(Insert),
    ShowCreateTable(Name),
    ShowTables,
    CreateTable(CreateTable),
    DropTable {
        names: Vec<Name>,
        if_exists: bool,
    },
    AlterTable {
        name: Name,
        change: AlterTable,
    },
    SwapTable {
        source: Name,
        target: Name,
        options: Options,
    },
    CreateView {
        name: Name,
        or_replace: bool,
        query: Query,
        text: String,
    },
    DropView {
        names: Vec<Name>,
        if_exists: bool,
    },
    Refresh(Vec<Name>),
    CreatePublication {
        name: String,
        tables: Option<Vec<Name>>,
    },
    AlterPublication {
        name: String,
        change: ChangeTables,
        tables: Vec<Name>,
    },
    DropPublication {
        name: String,
        if_exists: bool,
    },
    CreateSubscription {
        name: String,
        connection: Expr,
        publications: Vec<String>,
        has_options: bool,
    },
    AlterSubscription {
        name: String,
    },
    DropSubscription {
        name: String,
        if_exists: bool,
    },
    CreateServer {
        name: String,
        options: Options,
    },
    CreateUserMapping {
        server: String,
        options: Options,
    },
    CreateForeignTable {
        name: Name,
        columns: Vec<ColumnDefinition>,
        server: String,
        options: Options,
    },
    DropServer {
        name: String,
    },
    DropUserMapping {
        server: String,
    },
    DropForeignTable {
        names: Vec<Name>,
    },
    CreateRepository {
        name: String,
        kind: String,
        options: Options,
    },
    DropRepository {
        name: String,
    },
    CreateSnapshot {
        name: Name,
        /// Empty for ALL.
        parts: Vec<Part>,
        options: Options,
    },
    DropSnapshot {
        name: Name,
    },
    Restore {
        name: Name,
        /// Empty for ALL and TABLES: snapshots here have nothing but tables.
        parts: Vec<Part>,
        options: Options,
    },
    CopyTo(Box<CopyTo>),
    CopyFrom(Box<CopyFrom>),
    CreateUser {
        name: String,
        is_role: bool,
        options: Options,
    },
    AlterUser {
        name: String,
        options: Options,
    },
    DropUser {
        name: String,
        if_exists: bool,
    },
    Privileges {
        how: Granting,
        privileges: Vec<String>,
        on: Option<GrantOn>,
        to: Vec<String>,
    },
    /// BEGIN, COMMIT and the like, which mean nothing.
    Transaction(&'static str),
    Set {
        name: String,
        value: Expr,
    },
    Empty,
}

impl Statement {
    /// Whether a Sync decides when it runs.
    pub(crate) const fn is_write(&self) -> bool {
        matches!(self, Self::Insert(_) | Self::Update { .. } | Self::Delete { .. })
    }

    /// Whether it changes something that lasts.
    pub(crate) const fn changes(&self) -> bool {
        !matches!(
            self,
            Self::Query(_)
                | Self::ShowTables
                | Self::ShowCreateTable(_)
                | Self::ExplainInsert(_)
                | Self::Refresh(_)
                | Self::Transaction(_)
                | Self::Set { .. }
                | Self::Empty
        )
    }
}
