//! Figures that other checks commit beside the benchmarks: a list of flat records each, shown as a table.

use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.replace('|', "\\|"),
        Value::Null => "–".into(),
        other => other.to_string().trim_end_matches(".0").to_string(),
    }
}

/// A section from one file: what all records have in common goes into a line, the rest into a table. Nothing where there is no file.
pub fn section(root: &Path, file: &str, title: &str, method: &str) -> Option<String> {
    let text = std::fs::read_to_string(root.join(file)).ok()?;
    let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
    // Either the list itself, or an object that has it beside what is common.
    let mut common: Vec<(String, String)> = Vec::new();
    let records = match &value {
        Value::Array(records) => records,
        Value::Object(object) => {
            let plain = object.iter().filter(|(_, value)| !value.is_array());
            common.extend(plain.map(|(name, value)| (name.clone(), shown(value))));
            object.values().find_map(Value::as_array)?
        }
        _ => return None,
    };
    let first = records.first()?.as_object()?;
    let (same, columns): (Vec<_>, Vec<_>) = first.iter().partition(|(name, value)| {
        value.is_string()
            && records.len() > 1
            && records.iter().all(|record| record.get(name.as_str()) == Some(*value))
    });
    common.extend(same.iter().map(|(name, value)| ((*name).clone(), shown(value))));
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let mut text =
        format!("## {title}\n\n{method}\n\n| {} |\n|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for record in records {
        let cells: Vec<String> =
            names.iter().map(|name| record.get(*name).map_or("–".into(), shown)).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    let common: Vec<String> = common.into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let _ = writeln!(text, "\nFrom `{file}`. {}", common.join("; "));
    Some(text)
}
