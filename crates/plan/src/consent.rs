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
    /// Whether `then: detach` consents to dropping subscription and publication of the flow.
    detach: bool,
    /// What may be dropped because it never was whole, by its full name.
    arriving: BTreeSet<(DropKind, String)>,
}

impl<'a> Consents<'a> {
    /// Those of the command line, of the workspace and of the flow itself.
    pub(crate) fn new(input: &'a PlanInput, flow: &'a [AllowDrop]) -> Self {
        Self {
            flag: &input.options.allow_drop,
            spec: flow.iter().chain(&input.spec.allow_drop).collect(),
            today: input.now.to_zoned(TimeZone::UTC).date(),
            detach: false,
            arriving: BTreeSet::new(),
        }
    }

    /// With that of `then: detach`.
    pub(crate) fn detaching(self) -> Self {
        Self { detach: true, ..self }
    }

    /// With those that hold for what never was whole.
    pub(crate) fn arriving(self, arriving: BTreeSet<(DropKind, String)>) -> Self {
        Self { arriving, ..self }
    }

    /// The consent to drop `kind` with the full `name`, given or not.
    pub(crate) fn ask(&self, kind: DropKind, name: String) -> Consent {
        let allows = |consent: &&AllowDrop| consent.allows(kind, &name, self.today);
        if self.detach && matches!(kind, DropKind::Subscription | DropKind::Publication) {
            return Consent { kind, name, given: Some(ConsentBy::Detach) };
        }
        let flag = self.flag.iter().find(allows).map(|by| ConsentBy::Flag(format!("{kind}:{}", by.name)));
        let spec = || self.spec.iter().copied().find(allows).map(|by| ConsentBy::Spec(format!("{kind}:{}", by.name)));
        let arriving = || self.arriving.contains(&(kind, name.clone())).then_some(ConsentBy::Arriving);
        Consent { kind, given: flag.or_else(arriving).or_else(spec), name }
    }
}
