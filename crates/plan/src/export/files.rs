//! Where the files of a flow lie, and what COPY says of their store.

use transship_model::spec::{Compression as Packed, ExportImport, Format, From, Instance, To};
use transship_model::store::uri::{self, Unfit};
use transship_model::store::{StoreLocation, place_of};
use transship_model::{Finding, FlowId, Name, TableName};
use transship_sql::store;
use transship_sql::transfer::{Compression, StoreOptions};

use crate::ends;
use crate::input::PlanInput;

/// Where the files of a flow lie, and what COPY says of their store.
pub(super) struct Files<'a> {
    /// The store's name.
    pub(super) name: &'a Name,
    /// Where it is.
    pub(super) location: &'a StoreLocation,
    /// What COPY wants beside the URI.
    pub(super) options: StoreOptions,
    /// What files hold.
    pub(super) format: Format,
    /// How files are packed.
    pub(super) packed: Option<Packed>,
    /// How many exports stay.
    pub(super) keep: usize,
}

impl<'a> Files<'a> {
    /// Those of a flow; an error where CrateDB cannot copy to or from the store.
    pub(super) fn of(
        input: &'a PlanInput,
        instance: &Instance<'a>,
        settings: &'a ExportImport,
    ) -> Result<Self, Finding> {
        let (at, end) = match (&instance.flow.from, &instance.flow.to) {
            (From::Store(end), _) => (instance.path.key("from").key("store"), Some(&end.store)),
            (_, To::Store(end)) => (instance.path.key("to").key("store"), Some(&end.store)),
            _ => (instance.path.key("strategy").key("export-import").key("store"), None),
        };
        let error = |code, message: String, help: &str| Err(Finding::error(code, message).at(at.clone()).help(help));
        let Some(name) = end.or(settings.store.as_ref()) else {
            let help = "name the store that the files go through";
            return error("plan::store-unknown", "the flow names no store".to_owned(), help);
        };
        let location = ends::store(input, name, &at)?;
        let unfit = match location {
            StoreLocation::Url(_) if !matches!(instance.flow.from, From::Store(_)) => Some(Unfit::ReadOnly),
            location => uri::shown(location, "x").err(),
        };
        if let Some(unfit) = unfit {
            let (reason, help) = unfit.reason();
            return error("plan::store-unfit", format!("store {name} cannot be used so: {reason}"), help);
        }
        let (options, secrets) = store::options(&uri::options(location));
        if !secrets.is_empty() {
            let help = "use an `s3` or `directory` store, or set `enabled: false` to plan the other flows";
            let message = "exports to a store that wants a secret beside the URI are not available yet".to_owned();
            return error("plan::not-available-yet", message, help);
        }
        let keep = usize::try_from(settings.keep).unwrap_or(usize::MAX);
        Ok(Self { name, location, options, format: settings.format, packed: settings.compression, keep })
    }

    /// How files are packed, as COPY says it.
    pub(super) const fn compression(&self) -> Compression {
        match self.packed {
            Some(Packed::Gzip) => Compression::Gzip,
            None => Compression::None,
        }
    }

    /// Whether the store is a directory.
    pub(super) const fn is_directory(&self) -> bool {
        matches!(self.location, StoreLocation::Directory(_))
    }

    /// The URI of what lies under `below`, as reviewers see it.
    pub(super) fn shown(&self, below: &str) -> String {
        uri::shown(self.location, below).expect("a store that has no such URI was refused")
    }
}

/// Where an export lies in its store.
pub(crate) fn path((workspace, environment): (&Name, Option<&Name>), flow: &FlowId, number: u32) -> String {
    format!("{}/{number}", place_of(workspace, environment, flow))
}

/// Where the files of a table lie in an export.
pub(crate) fn place(export: &str, table: &TableName) -> String {
    format!("{export}/{table}")
}
