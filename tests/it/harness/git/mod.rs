//! Git repositories, and servers that serve them over HTTP, ssh and by Git's own protocol, well or badly.

pub(crate) mod bridge;
pub(crate) mod daemon;
pub(crate) mod repository;
pub(crate) mod sshd;
