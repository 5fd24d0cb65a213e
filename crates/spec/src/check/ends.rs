//! Where a flow comes from and goes to: names that are declared, and ends that fit the strategy.

use std::collections::BTreeSet;

use transship_model::spec::{Flow, Format, From, StoreUse, StrategyChoice, To};
use transship_model::{Finding, Name, SpecPath};

use super::{Context, tables_with_settings};
use crate::report::Report;
use crate::suggest;

pub(super) fn check(context: &Context<'_>, flow: &Flow, path: &SpecPath, report: &mut Report) {
    let mut ends = Ends { context, flow, path, report };
    ends.check_from();
    ends.check_to();
    ends.check_dependencies();
    ends.check_stores();
    ends.check_keys_of_export();
    ends.check_keys_of_import();
}

struct Ends<'a, 'b> {
    context: &'a Context<'b>,
    flow: &'a Flow,
    path: &'a SpecPath,
    report: &'a mut Report,
}

impl Ends<'_, '_> {
    fn check_from(&mut self) {
        match &self.flow.from {
            From::Cluster(cluster) => self.known_cluster(cluster, self.path.key("from")),
            From::Store(end) => self.known_store(&end.store, self.path.key("from").key("store")),
        }
    }

    fn check_to(&mut self) {
        let path = self.path.key("to");
        match &self.flow.to {
            To::Cluster(cluster) => self.target(cluster, path),
            To::Clusters(clusters) => {
                for (i, cluster) in clusters.iter().enumerate() {
                    self.target(cluster, path.item(i));
                }
            }
            To::Store(end) => self.known_store(&end.store, path.key("store")),
        }
    }

    fn target(&mut self, cluster: &Name, path: SpecPath) {
        if self.flow.from == From::Cluster(cluster.clone()) {
            self.report.push(
                Finding::error("spec::same-cluster", format!("the flow goes from `{cluster}` to `{cluster}`"))
                    .at(path.clone())
                    .related(self.path.key("from"), "comes from here")
                    .help("name another cluster; transship moves tables between clusters"),
            );
        }
        self.known_cluster(cluster, path);
    }

    fn known_cluster(&mut self, cluster: &Name, path: SpecPath) {
        let clusters = &self.context.declared.clusters;
        if clusters.contains(cluster.as_str()) {
            return;
        }
        let help = if self.context.declared.stores.contains(cluster.as_str()) {
            format!("`{cluster}` is a store: write `{{ store: {cluster} }}`")
        } else {
            suggest::help(cluster.as_str(), "clusters", clusters.iter().map(String::as_str))
        };
        self.report.push(
            Finding::error("spec::unknown-cluster", format!("there is no cluster `{cluster}`")).at(path).help(help),
        );
    }

    fn known_store(&mut self, store: &Name, path: SpecPath) {
        unknown(store, &self.context.declared.stores, "spec::unknown-store", "store", path, self.report);
    }

    fn check_dependencies(&mut self) {
        for (i, flow) in self.flow.depends_on.iter().enumerate() {
            let path = self.path.key("depends_on").item(i);
            unknown(flow, &self.context.declared.flows, "spec::unknown-flow", "flow", path, self.report);
        }
    }

    /// The stores that the strategy and the ends name.
    fn check_stores(&mut self) {
        let strategy = self.path.key("strategy");
        let (from, to) = (store_of_from(&self.flow.from), store_of_to(&self.flow.to));
        match &self.flow.strategy {
            StrategyChoice::ExportImport(settings) => {
                let path = strategy.key("export-import").key("store");
                if let Some(store) = &settings.store {
                    self.known_store(store, path.clone());
                    self.one_store(store, from, to, &path);
                }
                self.store_of_export(settings.store.as_ref(), from, to, &strategy);
            }
            StrategyChoice::Snapshot(settings) => {
                let path = strategy.key("snapshot").key("store");
                self.known_store(&settings.store, path.clone());
                self.usable(&settings.store, StoreUse::Snapshots, path);
                self.no_store_as_end(from, to);
            }
            _ => self.no_store_as_end(from, to),
        }
    }

    fn one_store(&mut self, store: &Name, from: Option<&Name>, to: Option<&Name>, path: &SpecPath) {
        let ends = [(from, "from"), (to, "to")];
        for (end, key) in ends.into_iter().filter_map(|(end, key)| Some((end?, key))).filter(|(end, _)| *end != store) {
            self.report.push(
                Finding::error("spec::two-stores", format!("the flow uses store `{store}`, and its end is `{end}`"))
                    .at(path.clone())
                    .related(self.path.key(key), "the end")
                    .help("remove `store` from the strategy: the end says which store it is"),
            );
        }
    }

    fn store_of_export(&mut self, named: Option<&Name>, from: Option<&Name>, to: Option<&Name>, path: &SpecPath) {
        let settings = path.key("export-import");
        match (from, to, named) {
            (Some(_), Some(_), _) => self.report.push(
                Finding::error("spec::store-to-store", "the flow goes from a store to a store")
                    .at_key(self.path.key("to"))
                    .related(self.path.key("from"), "comes from here")
                    .help("one end of a flow is a cluster"),
            ),
            (Some(store), None, _) => self.usable(store, StoreUse::Import, self.path.key("from").key("store")),
            (None, Some(store), _) => self.usable(store, StoreUse::Export, self.path.key("to").key("store")),
            (None, None, Some(store)) => self.usable(store, StoreUse::Export, settings.key("store")),
            (None, None, None) => self.report.push(
                Finding::error("spec::missing-key", "`store` is missing")
                    .at_key(settings)
                    .help("name the store that both clusters reach: `store: NAME`"),
            ),
        }
    }

