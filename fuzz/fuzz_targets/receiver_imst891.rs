#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some(target) = fuzz_targets::target("receiver_imst891") {
        (target.run)(data);
    }
});
