//! Orders events durably in a hash chain and signs receipts.
