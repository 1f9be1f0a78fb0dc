/** Where notifications go. */

import type { Alert } from "../model/finding.ts";

export interface Channel {
  /** Stable: what was told is remembered under it. */
  readonly name: string;
  /**
   * Tells one alert, firing or resolved. May be called again for the same one after a crash.
   * @throws PermanentChannelError when trying again cannot help; any other error is tried again later.
   */
  notify(alert: Alert): Promise<void>;
}

export class PermanentChannelError extends Error {
  override name = "PermanentChannelError";
}
