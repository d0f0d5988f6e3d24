//! The logic of chorus-agent.
