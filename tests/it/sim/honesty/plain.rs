//! Answers without what differs between any two engines: ids become names, times and addresses of machines go.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

/// Values by their JSON pointers, so that two answers can be compared field by field.
pub(super) type Fields = BTreeMap<String, String>;

/// What the ids of an engine stand for.
#[derive(Default)]
pub(super) struct Names {
    by_id: BTreeMap<String, String>,
    /// How many tasks of a slot have a name.
    tasks: BTreeMap<String, usize>,
}

impl Names {
    /// Learns the ids of the objects in an answer, or in a list of them, of the kind that a path begins with.
    pub(super) fn learn(&mut self, kind: &str, answer: &Value) {
        match answer {
            Value::Array(items) => items.iter().for_each(|item| self.learn(kind, item)),
            Value::Object(_) if kind == "tasks" => self.learn_task(answer),
            Value::Object(_) => {
                let id = answer["ID"].as_str().or(answer["Id"].as_str());
                let name = ["/Spec/Name", "/Name", "/Description/Hostname"]
                    .into_iter()
                    .find_map(|at| answer.pointer(at)?.as_str());
                if let (Some(id), Some(name)) = (id, name) {
                    self.name(id, &format!("{kind}/{}", name.trim_start_matches('/')));
                }
            }
            _ => {}
        }
    }

    pub(super) fn name(&mut self, id: &str, name: &str) {
        self.by_id
            .entry(id.to_owned())
            .or_insert_with(|| format!("<{name}>"));
    }

    fn learn_task(&mut self, task: &Value) {
        let id = task["ID"].as_str().unwrap_or_default();
        if self.by_id.contains_key(id) {
            return;
        }
        let slot = format!(
            "{}.{}",
            self.plain(task["ServiceID"].as_str().unwrap_or_default()),
            task["Slot"].as_u64().unwrap_or_default()
        );
        let number = self.tasks.entry(slot.clone()).or_default();
        *number += 1;
        let name = format!("task {slot} {number}");
        self.name(id, &name);
    }

    /// Text with names instead of ids.
    pub(super) fn plain(&self, text: &str) -> String {
        let mut out = String::new();
        let is_word = |c: char| c.is_ascii_alphanumeric();
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            let is_id = matches!(word.len(), 25 | 64) && word.bytes().any(|byte| byte.is_ascii_digit());
            match self.by_id.get(word) {
                Some(name) => out.push_str(name),
                None if is_id => out.push_str("<id>"),
                None => out.push_str(word),
            }
            let other = after.find(is_word).unwrap_or(after.len());
            out.push_str(&after[..other]);
            rest = &after[other..];
        }
        out
    }

    /// An answer, field by field.
    pub(super) fn fields(&self, answer: &Value) -> Fields {
        let mut fields = Fields::new();
        self.flatten("", &sorted(answer), &mut fields);
        fields
    }

    fn flatten(&self, at: &str, value: &Value, fields: &mut Fields) {
        match value {
            Value::Object(object) if !object.is_empty() => {
                for (key, value) in object {
                    self.flatten(&format!("{at}/{}", self.plain(key)), value, fields);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    self.flatten(&format!("{at}/{index}"), item, fields);
                }
            }
            leaf => {
                fields.insert(at.to_owned(), self.leaf(at, leaf));
            }
        }
    }

    fn leaf(&self, at: &str, value: &Value) -> String {
        let key = at.rsplit('/').next().unwrap_or_default();
        match value {
            Value::Number(number) if key == "PID" && number.as_i64() != Some(0) => "<pid>".to_owned(),
            Value::Number(_) if key == "Created" => "<time>".to_owned(),
            Value::Number(_) if key == "Index" => "<version>".to_owned(),
            Value::String(_) if key.ends_with("vxlanid_list") => "<vxlan>".to_owned(),
            Value::String(text) if key == "MacAddress" && !text.is_empty() => "<mac>".to_owned(),
            Value::String(text) if text.starts_with("SWMTKN-1-") => "<token>".to_owned(),
            Value::String(text) if is_time(text) => "<time>".to_owned(),
            Value::String(text) => format!("{:?}", self.plain(text)),
            other => other.to_string(),
        }
    }
}

fn is_time(text: &str) -> bool {
    text.parse::<Timestamp>().is_ok() && !text.starts_with("0001-")
}

/// Lists in an order that does not come from ids.
fn sorted(answer: &Value) -> Value {
    let Value::Array(items) = answer else {
        return answer.clone();
    };
    let name = |item: &Value| {
        let at = ["/Spec/Name", "/Name", "/Names/0", "/Description/Hostname"];
        let found = at.into_iter().find_map(|at| item.pointer(at)?.as_str());
        found.unwrap_or_default().to_owned()
    };
    let mut items = items.clone();
    items.sort_by_key(|item| (name(item), age(item)));
    Value::Array(items)
}

/// Where a task comes among others: by slot, and then the oldest first.
pub(super) fn age(task: &Value) -> (u64, Option<Timestamp>) {
    let created = task["CreatedAt"].as_str().and_then(|at| at.parse().ok());
    (task["Slot"].as_u64().unwrap_or_default(), created)
}
