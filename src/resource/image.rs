//! Image references: `[registry[:port]/]name[:tag][@digest]`.

/// What runs when a reference has neither tag nor digest.
const DEFAULT_TAG: &str = "latest";

/// An image reference, taken apart. Whether it is a good one, [`ImageRef::is_valid`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageRef<'a> {
    text: &'a str,
    /// Registry and name.
    repository: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

impl<'a> ImageRef<'a> {
    /// Takes any text apart.
    pub fn new(text: &'a str) -> Self {
        let (tagged, digest) = match text.split_once('@') {
            Some((tagged, digest)) => (tagged, Some(digest)),
            None => (text, None),
        };
        // A colon before the last slash belongs to the registry's port.
        let (repository, tag) = match tagged.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (tagged, None),
        };
        Self {
            text,
            repository,
            tag,
            digest,
        }
    }

    /// Whether the engine takes it. A valid reference can be part of a path as it is: nothing in it leads elsewhere.
    pub fn is_valid(&self) -> bool {
        let (registry, name) = match self.repository.split_once('/') {
            Some((head, tail)) if head.contains(['.', ':']) || head == "localhost" => (Some(head), tail),
            _ => (None, self.repository),
        };
        self.repository.len() <= 255
            && registry.is_none_or(is_registry)
            && name.split('/').all(is_name_part)
            && self.tag.is_none_or(is_tag)
            && self.digest.is_none_or(is_digest)
    }

    /// Whether it says by its digest which image it is, whatever its tag becomes.
    pub fn has_digest(&self) -> bool {
        self.digest.is_some()
    }

    /// Whether nothing says which of the repository's images is meant.
    pub fn is_open(&self) -> bool {
        self.tag.is_none() && self.digest.is_none()
    }

    /// The names of its repository that people write: as it is, with all that Docker Hub's names leave out, and without.
    pub fn names(&self) -> [String; 3] {
        let (head, _) = self.repository.split_once('/').unwrap_or_default();
        let has_registry = head.contains(['.', ':']) || head == "localhost";
        let whole = match (has_registry, self.short_repository()) {
            (true, _) if !self.repository.starts_with("docker.io/") => self.repository.to_owned(),
            (_, short) if short.contains('/') => format!("docker.io/{short}"),
            (_, short) => format!("docker.io/library/{short}"),
        };
        [
            self.repository.to_owned(),
            whole,
            self.short_repository().to_owned(),
        ]
    }

    /// Whether both are of one repository: `docker.io/library/nginx` is `nginx`.
    pub fn is_of_repository(&self, other: &ImageRef<'_>) -> bool {
        self.short_repository() == other.short_repository()
    }

    /// Whether it is `requested`, or what its tag was resolved to.
    pub fn resolves(&self, requested: &ImageRef<'_>) -> bool {
        if !self.has_digest() || requested.has_digest() {
            return self.text == requested.text;
        }
        self.is_of_repository(requested) && self.tag_or_default() == requested.tag_or_default()
    }

    /// Its repository and tag with this digest, as `docker service create` sends it.
    pub fn pinned(&self, digest: &str) -> String {
        format!("{}:{}@{digest}", self.repository, self.tag_or_default())
    }

    fn tag_or_default(&self) -> &'a str {
        self.tag.unwrap_or(DEFAULT_TAG)
    }

    fn short_repository(&self) -> &'a str {
        let short = self
            .repository
            .strip_prefix("docker.io/")
            .unwrap_or(self.repository);
        let of_library = short.strip_prefix("library/");
        // As in Docker: `library/acme/x` is another repository than `acme/x`.
        of_library.filter(|name| !name.contains('/')).unwrap_or(short)
    }
}

fn is_registry(text: &str) -> bool {
    let (host, port) = text.split_once(':').unwrap_or((text, "5000"));
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    host.split('.').all(is_part) && port.parse::<u16>().is_ok()
}

fn is_name_part(text: &str) -> bool {
    let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separators = ["..", "._", "_.", "-.", ".-", "___"];
    text.starts_with(ends)
        && text.ends_with(ends)
        && text.chars().all(|c| ends(c) || matches!(c, '.' | '_' | '-'))
        && !separators.iter().any(|bad| text.contains(bad))
}

fn is_tag(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 128
        && text.starts_with(is_word)
        && text.chars().all(|c| is_word(c) || matches!(c, '.' | '-'))
}

fn is_digest(text: &str) -> bool {
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    text.strip_prefix("sha256:")
        .is_some_and(|hash| hash.len() == 64 && hash.chars().all(hex))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_belongs_to_the_tag_that_it_was_resolved_from() {
        for (requested, reference, expected) in [
            ("agent:dev", "agent:dev", true),
            ("agent:dev", "agent:dev@sha256:1", true),
            ("agent:dev", "agent:prod@sha256:1", false),
            ("agent:dev", "agent:prod", false),
            ("nginx", "nginx:latest@sha256:1", true),
            ("docker.io/library/nginx", "nginx:latest@sha256:1", true),
            ("host:5000/nginx", "host:5000/nginx:latest@sha256:1", true),
            ("agent@sha256:1", "agent@sha256:1", true),
            ("agent@sha256:1", "agent@sha256:2", false),
        ] {
            let resolves = ImageRef::new(reference).resolves(&ImageRef::new(requested));
            assert_eq!(resolves, expected, "{requested} {reference}");
        }
    }

    #[test]
    fn a_digest_is_added_to_the_tag() {
        for (reference, expected) in [
            ("chorus-agent:dev", "chorus-agent:dev@sha256:1"),
            ("chorus-agent", "chorus-agent:latest@sha256:1"),
            ("host:5000/a/b", "host:5000/a/b:latest@sha256:1"),
            ("host:5000/a/b:2", "host:5000/a/b:2@sha256:1"),
        ] {
            assert_eq!(ImageRef::new(reference).pinned("sha256:1"), expected);
        }
    }

    #[test]
    fn a_port_is_no_tag() {
        for (reference, open) in [
            ("agent", true),
            ("agent:dev", false),
            ("host:5000/agent", true),
            ("host:5000/agent:dev", false),
            ("agent@sha256:1", false),
        ] {
            assert_eq!(ImageRef::new(reference).is_open(), open, "{reference}");
        }
    }

    #[test]
    fn nothing_that_leads_elsewhere_is_valid() {
        let digest = format!("agent@sha256:{}", "0a".repeat(32));
        for (text, valid) in [
            ("chorus-agent:dev", true),
            ("host:5000/a_b/c.d:1", true),
            ("localhost/agent", true),
            (digest.as_str(), true),
            ("agent@sha256:1", false),
            ("../../info", false),
            ("a/../b", false),
            ("a//b", false),
            ("a?b", false),
            ("a%2fb", false),
            ("a:..", false),
            ("Agent", false),
            ("", false),
        ] {
            assert_eq!(ImageRef::new(text).is_valid(), valid, "{text:?}");
        }
    }
}
