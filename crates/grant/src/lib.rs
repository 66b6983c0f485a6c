//! Grants and receipts as proof values.
