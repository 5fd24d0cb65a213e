//! Serves two clusters, `alpha` and `beta`, on ports 26401 and 26402 of this machine until it is interrupted.

use transship_sandbox::{ClusterSpec, Sandbox};

#[tokio::main]
async fn main() {
    let specs = [("alpha", 26401), ("beta", 26402)]
        .map(|(name, port)| ClusterSpec { port: Some(port), ..ClusterSpec::new(name) });
    let _sandbox = Sandbox::start(&specs).await.expect("both ports are free");
    std::future::pending::<()>().await;
}
