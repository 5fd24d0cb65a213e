//! What views need to know of a plan beyond its fields: signs, counts, groups.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::ledger::StoreEnd;
use transship_model::plan::{Action, DueFlow, Plan, Step, StepKind};
use transship_model::{FlowId, Place, TableName};

use super::object::object;
use super::style::counted;

/// What a step does, in one sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// `+`
    Create,
    /// `~`
    Change,
    /// `»`
    Copy,
    /// `-`
    Drop,
    /// `…`
    Wait,
}

impl Sign {
    /// The sign of a kind of step.
    pub const fn of(kind: StepKind) -> Self {
        match kind {
            StepKind::CreateLedger
            | StepKind::CreatePublication
            | StepKind::CreateSubscription
            | StepKind::CreateRepository
            | StepKind::WriteManifest
            | StepKind::CreateServer
            | StepKind::CreateUserMapping
            | StepKind::CreateForeignTable
            | StepKind::CreateTable => Self::Create,
            StepKind::RecordFlow
            | StepKind::PublishTables
            | StepKind::UnpublishTables
            | StepKind::GrantPrivileges
            | StepKind::RenameTable
            | StepKind::SwapTable
            | StepKind::SwitchView
            | StepKind::ReplaceByView
            | StepKind::AlterTable
            | StepKind::NoteSynced
            | StepKind::TakeCopy => Self::Change,
            StepKind::CopyRows
            | StepKind::PullRows
            | StepKind::RunCommand
            | StepKind::MergeRows
            | StepKind::CreateSnapshot
            | StepKind::RestoreTable
            | StepKind::TryRestore
            | StepKind::RestorePartition
            | StepKind::FillPartition
            | StepKind::ExportRows
            | StepKind::WriteFiles
            | StepKind::ImportRows => Self::Copy,
            StepKind::DropSubscription
            | StepKind::DropPublication
            | StepKind::DropTable
            | StepKind::ReplacePartition
            | StepKind::PruneRows
            | StepKind::DropRepository
            | StepKind::DropForeignTable
            | StepKind::DropUserMapping
            | StepKind::DropServer
            | StepKind::DropSnapshot
            | StepKind::RemoveFiles => Self::Drop,
            StepKind::WaitReleased
            | StepKind::WaitSynced
            | StepKind::WaitLeasesGone
            | StepKind::WaitFlows
            | StepKind::CheckFiles
            | StepKind::CheckStore => Self::Wait,
        }
    }

    /// The character.
    pub const fn character(self) -> &'static str {
        match self {
            Self::Create => "+",
            Self::Change => "~",
            Self::Copy => "»",
            Self::Drop => "-",
            Self::Wait => "…",
        }
    }
}

/// The steps of one flow, or of the ledger.
#[derive(Debug)]
pub struct Group<'a> {
    /// The flow; `None` for the ledger.
    pub flow: Option<&'a FlowId>,
    /// Whether the work merely fell due.
    pub due: bool,
    /// Its steps in order.
    pub steps: Vec<&'a Step>,
}

impl<'a> Group<'a> {
    /// The groups of a plan in the order in which they begin, what fell due at the end.
    pub fn of(plan: &'a Plan) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        let mut places = BTreeMap::new();
        for step in &plan.steps {
            let flow = step.flow.as_ref();
            let place = *places.entry(flow).or_insert(groups.len());
            match groups.get_mut(place) {
                Some(group) => group.steps.push(step),
                None => groups.push(Self { flow, due: false, steps: vec![step] }),
            }
        }
        let due = |due: &'a DueFlow| Self { flow: Some(&due.flow), due: true, steps: due.steps.iter().collect() };
        groups.extend(plan.due.iter().map(due));
        groups
    }

    /// `orders-live`, or `ledger`.
    pub fn title(&self) -> String {
        self.flow.map_or_else(|| "ledger".to_owned(), ToString::to_string)
    }

