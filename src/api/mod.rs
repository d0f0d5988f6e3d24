//! The Kubernetes-conventions API, health and metrics: the only room that knows axum.
