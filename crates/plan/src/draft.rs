//! The steps of one flow while they are being put together: ids, order and consents in one place.

use std::collections::BTreeSet;

use transship_model::consent::DropKind;
use transship_model::observed::{Observed, Shard};
use transship_model::plan::{
    Action, Blocked, Consent, DroppedTable, Estimate, Note, ObjectRef, Param, Precondition, Record, Step, StepId,
    StepKind,
};
use transship_model::{FlowId, Name, Place, TableName};
use transship_sql::table as table_sql;

/// How `prevent_destroy` of a declared flow is lifted.
pub(crate) const LIFT_PREVENT_DESTROY: &str = "take `prevent_destroy` off the flow, in a change of its own";

/// What one flow adds to the plan. Its steps follow each other: each waits for the one before.
#[derive(Debug)]
pub(crate) struct FlowDraft {
    flow: FlowId,
    at: Option<Place>,
    /// The steps in order.
    pub(crate) steps: Vec<Step>,
    /// The objects that the steps rely on.
    pub(crate) basis: BTreeSet<ObjectRef>,
    /// What stands against the steps.
    pub(crate) blocked: Vec<Blocked>,
    /// What a reviewer should know.
    pub(crate) warnings: Vec<Note>,
    /// The ledger row, where the steps change it.
    pub(crate) record: Option<Record>,
    /// Whether the steps are work that merely fell due.
    pub(crate) due: bool,
}

/// What a step is made from, before it has an id and a place in the order.
#[derive(Debug)]
pub(crate) struct NewStep {
    cluster: Name,
    kind: StepKind,
    because: String,
    sql: Vec<String>,
    params: Vec<Param>,
    action: Option<Action>,
    preconditions: Vec<Precondition>,
    consent: Option<Consent>,
    destructive: bool,
    estimate: Option<Estimate>,
}

impl NewStep {
    /// A step of `kind` on `cluster`, because of what differs.
    pub(crate) fn new(cluster: &Name, kind: StepKind, because: impl Into<String>) -> Self {
        Self {
            cluster: cluster.clone(),
            kind,
            because: because.into(),
            sql: Vec::new(),
            params: Vec::new(),
            action: None,
            preconditions: Vec::new(),
            consent: None,
            destructive: false,
            estimate: None,
        }
    }

    /// A step that drops the very table that was seen, which has to be writable. The caller says by what else it is known.
    pub(crate) fn drop_table(
        cluster: &Name,
        table: &TableName,
        seen: &Observed,
        consent: Consent,
        because: impl Into<String>,
    ) -> Self {
        let object = ObjectRef::table(cluster, table);
        let definition = seen.tables.get(table).and_then(|table| table.definition.clone());
        Self::new(cluster, StepKind::DropTable, because)
            .sql(table_sql::drop_table(table))
            .action(Action::DropTable(DroppedTable { table: table.clone(), definition }))
            .requires(Precondition::Unchanged(object.clone()))
            .requires(Precondition::Writable(object))
            .drops(consent)
    }

    /// With a statement.
    pub(crate) fn sql(mut self, sql: String) -> Self {
        self.sql.push(sql);
        self
    }

    /// With a bound value.
    pub(crate) fn param(mut self, param: Param) -> Self {
        self.params.push(param);
        self
    }

    /// With an action.
    pub(crate) fn action(mut self, action: Action) -> Self {
        self.action = Some(action);
        self
    }

    /// With something that has to hold just before.
    pub(crate) fn requires(mut self, precondition: Precondition) -> Self {
        self.preconditions.push(precondition);
        self
    }

    /// As a step that drops something, with the consent to it.
    pub(crate) fn drops(mut self, consent: Consent) -> Self {
        self.destructive = true;
        self.consent = Some(consent);
        self
    }

    /// With what the shards hold as an estimate of what it moves.
    pub(crate) fn moves<'a>(mut self, shards: impl IntoIterator<Item = &'a Shard>) -> Self {
        let (mut rows, mut bytes) = (0_i64, 0_i64);
        for shard in shards {
            rows += shard.docs;
            bytes += shard.bytes;
        }
        let number = |sum: i64| u64::try_from(sum).ok();
        self.estimate = Some(Estimate { rows: number(rows), bytes: number(bytes), seconds: None });
        self
    }
}

