//! What the machine that runs transship saw of a store: whether it reaches it, and the exports that flows name.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::manifest::Manifest;

/// What was seen of a store, where flows need to know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObservedStore {
    /// Why this machine cannot use it; nothing else is known then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<StoreTrouble>,
    /// What was found, by the place below the store where it was looked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exports: BTreeMap<String, SeenExport>,
}

/// Why a store cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoreTrouble {
    /// A stable code such as `store::no-bucket`.
    pub code: String,
    /// What is wrong (redacted).
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The path of the key of the spec to look at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// What was found in a place of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SeenExport {
    /// Neither a manifest nor a pointer to one.
    Absent,
    /// Nothing where it was looked for, and exports below these places.
    Several(Vec<String>),
    /// Something that is no manifest that this transship can read.
    Unreadable {
        /// Its path below the store.
        path: String,
        /// Why.
        reason: String,
    },
    /// A manifest.
    Found(Box<SeenManifest>),
}

/// A manifest, and what became of its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeenManifest {
    /// The directory below the store in which it lies; empty for the store itself.
    pub directory: String,
    /// SHA-256 of its text, in hexadecimal.
    pub sha256: String,
    /// What it says.
    pub manifest: Manifest,
    /// Files that it names and that are not there, or of another size, each with what is wrong.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub damaged: BTreeMap<String, String>,
}
