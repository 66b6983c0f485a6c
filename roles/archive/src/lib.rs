//! Answers questions on stored readings, against a grant and a receipt; keeps the register.
