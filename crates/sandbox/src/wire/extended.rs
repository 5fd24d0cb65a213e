//! The extended protocol: statements, portals, and writes that wait for Sync.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use pgwire::messages::PgWireBackendMessage as Message;
use pgwire::messages::data::{NoData, ParameterDescription};
use pgwire::messages::extendedquery::{
    Bind, BindComplete, Close, CloseComplete, Describe, Execute, Parse, ParseComplete, PortalSuspended,
};
use pgwire::messages::response::EmptyQueryResponse;

use super::SharedRef;
use super::message::{complete, data_row, error, row_description, tag};
use super::parameter;
use crate::ast::Statement;
use crate::engine::{self, BulkOutcome, Description, OutColumn, Outcome, Session};
use crate::error::{Result, SqlError};
use crate::fault::What;
use crate::halt::Arrival;
use crate::parse::{self, Parsed};
use crate::types::DataType;
use crate::value::Value;
use crate::world::Ailment;

/// What a batch of messages came to.
pub(super) enum Flow {
    Go,
    /// The connection ends here.
    Drop,
}

/// A statement that was parsed.
struct Prepared {
    parsed: Parsed,
    declared: Vec<DataType>,
    /// The types of its parameters, once they were asked for.
    parameters: OnceLock<Vec<DataType>>,
}

/// A statement with its values.
struct Portal {
    prepared: Arc<Prepared>,
    values: Vec<Value>,
    formats: Vec<i16>,
    /// What is left of the answer.
    rows: Option<Rest>,
}

struct Rest {
    tag: &'static str,
    columns: Vec<OutColumn>,
    rows: std::vec::IntoIter<Vec<Value>>,
}

/// A write that waits for Sync.
struct Deferred {
    prepared: Arc<Prepared>,
    values: Vec<Value>,
    formats: Vec<i16>,
}

enum Reply {
    Message(Message),
    Deferred(Deferred),
}

/// The state of the extended protocol on one connection.
pub(super) struct Extended {
    shared: SharedRef,
    statements: BTreeMap<String, Arc<Prepared>>,
    portals: BTreeMap<String, Portal>,
    replies: Vec<Reply>,
    /// Whether everything up to the next Sync is passed over.
    pub(super) has_failed: bool,
    /// Whether a message could not be taken, rather than a statement failed: CrateDB then says that a transaction failed.
    pub(super) is_broken: bool,
}

impl Extended {
    pub(super) fn new(shared: SharedRef) -> Self {
        Self {
            shared,
            statements: BTreeMap::new(),
            portals: BTreeMap::new(),
            replies: Vec::new(),
            has_failed: false,
            is_broken: false,
        }
    }

    fn reply(&mut self, message: Message) {
        self.replies.push(Reply::Message(message));
    }

    pub(super) fn parse(&mut self, message: Parse) -> Result<()> {
        let declared = message.type_oids.iter().map(|oid| {
            let unknown = || SqlError::internal(format!("Can't map PGType with oid={oid} to Crate type"));
            DataType::of_oid(*oid).ok_or_else(unknown)
        });
        let prepared = Prepared {
            declared: declared.collect::<Result<_>>()?,
            parsed: parse::statement(&message.query)?,
            parameters: OnceLock::new(),
        };
        self.statements.insert(message.name.unwrap_or_default(), Arc::new(prepared));
        self.reply(Message::ParseComplete(ParseComplete::new()));
        Ok(())
    }

    fn statement(&self, name: Option<&String>) -> Result<Arc<Prepared>> {
        let name = name.map_or("", String::as_str);
        let found = self.statements.get(name).cloned();
        found.ok_or_else(|| SqlError::internal(format!("No statement found with name: {name}")))
    }

    fn describe_prepared(&self, session: &Session, prepared: &Prepared) -> Result<Description> {
        engine::describe(&self.shared.world(), session, &prepared.parsed, &prepared.declared)
    }

    pub(super) fn bind(&mut self, session: &Session, message: &Bind) -> Result<()> {
        let prepared = self.statement(message.statement_name.as_ref())?;
        let count = message.parameters.len();
        let is_declared = prepared.declared.len() >= count && !prepared.declared.contains(&DataType::Undefined);
        let types = match prepared.parameters.get() {
            Some(types) => types,
            None if is_declared => &prepared.declared,
            None => {
                let found = self.describe_prepared(session, &prepared)?.parameters;
                prepared.parameters.get_or_init(|| found)
            }
        };
        let mut values = Vec::with_capacity(count);
        for (at, raw) in message.parameters.iter().enumerate() {
            let is_binary = super::message::format_of(&message.parameter_format_codes, at) == 1;
            let data_type = types.get(at).unwrap_or(&DataType::Text);
            values.push(parameter::decode(raw.as_deref(), data_type, is_binary)?);
        }
        let portal = Portal {
            prepared: Arc::clone(&prepared),
            values,
            formats: message.result_column_format_codes.clone(),
            rows: None,
        };
        self.portals.insert(message.portal_name.clone().unwrap_or_default(), portal);
        self.reply(Message::BindComplete(BindComplete::new()));
        Ok(())
    }

