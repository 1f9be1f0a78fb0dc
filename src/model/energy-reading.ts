/** Measured energy of the machines that models run on, as the usage log has it. */

/** What the GPUs of an instance took in a stretch of time. */
export interface EnergyReading {
  /** As records name the process that sent them: `UsageRecord.instance`. Never "". */
  readonly instance: string;
  /** Unix microseconds, `fromUs` before `toUs`. */
  readonly fromUs: number;
  readonly toUs: number;
  /** Joules, of all devices that were read together; finite and not negative. */
  readonly joules: number;
}
