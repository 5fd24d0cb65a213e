//! Serves two clusters for psql: `cargo run -p transship-sandbox --example serve`.
use transship_sandbox::{ClusterSpec, Sandbox};
#[tokio::main]
async fn main() {
    let mut a = ClusterSpec::new("alpha");
    a.port = Some(26401);
    let mut b = ClusterSpec::new("beta");
    b.port = Some(26402);
    let _sandbox = Sandbox::start(&[a, b]).await.unwrap();
    std::future::pending::<()>().await;
}
