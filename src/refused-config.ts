/** Configurations as commands read them. */

import { type Config, ConfigError, readConfig } from "./config.ts";
import { type CommandIo, UsageError } from "./console/command.ts";

/** @throws UsageError where the configuration of this file and the environment cannot be used, and why. */
export function usableConfig(file: string | undefined, io: CommandIo): Config {
  return refusing(() => readConfig(file, io.env));
}

/** A mistake in the configuration is one in the use of the command. */
export function refusing<Value>(read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (error instanceof ConfigError) throw new UsageError(error.message);
    throw error;
  }
}
