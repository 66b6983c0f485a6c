//! Admits collectors and makes their batches durable; the core pulls from it.
