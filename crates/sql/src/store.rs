//! What statements need of a store: its settings with texts in the statement and secrets bound, in the order in which
//! they are bound.

use transship_model::store::repository::Repository;
use transship_model::store::{Setting, SettingValue, StoreSecret};

use crate::repository::{RepositoryKind, RepositorySettings};
use crate::transfer::StoreOptions;

/// The settings of a repository, and the secrets to bind from `$1` on.
pub fn repository(repository: &Repository) -> (RepositorySettings, Vec<StoreSecret>) {
    let kind = RepositoryKind::read(repository.kind).expect("both crates know the same kinds");
    let (mut settings, mut secrets) = (RepositorySettings::new(kind), Vec::new());
    for Setting { key, value } in &repository.settings {
        settings = match value {
            SettingValue::Text(text) => settings.literal(key, text),
            SettingValue::Secret(secret) => {
                secrets.push(*secret);
                settings.bound(key)
            }
        };
    }
    (settings, secrets)
}

/// The options of a copy, and the secrets to bind from `$2` on: `$1` is the URI.
pub fn options(options: &[Setting]) -> (StoreOptions, Vec<StoreSecret>) {
    let (mut wanted, mut secrets) = (StoreOptions::default(), Vec::new());
    for Setting { key, value } in options {
        match value {
            SettingValue::Text(text) => drop(wanted.literals.insert((*key).to_owned(), text.clone())),
            SettingValue::Secret(secret) => {
                secrets.push(*secret);
                wanted.bound.push((*key).to_owned());
            }
        }
    }
    (wanted, secrets)
}

#[cfg(test)]
mod tests {
    use transship_model::store::repository::{Role, repository as of};
    use transship_model::store::uri;
    use transship_model::store::{
        AzureCredential, AzureLocation, DirectoryLocation, GcsLocation, StoreLocation, UrlLocation,
    };

    use super::*;
    use crate::repository::create_repository;

    fn azure() -> StoreLocation {
        StoreLocation::Azure(AzureLocation {
            account: "acme".to_owned(),
            container: "c".to_owned(),
            prefix: String::new(),
            endpoint: None,
            credential: AzureCredential::Key,
        })
    }

    #[test]
    fn secrets_are_bound_in_order() {
        let (settings, secrets) = repository(&of(&azure(), Role::Reader, "w").expect("a repository"));
        assert_eq!(
            create_repository("r", &settings),
            "CREATE REPOSITORY \"r\" TYPE azure WITH (\"account\" = 'acme', \"base_path\" = 'w', \"container\" = 'c', \
             \"readonly\" = 'true', \"key\" = $1)"
        );
        assert_eq!(secrets, [StoreSecret::AzureKey]);
        let (options, secrets) = options(&uri::options(&azure()));
        assert_eq!((options.bound, secrets), (vec!["key".to_owned()], vec![StoreSecret::AzureKey]));
        assert_eq!(options.literals["protocol"], "https");
    }

    #[test]
    fn every_kind_is_known() {
        let (bucket, project_id) = ("b".to_owned(), "p".to_owned());
        for location in [
            azure(),
            StoreLocation::Directory(DirectoryLocation { path: "/exchange".to_owned() }),
            StoreLocation::Gcs(GcsLocation { bucket, prefix: String::new(), endpoint: None, project_id }),
            StoreLocation::Url(UrlLocation { url: "https://h/r".to_owned(), masked: true }),
        ] {
            let made = of(&location, Role::Reader, "w").expect("a repository");
            let (settings, secrets) = repository(&made);
            assert_eq!((settings.kind.as_str(), settings.bound.len()), (made.kind, secrets.len()));
        }
    }
}
