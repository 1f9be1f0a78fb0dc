/** The time of day of an instant in an IANA zone, daylight saving included. */

const minuteUs = 60_000_000;
const quarterUs = 15 * minuteUs;
const minutesPerDay = 1440;

/** Minutes since local midnight, told apart per zone. Zones change their offset at whole quarters of an hour of UTC. */
export class ZoneTime {
  readonly #format: Intl.DateTimeFormat;
  #quarter = Number.NaN;
  #minuteOfQuarter = 0;

  /** @throws RangeError when the zone is not known. */
  constructor(zone: string) {
    this.#format = new Intl.DateTimeFormat("en-GB", {
      timeZone: zone,
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    });
  }

  /** @param startUs Unix microseconds. @returns 0 to 1439. */
  minuteOfDay(startUs: number): number {
    const quarter = Math.floor(startUs / quarterUs);
    if (quarter !== this.#quarter) {
      const parts = this.#format.formatToParts(new Date((quarter * quarterUs) / 1000));
      const value = (type: string) => Number(parts.find((part) => part.type === type)?.value);
      this.#minuteOfQuarter = value("hour") * 60 + value("minute");
      this.#quarter = quarter;
    }
    const within = Math.floor((startUs - quarter * quarterUs) / minuteUs);
    return (this.#minuteOfQuarter + within) % minutesPerDay;
  }
}
