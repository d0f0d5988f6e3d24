//! A keyed work queue: dedupe, one worker a key, delay, backoff. Knows no domain.
