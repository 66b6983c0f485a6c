//! Meter key files as suppliers send them: Kamstrup KEM and KEM2.
