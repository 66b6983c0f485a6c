//! Somebody has got in: what each captured part yields, and what it does not.

mod authority;
