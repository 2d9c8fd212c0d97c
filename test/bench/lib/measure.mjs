// How every bench measures: rounds in which each candidate takes its turn, medians over the rounds,
// ratios within one round, and the CPU time of the processes that do the work.
import { readFileSync } from 'node:fs';

/** USER_HZ of every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

export const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
export const percentile = (values, share) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))];
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** CPU microseconds so far of other processes, all threads; 10 ms fine. */
export function cpuMicrosOf(...pids) {
  let ticks = 0;
  for (const pid of pids) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Behind the name in brackets, which may hold blanks: utime and stime are fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return (ticks * 1e6) / TICKS_PER_SECOND;
}

/** CPU microseconds of this process, all threads. */
export function ownCpuMicros() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/**
 * One turn: `run` does `operations` and may answer with their latencies in ms. `cpu` reads the CPU
 * time of whoever does the work.
 */
export async function measured(operations, run, cpu = ownCpuMicros) {
  const before = cpu();
  const start = performance.now();
  const latencies = await run();
  const seconds = (performance.now() - start) / 1000;
  const perSecond = operations / seconds;
  const cpuMicros = (cpu() - before) / operations;
  if (!Array.isArray(latencies)) return { perSecond, cpuMicros };
  const p50Ms = percentile(latencies, 0.5);
  return { perSecond, cpuMicros, p50Ms, p99Ms: percentile(latencies, 0.99) };
}

/** One turn of something that is done again and again. */
export const repeated = (operations, act) =>
  measured(operations, async () => {
    for (let n = 0; n < operations; n += 1) await act();
  });

/**
 * Each candidate once a round, so that a slow spell of the machine meets all of them; the first
 * round only warms up. There and back again, with a collection before each turn: else one of them
 * would have to collect what another left. `between` runs after each turn.
 */
export async function interleaved(rounds, candidates, between = async () => {}) {
  const seen = Object.fromEntries(Object.keys(candidates).map((name) => [name, []]));
  const there = Object.entries(candidates);
  const back = there.toReversed();
  for (let round = -1; round < rounds; round += 1)
    for (const [name, turn] of round % 2 === 0 ? there : back) {
      globalThis.gc();
      const got = await turn(round);
      if (round >= 0) seen[name].push(got);
      await between();
    }
  return seen;
}

/** Medians of each figure of each candidate. */
export const medians = (seen) =>
  Object.fromEntries(
    Object.entries(seen).map(([name, turns]) => [
      name,
      Object.fromEntries(
        Object.keys(turns[0]).map((figure) => [figure, median(turns.map((turn) => turn[figure]))]),
      ),
    ]),
  );

/** The median over the rounds of one candidate's figure divided by another's of the same round. */
export const ratioOf = (seen, name, base, figure = 'perSecond') =>
  median(seen[name].map((turn, round) => turn[figure] / seen[base][round][figure]));
