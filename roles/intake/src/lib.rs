//! Opens batches, has the vault decrypt, decodes, judges, seals and stores.
