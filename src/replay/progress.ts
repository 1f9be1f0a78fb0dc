/** How far a long task is: a bar on a terminal, a line now and then elsewhere, nothing where a program reads the output. */

export interface ProgressOptions {
  readonly stream: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number };
  readonly label: string;
  readonly unit: string;
  readonly total: number;
  readonly silent: boolean;
  readonly now: () => number;
}

const redrawMs = 100;
const plainLineMs = 5_000;
const barWidthMost = 24;
const barWidthLeast = 10;
const labelWidthMost = 28;
const rateWindowMs = 5_000;

/** Shows progress from `start()` to `stop()`; `add` says that some more is done. */
export class Progress {
  readonly #options: ProgressOptions;
  readonly #terminal: boolean;
  #timer: NodeJS.Timeout | undefined;
  #done = 0;
  /** What was done when, of the last few seconds: the rate is that of now, not of the whole. */
  #marks: { readonly atMs: number; readonly done: number }[] = [];

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#terminal = options.stream.isTTY === true;
  }

  start(): void {
    this.#marks = [{ atMs: this.#options.now(), done: 0 }];
    if (this.#options.silent) return;
    this.#timer = setInterval(() => this.draw(), this.#terminal ? redrawMs : plainLineMs);
    this.#timer.unref();
  }

  add(done: number): void {
    this.#done += done;
  }

  /** Removes the bar; a plain log keeps its lines. */
  stop(): void {
    clearInterval(this.#timer);
    if (this.#terminal && !this.#options.silent) this.#options.stream.write("\r\u001b[2K");
  }

  draw(): void {
    const { stream, now } = this.#options;
    const atMs = now();
    this.#marks.push({ atMs, done: this.#done });
    // At most 10 a second are pushed, so this holds some 50.
    while (this.#marks.length > 2 && atMs - (this.#marks[0]?.atMs ?? 0) > rateWindowMs) this.#marks.shift();
    if (!this.#terminal) {
      stream.write(`${this.#options.label} ${this.#text()}\n`);
      return;
    }
    // The last column stays free: a terminal that wraps there would scroll at each redraw.
    const width = (stream.columns ?? 80) - 1;
    stream.write(`\r\u001b[2K${this.#bar(width).slice(0, width)}`);
  }

  /** Label and bar take what room the numbers leave: these matter more. */
  #bar(width: number): string {
    const text = this.#text();
    const { label } = this.#options;
    const labelWidth = Math.max(0, Math.min(labelWidthMost, width - text.length - barWidthLeast - 2));
    const name = label.length > labelWidth ? `${label.slice(0, Math.max(0, labelWidth - 1))}…` : label;
    const barWidth = Math.max(0, Math.min(barWidthMost, width - name.length - text.length - 2));
    const filled = Math.round(this.#share() * barWidth);
    const bar = `${"█".repeat(filled)}${"░".repeat(barWidth - filled)}`;
    return [name, bar, text].filter((part) => part !== "").join(" ");
  }

  #text(): string {
    const { unit, total } = this.#options;
    const rate = this.#ratePerSecond();
    const parts = [
      `${Math.floor(this.#share() * 100)} %`,
      `${count(this.#done)} of ${count(total)}`,
      `${count(Math.round(rate))} ${unit}/s`,
      rate > 0 ? `${clock((total - this.#done) / rate)} left` : "",
    ];
    return parts.filter((part) => part !== "").join("  ");
  }

  #share(): number {
    const { total } = this.#options;
    return total === 0 ? 1 : Math.min(1, this.#done / total);
  }

  #ratePerSecond(): number {
    const first = this.#marks[0];
    const last = this.#marks.at(-1);
    if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0;
    return ((last.done - first.done) / (last.atMs - first.atMs)) * 1000;
  }
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}

function clock(seconds: number): string {
  const whole = Math.ceil(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = String(Math.floor((whole % 3600) / 60)).padStart(hours > 0 ? 2 : 1, "0");
  return `${hours > 0 ? `${hours}:` : ""}${minutes}:${String(whole % 60).padStart(2, "0")}`;
}
