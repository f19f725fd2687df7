// Functions of the C library. Addresses are those of the process; each but `errno` returns -1 when it fails.

// @ts-ignore: decorator
@external("libc", "openat")
export declare function openat(dir: i32, name: f64, flags: i32, mode: i32): i32;
// @ts-ignore: decorator
@external("libc", "write")
export declare function write(fd: i32, data: f64, length: i32): f64;
// @ts-ignore: decorator
@external("libc", "pread")
export declare function pread(fd: i32, to: f64, length: i32, offset: i32): f64;
// @ts-ignore: decorator
@external("libc", "sendfile")
export declare function sendfile(to: i32, from: i32, offset: f64, length: i32): f64;
// @ts-ignore: decorator
@external("libc", "ftruncate")
export declare function ftruncate(fd: i32, length: i32): i32;
// @ts-ignore: decorator
@external("libc", "statx")
export declare function statx(dir: i32, name: f64, flags: i32, mask: i32, out: f64): i32;
// @ts-ignore: decorator
@external("libc", "fchown")
export declare function fchown(fd: i32, uid: f64, gid: f64): i32;
// @ts-ignore: decorator
@external("libc", "futimens")
export declare function futimens(fd: i32, times: f64): i32;
// @ts-ignore: decorator
@external("libc", "fchmod")
export declare function fchmod(fd: i32, mode: i32): i32;
// @ts-ignore: decorator
@external("libc", "flistxattr")
export declare function flistxattr(fd: i32, names: f64, size: i32): f64;
// @ts-ignore: decorator
@external("libc", "close")
export declare function close(fd: i32): i32;
// @ts-ignore: decorator
@external("libc", "renameat")
export declare function renameat(from: i32, a: f64, to: i32, b: f64): i32;
// @ts-ignore: decorator
@external("libc", "unlinkat")
export declare function unlinkat(dir: i32, name: f64, flags: i32): i32;
// @ts-ignore: decorator
@external("libc", "errno")
export declare function errno(): i32;
