//! The process that fetches: it reads one request, limits itself, and answers once.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Stdin, Write};

use rustix::process::{
    Resource, Rlimit, Signal, getpgrp, getpid, getrlimit, kill_current_process_group, kill_process, setrlimit,
};

use super::limits::Limits;
use super::{Answer, GitError, Request, fetch};

/// A request is a few kilobytes; keys, certificates and ignores are what makes it longer.
const REQUEST_MAX: u64 = 4 * 1024 * 1024;

/// Serves one request of standard input, a line of JSON, and writes the answer to standard output. Whoever sent it keeps
/// the input open: when it closes, nobody waits for the answer any more, and the process ends with all that it started.
///
/// # Errors
/// If there is no request to be read, no limit to be set, or no answer to be written.
pub fn serve() -> io::Result<()> {
    let mut input = BufReader::new(io::stdin());
    let mut line = Vec::new();
    input.by_ref().take(REQUEST_MAX).read_until(b'\n', &mut line)?;
    let request: Request = serde_json::from_slice(&line)?;
    std::thread::Builder::new().spawn(move || end_with(input))?;
    limit(&request.limits)?;
    let answer: Result<Answer, GitError> = fetch::run(&request);
    let mut output = BufWriter::new(io::stdout().lock());
    serde_json::to_writer(&mut output, &answer)?;
    output.flush()
}

fn limit(limits: &Limits) -> io::Result<()> {
    let set = |resource, most: u64| {
        // One that we are under already cannot be raised.
        let most = getrlimit(resource)
            .maximum
            .map_or(most, |before| before.min(most));
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, limit)
    };
    // A core would hold the credentials.
    set(Resource::Core, 0)?;
    set(Resource::As, limits.memory)?;
    // A pack is completed here with the objects that the server knew to be here.
    set(Resource::Fsize, limits.pack.saturating_add(limits.object))?;
    Ok(())
}

fn end_with(mut input: BufReader<Stdin>) {
    // However reading ends, nobody is there any more.
    let _ = io::copy(&mut input, &mut io::sink());
    let _ = if getpgrp() == getpid() {
        kill_current_process_group(Signal::KILL)
    } else {
        kill_process(getpid(), Signal::KILL)
    };
}