    fn no_store_as_end(&mut self, from: Option<&Name>, to: Option<&Name>) {
        for (key, _) in [("from", from), ("to", to)].into_iter().filter(|(_, store)| store.is_some()) {
            let strategy = self.flow.strategy.strategy();
            self.report.push(
                Finding::error(
                    "spec::store-end-needs-export-import",
                    format!("a store as an end does not go with strategy `{strategy}`: it needs both clusters"),
                )
                .at_key(self.path.key(key))
                .help("name a cluster, or use a strategy that can: `export-import`"),
            );
        }
    }

    fn usable(&mut self, store: &Name, usage: StoreUse, path: SpecPath) {
        let Some((code, reason, help)) = self.context.spec.stores.get(store).and_then(|store| store.cannot(usage))
        else {
            return;
        };
        self.report.push(
            Finding::error(code, format!("`{store}` cannot be used here: {reason}"))
                .at(path)
                .related(SpecPath::of("stores", store), "the store")
                .help(help),
        );
    }

    /// Keys about target tables, where there are none.
    fn check_keys_of_export(&mut self) {
        let To::Store(_) = &self.flow.to else { return };
        let flow = self.flow;
        let keys = [
            ("existing", flow.existing.is_some(), "spec::existing-needs-cluster"),
            ("replace_by", flow.replace_by.is_some(), "spec::replace-by-needs-cluster"),
            ("target", !flow.target.is_empty(), "spec::target-needs-cluster"),
            ("allow_shrink", flow.allow_shrink, "spec::allow-shrink-needs-cluster"),
            ("on_new_column", flow.on_new_column.is_some(), "spec::on-new-column-needs-cluster"),
        ];
        for (key, _, code) in keys.into_iter().filter(|(_, is_set, _)| *is_set) {
            self.report.push(
                Finding::error(code, format!("`{key}` has no use where the flow ends in a store"))
                    .at_key(self.path.key(key))
                    .help("remove the key, or name a cluster in `to`"),
            );
        }
    }

    /// Settings of files that are there already: their manifest says it.
    fn check_settings_of_import(&mut self) {
        let StrategyChoice::ExportImport(settings) = &self.flow.strategy else { return };
        let keys = [
            ("format", settings.format != Format::Json, "spec::format-needs-cluster"),
            ("compression", settings.compression.is_some(), "spec::compression-needs-cluster"),
            ("keep", settings.keep != 1, "spec::keep-needs-cluster"),
        ];
        for (key, _, code) in keys.into_iter().filter(|(_, is_set, _)| *is_set) {
            self.report.push(
                Finding::error(code, format!("`{key}` has no use where the flow begins in a store"))
                    .at_key(self.path.key("strategy").key("export-import").key(key))
                    .help("remove the key: the manifest of the export says what the files are"),
            );
        }
    }

    /// Keys that are evaluated by a source cluster, where there is none.
    fn check_keys_of_import(&mut self) {
        let From::Store(source) = &self.flow.from else { return };
        if let Some(export) = source.export.as_deref().filter(|export| !is_place(export)) {
            self.report.push(
                Finding::error("spec::bad-export", format!("`{export}` is no place below a store"))
                    .at(self.path.key("from").key("export"))
                    .help("write the directory of the export below the store, such as `shop-sync/nightly`"),
            );
        }
        self.check_settings_of_import();
        for (path, table) in tables_with_settings(self.flow, self.path) {
            let keys = [
                ("where", table.filter.is_some(), "spec::where-needs-cluster"),
                ("columns", table.columns.is_some(), "spec::columns-needs-cluster"),
                ("partitions", !table.partitions.is_empty(), "spec::partitions-needs-cluster"),
            ];
            for (key, _, code) in keys.into_iter().filter(|(_, is_set, _)| *is_set) {
                self.report.push(
                    Finding::error(code, format!("`{key}` has no use where the flow begins in a store"))
                        .at_key(path.key(key))
                        .help("choose rows and columns in the flow that exports them"),
                );
            }
        }
    }
}

/// Whether a path leads below a store: parts of what URIs take as it is, with `/` between.
fn is_place(path: &str) -> bool {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-._~=@".contains(character);
    path.split('/').all(|part| !matches!(part, "" | "." | "..") && part.chars().all(is_plain))
}

fn unknown(
    name: &Name,
    declared: &BTreeSet<String>,
    code: &'static str,
    kind: &str,
    path: SpecPath,
    report: &mut Report,
) {
    if !declared.contains(name.as_str()) {
        let help = suggest::help(name.as_str(), &format!("{kind}s"), declared.iter().map(String::as_str));
        report.push(Finding::error(code, format!("there is no {kind} `{name}`")).at(path).help(help));
    }
}

const fn store_of_from(from: &From) -> Option<&Name> {
    match from {
        From::Store(end) => Some(&end.store),
        From::Cluster(_) => None,
    }
}

const fn store_of_to(to: &To) -> Option<&Name> {
    match to {
        To::Store(end) => Some(&end.store),
        To::Cluster(_) | To::Clusters(_) => None,
    }
}
