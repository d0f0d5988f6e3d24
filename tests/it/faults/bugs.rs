//! Bugs that faults have shown, each with the test that plays it again and again.

use std::fs;
use std::path::Path;

/// A bug that is fixed.
struct Bug {
    name: &'static str,
    /// What went wrong, from which fault.
    was: &'static str,
    /// The file and the function of the test that keeps it.
    kept: (&'static str, &'static str),
}

const BUGS: [Bug; 10] = [
    Bug {
        name: "lease-of-the-future",
        was: "a database clock that went back made the lease last for as long, and nobody led when its holder died",
        kept: (
            "tests/it/store/leases.rs",
            "a_lease_does_not_last_for_as_long_as_the_clock_goes_back",
        ),
    },
    Bug {
        name: "one-more-action",
        was: "a leader that was stopped in the middle of its plan could go on with it when it woke, beside its successor",
        kept: (
            "tests/it/leaders.rs",
            "a_leader_that_was_stopped_past_its_lease_does_nothing_more",
        ),
    },
    Bug {
        name: "swapped-secret",
        was: "a secret file that changed between plan and action was stored under the name of its old content",
        kept: (
            "tests/it/swarm/services.rs",
            "a_secret_is_told_by_a_print_of_its_content",
        ),
    },
    Bug {
        name: "half-a-fleet",
        was: "on a network that was about to be full, the first agents of a fleet were started and the rest never",
        kept: (
            "tests/it/limits.rs",
            "a_network_takes_a_fleet_whole_or_not_at_all",
        ),
    },
    Bug {
        name: "blamed-agent",
        was: "what a node that came back told of tasks that were replaced long ago counted as a crash loop of the agent",
        kept: (
            "src/plan/tests/health.rs",
            "failures_of_the_current_spec_are_counted",
        ),
    },
    Bug {
        name: "forgiven-crashes",
        was: "and then real crashes did not count any more, whose tasks the managers touched a moment later",
        kept: (
            "src/plan/tests/health.rs",
            "failures_of_the_current_spec_are_counted",
        ),
    },
    Bug {
        name: "news-kept",
        was: "what a look for one owner found was no news to the watch any more, and other owners were not told",
        kept: (
            "tests/it/swarm/hints.rs",
            "what_a_look_for_one_owner_finds_is_told_to_others",
        ),
    },
    Bug {
        name: "one-number-for-two",
        was: "what-ifs gave changes of one moment one version, and the copy of a service did not see its own update",
        kept: (
            "src/sim/rehearsal.rs",
            "services_that_change_at_the_same_time_get_new_tasks_each",
        ),
    },
    Bug {
        name: "full-network-untold",
        was: "an agent for which its network had no address left was said to wait for a node, without end",
        kept: (
            "src/plan/tests/status.rs",
            "an_agent_that_gets_no_address_is_told_of_its_full_network",
        ),
    },
    Bug {
        name: "left-behind",
        was: "an old answer before a removal passed for it, and a network outlived its owner and served its successor",
        kept: (
            "tests/it/sim/swarm.rs",
            "an_old_answer_does_not_pass_for_a_removal",
        ),
    },
];

#[test]
fn each_fixed_bug_is_still_played() {
    println!("{} bugs that faults have shown, all fixed:", BUGS.len());
    for Bug {
        name,
        was,
        kept: (file, test),
    } in BUGS
    {
        let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        assert!(has_test(&source, test), "{name}: {file} has no test {test}");
        println!("  {name}: {was} ({file}, {test})");
    }
}

/// Whether a source has a function of that name with a test's attribute above it.
fn has_test(source: &str, name: &str) -> bool {
    let mut above = "";
    source.lines().map(str::trim_start).any(|line| {
        let declares = ["fn ", "async fn "].iter().any(|word| {
            let rest = line.strip_prefix(word).and_then(|rest| rest.strip_prefix(name));
            rest.is_some_and(|rest| rest.starts_with('('))
        });
        let is_test = declares && (above.starts_with("#[test") || above.starts_with("#[tokio::test"));
        above = line;
        is_test
    })
}
