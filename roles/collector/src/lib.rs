//! Hears meters, seals batches to the core, spools and forwards them.
