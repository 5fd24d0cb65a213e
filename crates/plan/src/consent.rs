//! Who permits what: consents from the command line and the spec.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use transship_model::plan::{Consent, ConsentBy};
use transship_model::{AllowDrop, DropKind};

use crate::input::PlanInput;

/// The consents that hold for one flow today.
pub(crate) struct Consents<'a> {
    flag: &'a [AllowDrop],
    spec: Vec<&'a AllowDrop>,
    today: Date,
    /// What `then: detach` consents to: subscription and publication of the flow, and the full names of its half copies.
    detach: Option<BTreeSet<String>>,
}

impl<'a> Consents<'a> {
    /// Those of the command line, of the workspace and of the flow itself.
    pub(crate) fn new(input: &'a PlanInput, flow: &'a [AllowDrop]) -> Self {
        Self {
            flag: &input.options.allow_drop,
            spec: flow.iter().chain(&input.spec.allow_drop).collect(),
            today: input.now.to_zoned(TimeZone::UTC).date(),
            detach: None,
        }
    }

    /// With those of `then: detach`, by which tables of the full names `half` are half copies.
    pub(crate) fn detaching(self, half: BTreeSet<String>) -> Self {
        Self { detach: Some(half), ..self }
    }

    /// The consent to drop `kind` with the full `name`, given or not.
    pub(crate) fn ask(&self, kind: DropKind, name: String) -> Consent {
        let allows = |consent: &&AllowDrop| consent.allows(kind, &name, self.today);
        let by_detach = match (&self.detach, kind) {
            (Some(_), DropKind::Subscription | DropKind::Publication) => Some(ConsentBy::Detach),
            (Some(half), DropKind::Table) if half.contains(&name) => Some(ConsentBy::Arriving),
            _ => None,
        };
        if by_detach.is_some() {
            return Consent { kind, name, given: by_detach };
        }
        let flag = self.flag.iter().find(allows).map(|by| ConsentBy::Flag(format!("{kind}:{}", by.name)));
        let spec = || self.spec.iter().copied().find(allows).map(|by| ConsentBy::Spec(format!("{kind}:{}", by.name)));
        Consent { kind, given: flag.or_else(spec), name }
    }
}
