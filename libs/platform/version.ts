/** Of this release; the events of a process's start carry it. */
export const VERSION = '0.1.0';
