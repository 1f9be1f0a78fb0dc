/** A replay that cannot go on for a reason its user can act upon: a message of one line and, where there is one, what to do. */
export class ReplayError extends Error {
  readonly hint: string | undefined;

  constructor(message: string, options: { readonly hint?: string; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "ReplayError";
    this.hint = options.hint;
  }
}
