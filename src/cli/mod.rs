//! Commands and printers; talks to the API over HTTP only.
