//! Stores: what belongs together, and what each kind can be used for.

use transship_model::spec::{Store, Text};
use transship_model::{Finding, SpecPath};

use super::Context;
use crate::report::Report;
use crate::url;

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    for (name, store) in &context.spec.stores {
        let path = SpecPath::of("stores", name);
        match store {
            Store::S3(s3) if s3.access_key.is_some() != s3.secret_key.is_some() => {
                let present = if s3.access_key.is_some() { "access_key" } else { "secret_key" };
                report.push(
                    Finding::error("spec::half-credentials", format!("`{present}` stands alone"))
                        .at_key(path.key("s3").key(present))
                        .help("write both `access_key` and `secret_key`, or neither where the nodes have their own"),
                );
            }
            Store::Azure(azure) if azure.key.is_some() == azure.sas_token.is_some() => report.push(
                Finding::error("spec::azure-credentials", "an Azure store needs exactly one of `key` and `sas_token`")
                    .at_key(path.key("azure"))
                    .help("write one of them as a reference, `{ env: NAME }` or `{ file: PATH }`"),
            ),
            Store::Directory(directory) => match &directory.path {
                Text::Literal(text) if !text.starts_with('/') => report.push(
                    Finding::error("spec::relative-directory", "the path of a shared directory is not absolute")
                        .at(path.key("directory").key("path"))
                        .help("write the path that is the same on every node, below `path.repo`"),
                ),
                _ => {}
            },
            Store::Url(url) => {
                let Text::Literal(text) = &url.url else { continue };
                if url::shows_password(text) {
                    report.push(
                        Finding::error("spec::literal-password", "the URL holds a password as it is")
                            .at(path.key("url").key("url"))
                            .help(
                                "put the whole URL into a variable: `url: { env: NAME }`; if this file was shared, \
                                 replace the password",
                            ),
                    );
                }
            }
            _ => {}
        }
    }
}
