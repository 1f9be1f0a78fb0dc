/**
 * Hour of the day and day of the week, as factors: `log m = level + hour[24] + day[7]`, learnt hour by hour with a robust
 * step, and shrunk to the parent's until a series has seen enough hours of its own (UTC). Only amounts per time have a
 * season worth learning; what a call costs or holds hardly has one.
 */

import { type Block, type CellStore, newBlock, takeCells } from "./cells.ts";

/**
 * Plain data. Its cells are the factors by hour of the day and by day of the week, and how often each hour of the day was
 * seen; it has none before the first hour that it learns.
 */
export interface Season extends Block {
  /** Hour since 1970 that is being summed; -1 before the first. */
  hour: number;
  sum: number;
  level: number;
  hours: number;
}

/** Where the cells of days and of visits begin, and where they end. */
const [days, visited, cellCount] = [24, 31, 55];
const hourMs = 3_600_000;
/** The first of January 1970 was a Thursday. */
const firstDay = 4;
const levelWeight = 1 / 48;
const hourWeight = 1 / 8;
const dayWeight = 1 / 96;
/** Once an hour of the day is known, one visit moves it by no more than this, in logarithms. */
const stepMax = 1.5;
const knownFrom = 3;
/** The parent's season counts as so many visits of one's own. */
const parentVisits = 8;
/** Without a parent, a season is believed in by as much. */
const doubtVisits = 0.5;
const [factorMin, factorMax] = [1 / 5, 10];
/** A gap of more hours says nothing: they were no zeros. */
const gapHoursMax = 12;

/** A season of which nothing is known. */
export function newSeason(store: CellStore | null = null): Season {
  return { ...newBlock(store, 0), hour: -1, sum: 0, level: 0, hours: 0 };
}

/**
 * Adds an amount; hours that are over are learnt. Those of an incident
 * too: their step is bounded once the hour is known, and a day that looked like an incident the first time is how a season
 * begins.
 */
export function noteSeason(season: Season, atMs: number, amount: number): void {
  const hour = Math.floor(atMs / hourMs);
  if (season.hour === -1) season.hour = hour;
  if (hour > season.hour) passHours(season, hour);
  if (hour === season.hour) season.sum += amount;
}

/**
 * How many times the average this moment usually is. It is interpolated towards a busier
 * hour, and never below what this one has: days that begin on the stroke of eight are no incident.
 */
export function seasonFactor(season: Season, parent: Season | null, atMs: number): number {
  const hour = atMs / hourMs - 0.5;
  const [from, part] = [Math.floor(hour), hour - Math.floor(hour)];
  const between = (1 - part) * logFactor(season, parent, from) + part * logFactor(season, parent, from + 1);
  const log = Math.max(between, logFactor(season, parent, Math.floor(atMs / hourMs)));
  return Math.min(factorMax, Math.max(factorMin, Math.exp(log)));
}

function logFactor(season: Season, parent: Season | null, hour: number): number {
  const [ofDay, ofWeek] = [((hour % 24) + 24) % 24, dayOfWeek(hour)];
  const { cells, at } = season;
  const isKnown = season.length > 0;
  const visits = isKnown ? (cells[at + visited + ofDay] ?? 0) : 0;
  const own = isKnown ? (cells[at + ofDay] ?? 0) + (cells[at + days + ofWeek] ?? 0) : 0;
  if (parent === null) return (own * visits) / (visits + doubtVisits);
  return (own * visits + logFactor(parent, null, hour) * parentVisits) / (visits + parentVisits);
}

function passHours(season: Season, hour: number): void {
  const gap = hour - season.hour;
  for (let passed = 0; passed < Math.min(gap, gapHoursMax); passed++) {
    learn(season, season.hour + passed, passed === 0 ? season.sum : 0);
  }
  season.hour = hour;
  season.sum = 0;
}

function learn(season: Season, hour: number, amount: number): void {
  const log = Math.log1p(Math.max(0, amount));
  // The first hour may have begun before the series did.
  if (season.hours++ === 0) return;
  if (season.hours === 2) season.level = log;
  const [ofDay, ofWeek] = [((hour % 24) + 24) % 24, dayOfWeek(hour)];
  if (season.length === 0) takeCells(season, cellCount);
  const { cells } = season;
  const [hourCell, dayCell, visitsCell] = [season.at + ofDay, season.at + days + ofWeek, season.at + visited + ofDay];
  const expected = season.level + (cells[hourCell] ?? 0) + (cells[dayCell] ?? 0);
  const visits = Math.min(60_000, (cells[visitsCell] ?? 0) + 1);
  const most = visits > knownFrom ? stepMax : Number.POSITIVE_INFINITY;
  const step = Math.min(most, Math.max(-most, log - expected));
  cells[visitsCell] = visits;
  season.level += step * Math.max(levelWeight, 1 / season.hours);
  cells[hourCell] = (cells[hourCell] ?? 0) + step * Math.max(hourWeight, 1 / visits);
  cells[dayCell] = (cells[dayCell] ?? 0) + step * dayWeight;
}

function dayOfWeek(hour: number): number {
  return (((Math.floor(hour / 24) + firstDay) % 7) + 7) % 7;
}