    pub(super) fn describe(&mut self, session: &Session, message: &Describe) -> Result<()> {
        let is_statement = message.target_type == b'S';
        let (prepared, formats) = if is_statement {
            (self.statement(message.name.as_ref())?, Vec::new())
        } else {
            let portal = self.portal(message.name.as_ref())?;
            (Arc::clone(&portal.prepared), portal.formats.clone())
        };
        let found = self.describe_prepared(session, &prepared)?;
        if is_statement {
            let oids = found.parameters.iter().map(DataType::oid).collect();
            self.reply(Message::ParameterDescription(ParameterDescription::new(oids)));
        }
        self.reply(match found.columns {
            Some(columns) => row_description(&columns, &formats),
            None => Message::NoData(NoData::new()),
        });
        Ok(())
    }

    fn portal(&mut self, name: Option<&String>) -> Result<&mut Portal> {
        let name = name.map_or("", String::as_str);
        self.portals.get_mut(name).ok_or_else(|| SqlError::internal(format!("Cannot find portal: {name}")))
    }

    pub(super) fn close(&mut self, message: &Close) {
        let name = message.name.clone().unwrap_or_default();
        if message.target_type == b'S' {
            self.statements.remove(&name);
        } else {
            self.portals.remove(&name);
        }
        self.reply(Message::CloseComplete(CloseComplete::new()));
    }

    /// Runs a portal, or lets it wait for Sync if it writes.
    pub(super) async fn execute(&mut self, session: &mut Session, message: &Execute) -> Result<Flow> {
        let portal = self.portal(message.name.as_ref())?;
        if portal.prepared.parsed.statement.is_write() {
            let (prepared, values, formats) =
                (Arc::clone(&portal.prepared), portal.values.clone(), portal.formats.clone());
            self.replies.push(Reply::Deferred(Deferred { prepared, values, formats }));
            return Ok(Flow::Go);
        }
        if portal.rows.is_none() {
            if matches!(portal.prepared.parsed.statement, Statement::Empty) {
                self.reply(Message::EmptyQueryResponse(EmptyQueryResponse::new()));
                return Ok(Flow::Go);
            }
            let (prepared, values) = (Arc::clone(&portal.prepared), portal.values.clone());
            if let Flow::Drop = self.settle(session).await? {
                return Ok(Flow::Drop);
            }
            let Some(outcome) = run(&self.shared, session, &prepared.parsed, &values).await? else {
                return Ok(Flow::Drop);
            };
            let Some(columns) = outcome.columns else {
                self.reply(complete(&outcome));
                return Ok(Flow::Go);
            };
            let rest = Rest { tag: outcome.tag, columns, rows: outcome.rows.into_iter() };
            self.portal(message.name.as_ref())?.rows = Some(rest);
        }
        self.send_rows(message)?;
        Ok(Flow::Go)
    }

    /// Sends as many rows as were asked for.
    fn send_rows(&mut self, message: &Execute) -> Result<()> {
        let limit = usize::try_from(message.max_rows).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        let portal = self.portal(message.name.as_ref())?;
        let formats = portal.formats.clone();
        let Some(rest) = &mut portal.rows else { return Ok(()) };
        let mut messages: Vec<Message> =
            rest.rows.by_ref().take(limit).map(|row| data_row(&row, &rest.columns, &formats)).collect();
        let count = i64::try_from(messages.len()).unwrap_or(i64::MAX);
        if rest.rows.len() > 0 {
            messages.push(Message::PortalSuspended(PortalSuspended::new()));
        } else {
            messages.push(tag(rest.tag, Some(count)));
            portal.rows = None;
        }
        self.replies.extend(messages.into_iter().map(Reply::Message));
        Ok(())
    }

    /// Runs the writes that wait, repeats of one statement as one bulk, and puts their answers in their places.
    pub(super) async fn settle(&mut self, session: &mut Session) -> Result<Flow> {
        let mut replies = std::mem::take(&mut self.replies).into_iter().peekable();
        while let Some(reply) = replies.next() {
            let first = match reply {
                Reply::Message(message) => {
                    self.reply(message);
                    continue;
                }
                Reply::Deferred(first) => first,
            };
            let mut between = Vec::new();
            let mut group = vec![first];
            while let Some(reply) = replies.next_if(|reply| belongs(reply, &group[0])) {
                match reply {
                    Reply::Message(message) => between.push((group.len(), message)),
                    Reply::Deferred(deferred) => group.push(deferred),
                }
            }
            let Some(answers) = run_group(&self.shared, session, &group).await? else { return Ok(Flow::Drop) };
            let mut between = between.into_iter().peekable();
            for (number, answer) in answers.into_iter().enumerate() {
                for message in answer {
                    self.reply(message);
                }
                while let Some((_, message)) = between.next_if(|(after, _)| *after == number + 1) {
                    self.reply(message);
                }
            }
        }
        Ok(Flow::Go)
    }

