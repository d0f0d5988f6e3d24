//! Manifests from `-f`: files, folders, addresses and standard input, read and checked as a whole.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::args::FileArgs;
use super::client::{ClientError, install_crypto};
use super::context::Context;
use super::error::CliError;
use super::{object, talk};
use crate::resource::git_source::GitSourceSpec;
use crate::resource::manifest::{self, Located, Problem, Problems, Source};
use crate::resource::validate::{Cause, CauseReason};
use crate::resource::variables::Variables;
use crate::resource::{Object, substitute};

/// More than any file that is accepted; what is larger is not read to its end.
const READ_MAX: u64 = 16 << 20;
/// How long a download may take.
const DOWNLOAD: Duration = Duration::from_secs(30);

/// Reads and checks every object of every file.
///
/// # Errors
/// [`CliError::Said`] after every problem of every file was said.
pub(crate) async fn load(ctx: &Context, args: &FileArgs) -> Result<Vec<Located<Object>>, CliError> {
    let objects = read_by(ctx, args, manifest::load).await?;
    check_namespaces(ctx, &objects, Object::namespace)?;
    Ok(objects)
}

/// Checks every object of files that were read.
///
/// # Errors
/// As of [`load`].
pub(crate) fn check(ctx: &Context, sources: &[Source]) -> Result<Vec<Located<Object>>, CliError> {
    let objects = manifest::load(sources, ctx.default_namespace());
    let objects = objects.map_err(|problems| say_problems(&problems.all))?;
    check_namespaces(ctx, &objects, Object::namespace)?;
    Ok(objects)
}

/// The same of what a GitSource of `namespace` would read.
pub(crate) fn check_as(
    spec: &GitSourceSpec,
    variables: &Variables,
    namespace: &str,
    sources: &[Source],
) -> Result<Vec<Located<Object>>, CliError> {
    let from = spec.substitute_from.as_ref().map(|_| variables);
    let values = spec.values(from);
    let objects = manifest::load_as(sources, namespace, substitute::edits(spec, values.as_ref()));
    let is_written = |text: &str| {
        sources
            .iter()
            .any(|source| String::from_utf8_lossy(&source.bytes).contains(text))
    };
    let told = |problem: &Problem| variables.hide_in(problem.to_string(), is_written);
    objects.map_err(|problems| say_all(problems.all.iter().map(told)))
}

/// Reads every object of every file, and checks no more of it than which one it is.
///
/// # Errors
/// As of [`load`].
pub(crate) async fn load_parts(ctx: &Context, args: &FileArgs) -> Result<Vec<Located<Value>>, CliError> {
    let objects = read_by(ctx, args, manifest::load_parts).await?;
    check_namespaces(ctx, &objects, object::namespace)?;
    Ok(objects)
}

/// What a reader makes of all files.
async fn read_by<T>(
    ctx: &Context,
    args: &FileArgs,
    reader: impl Fn(&[Source], &str) -> Result<Vec<Located<T>>, Problems>,
) -> Result<Vec<Located<T>>, CliError> {
    let (sources, unread) = read(args).await;
    if unread && sources.is_empty() {
        return Err(CliError::Said);
    }
    match reader(&sources, ctx.default_namespace()) {
        Ok(_) if unread => Err(CliError::Said),
        Ok(objects) => Ok(objects),
        Err(problems) => Err(say_problems(&problems.all)),
    }
}

/// Says each problem, and how many there are.
pub(crate) fn say_problems(problems: &[Problem]) -> CliError {
    say_all(problems.iter().map(Problem::to_string))
}

/// Says each text, and how many there are.
pub(crate) fn say_all(problems: impl ExactSizeIterator<Item = String>) -> CliError {
    let count = problems.len();
    for problem in problems {
        talk::say(&problem);
    }
    let count = match count {
        1 => "1 problem".to_owned(),
        many => format!("{many} problems"),
    };
    talk::say(&format!("error: {count}; nothing was changed"));
    CliError::Said
}

/// The operator's refusal of an object, each cause at the line that it is about.
pub(crate) fn refused(object: &Located<Object>, error: &ClientError) -> Vec<Problem> {
    problems(error, |field, message| {
        object.problem(Cause::new(field, CauseReason::Invalid, message))
    })
}

/// What `at_line` makes of the field and the message of each cause of a refusal.
pub(crate) fn problems(error: &ClientError, at_line: impl Fn(&str, &str) -> Problem) -> Vec<Problem> {
    match error.causes() {
        [] => vec![at_line("", &error.to_string())],
        causes => causes
            .iter()
            .map(|cause| {
                let field = cause.field.as_deref().unwrap_or_default();
                at_line(field, cause.message.as_deref().unwrap_or_default())
            })
            .collect(),
    }
}

