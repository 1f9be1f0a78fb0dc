/** Loaded before the server (`--import`): its clock runs ahead or behind by what the environment and the parent say. */

const realNow = Date.now;
let shiftMs = Number(process.env["CLOCK_SHIFT_MS"] ?? 0);

Date.now = () => realNow() + shiftMs;

process.on("message", (message: { readonly clockShiftMs?: number }) => {
  shiftMs = message.clockShiftMs ?? shiftMs;
});
