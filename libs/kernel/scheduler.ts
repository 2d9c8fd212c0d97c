/** Timers as a port, so that what waits runs on a simulated clock in specs. */
export interface Scheduler {
  /** Runs once after `ms` milliseconds; the answer cancels. `run` must not throw. */
  after(ms: number, run: () => void): () => void;
}

/** Node's timers; a waiting one never keeps the process alive. */
export const systemScheduler: Scheduler = {
  after(ms, run) {
    const timer = setTimeout(run, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
