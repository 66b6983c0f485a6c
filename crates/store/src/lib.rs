//! Sealed readings, the register and the account of every telegram, behind one interface.
