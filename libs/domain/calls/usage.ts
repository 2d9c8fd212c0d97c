import type { UsageOperation } from './calls.events.js';

/** What each use of a version is, for whoever counts them. */
export const USES: {
  readonly [O in UsageOperation]: {
    /** Something new hangs from the version. */
    readonly protects?: true;
    readonly opens?: true;
    /** A data key was given out in the clear. */
    readonly exports?: true;
  };
} = {
  encrypt: { protects: true },
  decrypt: { opens: true },
  dataKey: { protects: true, exports: true },
  dataKeyUnwrap: { opens: true, exports: true },
  rewrapFrom: { opens: true },
  rewrapTo: { protects: true },
};
