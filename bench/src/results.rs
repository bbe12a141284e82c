//! What was measured, kept between calls of the program, so that parts can be measured by themselves.

use crate::environment::Environment;
use crate::table::Table;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Serialize, Deserialize)]
pub struct Measured {
    pub environment: Environment,
    pub tables: Vec<Table>,
}

/// By section.
pub struct Results(BTreeMap<String, Measured>);

impl Results {
    /// What the folder has of these sections.
    pub fn load(folder: &Path, sections: &[&str]) -> Self {
        let read = |id: &&str| {
            let text = std::fs::read_to_string(folder.join(format!("{id}.json"))).ok()?;
            Some(((*id).to_string(), serde_json::from_str(&text).ok()?))
        };
        Self(sections.iter().filter_map(read).collect())
    }

    pub fn store(folder: &Path, id: &str, measured: &Measured) {
        let text = serde_json::to_string(measured).expect("figures");
        std::fs::write(folder.join(format!("{id}.json")), text).expect("the target folder can be written");
    }

    pub fn get(&self, section: &str) -> Option<&Measured> {
        self.0.get(section)
    }

    pub fn table(&self, section: &str, index: usize) -> Option<&Table> {
        self.get(section)?.tables.get(index)
    }

    pub fn environments(&self) -> impl Iterator<Item = &Environment> {
        self.0.values().map(|measured| &measured.environment)
    }
}
