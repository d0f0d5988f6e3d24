//! The process that runs in each container.
fn main() {}
