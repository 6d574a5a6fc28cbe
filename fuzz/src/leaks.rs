//! Under AddressSanitizer libFuzzer looks for leaks after each input that frees less than it allocates, and the paths that keep their
//! answers do so by design: 120 inputs a second. Leaks are counted by receipts, which know every allocation of a call.
#![allow(unsafe_code)]

use std::ffi::c_int;

/// Asked by LeakSanitizer before it looks, where it is linked; elsewhere nobody calls it.
// SAFETY: the name and the signature are those that lsan_interface.h of LLVM declares for programs to define.
#[unsafe(no_mangle)]
extern "C" fn __lsan_is_turned_off() -> c_int {
    1
}
