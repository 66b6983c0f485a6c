#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some(target) = fuzz_targets::target("log_note") {
        (target.run)(data);
    }
});