    /// The place that all steps share.
    pub fn place(&self) -> Option<&'a Place> {
        let first = self.steps.first()?.at.as_ref();
        first.filter(|_| self.steps.iter().all(|step| step.at.as_ref() == first))
    }

    /// `shop → analytics`, where the plan's records tell.
    pub fn ends(&self, plan: &Plan) -> Option<String> {
        let record = plan.all_records().find(|record| Some(&record.flow) == self.flow)?;
        let (from, to) = (record.row.from.to_string(), record.row.to.to_string());
        let (from, to) = match &record.row.end {
            None => (from, to),
            Some(StoreEnd::From(store)) => (format!("store {store}"), to),
            Some(StoreEnd::To(store)) => (from, format!("store {store}")),
        };
        Some(format!("{from} → {to}"))
    }
}

/// The tables of a publication before and after a step, where the step changes them.
pub fn table_sets(step: &Step) -> Option<(BTreeSet<String>, BTreeSet<String>)> {
    let Some(Action::ChangeTables(change)) = &step.action else { return None };
    let texts = |tables: &BTreeSet<TableName>| tables.iter().map(ToString::to_string).collect();
    Some((texts(&change.before), texts(&change.after)))
}

/// How many steps of each sort, and what stands against them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// `+`
    pub create: usize,
    /// `~`
    pub change: usize,
    /// `»`
    pub copy: usize,
    /// `-`
    pub drop: usize,
    /// `…`
    pub wait: usize,
    /// Flows that fell due.
    pub due: usize,
    /// Steps that drop something or overwrite what was there.
    pub destructive: usize,
    /// Reasons that forbid applying.
    pub blocked: usize,
    /// Flows that could not be judged.
    pub unseen: usize,
}

impl Counts {
    /// Counts a plan.
    pub fn of(plan: &Plan) -> Self {
        let mut counts = Self {
            due: plan.due.len(),
            destructive: plan.destructive().count(),
            blocked: plan.all_blocked().count(),
            unseen: plan.unseen.iter().map(|note| &note.flow).collect::<BTreeSet<_>>().len(),
            ..Self::default()
        };
        for step in plan.all_steps() {
            match Sign::of(step.kind) {
                Sign::Create => counts.create += 1,
                Sign::Change => counts.change += 1,
                Sign::Copy => counts.copy += 1,
                Sign::Drop => counts.drop += 1,
                Sign::Wait => counts.wait += 1,
            }
        }
        counts
    }

    /// `2 to create, 1 to change (1 flow due)`: what is done, without what stands against it; empty when nothing is done.
    pub fn work(&self) -> String {
        let parts = [
            (self.create, "to create"),
            (self.change, "to change"),
            (self.copy, "to copy"),
            (self.drop, "to drop"),
            (self.wait, "to wait for"),
        ];
        let parts: Vec<_> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        let due = (self.due > 0).then(|| format!(" ({} due)", counted(self.due, "flow")));
        format!("{}{}", parts.join(", "), due.unwrap_or_default())
    }

    /// The remarks that follow the work, each with whether it is alarming.
    pub fn remarks(&self) -> Vec<String> {
        let parts = [
            (self.destructive, format!("{} destructive", self.destructive)),
            (self.blocked, format!("{} blocked", self.blocked)),
            (self.unseen, format!("{} not judged", counted(self.unseen, "flow"))),
        ];
        parts.into_iter().filter(|(n, _)| *n > 0).map(|(_, text)| text).collect()
    }
}

/// `01` of `orders-live/01-create-publication`; the whole id where it is of another form.
pub fn number(step: &Step) -> &str {
    let last = step.id.0.rsplit('/').next().unwrap_or(&step.id.0);
    match last.split_once('-') {
        Some((number, _)) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => number,
        _ => last,
    }
}

/// A step as a line to compare: `orders-live/01 + publication shop.p`.
pub fn step_line(step: &Step) -> String {
    let group = step.flow.as_ref().map_or_else(|| "ledger".to_owned(), ToString::to_string);
    format!("{group}/{} {} {}", number(step), Sign::of(step.kind).character(), object(step))
}
