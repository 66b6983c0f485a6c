//! Storage that can lose what was not synced, for tests.
//!
//! Preloaded into a process (`LD_PRELOAD`), this library stands in for the calls of the C library that change files.
//! Below the folder that `METERKEEP_POWERCUT_ROOT` names, what each change overwrites is first written down in the
//! folder `METERKEEP_POWERCUT_SIDE`; syncing a file or a folder throws away what was written down for it. After all
//! processes were killed, `house_tests::power` takes back what was written down, wholly or partly, as a power cut
//! may.
//!
//! It models: content that was written but not synced is lost wholly or partly, torn at sectors of 512 bytes, in
//! any order; a file's length is lost with or without its content; a file that was made, renamed or removed is
//! there or not, or under its old name, until its *folder* was synced, even if the file itself was. It is harsher
//! than real file systems: `sync`, `syncfs`, `sync_file_range`, `O_SYNC` and `O_DSYNC` make nothing durable here,
//! nor does syncing a new file save its name.
//!
//! It does not model: writes through shared mappings (they count as durable; SQLite's `-shm` file, the only one in
//! a house, is rebuilt after a crash and is left out), programs that call the kernel past the C library, folders
//! that are renamed while entries in them are not durable, symbolic links, failing disks, and disks that lie about
//! a sync. Syncing is not passed on to the real disk, because the real machine keeps running; it takes as many
//! microseconds as `METERKEEP_POWERCUT_SYNC_US` says, 1000 where that is not set.
//!
//! `METERKEEP_POWERCUT_KILL`, such as `readings.db-wal:write:25`, ends the process just before the 25th write to a
//! file whose path ends so; with `synced` instead of `write` just after its 25th sync. A program dies thereby between
//! two steps that no clock could hit, and needs no code of its own for it.

//!
//! `METERKEEP_POWERCUT_FAIL`, such as `/rooms/ledger/:17:undone`, has the 17th call fail that changes something in such a
//! path: it is not made and gives `EIO`; with `done` instead of `undone` it is made, and gives `EIO` all the same. Counted are
//! writing, truncating, syncing, opening for writing, making, renaming, linking and removing. Which call it was is written to
//! `struck` in the side folder.
//!
//! `METERKEEP_POWERCUT_FULL`, such as `4096`, lets the process write so many bytes more; then the disk is full: what still fits
//! of a write is written, and the next one, and whatever makes a file or folder, gives `ENOSPC`, until there is a file `freed`
//! in the side folder.

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
compile_error!("the preloaded library knows the system calls of 64-bit Linux only");

mod calls;
mod fault;
mod raw;
#[allow(dead_code, reason = "one side writes records, the other reads them")]
mod record;
mod watch;
