//! Definitions as a server printed them.

use transship_model::TableName;

use super::*;

const ORDERS: &str = r#"CREATE TABLE IF NOT EXISTS "shop"."orders" (
   "id" BIGINT NOT NULL,
   "amount" NUMERIC(12, 2),
   "status" TEXT DEFAULT 'new, NOT NULL (really)',
   "month" TIMESTAMP WITH TIME ZONE GENERATED ALWAYS AS date_trunc('month', "created at") NOT NULL,
   "created at" TIMESTAMP WITH TIME ZONE DEFAULT now(),
   "tags" ARRAY(TEXT),
   "meta" OBJECT(DYNAMIC) AS (
      "src" TEXT NOT NULL,
      "score" DOUBLE PRECISION
   ),
   "name" TEXT INDEX USING FULLTEXT WITH (
      analyzer = 'english'
   ) STORAGE WITH (
      columnstore = false
   ),
   "shape" GEO_SHAPE INDEX USING GEOHASH,
   "big" BIGINT INDEX OFF,
   CONSTRAINT "orders_pk" PRIMARY KEY ("id", "month"),
   INDEX "name_ft" USING FULLTEXT ("name") WITH (
      analyzer = 'english'
   ),
   CONSTRAINT email_ok CHECK("status" LIKE '%"x"%')
)
CLUSTERED BY ("id") INTO 4 SHARDS
PARTITIONED BY ("month")
WITH (
   "routing.allocation.total_shards_per_node" = -1,
   column_policy = 'strict',
   number_of_replicas = '0-1',
   refresh_interval = 1000
)"#;

fn orders() -> Definition {
    Definition::read(ORDERS).expect("a definition")
}

#[test]
fn columns_are_taken_apart_and_nothing_of_them_is_lost() {
    let found: Vec<_> = orders()
        .columns
        .into_iter()
        .map(|it| [it.name, it.data_type, it.generated.or(it.default).unwrap_or_default(), it.options].join(" | "))
        .collect();
    assert_eq!(
        found,
        [
            "id | BIGINT |  | ",
            "amount | NUMERIC(12, 2) |  | ",
            "status | TEXT | 'new, NOT NULL (really)' | ",
            r#"month | TIMESTAMP WITH TIME ZONE | date_trunc('month', "created at") | "#,
            "created at | TIMESTAMP WITH TIME ZONE | now() | ",
            "tags | ARRAY(TEXT) |  | ",
            "meta | OBJECT(DYNAMIC) AS (\n      \"src\" TEXT NOT NULL,\n      \"score\" DOUBLE PRECISION\n   ) |  | ",
            "name | TEXT |  | INDEX USING FULLTEXT WITH (\n      analyzer = 'english'\n   ) STORAGE WITH (\n      \
             columnstore = false\n   )",
            "shape | GEO_SHAPE |  | INDEX USING GEOHASH",
            "big | BIGINT |  | INDEX OFF",
        ]
    );
    let refuses_null: Vec<_> = orders().columns.into_iter().filter(|it| it.not_null).map(|it| it.name).collect();
    assert_eq!(refuses_null, ["id", "month"]);
}

#[test]
fn clauses_are_told_apart() {
    let found = orders();
    assert_eq!(found.primary_key(), ["id", "month"]);
    assert_eq!((found.clustered_by.as_deref(), found.shards), (Some("\"id\""), Some(4)));
    assert_eq!(found.partitioned_by, ["month"]);
    let settings: Vec<_> = found.settings.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    assert_eq!(settings[0], "column_policy = 'strict'");
    assert_eq!(settings[3], "routing.allocation.total_shards_per_node = -1");
    let constraints: Vec<_> = found.constraints.iter().map(|it| (it.kind, it.names.join(" "))).collect();
    assert_eq!(
        constraints,
        [
            (ConstraintKind::PrimaryKey, "id month".to_owned()),
            (ConstraintKind::Index, "name_ft name".to_owned()),
            (ConstraintKind::Check, "status".to_owned()),
        ]
    );
}

#[test]
fn what_is_written_reads_the_same() {
    let found = orders();
    let written = found.create_table(&TableName::new("shop", "copy"));
    assert!(written.starts_with("CREATE TABLE \"shop\".\"copy\" (\n   \"id\" BIGINT NOT NULL,\n"), "{written}");
    let again = written.replacen("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1);
    assert_eq!(Definition::read(&again).expect("a definition"), found);
}

#[test]
fn a_table_with_nothing_but_a_column_is_read() {
    let sql = "CREATE TABLE IF NOT EXISTS \"a.b\".\"c\"\"d\" (\n   \"x\" TEXT\n)\nCLUSTERED INTO 1 SHARDS";
    let found = Definition::read(sql).expect("a definition");
    assert_eq!((found.primary_key(), found.clustered_by, found.shards), (Vec::new(), None, Some(1)));
}

#[test]
fn names_of_constraints_get_the_quotes_that_cratedb_leaves_out() {
    let sql = r#"CREATE TABLE IF NOT EXISTS "a"."b" (
   "ID x" INTEGER NOT NULL,
   CONSTRAINT My pk PRIMARY KEY ("ID x"),
   CONSTRAINT not negative CHECK("ID x" >= 0),
   CONSTRAINT select CHECK("ID x" <> 7)
)
CLUSTERED BY ("ID x") INTO 1 SHARDS"#;
    let found = Definition::read(sql).expect("a definition");
    assert_eq!(found.primary_key(), ["ID x"]);
    let texts: Vec<&str> = found.constraints.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            r#"CONSTRAINT "My pk" PRIMARY KEY ("ID x")"#,
            r#"CONSTRAINT "not negative" CHECK("ID x" >= 0)"#,
            r#"CONSTRAINT "select" CHECK("ID x" <> 7)"#,
        ]
    );
}

#[test]
fn anything_else_is_an_error_that_says_where() {
    for (sql, error) in [
        ("CREATE VIEW v AS SELECT 1", "CREATE TABLE IF NOT EXISTS expected at `CREATE VIEW v AS SELECT 1`"),
        (r#"CREATE TABLE IF NOT EXISTS "a"."b" ("x" TEXT"#, "a closing parenthesis expected at `(\"x\" TEXT`"),
        (r#"CREATE TABLE IF NOT EXISTS "a"."b" ("x")"#, "a type expected at ``"),
        (r#"CREATE TABLE IF NOT EXISTS "a"."b" ("x" TEXT) FOR EVER"#, "the end expected at `FOR EVER`"),
    ] {
        let found = Definition::read(sql).expect_err(sql).to_string();
        assert_eq!(found, format!("the definition cannot be read: {error}"));
    }
}
