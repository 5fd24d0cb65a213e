//! Whether two real clusters see the same place in a store: shown before anything else is done, and nothing stays of it.

use crate::real::{Copies, Intercept, Then};

#[test]
fn real_a_reader_that_sees_another_place_stops_the_run_before_it_begins() {
    let Some(copies) = Copies::new("snapmark") else { return };
    let Some(exchange) = copies.clusters.exchange("snapmark") else { return };
    let (schema, name) = (copies.scope.schema.clone(), copies.scope.workspace.clone());
    let folder = exchange.join(&name);
    copies.workspace.write(
        "flows.yaml",
        &format!(
            "version: 1\nstores:\n  disk:\n    directory: {{ path: {} }}\nflows:\n  copy:\n    from: alpha\n    to: beta\n    \
             tables: [{schema}.people]\n    strategy: {{ snapshot: {{ store: disk }} }}\n",
            folder.display()
        ),
    );
    let said = copies.workspace.run(&["plan"]).expect(0).all();
    assert!(said.contains("is still to be shown"), "{said}");
    for empty in [true, false] {
        // As if beta had another disk under the same path.
        let marker = folder.join(&name).join("copy").join("marker");
        let hook = move || {
            fs_err::rename(&marker, marker.with_extension(format!("of-alpha-{empty}"))).expect("a marker was written");
            if empty {
                fs_err::create_dir_all(&marker).expect("the directory can be written");
            }
            Then::Pass
        };
        let between = Intercept::before(copies.beta(), "CREATE REPOSITORY \"transship_marker__", hook);
        copies.workspace.reach(copies.beta(), &between.cluster);
        let failed = copies.workspace.run(&["apply", "--auto-approve"]);
        copies.workspace.reach(&between.cluster, copies.beta());
        let failed = failed.expect(7).all();
        assert!(failed.contains("apply::stores-differ"), "{failed}");
        for cluster in [copies.alpha(), copies.beta()] {
            let made = format!("SELECT name FROM sys.repositories WHERE name LIKE '%{}%'", name.replace('-', "_"));
            assert_eq!(cluster.sql(&made).len(), 0, "{failed}");
        }
    }
    copies.workspace.apply();
    copies.is_equal("id, name, email", 1000);
    copies.workspace.is_settled();
    for cluster in [copies.alpha(), copies.beta()] {
        let own = name.replace('-', "_");
        let left = format!("SELECT name FROM sys.repositories WHERE name LIKE 'transship_marker%{own}%'");
        assert_eq!(cluster.sql(&left).len(), 0);
    }
    copies.aside(0);
}
