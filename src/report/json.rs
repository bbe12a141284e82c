//! Reports as JSON.

use super::growth::Growth;
use super::leak::Leak;
use super::leaks::LeakReport;
use crate::site::Site;
use std::fmt::{Display, Write};
use std::time::Duration;

pub(super) fn of_leaks(report: &LeakReport) -> String {
    let mut json = Json::default();
    json.object(|json| {
        json.number("live", report.count());
        json.number("deferred", report.deferred());
        json.number("holders", report.holders());
        json.number("bytes", report.bytes());
        json.array("groups", report, |json, leak| json.object(|json| group(json, leak)));
    });
    json.text
}

pub(super) fn of_growth(growth: &Growth) -> String {
    let mut json = Json::default();
    json.object(|json| {
        json.number("grown", growth.grown());
        json.number("shrunk", growth.shrunk());
        json.optional("elapsed_seconds", growth.elapsed().map(|elapsed| elapsed.as_secs_f64()));
        json.array("groups", growth, |json, one| {
            json.object(|json| {
                json.number("before", one.before);
                json.number("grown", one.grown);
                group(json, &one.leak);
            });
        });
    });
    json.text
}

/// The members of a group.
fn group(json: &mut Json, leak: &Leak) {
    let seconds = |age: Option<Duration>| age.map(|age| age.as_secs());
    json.key("type");
    json.string(leak.type_name);
    site(json, "created_at", leak.created_at);
    json.number("live", leak.count);
    json.number("deferred", leak.deferred);
    json.number("holders", leak.holders);
    site(json, "removed_at", leak.removed_at);
    json.optional("held_seconds", seconds(leak.held_for));
    json.number("share", leak.share);
    json.number("bytes", leak.bytes);
    json.optional("oldest_seconds", seconds(leak.oldest));
    json.optional("newest_seconds", seconds(leak.newest));
    json.array("examples", leak.examples(), |json, handle| json.string(&format!("{handle:#018x}")));
}

fn site(json: &mut Json, key: &str, site: Option<Site>) {
    let Some(site) = site else {
        return json.optional(key, None::<u32>);
    };
    json.key(key);
    json.object(|json| {
        json.key("file");
        json.string(site.file());
        json.number("line", site.line());
        if let Some(column) = site.column() {
            json.number("column", column);
        }
    });
}

/// JSON as it is being written.
#[derive(Default)]
struct Json {
    text: String,
}

impl Json {
    /// A comma, where something stands before.
    fn separate(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with(['{', '[', ':']) {
            self.text.push(',');
        }
    }

    fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.separate();
        self.text.push('{');
        members(self);
        self.text.push('}');
    }

    fn key(&mut self, key: &str) {
        self.string(key);
        self.text.push(':');
    }

    fn array<I: IntoIterator>(&mut self, key: &str, items: I, mut each: impl FnMut(&mut Self, I::Item)) {
        self.key(key);
        self.text.push('[');
        for item in items {
            each(self, item);
        }
        self.text.push(']');
    }

    /// A finite number.
    fn number(&mut self, key: &str, number: impl Display) {
        self.optional(key, Some(number));
    }

    fn optional(&mut self, key: &str, number: Option<impl Display>) {
        self.key(key);
        match number {
            Some(number) => self.put(format_args!("{number}")),
            None => self.text.push_str("null"),
        }
    }

    fn string(&mut self, text: &str) {
        self.separate();
        self.text.push('"');
        for next in text.chars() {
            match next {
                '"' | '\\' => self.put(format_args!("\\{next}")),
                '\0'..='\x1f' => self.put(format_args!("\\u{:04x}", u32::from(next))),
                _ => self.text.push(next),
            }
        }
        self.text.push('"');
    }

    fn put(&mut self, piece: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.text.write_fmt(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_comes_back_as_it_was(text: String) {
            let mut json = Json::default();
            json.string(&text);
            prop_assert_eq!(serde_json::from_str::<String>(&json.text).unwrap(), text);
        }
    }

    #[test]
    fn what_json_must_escape_comes_back() {
        let all: String = ('\0'..='\u{ff}').chain(['\u{2028}', '😀', '"', '\\']).collect();
        let mut json = Json::default();
        json.string(&all);
        assert_eq!(serde_json::from_str::<String>(&json.text).unwrap(), all);
    }

    #[test]
    fn members_and_items_are_separated_once() {
        let mut json = Json::default();
        json.object(|json| {
            json.number("one", 1);
            json.array("none", [0_u8; 0], |_, _| ());
            json.array("two", ["{", "["], |json, text| json.string(text));
            json.optional("nothing", None::<u8>);
            json.array("objects", [1, 2], |json, number| json.object(|json| json.number("number", number)));
        });
        let expected =
            r#"{"one":1,"none":[],"two":["{","["],"nothing":null,"objects":[{"number":1},{"number":2}]}"#;
        assert_eq!(json.text, expected);
        serde_json::from_str::<serde_json::Value>(&json.text).unwrap();
    }
}
