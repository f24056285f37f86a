#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| mqferry_fuzz::openwire(data));
