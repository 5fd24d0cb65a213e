//! A CrateDB node that lives no longer than the test process.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::sql::{Cluster, Login};

/// Runs a node and stops it when its own standard input ends, which happens however the test process ends. `$1` is the
/// node's data folder, the rest the command. Ctrl-C reaches the whole group of processes: it is left to the tests. What
/// comes by standard input kills the node where it stands, or starts it again over the same data.
const WATCHDOG: &str = r#"
trap '' INT
folder=$1; shift
start() { "$@" </dev/null >>"$folder/out.log" 2>&1 & node=$!; }
start "$@"
while read -r word; do
    case $word in
        kill) kill -9 "$node"; wait "$node" ;;
        start) start "$@" ;;
    esac
done 2>/dev/null
kill "$node" 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$node" 2>/dev/null || break; sleep 1; done
kill -9 "$node" 2>/dev/null
rm -rf "$folder"
[ "$(ls "${folder%/*}")" = exchange ] && rm -rf "${folder%/*}"
"#;

/// A running node.
pub(crate) struct Node {
    name: &'static str,
    psql: u16,
    transport: u16,
    ca: Option<String>,
    /// Its standard input is the pipe whose end stops the node.
    watchdog: Child,
}

/// The distribution to run: `CRATEDB_HOME`, or the newest version in the cache folder.
pub(crate) fn home() -> Option<PathBuf> {
    if let Some(home) = std::env::var_os("CRATEDB_HOME").filter(|home| !home.is_empty()) {
        let home = PathBuf::from(home);
        assert!(home.join("bin/crate").is_file(), "CRATEDB_HOME names no CrateDB distribution: {}", home.display());
        return Some(home);
    }
    let cache = match std::env::var_os("XDG_CACHE_HOME").filter(|cache| !cache.is_empty()) {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".cache"),
    };
    let versions = std::fs::read_dir(cache.join("transship/cratedb")).ok()?;
    let installed = versions.filter_map(Result::ok).map(|entry| entry.path());
    installed.filter(|path| path.join("bin/crate").is_file()).max_by_key(|path| version(path))
}

fn version(path: &Path) -> Vec<u32> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.split(['.', '-']).map(|part| part.parse().unwrap_or(0)).collect()
}

fn base() -> PathBuf {
    std::env::temp_dir().join(format!("transship-it-{}", std::process::id()))
}

/// The directory that every node has under `path.repo`.
pub(crate) fn exchange() -> PathBuf {
    base().join("exchange")
}

impl Node {
    /// Starts a node with a cluster of its own. `alpha` speaks TLS as well, where the distribution brings the tool that
    /// makes its certificate. `more` are settings besides.
    pub(crate) fn start(home: &Path, name: &'static str, more: &[&str]) -> Self {
        let (folder, exchange) = (base().join(name), exchange());
        for path in [&folder, &exchange] {
            fs_err::create_dir_all(path).expect("the temporary folder can be written");
        }
        let [http, psql, transport] = free_ports();
        let store = if name == "alpha" { key_store(home, &folder) } else { None };
        let mut settings = vec![
            "network.host=127.0.0.1".to_owned(),
            "discovery.type=single-node".to_owned(),
            format!("cluster.name={name}-{}", std::process::id()),
            format!("node.name={name}"),
            format!("http.port={http}"),
            format!("psql.port={psql}"),
            format!("transport.tcp.port={transport}"),
            format!("path.data={}", folder.join("data").display()),
            format!("path.logs={}", folder.join("logs").display()),
            format!("path.repo={}", exchange.display()),
            // A disk that is nearly full would leave shards unassigned, and tests waiting for them.
            "cluster.routing.allocation.disk.threshold_enabled=false".to_owned(),
            // All tests share two nodes, and tables of many partitions are among what they make.
            "cluster.max_shards_per_node=20000".to_owned(),
            // Foreign tables lead to the other node, which is on the same machine.
            "fdw.allow_local=true".to_owned(),
            "auth.host_based.enabled=true".to_owned(),
            "auth.host_based.config.0.user=crate".to_owned(),
            "auth.host_based.config.0.address=_local_".to_owned(),
            "auth.host_based.config.0.method=trust".to_owned(),
            "auth.host_based.config.99.method=password".to_owned(),
        ];
        settings.extend(more.iter().map(|&setting| setting.to_owned()));
        if store.is_some() {
            settings.push("ssl.psql.enabled=true".to_owned());
            settings.push(format!("ssl.keystore_filepath={}", folder.join("keys.jks").display()));
            settings.push(format!("ssl.keystore_password={STORE_PASSWORD}"));
            settings.push(format!("ssl.keystore_key_password={STORE_PASSWORD}"));
        }
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(&folder)
            .args(unprivileged())
            .arg(home.join("bin/crate"))
            .args(settings.iter().map(|setting| format!("-C{setting}")))
            .env("CRATE_HEAP_SIZE", "512m")
            .env("CRATE_DISABLE_GC_LOGGING", "1")
            .env("CRATE_JAVA_OPTS", "-XX:TieredStopAtLevel=1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("sh runs");
        Self { name, psql, transport, ca: store, watchdog }
    }

    /// Kills the node where it stands, as `kill -9` does, and waits until nobody answers.
    pub(crate) fn kill(&self) {
        self.tell("kill");
        let is_gone = || TcpStream::connect(("127.0.0.1", self.psql)).is_err();
        super::wait_until("the node is gone", Duration::from_secs(10), is_gone);
    }

    /// Starts a node that was killed over its data and on its ports, and does not wait for it.
    pub(crate) fn restart(&self) {
        self.tell("start");
    }

    fn tell(&self, word: &str) {
        let mut pipe = self.watchdog.stdin.as_ref().expect("a pipe");
        writeln!(pipe, "{word}").expect("the watchdog reads");
    }

    /// How to reach the node, as its superuser.
    pub(crate) fn cluster(&self) -> Cluster {
        Cluster {
            label: self.name.to_owned(),
            host: "127.0.0.1".to_owned(),
            port: self.psql,
            transport: self.transport,
            admin: Login { user: "crate".to_owned(), password: None },
            ca: self.ca.clone(),
        }
    }
}

/// CrateDB refuses to run as root: a user namespace gives it another user.
fn unprivileged() -> Vec<&'static str> {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    if id.stdout.trim_ascii() == b"0" {
        vec!["unshare", "--user", "--map-user=1000", "--map-group=1000"]
    } else {
        vec!["env"]
    }
}

fn free_ports() -> [u16; 3] {
    // All are held until all are known, so that they differ.
    let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    held.map(|listener| listener.local_addr().expect("a bound socket has an address").port())
}

const STORE_PASSWORD: &str = "keystore";

/// Makes a key and a certificate for `127.0.0.1`; the certificate as PEM, or `None` without the JDK's tool.
fn key_store(home: &Path, folder: &Path) -> Option<String> {
    let tool = home.join("jdk/bin/keytool");
    let store = folder.join("keys.jks");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&tool);
        command.args(arguments).args(["-alias", "node", "-storepass", STORE_PASSWORD]).arg("-keystore").arg(&store);
        command.output().ok().filter(|output| output.status.success())
    };
    #[rustfmt::skip]
    run(&["-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-validity", "30", "-dname", "CN=alpha",
        "-ext", "SAN=ip:127.0.0.1", "-storetype", "PKCS12"])?;
    String::from_utf8(run(&["-exportcert", "-rfc"])?.stdout).ok()
}
