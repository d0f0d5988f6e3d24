//! What is valid and yet probably not meant.

use super::super::dependents;
use super::super::image::ImageRef;
use super::super::object::Object;
use super::super::secrecy::names_a_secret;
use super::view::Node;

/// What is valid and yet probably not meant, each in one line for people. No value is repeated.
pub fn warnings(object: &Object) -> Vec<String> {
    let root = Node {
        value: Some(&object.spec),
        path: "spec".to_owned(),
    };
    let roles = root.field("roles");
    let blocks = [root.clone(), root.field("defaults")]
        .into_iter()
        .chain(roles.items().map(|role| role.field("agent")));
    blocks
        .flat_map(|block| of_block(&block))
        .chain(strangers(object))
        .collect()
}

/// Owners that nobody here looks after.
fn strangers(object: &Object) -> impl Iterator<Item = String> {
    let references = dependents::references(&object.metadata).iter().enumerate();
    let strangers = references.filter(|(_, reference)| dependents::owner(object, reference).is_none());
    strangers.map(|(number, owner)| {
        format!(
            "metadata.ownerReferences[{number}]: no {} of {} is kept here, so this object stays when it goes",
            owner.kind, owner.api_version
        )
    })
}

fn of_block(block: &Node<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for variable in block.field("env").items() {
        let (name, value) = (variable.field("name"), variable.field("value"));
        let (Some(text), Some(value)) = (name.text(), value.text()) else {
            continue;
        };
        if looks_secret(text) && !value.is_empty() {
            found.push(format!(
                "{}: {text} looks like a secret, and everybody who can read the spec or the service sees it: use secrets",
                name.path
            ));
        }
    }
    let image = block.field("image");
    if let Some(text) = image.text().filter(|text| ImageRef::new(text).is_open()) {
        found.push(format!(
            "{}: {text} has no tag, so \"latest\" is run, whatever that is: name one",
            image.path
        ));
    }
    found
}

/// A name that says where the secret is (`…_FILE`) is as it should be.
fn looks_secret(name: &str) -> bool {
    !name.to_ascii_uppercase().ends_with("_FILE") && names_a_secret(name)
}
