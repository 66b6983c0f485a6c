//! People and collectors: who they are, and which grants they get.
