//! One snapshot for all targets of a flow: each target plans what it needs as if it were alone, and what is the same on the
//! source is done once, by the first of them. The others wait for that and for nothing else of it, so that a target that
//! fails does not stop them.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::plan::{Action, Step, StepId, StepKind};
use transship_model::{FlowId, Name};

use crate::stage::FlowOutcome;

/// Merges what targets of one flow would do twice on their source.
pub(crate) fn merge(outcomes: &mut [(FlowId, FlowOutcome)]) {
    for group in groups(outcomes) {
        let leader = group.iter().copied().find(|index| !outcomes[*index].1.draft.due).unwrap_or(group[0]);
        let steps = &outcomes[leader].1.draft.steps;
        let Some(source) = steps.iter().find(|it| it.kind == StepKind::CreateSnapshot).map(|it| it.cluster.clone())
        else {
            continue;
        };
        let lent: Vec<Step> = steps.iter().filter(|step| is_lent(step, &source)).cloned().collect();
        let mut is_shared = false;
        for index in group.into_iter().filter(|index| *index != leader) {
            is_shared |= borrow(&mut outcomes[index].1, &lent);
        }
        if is_shared {
            free(&mut outcomes[leader].1.draft.steps, &source);
        }
    }
}

/// The outcomes that make the same snapshot, by flow.
fn groups(outcomes: &[(FlowId, FlowOutcome)]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (index, (flow, outcome)) in outcomes.iter().enumerate() {
        let made = outcome.draft.steps.iter().find_map(|step| match &step.action {
            Some(Action::CreateSnapshot(made)) => Some((&step.cluster, &made.repository, &made.snapshot)),
            _ => None,
        });
        if let Some(made) = made {
            groups.entry((&flow.flow, made)).or_default().push(index);
        }
    }
    groups.into_values().filter(|group| group.len() > 1).collect()
}

/// What is done on the source, whatever the target: repositories there, snapshots.
fn is_lent(step: &Step, source: &Name) -> bool {
    let of_source = matches!(
        step.kind,
        StepKind::CreateRepository | StepKind::DropRepository | StepKind::CreateSnapshot | StepKind::DropSnapshot
    );
    of_source && step.cluster == *source
}

/// Takes out of a target's steps what another one does for it; whether there was anything.
fn borrow(outcome: &mut FlowOutcome, lent: &[Step]) -> bool {
    let draft = &mut outcome.draft;
    let same = |step: &Step| {
        let mut same = lent.iter().filter(|it| (it.kind, &it.cluster) == (step.kind, &step.cluster));
        same.find(|it| (&it.sql, &it.action, &it.params) == (&step.sql, &step.action, &step.params))
    };
    // What each removed step stood for: that of the other target, and what it waited for itself.
    let mut gone: BTreeMap<StepId, Vec<StepId>> = BTreeMap::new();
    let mut kept = Vec::with_capacity(draft.steps.len());
    for mut step in std::mem::take(&mut draft.steps) {
        let waits = step.depends_on.iter().flat_map(|id| gone.get(id).cloned().unwrap_or_else(|| vec![id.clone()]));
        let waits: BTreeSet<StepId> = waits.collect();
        let Some(instead) = same(&step) else {
            step.depends_on = waits.into_iter().collect();
            kept.push(step);
            continue;
        };
        let own = waits.into_iter().filter(|id| !lent.iter().any(|it| it.id == *id));
        gone.insert(step.id, own.chain([instead.id.clone()]).collect());
    }
    draft.steps = kept;
    draft.blocked.retain(|blocked| blocked.step.as_ref().is_none_or(|id| !gone.contains_key(id)));
    !gone.is_empty()
}

/// Has what is done for all targets wait for nothing that is about one of them.
fn free(steps: &mut [Step], source: &Name) {
    let first = steps.iter().position(|step| is_lent(step, source));
    let last = steps.iter().rposition(|step| step.kind == StepKind::CreateSnapshot);
    let (Some(first), Some(last)) = (first, last) else { return };
    let taken = steps[last].id.clone();
    for step in steps.iter_mut().filter(|step| step.kind == StepKind::DropSnapshot) {
        // What is aged out goes as soon as the new one is whole, also where this target fails.
        step.depends_on = vec![taken.clone()];
    }
    let before = std::mem::take(&mut steps[first].depends_on);
    if let Some(after) = steps.get_mut(last + 1) {
        after.depends_on.extend(before);
        after.depends_on.sort();
    }
}
