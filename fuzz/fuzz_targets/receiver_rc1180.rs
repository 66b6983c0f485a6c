#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some(target) = fuzz_targets::target("receiver_rc1180") {
        (target.run)(data);
    }
});
