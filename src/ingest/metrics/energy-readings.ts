/**
 * Energy out of readings of GPUs: what counters of energy grew by, or else power times the time since the reading before.
 * Only names that are documented: OpenTelemetry's hardware conventions (`hw.energy` in joules, `hw.power` in watts, which
 * recommend the former, of components of `hw.type` gpu) and the DCGM exporter's default counters
 * (`DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION` in millijoules, `DCGM_FI_DEV_POWER_USAGE` in watts).
 */

import type { EnergyReading } from "../../model/energy-reading.ts";
import type { ResourcePoint } from "../../model/metric-rows.ts";

interface Measure {
  readonly quantity: "energy" | "power";
  /** Joules, or watts, for one of its unit. */
  readonly scale: number;
}

const measures: ReadonlyMap<string, Measure> = new Map([
  ["hw.energy", { quantity: "energy", scale: 1 }],
  ["hw.power", { quantity: "power", scale: 1 }],
  ["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", { quantity: "energy", scale: 1e-3 }],
  ["DCGM_FI_DEV_POWER_USAGE", { quantity: "power", scale: 1 }],
]);

/** Readings further apart say nothing of the time between them. */
const gapMaxUs = 5 * 60_000_000;
const devicesMax = 20_000;
const instancesMax = 1_000;
/** More than any machine draws: a producer's mistake. */
const wattsMax = 1e6;

interface Device {
  /** Unix microseconds of the last reading of each quantity; 0 before the first. */
  energyUs: number;
  powerUs: number;
}

/** Remembers when each device was read last. Of a device that has both, power is passed over. */
export class EnergyReadings {
  readonly #devices = new Map<string, Device>();

  /** What these points say, one reading for each instance; at most 1,000. */
  of(points: readonly ResourcePoint[]): readonly EnergyReading[] {
    const byInstance = new Map<string, EnergyReading>();
    for (const point of points) {
      const reading = this.#read(point);
      if (reading === null) continue;
      const known = byInstance.get(reading.instance);
      if (known !== undefined) byInstance.set(reading.instance, together(known, reading));
      else if (byInstance.size < instancesMax) byInstance.set(reading.instance, reading);
    }
    return [...byInstance.values()];
  }

  #read(point: ResourcePoint): EnergyReading | null {
    const { instance, atUs } = point;
    const measure = measures.get(point.name);
    if (measure === undefined || instance === "" || !isGpu(point)) return null;
    const isEnergy = measure.quantity === "energy";
    // An untyped counter looks like a gauge: its value is all that was ever used.
    if (isEnergy === (point.kind === "gauge")) return null;
    const device = this.#device(point);
    const fromUs = isEnergy ? device.energyUs : device.powerUs;
    if (atUs <= fromUs) return null;
    if (isEnergy) device.energyUs = atUs;
    else device.powerUs = atUs;
    if (fromUs === 0 || atUs - fromUs > gapMaxUs) return null;
    if (!isEnergy && atUs - device.energyUs <= gapMaxUs) return null;
    const seconds = (atUs - fromUs) / 1e6;
    const joules = isEnergy ? point.increase * measure.scale : point.value * measure.scale * seconds;
    if (!(joules >= 0 && joules <= wattsMax * seconds)) return null;
    return { instance, fromUs, toUs: atUs, joules };
  }

  #device({ instance, device }: ResourcePoint): Device {
    const key = `${instance}\n${device}`;
    const known = this.#devices.get(key) ?? { energyUs: 0, powerUs: 0 };
    // The one that was silent for longest is forgotten: its next reading begins anew.
    this.#devices.delete(key);
    this.#devices.set(key, known);
    if (this.#devices.size > devicesMax) {
      for (const silent of this.#devices.keys()) {
        this.#devices.delete(silent);
        break;
      }
    }
    return known;
  }
}

/** The hardware conventions have one name for all components, and sums over an enclosure and what is in it count twice. */
function isGpu({ name, labels }: ResourcePoint): boolean {
  return !name.startsWith("hw.") || labels.split(",").includes("hw.type=gpu");
}

function together(one: EnergyReading, other: EnergyReading): EnergyReading {
  return {
    instance: one.instance,
    fromUs: Math.min(one.fromUs, other.fromUs),
    toUs: Math.max(one.toUs, other.toUs),
    joules: one.joules + other.joules,
  };
}
