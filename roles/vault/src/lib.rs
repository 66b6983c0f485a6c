//! Meter keys and data-key roots; decrypts telegrams and judges their freshness.
