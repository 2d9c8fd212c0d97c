/** Injection tokens of the kernel's ports. */
export const CLOCK = Symbol('Clock');
export const RANDOM = Symbol('Random');
export const REGION = Symbol('Region');
/** Id of this start of the process. */
export const BOOT = Symbol('Boot');
