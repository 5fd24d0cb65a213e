//! The two clusters of the demo and the tutorial, and the rows that they begin with.

use std::path::Path;

use transship_sandbox::{ClusterSpec, Sandbox, SqlError};

/// The cluster that tables come from.
pub const SHOP: &str = "shop";

/// The cluster that tables go to.
pub const ANALYTICS: &str = "analytics";

/// The tables of the shop, empty.
const SEED: &str = include_str!("seed.sql");

const ORDERS: u32 = 1_200;
const CUSTOMERS: u32 = 300;
const PRODUCTS: u32 = 40;

/// How many rows one statement inserts.
const BATCH: usize = 200;

/// Where the store of `specs/quickstart` is.
pub const EXCHANGE: &str = "/tmp/transship-exchange";

/// Starts both clusters, on these ports or on free ones, with a directory that both reach.
pub async fn start(ports: [Option<u16>; 2], exchange: &Path) -> std::io::Result<Sandbox> {
    fs_err::create_dir_all(exchange)?;
    let cluster = |name: &str, port| ClusterSpec { port, ..ClusterSpec::new(name).path_repo(exchange) };
    Sandbox::start(&[cluster(SHOP, ports[0]), cluster(ANALYTICS, ports[1])]).await
}

/// Fills the shop.
pub fn fill(sandbox: &Sandbox) -> Result<(), SqlError> {
    sandbox.execute(SHOP, SEED)?;
    let order = |id: u32| {
        let status = ["new", "paid", "sent"][id as usize % 3];
        format!(
            "({id}, {}, '2026-{:02}-01', {}.{:02}, '{status}')",
            id % CUSTOMERS + 1,
            id % 6 + 1,
            id % 90 + 5,
            id % 100
        )
    };
    insert(sandbox, "shop.orders (id, customer, month, total, status)", (1..=ORDERS).map(order))?;
    let line = |id: u32| format!("({}, {}, 'product {}', {})", id / 2 + 1, id % 2 + 1, id % 17, id % 4 + 1);
    insert(sandbox, "shop.order_lines (order_id, line, product, amount)", (0..ORDERS * 2).map(line))?;
    insert(
        sandbox,
        "shop.customers (id, first_name, last_name, email, country, active, spent)",
        (1..=CUSTOMERS).map(customer),
    )?;
    let product = |id: u32| format!("({id}, 'product {id}', {}.90, ['size {}', 'new'])", id * 2, id % 3);
    insert(sandbox, "shop.products (id, name, price, tags)", (0..PRODUCTS).map(product))?;
    sandbox.execute(SHOP, "REFRESH TABLE shop.orders, shop.order_lines, shop.customers, shop.products").map(|_| ())
}

fn customer(id: u32) -> String {
    let first = ["Ada", "Bo", "Cleo", "Dag", "Eve", "Finn"][id as usize % 6];
    let last = ["Ames", "Berg", "Costa", "Dietz", "Eklund"][id as usize % 5];
    let country = ["at", "ch", "de", "es", "se"][id as usize % 5];
    let active = !id.is_multiple_of(4);
    format!("({id}, '{first}', '{last}', '{first}.{id}@example.org', '{country}', {active}, {}.50)", id * 3)
}

fn insert(sandbox: &Sandbox, into: &str, rows: impl Iterator<Item = String>) -> Result<(), SqlError> {
    let rows: Vec<String> = rows.collect();
    for batch in rows.chunks(BATCH) {
        sandbox.execute(SHOP, &format!("INSERT INTO {into} VALUES {}", batch.join(", ")))?;
    }
    Ok(())
}

/// The number that a query gives.
pub fn number(sandbox: &Sandbox, cluster: &str, sql: &str) -> Result<u64, SqlError> {
    let answer = sandbox.execute(cluster, sql)?;
    let text = answer.texts.first().and_then(|row| row.first()).cloned().flatten();
    Ok(text.and_then(|text| text.parse().ok()).unwrap_or_default())
}
