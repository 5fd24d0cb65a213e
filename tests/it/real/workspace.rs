//! A workspace in a temporary folder.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Clusters;
use super::program::{Outcome, Transship};
use super::sql::Login;

/// A folder of specs, removed on drop.
pub(crate) struct Workspace {
    folder: PathBuf,
    /// The variables that its references need.
    pub(crate) variables: Vec<(String, String)>,
}

impl Workspace {
    /// Runs the program in it.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        Transship::new(self, arguments).run()
    }

    /// Applies it, which has to succeed.
    #[track_caller]
    pub(crate) fn apply(&self) -> Outcome {
        self.run(&["apply", "--auto-approve"]).expect(0)
    }

    /// The next plan has nothing to do.
    #[track_caller]
    pub(crate) fn is_settled(&self) {
        self.run(&["plan", "--detailed-exitcode"]).expect(0);
    }

    /// An empty folder.
    pub(crate) fn empty() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("transship-ws-{}-{number}", std::process::id()));
        fs_err::create_dir_all(&folder).expect("the temporary folder can be written");
        Self { folder, variables: Vec::new() }
    }

    /// A folder with `clusters.yaml`: the workspace's name, and `alpha` and `beta` as their superusers.
    pub(crate) fn of(name: &str, clusters: &Clusters) -> Self {
        let mut workspace = Self::empty();
        workspace.clusters(name, clusters, None);
        workspace
    }

    /// Writes `clusters.yaml` for one user on both clusters; the superusers by default.
    pub(crate) fn clusters(&mut self, name: &str, clusters: &Clusters, login: Option<&Login>) {
        let mut text = format!("version: 1\nworkspace: {name}\n\nclusters:\n");
        for (label, cluster) in clusters.both() {
            let login = login.unwrap_or(&cluster.admin);
            let (host, port) = (&cluster.host, cluster.port);
            write!(
                text,
                "  {label}:\n    url: postgres://{}@{host}:{port}/\n    tls: disable\n    transport: {host}:{}\n",
                login.user, cluster.transport
            )
            .expect("writing to a String");
            if let Some(password) = &login.password {
                let variable = format!("{}_PASSWORD", label.to_uppercase());
                writeln!(text, "    password: {{ env: {variable} }}").expect("writing to a String");
                self.variables.retain(|(name, _)| *name != variable);
                self.variables.push((variable, password.clone()));
            }
        }
        self.write("clusters.yaml", &text);
    }

    /// Reaches a cluster through something in between from now on.
    pub(crate) fn reach(&self, cluster: &super::Cluster, through: &super::Cluster) {
        let (from, to) =
            (format!("@{}:{}/", cluster.host, cluster.port), format!("@{}:{}/", through.host, through.port));
        self.write("clusters.yaml", &self.read("clusters.yaml").replace(&from, &to));
    }

    /// Writes a file, folders included. A spec must begin with `version: 1`.
    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.folder.join(file);
        fs_err::create_dir_all(path.parent().expect("a file has a folder")).expect("the folder can be made");
        fs_err::write(path, text).expect("the file can be written");
    }

    /// Removes a file.
    pub(crate) fn remove(&self, file: &str) {
        fs_err::remove_file(self.folder.join(file)).expect("the file is there");
    }

    /// Reads a file.
    pub(crate) fn read(&self, file: &str) -> String {
        fs_err::read_to_string(self.folder.join(file)).expect("the file is there")
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        fs_err::remove_dir_all(&self.folder).ok();
    }
}
