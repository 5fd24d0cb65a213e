//! Every statement that `transship-sql` builds is understood by the sandbox.

use transship_model::TableName;
use transship_sql::{copy, ledger, lookup, observe, place, replication, table, view};

use crate::sandbox::Pair;

#[test]
fn every_statement_that_is_built_is_understood() {
    let pair = Pair::start();
    pair.sql("shop", "CREATE TABLE shop.t (id INTEGER PRIMARY KEY, v TEXT, p GEO_POINT, at TIMESTAMP WITH TIME ZONE)");
    pair.sql(
        "shop",
        "CREATE TABLE shop.copy (id INTEGER PRIMARY KEY, v TEXT, p GEO_POINT, at TIMESTAMP WITH TIME ZONE)",
    );
    let name = TableName::new("shop", "t");
    let column = |name, data_type| copy::Source::Column { name, data_type };
    let columns = [column("id", "integer"), column("p", "geo_point"), column("at", "timestamp with time zone")];
    let mut statements: Vec<String> = ledger::create_tables();
    statements.extend(observe::ALL.map(|(_, sql)| sql.to_owned()));
    statements.extend([
        ledger::insert_meta(),
        ledger::read_meta(),
        ledger::upsert_flow(),
        ledger::delete_flow(),
        ledger::upsert_run(),
        ledger::upsert_step(),
        ledger::refresh(),
        observe::show_create_table(&name),
        observe::explain_insert(&name, ["id"]),
        lookup::existing_tables([&name]),
        lookup::unpartitioned_tables([&name]),
        lookup::red_tables([&name]),
        lookup::shards([&name]),
        view::view_definition(&name),
        lookup::users(),
        lookup::current_user(),
        copy::select(&name, columns, Some("id > 1")),
        copy::insert(&name, &["id", "v"]),
        copy::upsert(&name, &["id", "v"], &["id"]),
        copy::count(&name, Some("v IS NULL")),
        place::count_rows(&name),
        replication::create_publication("p"),
        replication::publish_tables("p", [&name]),
        replication::set_published_tables("p", [&name]),
        replication::published_tables(),
        replication::subscribed_tables(),
        replication::checkpoints([&name]),
        replication::leases([&name]),
        replication::withdraw_tables("p", [&name]),
        replication::drop_publication("p"),
        replication::drop_subscription("s"),
        place::swap_table(&TableName::new("shop", "copy"), &name),
        place::rename_table(&name, "u"),
        view::switch_view(&name, &TableName::new("shop", "u")),
        table::refresh([&TableName::new("shop", "u")]),
        table::drop_table(&TableName::new("shop", "u")),
    ]);
    for sql in statements {
        // Without values, a statement with parameters writes NULLs, which keys refuse: that is understood too.
        match pair.sandbox.execute("shop", &sql) {
            Ok(_) => {}
            Err(error) => assert!(sql.contains('$') && error.message.contains("must not be"), "{sql}: {error}"),
        }
    }
    // Of a connection that is NULL nothing can be said but that it has to be a text.
    let error = pair.sandbox.execute("shop", &replication::create_subscription("s", "p")).unwrap_err();
    assert_eq!(error.message, "a text is expected, not NULL");
}
