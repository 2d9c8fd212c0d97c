export type { KmipFrontParts } from './front-parts.js';
export * from './kmip-front.js';
export { standingLocks } from './notifier.js';
export type { AccessChange, Notified, Rotation } from './notifier.js';
export type { Signed } from './statements.js';