    /// The answers that are ready to be sent.
    pub(super) fn take_replies(&mut self) -> Vec<Message> {
        let messages = std::mem::take(&mut self.replies).into_iter().filter_map(|reply| match reply {
            Reply::Message(message) => Some(message),
            Reply::Deferred(_) => None,
        });
        messages.collect()
    }

    /// Notes an error: what was waiting is given up, and everything up to the next Sync is passed over.
    pub(super) fn fail(&mut self, found: &SqlError, is_broken: bool) {
        let kept = std::mem::take(&mut self.replies).into_iter();
        self.replies = kept.take_while(|reply| matches!(reply, Reply::Message(_))).collect();
        self.reply(error(found, "ERROR"));
        self.has_failed = true;
        self.is_broken = is_broken;
    }
}

/// Whether a reply may stand within a bulk of the statement of `first`.
fn belongs(reply: &Reply, first: &Deferred) -> bool {
    match reply {
        Reply::Message(_) => true,
        Reply::Deferred(next) => next.prepared.parsed.text == first.prepared.parsed.text,
    }
}

/// The answers to a group of writes; `None` where the connection is to end.
async fn run_group(shared: &SharedRef, session: &mut Session, group: &[Deferred]) -> Result<Option<Vec<Vec<Message>>>> {
    let parsed = &group[0].prepared.parsed;
    if let [single] = group {
        let Some(outcome) = run(shared, session, parsed, &single.values).await? else { return Ok(None) };
        return Ok(Some(vec![answer(&outcome, &single.formats)]));
    }
    let halts = enter(shared, session, parsed).await;
    let mut is_lost = false;
    for _ in group {
        match meet(shared, session, parsed).await? {
            Met::Nothing => {}
            Met::DropBefore => return Ok(None),
            Met::DropAfter => is_lost = true,
        }
    }
    let values: Vec<Vec<Value>> = group.iter().map(|deferred| deferred.values.clone()).collect();
    let outcomes = engine::run_bulk(&mut shared.world(), session, parsed, &values);
    if halts {
        shared.gate().halt().await;
    }
    let outcomes = outcomes?;
    if is_lost {
        return Ok(None);
    }
    let answers = outcomes.iter().zip(group).map(|(outcome, deferred)| match outcome {
        BulkOutcome::Done(outcome) => answer(outcome, &deferred.formats),
        BulkOutcome::Refused(word) => vec![tag(word, Some(-3))],
    });
    Ok(Some(answers.collect()))
}

fn answer(outcome: &Outcome, formats: &[i16]) -> Vec<Message> {
    let columns = outcome.columns.as_deref().unwrap_or_default();
    let mut messages: Vec<Message> = outcome.rows.iter().map(|row| data_row(row, columns, formats)).collect();
    messages.push(complete(outcome));
    messages
}

/// Waits, for good where the world is halted; whether it halts once the statement is done.
async fn enter(shared: &SharedRef, session: &Session, parsed: &Parsed) -> bool {
    let changes = parsed.statement.changes();
    shared.gate().enter(&Arrival { cluster: &session.cluster, statement: &parsed.text, changes }).await
}

/// What the fault script has for a statement.
enum Met {
    Nothing,
    DropBefore,
    DropAfter,
}

async fn meet(shared: &SharedRef, session: &Session, parsed: &Parsed) -> Result<Met> {
    let met = shared.faults().meet(&session.cluster, &parsed.text);
    match met {
        None => Ok(Met::Nothing),
        Some(What::Fail { sqlstate, message }) => Err(SqlError { sqlstate, message }),
        Some(What::Delay(delay)) => {
            tokio::time::sleep(delay).await;
            Ok(Met::Nothing)
        }
        Some(What::Ail { all }) => {
            let ailment = if all { Ailment::All } else { Ailment::One };
            shared.world().cluster_mut(&session.cluster).ailment = Some(ailment);
            Ok(Met::Nothing)
        }
        Some(What::DropConnectionBefore) => Ok(Met::DropBefore),
        Some(What::DropConnectionAfter) => Ok(Met::DropAfter),
    }
}

/// Runs a statement; `None` where the connection is to end without an answer.
pub(super) async fn run(
    shared: &SharedRef,
    session: &mut Session,
    parsed: &Parsed,
    values: &[Value],
) -> Result<Option<Outcome>> {
    let halts = enter(shared, session, parsed).await;
    let met = meet(shared, session, parsed).await?;
    if matches!(met, Met::DropBefore) {
        return Ok(None);
    }
    let outcome = engine::run_noted(&mut shared.world(), session, parsed, values);
    if halts {
        shared.gate().halt().await;
    }
    let outcome = outcome?;
    Ok(if matches!(met, Met::DropAfter) { None } else { Some(outcome) })
}
