//! Paths of a node.

/// Where the Docker engine listens.
const SOCKETS: [&str; 2] = ["/run/docker.sock", "/var/run/docker.sock"];
/// What those sockets are called who run containers, wherever they are: rootless engines have theirs in the folders of people.
const NAMES: [&str; 8] = [
    "docker.sock",
    "podman.sock",
    "containerd.sock",
    "crio.sock",
    "cri-dockerd.sock",
    "buildkitd.sock",
    // Ours: whoever has it may do everything, and so may who has the simulated engine's.
    "whoosh.sock",
    "swarm.sock",
];
/// Where those listen who run containers, or start programs, and may do as much; `/var/run` is a link to `/run`.
const RUNTIMES: [&str; 17] = [
    "/run/containerd",
    "/var/run/containerd",
    "/run/crio",
    "/var/run/crio",
    // The system's bus, at which systemd starts programs.
    "/run/dbus",
    "/var/run/dbus",
    "/run/docker",
    "/var/run/docker",
    "/run/k3s",
    "/var/run/k3s",
    "/run/podman",
    "/var/run/podman",
    "/run/systemd",
    "/var/run/systemd",
    "/run/user",
    "/var/run/user",
    // Where an operator has its socket, and the secrets of all namespaces.
    "/var/lib/whoosh",
];
/// Whose folders of processes lead back to all of the node (`/proc/1/root`).
const PROCESSES: &str = "/proc";

/// Whether `path` is `folder`, or lies below it.
pub(super) fn holds(folder: &str, path: &str) -> bool {
    let rest = path.strip_prefix(folder.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether it is the path that it seems to be: no detour, and nothing that the engine expands (`{{`).
pub(super) fn is_plain(path: &str) -> bool {
    let Some(parts) = path.strip_prefix('/') else {
        return false;
    };
    let parts = parts.strip_suffix('/').unwrap_or(parts);
    let is_detour = |part| matches!(part, "" | "." | "..");
    !path.contains("{{") && (parts.is_empty() || !parts.split('/').any(is_detour))
}

/// Whether it is the Docker socket itself.
pub(super) fn is_docker_socket(path: &str) -> bool {
    SOCKETS.contains(&path)
}

/// Whether it is the Docker socket, what is as good as that, or a folder that holds or leads to it.
pub(super) fn reaches_docker(path: &str) -> bool {
    let sockets = SOCKETS.iter().chain(&RUNTIMES);
    let parts = || path.split('/');
    parts().any(|part| NAMES.contains(&part))
        // Docker Desktop's.
        || parts().any(|part| part == ".docker")
        || sockets.into_iter().any(|socket| holds(path, socket))
        || RUNTIMES.iter().any(|folder| holds(folder, path))
        || holds(PROCESSES, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_holds_what_is_below_it() {
        for (folder, path, expected) in [
            ("/srv", "/srv", true),
            ("/srv", "/srv/models", true),
            ("/srv/", "/srv/models", true),
            ("/srv", "/srvs", false),
            ("/srv/models", "/srv", false),
            ("/", "/etc", true),
        ] {
            assert_eq!(holds(folder, path), expected, "{folder} {path}");
        }
    }

    #[test]
    fn a_path_is_what_it_seems_to_be() {
        for (path, expected) in [
            ("/srv/models", true),
            ("/srv/..models", true),
            ("/srv/../etc", false),
            ("/", true),
            ("/srv/", true),
            ("/run//docker.sock", false),
            ("/srv/{{\"..\"}}/etc", false),
            ("/srv/{{.Node.ID}}", false),
            ("srv", false),
        ] {
            assert_eq!(is_plain(path), expected, "{path}");
        }
    }

    #[test]
    fn the_socket_is_reached_through_each_folder_above_it() {
        for (path, expected) in [
            ("/var/run/docker.sock", true),
            ("/run/docker.sock", true),
            ("/run", true),
            ("/var", true),
            ("/", true),
            ("/run/docker", true),
            ("/run/docker/containerd/containerd.sock", true),
            ("/var/run/containerd", true),
            ("/proc", true),
            ("/proc/1/root/srv", true),
            ("/process", false),
            ("/run/dockers", false),
            ("/srv/docker.sock", true),
            ("/home/ada/.docker/run", true),
            ("/run/user/1000", true),
            ("/var/run/podman/podman.sock", true),
            ("/run/systemd/private", true),
            ("/run/crio", true),
            ("/var/lib/whoosh/secrets/prod", true),
            ("/var/lib", true),
            ("/var/lib/whooshes", false),
            ("/tmp/home/run/whoosh.sock", true),
            ("/srv", false),
        ] {
            assert_eq!(reaches_docker(path), expected, "{path}");
        }
    }
}
