//! A town of simulated meters that speak the real protocols, for tests, demos and loads.
