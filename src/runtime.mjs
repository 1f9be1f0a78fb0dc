/** How Node is started for Burnwatch, by the launcher and by whatever measures or tests what the launcher starts. */

/**
 * Young objects are collected by the thread that made them. Several isolates share the cores here: helpers that V8 adds
 * to each collection made a pause wait for threads that had no core, and took twice the CPU (src/DECISIONS.md). With 8 MB for them, a half of the default, a pause is half as long.
 */
export const nodeFlags = ["--disable-warning=ExperimentalWarning", "--no-parallel-scavenge", "--max-semi-space-size=8"];

/** Engine, log and inflation share libuv's pool; its four threads would make them wait for each other. */
export const threadPoolSize = "16";

/**
 * What `burnwatch serve` ends with when a worker failed in the middle of its work, such as a log that could not be written:
 * what was acknowledged is safe, and a new process goes on from there (EX_TEMPFAIL of sysexits.h).
 */
export const startAgainCode = 75;