/// A namespace on the command line must agree with the files.
fn check_namespaces<T>(
    ctx: &Context,
    objects: &[Located<T>],
    namespace: impl Fn(&T) -> &str,
) -> Result<(), CliError> {
    let Some(asked) = &ctx.named_namespace else {
        return Ok(());
    };
    match objects.iter().find(|object| namespace(&object.value) != asked) {
        None => Ok(()),
        Some(object) => Err(CliError::Failed(format!(
            "{}:{}: the namespace is {}, and -n says {asked}; leave out one of them",
            object.file,
            object.places.of("metadata.namespace").line,
            namespace(&object.value),
        ))),
    }
}

/// What can be read, and whether something, which was said, cannot.
async fn read(args: &FileArgs) -> (Vec<Source>, bool) {
    let mut sources = Vec::new();
    let mut failed = false;
    for name in &args.file {
        let read = if name == "-" {
            read_all(io::stdin().lock()).map(|bytes| vec![source("standard input", bytes)])
        } else if name.starts_with("https://") || name.starts_with("http://") {
            download(name).await.map(|bytes| vec![source(name, bytes)])
        } else {
            read_path(Path::new(name), args.recursive)
        };
        match read {
            Ok(read) => sources.extend(read),
            Err(error) => {
                failed = true;
                talk::say(&format!("error: cannot read {name}: {}", plain(&error)));
            }
        }
    }
    (sources, failed)
}

/// The text of one file, or with `-` of standard input.
///
/// # Errors
/// When it cannot be read, or is no text.
pub(crate) fn read_text(name: &str) -> Result<String, CliError> {
    let read = match name {
        "-" => read_all(io::stdin().lock()),
        file => File::open(file).and_then(read_all),
    };
    let text = read.and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other));
    text.map(without_mark)
        .map_err(|error| CliError::Failed(format!("cannot read {name}: {}", plain(&error))))
}

/// The text without the byte order mark that some editors put at its start.
pub(crate) fn without_mark(text: String) -> String {
    match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    }
}

/// Writes a file, and makes the folders that lead to it.
///
/// # Errors
/// When that cannot be done.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), CliError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, text))
        .map_err(|error| CliError::Failed(format!("cannot write {}: {}", path.display(), plain(&error))))
}

/// What the system said, without its number for it.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

fn source(name: &str, bytes: Vec<u8>) -> Source {
    Source {
        name: name.to_owned(),
        bytes,
    }
}

fn read_all(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(READ_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_path(path: &Path, recursive: bool) -> io::Result<Vec<Source>> {
    if !path.is_dir() {
        return Ok(vec![source(
            &path.to_string_lossy(),
            read_all(File::open(path)?)?,
        )]);
    }
    let mut files = Vec::new();
    manifests_in(path, recursive, &mut files)?;
    if files.is_empty() {
        let deeper = if recursive {
            ""
        } else {
            "; -R looks in the folders below it"
        };
        return Err(io::Error::other(format!(
            "no .yaml, .yml or .json file in it{deeper}"
        )));
    }
    files
        .iter()
        .map(|file| Ok(source(&file.to_string_lossy(), read_all(File::open(file)?)?)))
        .collect()
}

/// The manifests of a folder, by name. Symbolic links to folders are not followed: they may lead in circles.
fn manifests_in(folder: &Path, recursive: bool, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    entries.sort();
    for entry in entries {
        let is_manifest = entry
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml" || extension == "json");
        if entry.is_file() && is_manifest {
            found.push(entry);
        } else if recursive && entry.is_dir() && !entry.is_symlink() {
            manifests_in(&entry, recursive, found)?;
        }
    }
    Ok(())
}

async fn download(url: &str) -> io::Result<Vec<u8>> {
    install_crypto();
    let fetch = async {
        let client = reqwest::Client::builder().timeout(DOWNLOAD).build()?;
        let mut response = client.get(url).send().await?.error_for_status()?;
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > READ_MAX {
                break;
            }
        }
        Ok::<_, reqwest::Error>(bytes)
    };
    fetch.await.map_err(|error| io::Error::other(error.without_url()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_manifests_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        std::fs::create_dir(path.join("below")).unwrap();
        for file in ["b.yaml", "a.yml", "c.json", "notes.txt", "below/d.yaml"] {
            std::fs::write(path.join(file), file).unwrap();
        }
        let check = |recursive: bool, expected: &[&str]| {
            let contents: Vec<String> = read_path(path, recursive)
                .unwrap()
                .into_iter()
                .map(|source| String::from_utf8(source.bytes).unwrap())
                .collect();
            assert_eq!(contents, expected);
        };
        check(false, &["a.yml", "b.yaml", "c.json"]);
        check(true, &["a.yml", "b.yaml", "below/d.yaml", "c.json"]);
        let empty = tempfile::tempdir().unwrap();
        let why = read_path(empty.path(), false).unwrap_err().to_string();
        assert_eq!(
            why,
            "no .yaml, .yml or .json file in it; -R looks in the folders below it"
        );
    }
}
