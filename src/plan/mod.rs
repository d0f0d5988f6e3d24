//! Decisions, pure: what is declared + what is observed + now -> plan, and status from outcome.
