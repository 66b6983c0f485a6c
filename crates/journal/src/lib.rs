//! Append-only segments that survive a power cut: the spool of the collector, the queue of the gateway.
