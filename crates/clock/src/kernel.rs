//! What the kernel knows of the wall clock. No safe library offers `adjtimex`, and the kernel tells it nowhere
//! else: the one line of unsafe code is here.

/// Whether a time source disciplines the wall clock (`STA_UNSYNC` is clear). `false` where the kernel does not
/// say: what is not known to be synchronised is not called so.
pub(crate) fn is_synchronised() -> bool {
    status().is_some_and(|status| status & libc::STA_UNSYNC == 0)
}

#[expect(unsafe_code, reason = "a system call that only reads, into a structure that it fills whole")]
fn status() -> Option<libc::c_int> {
    // SAFETY: `timex` is plain integers, for which all zeroes is a value; `modes` 0 makes `adjtimex` read only,
    // and the pointer is to a live structure of the type that the C library declares.
    let (answer, timex) = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut timex), timex)
    };
    // The answer is the state of the leap second machine, or -1; 5 (TIME_ERROR) also means unsynchronised.
    (0..libc::TIME_ERROR).contains(&answer).then_some(timex.status)
}

#[cfg(test)]
mod tests {
    #[test]
    fn asking_the_kernel_does_no_harm() {
        let first = super::is_synchronised();
        for _ in 0..1000 {
            assert_eq!(super::is_synchronised(), first);
        }
    }
}
