//! The demo, and the clusters of the tutorial, as a user starts them.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_transship"));
    command.env_remove("CI").env("NO_COLOR", "1");
    command
}

#[test]
fn the_demo_tells_the_whole_story() {
    let output = program().arg("demo").output().expect("the program runs");
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{text}\n{errors}");
    for count in [
        "shop.orders                         1200       1200",
        "shop.order_lines                    2400       2400",
        "shop.customers → crm.people          225        225",
        "shop.products                         40         40",
        "shop.customers                       300        300",
        "shop.orders → finance.paid_orders    400        400",
    ] {
        assert!(text.contains(count), "{text}");
    }
    let (_, second) = text.split_once("transship plan, again").expect("a second plan");
    assert!(second.contains("No changes: 5 flows are as declared."), "{second}");
}

#[test]
fn the_tutorial_has_two_clusters_until_it_is_ended() {
    let ports: Vec<u16> = (0..2).map(|_| free_port()).collect();
    let exchange = std::env::temp_dir().join(format!("transship-exchange-{}", std::process::id()));
    let arguments = [
        "sandbox".to_owned(),
        format!("--shop-port={}", ports[0]),
        format!("--analytics-port={}", ports[1]),
        format!("--exchange={}", exchange.display()),
    ];
    let mut child = program().args(arguments).stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let address = format!("postgres://crate@127.0.0.1:{}/", ports[1]);
    assert!(lines.any(|line| line.expect("a line").contains(&address)), "{address} is told");
    let shop = crate::real::Cluster::at(&format!("postgres://crate@127.0.0.1:{}/", ports[0]));
    assert_eq!(shop.value("SELECT count(*) FROM shop.orders").as_deref(), Some("1200"));
    // Both clusters may use the directory that was given, and it is there.
    let analytics = crate::real::Cluster::at(&address);
    let repository = |name: &str, readonly: bool| {
        let location = exchange.join("r");
        format!("CREATE REPOSITORY {name} TYPE fs WITH (location = '{}', readonly = {readonly})", location.display())
    };
    shop.sql(&repository("r", false));
    analytics.sql(&repository("r", true));
    assert!(exchange.is_dir());
    fs_err::remove_dir_all(&exchange).expect("it can be removed");
    child.kill().expect("it ends");
    child.wait().expect("it has ended");
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}
