//! The messages of each room, and the one table of caller x method.
