//! What is published of kine, which keeps Kubernetes objects in SQL databases as WHOOSH does. None of it was measured
//! here: other objects, other machines. Each says where it is from.

/// Rancher's benchmark of 2025-05-13: kine on a Postgres of 16 processors.
pub(super) const CREATES: &str = "kine, published: 8,000 ConfigMaps in 50.5 s by 10 clients, 158 /s (rancher/dartboard, \
     docs/20250513, postgres/write_8000)";
/// The same benchmark.
pub(super) const LIST: &str = "kine, published: 8,000 ConfigMaps of 4 bytes, median 459 ms (rancher/dartboard, docs/20250513, \
     postgres/read_8000)";
/// What its maintainer measured on Postgres 13.2.
pub(super) const GET: &str = "kine, published: 6 ms on average (k3s-io/kine pull request 78)";
/// Its source.
pub(super) const WATCH: &str = "kine, published: changes by other processes are polled for each second (k3s-io/kine, \
     pkg/logstructured/sqllog/sql.go); ours: p99 at most 10 ms";