impl FlowDraft {
    /// An empty draft for a flow that stands at `at`.
    pub(crate) fn new(flow: FlowId, at: Option<Place>) -> Self {
        Self {
            flow,
            at,
            steps: Vec::new(),
            basis: BTreeSet::new(),
            blocked: Vec::new(),
            warnings: Vec::new(),
            record: None,
            due: false,
        }
    }

    /// Adds a step after those that are there; blocks the plan where its consent is missing.
    pub(crate) fn push(&mut self, step: NewStep) {
        let id = StepId(format!("{}/{:02}-{}", self.flow, self.steps.len() + 1, step.kind));
        if let Some(consent) = step.consent.as_ref().filter(|consent| consent.given.is_none()) {
            self.blocked.push(needs_consent(&self.flow, (&id, step.kind), consent));
        }
        self.steps.push(Step {
            depends_on: self.steps.last().map(|before| before.id.clone()).into_iter().collect(),
            id,
            flow: Some(self.flow.clone()),
            cluster: step.cluster,
            kind: step.kind,
            sql: step.sql,
            params: step.params,
            action: step.action,
            preconditions: step.preconditions,
            because: step.because,
            at: self.at.clone(),
            destructive: step.destructive,
            consent: step.consent,
            estimate: step.estimate,
        });
    }

    /// Blocks the last step for a policy that no consent lifts.
    pub(crate) fn block_last(&mut self, code: &str, reason: String, help: impl Into<String>) {
        let step = self.steps.last().map(|step| step.id.clone());
        let flow = Some(self.flow.clone());
        self.blocked.push(Blocked { code: code.to_owned(), step, flow, reason, help: help.into() });
    }

    /// Blocks the last step for `prevent_destroy`, which `what` the step does offends.
    pub(crate) fn prevent_destroy(&mut self, what: &str, help: &str) {
        self.block_last("plan::prevent-destroy", format!("{what} of a flow with prevent_destroy"), help);
    }

    /// Notes something that a reviewer should know.
    pub(crate) fn warn(&mut self, code: &str, text: impl Into<String>) {
        self.warnings.push(Note { code: code.to_owned(), flow: Some(self.flow.clone()), text: text.into() });
    }
}

/// Tables that the steps write anew, by cluster: who reads them finds them changed.
pub(crate) fn rewritten(steps: &[Step]) -> impl Iterator<Item = (Name, TableName)> + '_ {
    let tables = |step: &Step| -> Vec<TableName> {
        match &step.action {
            Some(Action::CopyRows(rows)) if rows.done.is_some() => vec![rows.into.clone()],
            Some(Action::ImportRows(rows)) if rows.done.is_some() => vec![rows.into.clone()],
            Some(Action::PullRows(rows)) if rows.done.is_some() => vec![rows.into.clone()],
            Some(Action::PutInPlace(put)) => vec![put.table.clone()],
            Some(Action::MergeRows(merge)) => vec![merge.done.table.clone()],
            Some(Action::RestorePartition(restored)) => vec![restored.table.clone()],
            Some(Action::FillPartition(filled)) => vec![filled.done.table.clone()],
            Some(Action::TakeCopy(take)) if take.done.is_some() => vec![take.copy.clone()],
            Some(Action::WaitSynced(wait)) => wait.tables.clone(),
            _ => Vec::new(),
        }
    };
    steps.iter().flat_map(move |step| tables(step).into_iter().map(|table| (step.cluster.clone(), table)))
}

fn needs_consent(flow: &FlowId, (step, does): (&StepId, StepKind), consent: &Consent) -> Blocked {
    let Consent { kind, name, .. } = consent;
    let loses = match kind {
        DropKind::Table => " and its rows",
        DropKind::Rows if does == StepKind::PruneRows => " that the source does not have",
        DropKind::Rows => " before their replacement is there",
        _ => "",
    };
    let verb = if *kind == DropKind::Rows { "deletes rows of" } else { "drops" };
    let what = if *kind == DropKind::Rows { String::new() } else { format!("{kind} ") };
    Blocked {
        code: "plan::needs-consent".to_owned(),
        step: Some(step.clone()),
        flow: Some(flow.clone()),
        reason: format!("{verb} {what}{name}{loses}"),
        help: format!("--allow-drop '{kind}:{name}', or allow_drop in the spec"),
    }
}
