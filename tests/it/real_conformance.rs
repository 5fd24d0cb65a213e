//! The statements of the conformance suite on a real cluster: the answers on file are still its answers.

use crate::conformance::{connect, file, golden, numbered, transcript, written};
use crate::real::{Clusters, Scope};
use crate::sandbox::Pair;
use crate::wire::{Wire, bulk_answers};

#[test]
fn cratedb_answers_as_on_file() {
    let Some(clusters) = Clusters::require("cratedb_answers_as_on_file") else { return };
    let scope = Scope::new(clusters, "alike");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let alpha = &clusters.alpha;
    let found = runtime.block_on(async {
        let client = connect(&alpha.host, alpha.port, &alpha.admin.user, alpha.admin.password.as_deref()).await;
        transcript(&client, &scope.schema).await
    });
    if std::env::var_os("TRANSSHIP_BLESS").is_some() {
        fs_err::write(file("answers.txt"), written(&found)).expect("written");
        return;
    }
    let found = numbered(found);
    for (statement, expected) in golden("answers.txt") {
        assert_eq!(found.get(&statement), Some(&expected), "{statement}");
    }
}

#[test]
fn bulks_are_answered_as_by_the_sandbox() {
    let Some(clusters) = Clusters::require("bulks_are_answered_as_by_the_sandbox") else { return };
    let scope = Scope::new(clusters, "bulk");
    let alpha = &clusters.alpha;
    let real = bulk_answers(&mut Wire::connect(&alpha.host, alpha.port, &alpha.admin.user), &scope.schema);
    let pair = Pair::start();
    let port = pair.sandbox.port("shop").expect("a cluster");
    assert_eq!(bulk_answers(&mut Wire::connect("127.0.0.1", port, "crate"), &scope.schema), real);
}
